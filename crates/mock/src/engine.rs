//! The simulated engine: continuous batching in steps, as a pure state machine.
//!
//! Time is a parameter: nothing here reads a clock or touches a socket, so that the same engine
//! runs over sockets in real time and in a loop in virtual time. Drive it with
//! [`Engine::arrive`], [`Engine::next_deadline`] and [`Engine::step`].
//!
//! Invariants: steps never overlap and their ends strictly increase; all tokens of a step carry
//! its end; waiting requests are admitted first come, first served; the instants depend on the
//! arrivals alone, not on how late `step` is called (a late caller does not make the engine drift),
//! unless it is later than [`MAX_LAG_NS`]: what cannot be caught up is given up and counted.
//!
//! Not here: KV blocks, prefix cache, preemption, jitter, speculative decoding.

mod batched;
mod events;
mod gauges;
mod grid;
mod params;

pub use events::{Emission, EngineEvent, Finish, QueueFull, SequenceId, StepReport};
pub use gauges::{Gauge, Gauges};
pub use params::{
    EngineParams, EngineRequest, KvParams, LifeCycle, LoraParams, Penalties, Speculative, StepLaw,
};

use std::collections::{HashSet, VecDeque};

/// A caller of [`Engine::step`] who is later than this has lost the time: the engine goes on from
/// the call. Long enough for any preemption, short enough that an overloaded host slows the
/// streams down instead of letting arrivals wait ever longer.
pub const MAX_LAG_NS: i64 = 200_000_000;

#[derive(Debug, Clone)]
struct Waiting {
    request: EngineRequest,
    arrived_ns: i64,
}

#[derive(Debug, Clone)]
struct Running {
    request: EngineRequest,
    emitted: u32,
    /// Prompt tokens still to compute after the current step (batched law).
    prefill_left: u32,
    /// No token before this instant (fixed law).
    ready_ns: i64,
    /// Gets a token at the current step's end (batched law).
    due: bool,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    params: EngineParams,
    waiting: VecDeque<Waiting>,
    running: Vec<Running>,
    cancelled: HashSet<SequenceId>,
    step_end_ns: Option<i64>,
    last_end_ns: i64,
    lost_ns: i64,
    gauges: Gauges,
    events: Vec<EngineEvent>,
}

impl Engine {
    /// An idle engine.
    pub fn new(params: EngineParams) -> Self {
        Self {
            params,
            waiting: VecDeque::new(),
            running: Vec::new(),
            cancelled: HashSet::new(),
            step_end_ns: None,
            last_end_ns: i64::MIN,
            lost_ns: 0,
            gauges: Gauges::default(),
            events: Vec::new(),
        }
    }

    /// A request arrives at `now_ns`.
    pub fn arrive(&mut self, now_ns: i64, request: EngineRequest) -> Result<(), QueueFull> {
        self.waiting.push_back(Waiting {
            request: EngineRequest {
                prompt_tokens: request.prompt_tokens.max(1),
                output_tokens: request.output_tokens.max(1),
                ..request
            },
            arrived_ns: now_ns,
        });
        match self.params.law {
            StepLaw::Batched { .. } => {
                if self.step_end_ns.is_none() {
                    self.begin_batched_step(now_ns.max(self.last_end_ns));
                }
            }
            StepLaw::Fixed { .. } => {
                self.admit_on_grid(now_ns);
                self.plan_grid_step();
            }
        }
        self.note_load(now_ns);
        Ok(())
    }

    /// Moves what happened since the last call to `events`, in order.
    pub fn take_events(&mut self, events: &mut Vec<EngineEvent>) {
        events.append(&mut self.events);
    }

    /// Gives a sequence up. It emits nothing more; its slot is free from the end of the step in
    /// progress on, as in an engine that handles aborts between steps. `id` must be live.
    pub fn cancel(&mut self, id: SequenceId) {
        self.cancelled.insert(id);
    }

    /// When the step in progress ends; `None` while idle.
    pub fn next_deadline(&self) -> Option<i64> {
        self.step_end_ns
    }

    /// Completes the step in progress if its end has come, appending its tokens to `emissions` in
    /// order of admission, and begins the next one at that end. `None` when no step is due.
    pub fn step(&mut self, now_ns: i64, emissions: &mut Vec<Emission>) -> Option<StepReport> {
        let end_ns = self.step_end_ns.filter(|end| *end <= now_ns)?;
        self.step_end_ns = None;
        let resume_ns = if now_ns - end_ns > MAX_LAG_NS {
            self.lost_ns += now_ns - end_ns;
            now_ns
        } else {
            end_ns
        };
        self.last_end_ns = resume_ns;
        let before = emissions.len();
        self.complete_step(end_ns, emissions);
        match self.params.law {
            StepLaw::Batched { .. } => self.begin_batched_step(resume_ns),
            StepLaw::Fixed { .. } => {
                self.admit_on_grid(resume_ns);
                self.plan_grid_step();
            }
        }
        if self.running.is_empty() && self.waiting.is_empty() {
            self.cancelled.clear();
        }
        self.note_load(resume_ns);
        Some(StepReport {
            end_ns,
            tokens: (emissions.len() - before) as u32,
            prefill_tokens: 0,
            sequences: self.running.len() as u32,
            replica: 0,
        })
    }

    /// Time given up because the caller was later than [`MAX_LAG_NS`], nanoseconds.
    pub fn lost_ns(&self) -> i64 {
        self.lost_ns
    }

    /// Load over time.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    fn complete_step(&mut self, end_ns: i64, emissions: &mut Vec<Emission>) {
        let fixed = matches!(self.params.law, StepLaw::Fixed { .. });
        let cancelled = &mut self.cancelled;
        self.running.retain_mut(|sequence| {
            let id = sequence.request.id;
            if !cancelled.is_empty() && cancelled.remove(&id) {
                return false;
            }
            let emits = if fixed {
                sequence.ready_ns <= end_ns
            } else {
                sequence.due
            };
            if !emits {
                return true;
            }
            let index = sequence.emitted;
            sequence.emitted += 1;
            let last = sequence.emitted == sequence.request.output_tokens;
            emissions.push(Emission {
                id,
                index,
                tokens: 1,
                finish: last.then_some(sequence.request.finish),
            });
            !last
        });
    }

    /// The longest-waiting request that arrived by `by_ns` and was not given up, if a slot is free.
    fn next_admissible(&mut self, by_ns: i64) -> Option<Waiting> {
        while self.running.len() < self.params.max_num_seqs as usize {
            let first = self.waiting.front()?;
            if first.arrived_ns > by_ns {
                return None;
            }
            let waiting = self.waiting.pop_front()?;
            if !self.cancelled.remove(&waiting.request.id) {
                return Some(waiting);
            }
        }
        None
    }

    /// Arrival of the longest-waiting request that was not given up.
    fn first_waiting_ns(&mut self) -> Option<i64> {
        while let Some(first) = self.waiting.front() {
            if !self.cancelled.remove(&first.request.id) {
                return Some(first.arrived_ns);
            }
            self.waiting.pop_front();
        }
        None
    }

    fn note_load(&mut self, now_ns: i64) {
        self.gauges.running.set(now_ns, self.running.len() as u64);
        self.gauges.waiting.set(now_ns, self.waiting.len() as u64);
    }
}

#[cfg(test)]
mod tests;
