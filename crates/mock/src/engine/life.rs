//! When an engine is there at all: loading, idling to zero, cold starts.
//!
//! Invariant: no step begins before [`Life::ready_ns`].

use super::{EngineState, LifeCycle};

/// The life of one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// No step begins earlier.
    pub ready_ns: i64,
    /// Without work since, while there is none.
    pub idle_since_ns: i64,
    woken: bool,
    /// It was ready then: what a new life brings is counted from here.
    born_ns: i64,
}

impl Life {
    /// An engine that starts to load at `start_ns`.
    pub fn starting(start_ns: i64, cycle: &LifeCycle) -> Self {
        let ready_ns = match cycle.loading_ns {
            ..=0 => i64::MIN,
            loading_ns => start_ns.saturating_add(loading_ns),
        };
        Self {
            ready_ns,
            idle_since_ns: start_ns.saturating_add(cycle.loading_ns.max(0)),
            woken: false,
            born_ns: start_ns.saturating_add(cycle.loading_ns.max(0)),
        }
    }

    /// How long it has been ready at `now_ns`, nanoseconds.
    pub fn age_ns(&self, now_ns: i64) -> i64 {
        now_ns.saturating_sub(self.born_ns)
    }

    /// Whether an engine without work would be away at `now_ns`.
    pub fn is_away(&self, now_ns: i64, cycle: &LifeCycle) -> bool {
        cycle.idle_to_zero_ns > 0
            && now_ns.saturating_sub(self.idle_since_ns) >= cycle.idle_to_zero_ns
    }

    /// It is away, and a request arrives.
    pub fn wake(&mut self, arrived_ns: i64, cycle: &LifeCycle) {
        self.ready_ns = arrived_ns.saturating_add(cycle.cold_start_ns.max(0));
        self.idle_since_ns = self.ready_ns;
        self.born_ns = self.ready_ns;
        self.woken = true;
    }

    /// What it is at `now_ns`, with or without work.
    pub fn state(&self, now_ns: i64, idle: Option<&LifeCycle>) -> EngineState {
        if now_ns < self.ready_ns {
            return if self.woken {
                EngineState::Waking
            } else {
                EngineState::Loading
            };
        }
        match idle {
            Some(cycle) if self.is_away(now_ns, cycle) => EngineState::Asleep,
            _ => EngineState::Ready,
        }
    }
}
