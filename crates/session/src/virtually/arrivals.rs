//! The arrivals of a load for an engine in virtual time, and the phases that they belong to.
//!
//! Invariant: the load goes on until every measured request has ended, as it does over sockets.

use super::dependents::{Dependents, Rest};
use super::reader::Reader;
use crate::load::Load;
use infermeter_core::clock::Offset;
use infermeter_core::plan::OnFailure;
use infermeter_core::record::RequestRecord;
use infermeter_core::request::{RequestId, RequestSpec};
use infermeter_core::run::Window;
use infermeter_core::schedule::{ClosedSchedule, OpenSchedule, Phase, Schedule};
use infermeter_mock::engine::EngineRequest;
use infermeter_mock::virtual_time::{Answered, Fate, Source, Spoken};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// The arrivals of a load.
pub(super) struct Arrivals<'a> {
    load: &'a Load,
    reader: Reader<'a>,
    pace: Pace<'a>,
    dependents: Dependents<'a>,
    phases: HashMap<RequestId, Phase>,
    /// Measured requests that have not ended.
    open: usize,
    /// Arrivals of the schedule, or sessions of slots, that have begun so far.
    begun: usize,
    /// Requests so far.
    sent: u64,
    /// What becomes of the last of them.
    fate: Fate,
    /// What the answers to those that are there say, where that is asked for.
    spoken: HashMap<RequestId, Spoken>,
    /// Records of what has ended, but for those that were not sent.
    records: Vec<RequestRecord>,
    /// Why a request could not be made.
    problem: Option<anyhow::Error>,
}

enum Pace<'a> {
    Open(&'a OpenSchedule),
    Closed(Slots<'a>),
}

/// A closed loop: who is free when, and how far the phases are.
struct Slots<'a> {
    schedule: &'a ClosedSchedule,
    free: BinaryHeap<Reverse<i64>>,
    measure_from: Option<i64>,
    measured: u64,
    drain_from: Option<i64>,
}

impl<'a> Arrivals<'a> {
    pub fn of(load: &'a Load, reader: Reader<'a>, on_failure: OnFailure) -> Self {
        let pace = match &load.schedule {
            Schedule::Open(open) => Pace::Open(open),
            Schedule::Closed(schedule) => Pace::Closed(Slots {
                schedule,
                free: (0..schedule.slots).map(|_| Reverse(0)).collect(),
                measure_from: None,
                measured: 0,
                drain_from: None,
            }),
        };
        Self {
            load,
            reader,
            pace,
            dependents: Dependents::new(load, on_failure),
            phases: HashMap::new(),
            open: 0,
            begun: 0,
            sent: 0,
            fate: Fate::Served,
            spoken: HashMap::new(),
            records: Vec::new(),
            problem: None,
        }
    }

    /// The records of all requests, in the order of their ends.
    ///
    /// # Errors
    /// Where a request could not be made.
    pub fn take_records(&mut self) -> anyhow::Result<Vec<RequestRecord>> {
        match self.problem.take() {
            Some(problem) => Err(problem),
            None => {
                let mut records = std::mem::take(&mut self.records);
                records.append(&mut self.dependents.abandoned);
                Ok(records)
            }
        }
    }

    /// What is left of the sessions.
    pub fn rest(&self) -> Rest {
        self.dependents.rest()
    }

    /// Arrivals of an open loop that the end of the run came before.
    pub fn not_reached(&self) -> u64 {
        match &self.pace {
            Pace::Open(open) => (open.arrivals.len() - self.begun) as u64,
            Pace::Closed(_) => 0,
        }
    }

    /// The measured window of a run that ended at `end_ns`.
    pub fn window(&self, end_ns: i64) -> Option<Window> {
        match &self.pace {
            Pace::Open(open) => Some(Window {
                start: open.window_start,
                end: open.window_end,
            }),
            Pace::Closed(slots) => Some(Window {
                start: Offset(slots.measure_from?),
                end: Offset(slots.drain_from.unwrap_or(end_ns)),
            }),
        }
    }

    /// The window is over, and what was measured has ended.
    fn is_over(&self) -> bool {
        let in_drain = match &self.pace {
            Pace::Open(open) => self.begun >= open.drain_from,
            Pace::Closed(slots) => slots.drain_from.is_some(),
        };
        in_drain && self.open == 0
    }
}

impl Slots<'_> {
    /// The phase of the request that is sent at `at`, as the `number`th from 0.
    fn phase(&mut self, at: i64, number: u64) -> Phase {
        let plan = self.schedule;
        let enough = at >= plan.warmup_ns && number >= plan.warmup_requests;
        if self.measure_from.is_none() && (enough || at >= plan.warmup_max_ns) {
            self.measure_from = Some(at);
        }
        let Some(from) = self.measure_from else {
            return Phase::Warmup;
        };
        let late = plan.duration_ns.is_some_and(|ns| at >= from + ns);
        let enough = plan.requests.is_some_and(|most| self.measured >= most);
        if self.drain_from.is_none() && (late || enough) {
            self.drain_from = Some(match (late, plan.duration_ns) {
                (true, Some(ns)) => from + ns,
                _ => at,
            });
        }
        if self.drain_from.is_some() {
            return Phase::Drain;
        }
        self.measured += 1;
        Phase::Measure
    }
}

impl Pace<'_> {
    /// When the next request is due that waits for nobody.
    fn next_ns(&self, begun: usize) -> Option<i64> {
        match self {
            Self::Open(open) => open.arrivals.get(begun).map(|at| at.0),
            Self::Closed(slots) => slots.free.peek().map(|Reverse(at)| *at),
        }
    }

    /// The phase of an instant at which nothing is sent.
    fn phase_at(&self, at: Offset) -> Phase {
        match self {
            Self::Open(open) => open.phase_at(at),
            Self::Closed(slots) => match (slots.measure_from, slots.drain_from) {
                (Some(from), until) if at.0 >= from => match until {
                    Some(until) if at.0 >= until => Phase::Drain,
                    _ => Phase::Measure,
                },
                _ => Phase::Warmup,
            },
        }
    }
}

impl Arrivals<'_> {
    /// The next request that waits for an answer, where that is due before the next one that does not.
    fn take_turn(&mut self) -> Option<(RequestId, i64, Phase)> {
        let at_ns = self.dependents.next_ns()?;
        let first = self.pace.next_ns(self.begun);
        if first.is_some_and(|first| first < at_ns) {
            return None;
        }
        let id = self.dependents.take()?;
        let phase = match &mut self.pace {
            // It was counted when it became due.
            Pace::Open(open) => open.phase_at(Offset(at_ns)),
            Pace::Closed(slots) => {
                let phase = slots.phase(at_ns, self.sent);
                self.open += usize::from(phase == Phase::Measure);
                phase
            }
        };
        Some((id, at_ns, phase))
    }

    /// The next request that waits for nobody.
    fn take_first(&mut self) -> Option<(RequestId, i64, Phase)> {
        let (id, at_ns, phase) = match &mut self.pace {
            Pace::Open(open) => {
                let at_ns = open.arrivals.get(self.begun)?.0;
                (open.ids.id(self.begun), at_ns, open.phase_of(self.begun))
            }
            Pace::Closed(slots) => {
                let Reverse(at_ns) = slots.free.pop()?;
                let id = self.load.schedule.begins(self.begun as u64);
                (id, at_ns, slots.phase(at_ns, self.sent))
            }
        };
        self.begun += 1;
        self.open += usize::from(phase == Phase::Measure);
        Some((id, at_ns, phase))
    }

    /// The record of a request.
    fn record(&self, spec: &RequestSpec, answered: &Answered) -> RequestRecord {
        let phase = self.phases.get(&spec.id).copied();
        let mut record = answered.to_record(spec.class, phase.unwrap_or(Phase::Drain));
        record.requested_prompt_tokens = spec.prompt_tokens;
        record.requested_output_tokens = spec.output_tokens;
        record.turn = spec.turn;
        record.cached_tokens = record.cached_tokens.filter(|_| self.reader.tells_cached);
        if let Some(waited) = self.load.waited(spec) {
            record.parent = Some(waited.parent);
            record.planned = waited.planned;
        }
        record
    }
}

impl Source for Arrivals<'_> {
    fn next_ns(&mut self) -> Option<i64> {
        if self.is_over() || self.problem.is_some() {
            return None;
        }
        let first = self.pace.next_ns(self.begun);
        first.into_iter().chain(self.dependents.next_ns()).min()
    }

    fn take(&mut self) -> Option<EngineRequest> {
        let turn = self.take_turn();
        let (id, at_ns, phase) = turn.or_else(|| self.take_first())?;
        self.sent += 1;
        self.phases.insert(id, phase);
        let spec = self.load.workload.spec(id);
        let there = self.sent as usize - self.records.len() - 1;
        match self.reader.take(&spec, at_ns, there) {
            Ok(taken) => {
                self.fate = taken.fate;
                self.spoken.extend(taken.spoken.map(|spoken| (id, spoken)));
                Some(taken.request)
            }
            Err(error) => {
                self.problem = Some(error);
                None
            }
        }
    }

    fn fate(&mut self) -> Fate {
        self.fate
    }

    fn ended(&mut self, answered: &Answered) {
        let spec = self.load.workload.spec(answered.id.0);
        let mut record = self.record(&spec, answered);
        if let Some(spoken) = self.spoken.remove(&spec.id) {
            spoken.fill(&mut record);
        }
        let (outcome, closed) = (record.outcome, Offset(answered.ended_ns()));
        let measured = record.phase == Phase::Measure;
        let (pace, open) = (&self.pace, &mut self.open);
        let over = self.dependents.ended(
            &spec,
            outcome,
            closed,
            |at| pace.phase_at(at),
            |due| {
                let counts = matches!(pace, Pace::Open(_)) && pace.phase_at(due) == Phase::Measure;
                *open += usize::from(counts);
            },
        );
        self.open -= usize::from(measured);
        if let Pace::Closed(slots) = &mut self.pace
            && over
        {
            let pause = self.load.pause_ns(&spec);
            slots.free.push(Reverse(closed.0 + pause));
        }
        self.records.push(record);
    }
}
