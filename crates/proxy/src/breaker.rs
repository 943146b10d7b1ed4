//! What the shadow may cost: a rate, and a circuit breaker that leaves it alone while it fails.
//!
//! Time is a parameter. Invariant: nobody waits; a closed breaker opens after the set number of failures in a row, and
//! an open one lets one probe through for each pause.

use crate::clocks::ns;
use crate::counts::{BreakerState, Tally};
use crate::settings::BreakerSettings;
use infermeter_core::clock::Offset;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::Relaxed};

/// Not open: no instant is this early.
const CLOSED: i64 = i64::MIN;

/// Asked by the users' thread, told by the shadow's; without locks, so that neither waits for the other.
#[derive(Debug)]
pub(crate) struct Breaker {
    failures_to_open: u32,
    pause_ns: i64,
    failures: AtomicU32,
    open_until: AtomicI64,
    tally: Arc<Tally>,
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings, tally: &Arc<Tally>) -> Self {
        Self {
            failures_to_open: settings.failures.max(1),
            pause_ns: ns(settings.pause),
            failures: AtomicU32::new(0),
            open_until: AtomicI64::new(CLOSED),
            tally: Arc::clone(tally),
        }
    }

    /// A request may go to the shadow now.
    pub(crate) fn admits(&self, now: Offset) -> bool {
        let open_until = self.open_until.load(Relaxed);
        if open_until == CLOSED {
            return true;
        }
        if now.0 < open_until {
            return false;
        }
        // One probe; the next one after another pause, should this one never come back.
        self.tally.set_breaker(BreakerState::HalfOpen);
        self.open_until.store(now.plus(self.pause_ns).0, Relaxed);
        true
    }

    pub(crate) fn succeeded(&self) {
        self.failures.store(0, Relaxed);
        self.open_until.store(CLOSED, Relaxed);
        self.tally.set_breaker(BreakerState::Closed);
    }

    pub(crate) fn failed(&self, now: Offset) {
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        if failures < self.failures_to_open {
            return;
        }
        let was = self.open_until.swap(now.plus(self.pause_ns).0, Relaxed);
        if was == CLOSED {
            self.tally.counters.breaker_opened.one();
        }
        self.tally.set_breaker(BreakerState::Open);
    }
}

/// A token bucket.
#[derive(Debug)]
pub(crate) struct Rate {
    per_ns: f64,
    most: f64,
    tokens: Cell<f64>,
    at: Cell<Offset>,
}

/// Seconds of the rate that may come at once.
const BURST_SECONDS: f64 = 0.1;

impl Rate {
    pub(crate) fn new(per_second: f64, now: Offset) -> Self {
        let most = (per_second * BURST_SECONDS).max(1.0);
        Self {
            per_ns: per_second / 1e9,
            most,
            tokens: Cell::new(most),
            at: Cell::new(now),
        }
    }

    /// Takes a token where there is one.
    pub(crate) fn takes(&self, now: Offset) -> bool {
        let passed = now.since(self.at.replace(now)).max(0) as f64;
        let tokens = (self.tokens.get() + passed * self.per_ns).min(self.most);
        let has_one = tokens >= 1.0;
        self.tokens.set(if has_one { tokens - 1.0 } else { tokens });
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(ms: i64) -> Offset {
        Offset(ms * 1_000_000)
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_probe_closes_it() {
        let tally = Arc::new(Tally::default());
        let settings = BreakerSettings {
            failures: 2,
            pause: Duration::from_millis(100),
        };
        let breaker = Breaker::new(settings, &tally);
        breaker.failed(at(0));
        breaker.succeeded();
        breaker.failed(at(1));
        assert!(breaker.admits(at(1)), "not in a row");
        breaker.failed(at(2));
        assert_eq!(tally.counts().breaker, BreakerState::Open);
        assert!(!breaker.admits(at(50)));
        assert!(breaker.admits(at(102)), "a probe");
        assert_eq!(tally.counts().breaker, BreakerState::HalfOpen);
        assert!(!breaker.admits(at(103)), "one only");
        breaker.failed(at(110));
        assert!(!breaker.admits(at(209)));
        assert!(breaker.admits(at(210)));
        breaker.succeeded();
        assert!(breaker.admits(at(211)) && breaker.admits(at(211)));
        let counts = tally.counts();
        assert_eq!(
            (counts.breaker, counts.breaker_opened),
            (BreakerState::Closed, 1)
        );
    }

    #[test]
    fn a_rate_is_kept_over_time_with_a_small_burst() {
        let rate = Rate::new(100.0, at(0));
        let taken = (0..1000).filter(|ms| rate.takes(at(*ms))).count();
        assert!((100..=110).contains(&taken), "{taken}");
        let slow = Rate::new(0.5, at(0));
        let taken = (0..10_000).filter(|ms| slow.takes(at(*ms))).count();
        assert!((5..=6).contains(&taken), "{taken}");
    }
}
