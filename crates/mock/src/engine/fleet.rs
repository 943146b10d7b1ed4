//! Several engines behind one port.
//!
//! Requests go round robin, as a plain load balancer sends them, or to the replica that has the fewest; to one that
//! loads only while none is loaded. A replica whose queue is full refuses although another has room. The replicas
//! share nothing but their parameters; each has a seed of its own. How they come and go is in [`scaling`]. Invariant:
//! a fleet of one is its engine.

mod scaling;

pub use scaling::{NoRoom, ReplicaCounts, Scaling};

use super::gauges::Load;
use super::{
    Emission, Engine, EngineCounters, EngineEvent, EngineParams, EngineRequest, EngineState,
    Gauges, ParamsError, QueueFull, SequenceId, StepReport,
};
use infermeter_core::seed::splitmix64;
use scaling::{Seat, Standing};

/// Most engines behind one port: each turn of the server looks at every one.
pub(crate) const MAX_REPLICAS: u32 = 64;

/// Which replica a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one that has the fewest requests, running and waiting; of equals, the next in turn.
    LeastLoaded,
}

/// Several engines behind one port.
#[derive(Debug)]
pub struct Fleet {
    engines: Vec<Engine>,
    /// What each place is, in the order of the engines.
    seats: Vec<Seat>,
    /// What a replica that is added begins with.
    params: EngineParams,
    scaling: Scaling,
    /// When the autoscaler looked last.
    looked_ns: i64,
    /// Number of the last replica made, from 0.
    made: u32,
    balance: Balance,
    next: usize,
    gauges: Gauges,
}

impl Fleet {
    /// Idle engines whose life began at instant 0; none is taken as one.
    pub fn new(params: EngineParams, replicas: u32) -> Self {
        Self::starting(params, replicas, 0)
    }

    /// Idle engines that begin to load at `start_ns`; none is taken as one.
    pub(crate) fn starting(params: EngineParams, replicas: u32, start_ns: i64) -> Self {
        let replicas = replicas.max(1);
        let engines = (0..replicas).map(|replica| {
            let params = of_replica(params.clone(), replica);
            Engine::starting(params, start_ns).with_replica(replica)
        });
        Self {
            engines: engines.collect(),
            seats: vec![Seat::taken(start_ns); replicas as usize],
            scaling: Scaling::default(),
            looked_ns: start_ns,
            made: replicas - 1,
            params,
            balance: Balance::default(),
            next: 0,
            gauges: Gauges::default(),
        }
    }

    /// The fleet with another way to choose a replica.
    #[must_use]
    pub fn balanced(self, balance: Balance) -> Self {
        Self { balance, ..self }
    }

    /// A request arrives at `now_ns`; the replica it went to.
    pub(crate) fn arrive(&mut self, now_ns: i64, request: EngineRequest) -> Result<u32, QueueFull> {
        let replica = self.chosen(now_ns);
        self.next = (replica + 1) % self.engines.len();
        self.engines[replica].arrive(now_ns, request)?;
        self.note_load(now_ns);
        Ok(replica as u32)
    }

    /// The replica for the next request: of those that are loaded, or of all where none is.
    fn chosen(&self, now_ns: i64) -> usize {
        let engines = self.engines.len();
        let in_turn = (0..engines).map(|ahead| (self.next + ahead) % engines);
        let serving = in_turn.filter(|place| self.seats[*place].standing == Standing::Serving);
        let is_loaded = |place: &usize| self.engines[*place].state(now_ns) != EngineState::Loading;
        let loaded = self.of_balance(serving.clone().filter(is_loaded));
        let chosen = loaded.or_else(|| self.of_balance(serving));
        chosen.unwrap_or(self.next)
    }

    /// Of these the one whose turn it is, or that has the fewest requests.
    fn of_balance(&self, mut places: impl Iterator<Item = usize>) -> Option<usize> {
        match self.balance {
            Balance::RoundRobin => places.next(),
            Balance::LeastLoaded => {
                places.min_by_key(|place| self.engines[*place].load().requests())
            }
        }
    }

    /// Gives a sequence up, as [`Engine::cancel`]; false where no replica has it.
    pub(crate) fn cancel(&mut self, id: SequenceId) -> bool {
        self.engines.iter_mut().any(|engine| engine.cancel(id))
    }

    /// The earliest [`Engine::next_deadline`].
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.engines.iter().filter_map(Engine::next_deadline).min()
    }

    /// [`Engine::step`] of the replica with the earliest deadline, the first of equals.
    pub fn step(&mut self, now_ns: i64, emissions: &mut Vec<Emission>) -> Option<StepReport> {
        let engine = self
            .engines
            .iter_mut()
            .min_by_key(|engine| engine.next_deadline().unwrap_or(i64::MAX))?;
        let report = engine.step(now_ns, emissions);
        if let Some(report) = &report {
            self.note_load(report.end_ns);
        }
        report
    }

    /// Moves what happened since the last call to `events`, replica after replica, each in order.
    pub(crate) fn take_events(&mut self, events: &mut Vec<EngineEvent>) {
        for engine in &mut self.engines {
            engine.take_events(events);
        }
    }

    /// The engines, by their number.
    pub fn replicas(&self) -> &[Engine] {
        &self.engines
    }

    /// The best state of a replica that takes requests: one that serves makes the fleet serve.
    pub fn state(&self, now_ns: i64) -> EngineState {
        let all = self.seats.iter().zip(&self.engines);
        let serving = all.filter(|(seat, _)| seat.standing == Standing::Serving);
        let states = serving.map(|(_, engine)| engine.state(now_ns));
        states.max().unwrap_or(EngineState::Loading)
    }

    /// Other parameters for every replica, or for none where one refuses them.
    pub(crate) fn reconfigure(
        &mut self,
        now_ns: i64,
        params: EngineParams,
    ) -> Result<(), ParamsError> {
        for engine in &self.engines {
            engine.check_change(&params)?;
        }
        for (replica, engine) in (0..).zip(&mut self.engines) {
            engine.take_over(now_ns, of_replica(params.clone(), replica));
        }
        self.params = params;
        self.note_load(now_ns);
        Ok(())
    }

    /// Forgets every prefix, as [`Engine::reset_prefix_cache`], in every replica.
    pub(crate) fn reset_prefix_cache(&mut self) {
        for engine in &mut self.engines {
            engine.reset_prefix_cache();
        }
    }

    /// Load of all replicas together over time.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// What all replicas have done.
    pub fn counters(&self) -> EngineCounters {
        let mut sum = EngineCounters::default();
        for engine in &self.engines {
            sum.add(engine.counters());
        }
        sum
    }

    /// Time given up by all replicas, nanoseconds: see [`Engine::lost_ns`].
    pub fn lost_ns(&self) -> i64 {
        self.engines.iter().map(Engine::lost_ns).sum()
    }

    fn note_load(&mut self, now_ns: i64) {
        let mut sum = Load::default();
        self.let_go(now_ns);
        for (seat, engine) in self.seats.iter().zip(&self.engines) {
            if seat.standing == Standing::Gone {
                continue;
            }
            let load = engine.load();
            sum.running += load.running;
            sum.waiting += load.waiting;
            sum.deferred += load.deferred;
            sum.kv_used += load.kv_used;
            sum.kv_total += load.kv_total;
        }
        self.gauges.set(now_ns, sum);
    }
}

/// The parameters of one replica: its own seed; the first one has the fleet's.
fn of_replica(params: EngineParams, replica: u32) -> EngineParams {
    EngineParams {
        seed: match replica {
            0 => params.seed,
            replica => splitmix64(params.seed ^ u64::from(replica) << 32),
        },
        ..params
    }
}
