//! The simulated engine: continuous batching in steps, as a pure state machine.
//!
//! Time is a parameter: nothing here reads a clock or touches a socket, so that the same engine
//! runs over sockets in real time and in a loop in virtual time. Drive it with
//! `Engine::arrive`, `Engine::next_deadline` and [`Engine::step`]. Scheduling, KV blocks,
//! prefix cache and preemption follow vLLM V1; no model runs.
//!
//! Invariants: steps never overlap and their ends strictly increase; all tokens of a step carry
//! its end; waiting requests are admitted first come, first served (but for adapters); the instants
//! depend on the arrivals alone, not on how late `step` is called (a late caller does not make the
//! engine drift), unless it is later than `MAX_LAG_NS`: what cannot be caught up is given up and
//! counted.

mod activity;
mod adapters;
mod autoscale;
mod batched;
mod check;
mod completion;
mod counters;
mod events;
mod fleet;
mod gauges;
mod grid;
mod kv;
mod law;
mod life;
mod params;
mod queue;
mod reconfigure;
mod sequence;
mod speculation;

pub(crate) use activity::Activity;
pub use autoscale::{Autoscale, AutoscaleError, Autoscaling};
pub use check::ParamsError;
pub use counters::EngineCounters;
pub use events::{Emission, EngineState, Finish, SequenceId, StepReport};
pub(crate) use events::{EngineEvent, QueueFull};
pub(crate) use fleet::MAX_REPLICAS;
pub use fleet::{Balance, Fleet, NoRoom, ReplicaCounts, Scaling};
pub use gauges::{Gauge, Gauges};
pub use params::{
    EngineParams, EngineRequest, KvParams, LifeCycle, LoraParams, MAX_DRAFT, Penalties,
    Speculative, StepLaw, WarmUp,
};

use activity::Meter;
use adapters::Adapters;
use gauges::Load;
use kv::BlockPool;
use law::{Warmth, Work};
use life::Life;
use queue::Queue;
use sequence::{Sequences, Slot};

/// A caller of [`Engine::step`] who is later than this has lost the time: the engine goes on from
/// the call. Long enough for any preemption, short enough that an overloaded host slows the
/// streams down instead of letting arrivals wait ever longer.
pub(crate) const MAX_LAG_NS: i64 = 200_000_000;

/// The engine.
#[derive(Debug)]
pub struct Engine {
    params: EngineParams,
    replica: u32,
    sequences: Sequences,
    waiting: Queue,
    /// In order of admission.
    running: Vec<Slot>,
    kv: Option<BlockPool>,
    adapters: Adapters,
    life: Life,
    warmth: Warmth,
    /// Of the step in progress.
    work: Work,
    meter: Meter,
    step_end_ns: Option<i64>,
    /// Work waits for this instant: the engine is not ready before.
    wake_ns: Option<i64>,
    last_end_ns: i64,
    lost_ns: i64,
    deferred: u64,
    gauges: Gauges,
    counters: EngineCounters,
    events: Vec<EngineEvent>,
}

impl Engine {
    /// An idle engine whose life began at instant 0 of the caller's clock.
    pub fn new(params: EngineParams) -> Self {
        Self::starting(params, 0)
    }

    /// An idle engine that begins to load at `start_ns`.
    pub(crate) fn starting(params: EngineParams, start_ns: i64) -> Self {
        Self {
            replica: 0,
            sequences: Sequences::default(),
            waiting: Queue::default(),
            running: Vec::new(),
            kv: params.kv.map(BlockPool::new),
            adapters: Adapters::default(),
            life: Life::starting(start_ns, &params.life),
            warmth: Warmth::cold(),
            work: Work::default(),
            meter: Meter::default(),
            step_end_ns: None,
            wake_ns: None,
            last_end_ns: i64::MIN,
            lost_ns: 0,
            deferred: 0,
            gauges: Gauges::default(),
            counters: EngineCounters::default(),
            events: Vec::new(),
            params,
        }
    }

    /// The engine with a number in a fleet, which its reports and events carry.
    fn with_replica(self, replica: u32) -> Self {
        Self { replica, ..self }
    }

    /// The engine in the place of one that is gone, whose counts go on.
    fn going_on_from(self, gone: &Self) -> Self {
        Self {
            lost_ns: gone.lost_ns,
            meter: gone.meter,
            counters: gone.counters,
            ..self
        }
    }

    /// A request arrives at `now_ns`. While the engine loads or is away it waits.
    pub(crate) fn arrive(&mut self, now_ns: i64, request: EngineRequest) -> Result<(), QueueFull> {
        let waiting = self.waiting.len();
        if self
            .params
            .max_waiting
            .is_some_and(|most| waiting >= most as usize)
        {
            self.counters.refused += 1;
            return Err(QueueFull {
                waiting: waiting as u32,
            });
        }
        let slot = self.sequences.insert(request, now_ns);
        self.waiting.push_back(slot);
        match self.params.law {
            StepLaw::Batched { .. } => {
                if self.step_end_ns.is_none() && self.wake_ns.is_none() {
                    self.plan_batched(now_ns.max(self.last_end_ns));
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

    /// Moves what happened since the last call to `events`, in order. Without calls they pile up.
    pub(crate) fn take_events(&mut self, events: &mut Vec<EngineEvent>) {
        events.append(&mut self.events);
    }

    /// Gives a sequence up; false where `id` is not live. It emits nothing more; its slot and
    /// blocks are free from the end of the step in progress on, as in an engine that handles aborts
    /// between steps.
    pub(crate) fn cancel(&mut self, id: SequenceId) -> bool {
        let Some(sequence) = self.sequences.give_up(id) else {
            return false;
        };
        if !sequence.running {
            self.waiting.one_gone(&mut self.sequences);
        }
        self.counters.cancelled += 1;
        true
    }

    /// When [`Engine::step`] is to be called: the end of the step in progress, or the instant at
    /// which the engine is ready for what waits. `None` while idle.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.step_end_ns.or(self.wake_ns)
    }

    /// Completes the step in progress if its end has come, appending its tokens to `emissions` in
    /// order of admission, and begins the next one at that end. `None` when no step was completed:
    /// nothing is due, or the engine has just become ready.
    pub fn step(&mut self, now_ns: i64, emissions: &mut Vec<Emission>) -> Option<StepReport> {
        if let Some(ready_ns) = self.wake_ns.filter(|ready| *ready <= now_ns) {
            self.wake_ns = None;
            self.life.idle_since_ns = ready_ns;
            self.plan_batched(ready_ns);
            self.note_load(ready_ns);
        }
        let end_ns = self.step_end_ns.filter(|end| *end <= now_ns)?;
        self.step_end_ns = None;
        self.meter.end();
        let resume_ns = if now_ns - end_ns > MAX_LAG_NS {
            self.lost_ns += now_ns - end_ns;
            now_ns
        } else {
            end_ns
        };
        self.last_end_ns = resume_ns;
        let report = self.complete_step(end_ns, emissions);
        if self.running.is_empty() {
            self.life.idle_since_ns = resume_ns;
        }
        match self.params.law {
            StepLaw::Batched { .. } => self.plan_batched(resume_ns),
            StepLaw::Fixed { .. } => {
                self.admit_on_grid(resume_ns);
                self.plan_grid_step();
            }
        }
        self.note_load(resume_ns);
        Some(report)
    }

    /// What the engine is at `now_ns`, as far as arrivals up to now and completed steps say.
    pub fn state(&self, now_ns: i64) -> EngineState {
        let idle = self.running.is_empty() && self.waiting.len() == 0;
        self.life.state(now_ns, idle.then_some(&self.params.life))
    }

    /// Time given up because the caller was later than `MAX_LAG_NS`, nanoseconds.
    pub fn lost_ns(&self) -> i64 {
        self.lost_ns
    }

    /// What its devices have been busy with up to `now_ns`.
    pub(crate) fn activity(&self, now_ns: i64) -> Activity {
        self.meter.at(now_ns)
    }

    /// The share of the step in progress that goes to prompts; `None` between steps.
    pub(crate) fn prompts_share_now(&self, now_ns: i64) -> Option<f64> {
        self.meter.now(now_ns)
    }

    /// Load over time.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// What it has done.
    pub fn counters(&self) -> &EngineCounters {
        &self.counters
    }

    /// Its parameters.
    pub fn params(&self) -> &EngineParams {
        &self.params
    }

    /// Wakes the engine for the first of its waiting requests, if it went away before that arrived.
    fn wake_for(&mut self, arrived_ns: i64) {
        if !self.running.is_empty() || !self.life.is_away(arrived_ns, &self.params.life) {
            return;
        }
        self.life.wake(arrived_ns, &self.params.life);
        self.warmth = Warmth::cold();
        self.adapters.clear();
        if let Some(kv) = &mut self.kv {
            kv.forget();
        }
        self.counters.cold_starts += 1;
    }

    fn load(&self) -> Load {
        Load {
            running: self.running.len() as u64,
            waiting: self.waiting.len() as u64,
            deferred: self.deferred,
            kv_used: self.kv.as_ref().map_or(0, |kv| kv.used().into()),
            kv_total: self.kv.as_ref().map_or(0, |kv| kv.total().into()),
        }
    }

    fn note_load(&mut self, now_ns: i64) {
        let load = self.load();
        self.gauges.set(now_ns, load);
    }
}

#[cfg(test)]
mod tests;
