//! The engine without sockets and without waiting: a run in virtual time.
//!
//! The same [`Fleet`] that the server drives, driven from one instant to the next. An hour of load
//! takes as long as its steps take to compute. Arrivals come from a [`Source`], which hears of
//! every end, so that closed loops and searches work as well. Results can be turned into records
//! ([`Answered::to_record`]), so that metrics and judgement see a run as they see a measured one.
//!
//! Not here: texts, HTTP, faults, a client and its errors. Invariant: with the same parameters and
//! the same arrivals every result is the same, to the nanosecond.

mod load;
mod record;
mod source;

pub use load::{Lognormal, OpenLoop};
pub use source::{ClosedLoop, Sorted, Source};

use crate::engine::{Emission, EngineEvent, EngineRequest, Finish, Fleet, SequenceId};
use infermeter_core::record::RequestRecord;
use infermeter_core::schedule::Phase;

/// Tokens of one sequence that left together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// When, nanoseconds of virtual time.
    pub at_ns: i64,
    /// How many.
    pub tokens: u32,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All its tokens came.
    Finished(Finish),
    /// The queue was full.
    Refused,
}

/// What became of one request. Instants are nanoseconds of virtual time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its name, as the source gave it.
    pub id: SequenceId,
    /// Tokens of its prompt.
    pub prompt_tokens: u32,
    /// Tokens asked for.
    pub output_tokens: u32,
    /// The replica that served it.
    pub replica: u32,
    /// When it arrived.
    pub arrived_ns: i64,
    /// When its first step began; `None` where it was refused.
    pub admitted_ns: Option<i64>,
    /// When its prompt was computed; `None` where it was refused.
    pub prefilled_ns: Option<i64>,
    /// Prompt tokens found in the prefix cache at its first admission.
    pub cached_tokens: u32,
    /// Times it lost its blocks.
    pub preemptions: u32,
    /// Its tokens, in order.
    pub bursts: Vec<Burst>,
    /// How it ended.
    pub ending: Ending,
}

impl Answered {
    /// Arrival to first token, nanoseconds; `None` without a token.
    pub fn ttft_ns(&self) -> Option<i64> {
        Some(self.bursts.first()?.at_ns - self.arrived_ns)
    }

    /// When it ended: its last token, or its arrival where it was refused.
    pub fn ended_ns(&self) -> i64 {
        self.bursts
            .last()
            .map_or(self.arrived_ns, |burst| burst.at_ns)
    }
}

/// What a whole run was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunTotals {
    /// Requests that arrived.
    pub requests: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Tokens handed out.
    pub tokens: u64,
    /// Steps completed.
    pub steps: u64,
    /// The last instant at which something happened, nanoseconds.
    pub end_ns: i64,
}

/// Runs until the source has no more arrivals and every request has ended. `on_end` sees each
/// request once, in the order of their ends.
pub fn run(
    fleet: &mut Fleet,
    source: &mut impl Source,
    on_end: impl FnMut(&Answered),
) -> RunTotals {
    run_watched(fleet, source, on_end, i64::MAX, |_, _: &Fleet| {})
}

/// [`run`], with a look at the fleet each `every_ns` nanoseconds while it goes on, before what happens
/// at that very instant.
pub fn run_watched(
    fleet: &mut Fleet,
    source: &mut impl Source,
    on_end: impl FnMut(&Answered),
    every_ns: i64,
    mut look: impl FnMut(i64, &Fleet),
) -> RunTotals {
    let mut next_look = every_ns;
    let mut run = Run {
        fleet,
        source,
        on_end,
        in_flight: Vec::new(),
        unused: Vec::new(),
        emissions: Vec::new(),
        events: Vec::new(),
        totals: RunTotals::default(),
    };
    loop {
        let deadline = run.fleet.next_deadline();
        let soonest = run.source.next_ns().into_iter().chain(deadline).min();
        while soonest.is_some_and(|soonest| next_look <= soonest) {
            look(next_look, run.fleet);
            next_look = next_look.saturating_add(every_ns.max(1));
        }
        match (run.source.next_ns(), deadline) {
            (Some(at), Some(deadline)) if at <= deadline => run.arrive(at),
            (_, Some(deadline)) => run.step(deadline),
            (Some(at), None) => run.arrive(at),
            (None, None) => return run.totals,
        }
    }
}

/// [`run`], with a record of each request, in the order of the source's ids. `phase_of` says which
/// phase a request belongs to.
pub fn run_to_records(
    fleet: &mut Fleet,
    source: &mut impl Source,
    mut phase_of: impl FnMut(&Answered) -> Phase,
) -> Vec<RequestRecord> {
    let mut records = Vec::new();
    run(fleet, source, |answered| {
        records.push(answered.to_record(0, phase_of(answered)));
    });
    records.sort_unstable_by_key(|record| record.id);
    records
}

struct Run<'a, S, F> {
    fleet: &'a mut Fleet,
    source: &'a mut S,
    on_end: F,
    /// By the lower half of the engine's id.
    in_flight: Vec<Answered>,
    unused: Vec<u32>,
    emissions: Vec<Emission>,
    events: Vec<EngineEvent>,
    totals: RunTotals,
}

/// Slots are used again, identifiers are not: the engine's draws go by them.
fn sequence(number: u64, slot: u32) -> SequenceId {
    SequenceId(number << 32 | u64::from(slot))
}

fn slot_of(id: SequenceId) -> u32 {
    id.0 as u32
}

impl<S: Source, F: FnMut(&Answered)> Run<'_, S, F> {
    fn arrive(&mut self, at_ns: i64) {
        let Some(request) = self.source.take() else {
            return;
        };
        let at_ns = at_ns.max(self.totals.end_ns);
        self.totals.end_ns = at_ns;
        self.totals.requests += 1;
        let slot = self.open(at_ns, &request);
        let request = EngineRequest {
            id: sequence(self.totals.requests, slot),
            ..request
        };
        match self.fleet.arrive(at_ns, request) {
            Ok(replica) => self.in_flight[slot as usize].replica = replica,
            Err(_) => {
                self.totals.refused += 1;
                self.in_flight[slot as usize].ending = Ending::Refused;
                self.close(slot);
            }
        }
        self.note_events();
    }

    fn open(&mut self, arrived_ns: i64, request: &EngineRequest) -> u32 {
        let mut answered = Answered {
            id: request.id,
            prompt_tokens: request.prompt_tokens.max(1),
            output_tokens: request.output_tokens.max(1),
            replica: 0,
            arrived_ns,
            admitted_ns: None,
            prefilled_ns: None,
            cached_tokens: 0,
            preemptions: 0,
            bursts: Vec::new(),
            ending: Ending::Finished(request.finish),
        };
        match self.unused.pop() {
            Some(slot) => {
                let entry = &mut self.in_flight[slot as usize];
                answered.bursts = std::mem::take(&mut entry.bursts);
                answered.bursts.clear();
                *entry = answered;
                slot
            }
            None => {
                self.in_flight.push(answered);
                (self.in_flight.len() - 1) as u32
            }
        }
    }

    fn close(&mut self, slot: u32) {
        let answered = &self.in_flight[slot as usize];
        self.source.ended(answered);
        (self.on_end)(answered);
        self.unused.push(slot);
    }

    fn step(&mut self, now_ns: i64) {
        let mut emissions = std::mem::take(&mut self.emissions);
        emissions.clear();
        let report = self.fleet.step(now_ns, &mut emissions);
        self.totals.end_ns = self.totals.end_ns.max(now_ns);
        self.note_events();
        if let Some(report) = report {
            self.totals.steps += 1;
            self.totals.tokens += u64::from(report.tokens);
            for emission in &emissions {
                let slot = slot_of(emission.id);
                self.in_flight[slot as usize].bursts.push(Burst {
                    at_ns: report.end_ns,
                    tokens: emission.tokens,
                });
                if emission.finish.is_some() {
                    self.close(slot);
                }
            }
        }
        self.emissions = emissions;
    }

    fn note_events(&mut self) {
        self.fleet.take_events(&mut self.events);
        for event in self.events.drain(..) {
            match event {
                EngineEvent::Admitted {
                    id,
                    at_ns,
                    cached_tokens,
                    ..
                } => {
                    let answered = &mut self.in_flight[slot_of(id) as usize];
                    if answered.admitted_ns.is_none() {
                        answered.admitted_ns = Some(at_ns);
                        answered.cached_tokens = cached_tokens;
                    }
                }
                EngineEvent::Prefilled { id, at_ns } => {
                    self.in_flight[slot_of(id) as usize].prefilled_ns = Some(at_ns);
                }
                EngineEvent::Preempted { id, .. } => {
                    self.in_flight[slot_of(id) as usize].preemptions += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
