//! The arrivals of a load for an engine in virtual time, and the phases that they belong to.
//!
//! Invariant: the load goes on until every measured request has ended, as it does over sockets.

use crate::load::Load;
use infermeter_core::clock::Offset;
use infermeter_core::request::RequestId;
use infermeter_core::run::Window;
use infermeter_core::schedule::{ClosedSchedule, OpenSchedule, Phase, Schedule};
use infermeter_mock::engine::{EngineRequest, Finish, SequenceId};
use infermeter_mock::virtual_time::{Answered, Source};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// The arrivals of a load.
pub(super) struct Arrivals<'a> {
    load: &'a Load,
    /// The engine's answers are never longer.
    most_tokens: Option<u32>,
    pace: Pace<'a>,
    phases: HashMap<RequestId, Phase>,
    /// Measured requests that have not ended.
    open: usize,
    /// Arrivals so far.
    taken: usize,
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
    pub fn of(load: &'a Load, most_tokens: Option<u32>) -> Self {
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
            most_tokens,
            pace,
            phases: HashMap::new(),
            open: 0,
            taken: 0,
        }
    }

    /// The phase of a request that has arrived.
    pub fn phase_of(&self, id: RequestId) -> Phase {
        self.phases.get(&id).copied().unwrap_or(Phase::Drain)
    }

    /// Arrivals of an open loop that the end of the run came before.
    pub fn not_reached(&self) -> u64 {
        match &self.pace {
            Pace::Open(open) => (open.arrivals.len() - self.taken) as u64,
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
            Pace::Open(open) => self.taken >= open.drain_from,
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

impl Source for Arrivals<'_> {
    fn next_ns(&mut self) -> Option<i64> {
        if self.is_over() {
            return None;
        }
        match &self.pace {
            Pace::Open(open) => open.arrivals.get(self.taken).map(|at| at.0),
            Pace::Closed(slots) => slots.free.peek().map(|Reverse(at)| *at),
        }
    }

    fn take(&mut self) -> Option<EngineRequest> {
        let (id, phase) = match &mut self.pace {
            Pace::Open(open) => (open.ids.id(self.taken), open.phase_of(self.taken)),
            Pace::Closed(slots) => {
                let Reverse(at) = slots.free.pop()?;
                (self.taken as u64, slots.phase(at, self.taken as u64))
            }
        };
        self.taken += 1;
        self.phases.insert(id, phase);
        self.open += usize::from(phase == Phase::Measure);
        let spec = self.load.workload.spec(id);
        Some(EngineRequest {
            id: SequenceId(id),
            prompt_tokens: spec.prompt_tokens,
            output_tokens: spec.output_tokens.min(self.most_tokens.unwrap_or(u32::MAX)),
            finish: Finish::Length,
            blocks: [].into(),
            adapter: None,
        })
    }

    fn ended(&mut self, answered: &Answered) {
        let measured = self.phase_of(answered.id.0) == Phase::Measure;
        self.open -= usize::from(measured);
        if let Pace::Closed(slots) = &mut self.pace {
            slots.free.push(Reverse(answered.ended_ns()));
        }
    }
}
