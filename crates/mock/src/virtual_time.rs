//! The engine without sockets and without waiting: a run in virtual time.
//!
//! The same [`Fleet`] that the server drives, driven from one instant to the next. An hour of load
//! takes as long as its steps take to compute. Arrivals come from a [`Source`], which hears of
//! every end, so that closed loops and searches work as well. Results can be turned into records
//! ([`Answered::to_record`]), so that metrics and judgement see a run as they see a measured one. What goes
//! wrong with a request is its [`Fate`]; what a request's body comes to says an [`Intake`].
//!
//! Not here: HTTP, bytes, what goes wrong on a client's own side. Invariant: with the same parameters and
//! the same arrivals every result is the same, to the nanosecond.

mod fate;
mod intake;
mod load;
mod record;
mod source;
mod spoken;

pub use fate::{Cut, Fate, Patience, When};
pub use intake::{BytesOnly, Intake, Taken};
pub use load::{Lognormal, OpenLoop};
pub use source::{ClosedLoop, Sorted, Source};
pub use spoken::Spoken;

use crate::engine::{Emission, EngineEvent, EngineRequest, Finish, Fleet, SequenceId};
use infermeter_core::record::RequestRecord;
use infermeter_core::schedule::Phase;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
    /// The server answered with another status.
    Status(u16),
    /// A well-formed answer without any token.
    Empty,
    /// It was cut.
    Cut(Cut),
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
    /// When, where that is not with its last token or with its arrival.
    pub given_up_ns: Option<i64>,
}

impl Answered {
    /// Arrival to first token, nanoseconds; `None` without a token.
    pub fn ttft_ns(&self) -> Option<i64> {
        Some(self.bursts.first()?.at_ns - self.arrived_ns)
    }

    /// When it ended: its last token, its arrival where it was refused, or when it was cut.
    pub fn ended_ns(&self) -> i64 {
        let last = self
            .bursts
            .last()
            .map_or(self.arrived_ns, |burst| burst.at_ns);
        self.given_up_ns.unwrap_or(last)
    }

    /// Tokens that came.
    pub fn tokens(&self) -> u32 {
        self.bursts.iter().map(|burst| burst.tokens).sum()
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
/// at that very instant, and behind what its autoscaler does then.
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
        cuts: BinaryHeap::new(),
        emissions: Vec::new(),
        events: Vec::new(),
        totals: RunTotals::default(),
    };
    loop {
        let never = i64::MAX;
        let arrival = run.source.next_ns().unwrap_or(never);
        let deadline = run.fleet.next_deadline().unwrap_or(never);
        let cut = run.next_cut().unwrap_or(never);
        let soonest = arrival.min(deadline).min(cut);
        if soonest == never {
            return run.totals;
        }
        loop {
            let scales = run.fleet.next_look_ns().unwrap_or(never);
            let first = next_look.min(scales);
            if first > soonest {
                break;
            }
            if scales <= next_look {
                run.fleet.look(scales);
            } else {
                look(next_look, run.fleet);
                next_look = next_look.saturating_add(every_ns.max(1));
            }
        }
        // At one instant: what a step has made is heard before the answer is given up, and who asks then is
        // served by the next step.
        if arrival <= deadline.min(cut) {
            run.arrive(arrival);
        } else if deadline <= cut {
            run.step(deadline);
        } else {
            run.give_up();
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
    in_flight: Vec<Flight>,
    unused: Vec<u32>,
    /// Answers that end at an instant, if they are still on their way then.
    cuts: BinaryHeap<Reverse<(i64, u64)>>,
    emissions: Vec<Emission>,
    events: Vec<EngineEvent>,
    totals: RunTotals,
}

/// A request on its way.
struct Flight {
    answered: Answered,
    fate: Fate,
    /// What the engine calls it; that of the slot's last one where nothing is on its way.
    sequence: SequenceId,
    is_open: bool,
}

impl Flight {
    /// When a client hears what the engine makes at `at_ns`.
    fn heard_ns(&self, at_ns: i64) -> i64 {
        let arrived = self.answered.arrived_ns;
        match self.fate {
            Fate::Silent { behind: 0, ns } => at_ns.max(arrived.saturating_add(ns)),
            Fate::Silent { behind, ns } => {
                let mut heard = 0;
                let before = self.answered.bursts.iter().find(|burst| {
                    heard += burst.tokens;
                    heard >= behind
                });
                before.map_or(at_ns, |burst| at_ns.max(burst.at_ns.saturating_add(ns)))
            }
            Fate::HeldBack(ns) => {
                let ns = ns.max(1);
                let periods = (at_ns - arrived).max(1).saturating_add(ns - 1) / ns;
                arrived.saturating_add(periods.saturating_mul(ns))
            }
            Fate::Served | Fate::Refused(_) | Fate::Empty | Fate::Cut { .. } => at_ns,
        }
    }

    /// Tokens that are missing until the answer is cut, and how it is then.
    fn cut_behind(&self) -> Option<(u32, Cut)> {
        match self.fate {
            Fate::Cut {
                when: When::Behind(tokens),
                how,
            } => Some((tokens.saturating_sub(self.answered.tokens()), how)),
            _ => None,
        }
    }
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
        let fate = self.source.fate();
        let at_ns = at_ns.max(self.totals.end_ns);
        self.totals.end_ns = at_ns;
        self.totals.requests += 1;
        let slot = self.open(at_ns, &request, fate);
        let id = self.in_flight[slot as usize].sequence;
        match fate {
            Fate::Refused(status) => return self.end(slot, Ending::Status(status), None),
            Fate::Empty => return self.end(slot, Ending::Empty, None),
            Fate::Served | Fate::Cut { .. } | Fate::Silent { .. } | Fate::HeldBack(_) => {}
        }
        match self.fleet.arrive(at_ns, EngineRequest { id, ..request }) {
            Ok(replica) => {
                self.in_flight[slot as usize].answered.replica = replica;
                self.arm(slot, at_ns);
            }
            Err(_) => {
                self.totals.refused += 1;
                self.end(slot, Ending::Refused, None);
            }
        }
        self.note_events();
    }

    /// Sees to it that an answer which is to be cut is cut.
    fn arm(&mut self, slot: u32, at_ns: i64) {
        let flight = &self.in_flight[slot as usize];
        let id = flight.sequence.0;
        match (flight.fate, flight.cut_behind()) {
            (
                Fate::Cut {
                    when: When::After(ns),
                    ..
                },
                _,
            ) => self.cuts.push(Reverse((at_ns.saturating_add(ns), id))),
            (_, Some((0, how))) => self.cut(slot, how, at_ns),
            _ => {}
        }
    }

    fn open(&mut self, arrived_ns: i64, request: &EngineRequest, fate: Fate) -> u32 {
        let slot = self.unused.pop().unwrap_or(self.in_flight.len() as u32);
        let mut flight = Flight {
            answered: Answered {
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
                given_up_ns: None,
            },
            fate,
            sequence: sequence(self.totals.requests, slot),
            is_open: true,
        };
        match self.in_flight.get_mut(slot as usize) {
            Some(entry) => {
                flight.answered.bursts = std::mem::take(&mut entry.answered.bursts);
                flight.answered.bursts.clear();
                *entry = flight;
            }
            None => self.in_flight.push(flight),
        }
        slot
    }

    /// An answer is cut: at once, or when the client has waited long enough for more.
    fn cut(&mut self, slot: u32, how: Cut, at_ns: i64) {
        let flight = &self.in_flight[slot as usize];
        let answered = &flight.answered;
        self.fleet.cancel(flight.sequence);
        match how {
            Cut::Stall(patience) => {
                let has_tokens = !answered.bursts.is_empty();
                let (until, _) = patience.ends(has_tokens, answered.arrived_ns, at_ns);
                self.cuts.push(Reverse((until, flight.sequence.0)));
            }
            _ => self.end(slot, Ending::Cut(how), Some(at_ns)),
        }
    }

    /// When the next answer ends whatever the engine does.
    fn next_cut(&mut self) -> Option<i64> {
        while let Some(Reverse((at_ns, id))) = self.cuts.peek().copied() {
            let flight = &self.in_flight[slot_of(SequenceId(id)) as usize];
            if flight.is_open && flight.sequence.0 == id {
                return Some(at_ns);
            }
            self.cuts.pop();
        }
        None
    }

    fn give_up(&mut self) {
        let Some(Reverse((at_ns, id))) = self.cuts.pop() else {
            return;
        };
        let slot = slot_of(SequenceId(id));
        self.totals.end_ns = self.totals.end_ns.max(at_ns);
        self.fleet.cancel(SequenceId(id));
        if let Fate::Cut { how, .. } = self.in_flight[slot as usize].fate {
            self.end(slot, Ending::Cut(how), Some(at_ns));
        }
    }

    fn end(&mut self, slot: u32, ending: Ending, at_ns: Option<i64>) {
        let answered = &mut self.in_flight[slot as usize].answered;
        answered.ending = ending;
        answered.given_up_ns = at_ns;
        self.close(slot);
    }

    fn close(&mut self, slot: u32) {
        let flight = &mut self.in_flight[slot as usize];
        flight.is_open = false;
        let answered = &flight.answered;
        self.totals.end_ns = self.totals.end_ns.max(answered.ended_ns());
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
                self.take(emission, report.end_ns);
            }
        }
        self.emissions = emissions;
    }

    /// A client hears of tokens.
    fn take(&mut self, emission: &Emission, made_ns: i64) {
        let slot = slot_of(emission.id);
        let flight = &mut self.in_flight[slot as usize];
        let at_ns = flight.heard_ns(made_ns);
        let visible = emission.tokens - u32::from(emission.finish == Some(Finish::Stop));
        let cut = flight.cut_behind().filter(|(left, _)| visible >= *left);
        let tokens = cut.map_or(emission.tokens, |(left, _)| left);
        flight.answered.bursts.push(Burst { at_ns, tokens });
        match cut {
            Some((_, how)) => self.cut(slot, how, at_ns),
            None if emission.finish.is_some() => self.close(slot),
            None => {}
        }
    }

    fn note_events(&mut self) {
        self.fleet.take_events(&mut self.events);
        for event in self.events.drain(..) {
            let (EngineEvent::Admitted { id, .. }
            | EngineEvent::Prefilled { id, .. }
            | EngineEvent::Preempted { id, .. }) = event;
            let flight = &mut self.in_flight[slot_of(id) as usize];
            // The slot of an answer that was cut may be another request's by now.
            if flight.sequence != id {
                continue;
            }
            let answered = &mut flight.answered;
            match event {
                EngineEvent::Admitted {
                    at_ns,
                    cached_tokens,
                    ..
                } => {
                    if answered.admitted_ns.is_none() {
                        answered.admitted_ns = Some(at_ns);
                        answered.cached_tokens = cached_tokens;
                    }
                }
                EngineEvent::Prefilled { at_ns, .. } => answered.prefilled_ns = Some(at_ns),
                EngineEvent::Preempted { .. } => answered.preemptions += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests;
