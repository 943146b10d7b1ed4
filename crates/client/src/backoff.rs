//! When to connect again to an address that cannot be reached: exponential steps with jitter, bounded.
//!
//! It opens nothing and reads no clock: the engine asks before each attempt and tells what came of it.
//!
//! Invariant: as long as attempts fail, one begins per step and engine, whatever the load; a
//! connection that comes up lifts that at once, and an answer forgets the failures.

use infermeter_core::clock::Offset;
use infermeter_core::seed::splitmix64;
use std::sync::atomic::{AtomicI64, Ordering};

/// First step of one engine among one: a process that restarts at once is met again at once.
const FIRST_STEP_NS: i64 = 10_000_000;
/// Longest step: a server that comes back is found within a second.
const LONGEST_STEP_NS: i64 = 1_000_000_000;
/// Fresh connections in a row that were closed before a byte, from which on the server hangs up on
/// everybody. Before that it may have been the requests.
const HANG_UPS: u32 = 3;

/// When a connection last came up, in any engine of a run: one has found the server again, and the others
/// need not wait. Monotonic nanoseconds.
#[derive(Debug)]
pub(crate) struct LastConnect(AtomicI64);

impl Default for LastConnect {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl LastConnect {
    pub(crate) fn note(&self, monotonic_ns: i64) {
        self.0.store(monotonic_ns, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|at| *at != i64::MIN)
    }
}

/// What connecting to one address has come to.
#[derive(Debug)]
pub(crate) struct Backoff {
    first_step: i64,
    random: u64,
    failures: u32,
    hang_ups: u32,
    /// No attempt begins before this.
    hold: Option<Offset>,
    /// The last failure that counted: attempts begun before it say nothing new.
    failed_at: Offset,
}

impl Backoff {
    /// For one of `engines` engines that try the same address; `seed` tells their jitters apart.
    pub(crate) fn new(engines: u32, seed: u64) -> Self {
        Self {
            first_step: FIRST_STEP_NS
                .saturating_mul(i64::from(engines.max(1)))
                .min(LONGEST_STEP_NS),
            random: splitmix64(seed),
            failures: 0,
            hang_ups: 0,
            hold: None,
            failed_at: Offset(i64::MIN),
        }
    }

    /// Whether an attempt may begin at `now`. While attempts fail, one that may is a trial, and holds
    /// others off for a step: what comes of it is not known yet.
    pub(crate) fn allows(&mut self, now: Offset) -> bool {
        match self.hold {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.hold = Some(now.plus(self.step()));
                true
            }
        }
    }

    /// No attempt may begin before this.
    pub(crate) fn hold(&self) -> Option<Offset> {
        self.hold
    }

    /// A connection is up: others may follow.
    pub(crate) fn connected(&mut self) {
        self.hold = None;
    }

    /// A connection of another engine came up at `at`. That says nothing against hanging up.
    pub(crate) fn heard(&mut self, at: Offset) {
        if at > self.failed_at && self.hang_ups < HANG_UPS {
            self.hold = None;
        }
    }

    /// A connection opened at `opened` has brought an answer.
    pub(crate) fn answered(&mut self, opened: Offset) {
        if opened >= self.failed_at {
            (self.failures, self.hang_ups, self.hold) = (0, 0, None);
        }
    }

    /// An attempt begun at `opened` has failed.
    pub(crate) fn failed(&mut self, opened: Offset, now: Offset) {
        if opened >= self.failed_at {
            self.failures = self.failures.saturating_add(1);
            self.failed_at = now;
            self.hold = Some(now.plus(self.step()));
        }
    }

    /// A fresh connection was closed before a byte of an answer.
    pub(crate) fn hung_up(&mut self, opened: Offset, now: Offset) {
        if opened < self.failed_at {
            return;
        }
        self.hang_ups = self.hang_ups.saturating_add(1);
        if self.hang_ups < HANG_UPS {
            self.failed_at = now;
        } else {
            self.failed(opened, now);
        }
    }

    /// The clock's origin has moved.
    pub(crate) fn shift(&mut self, by: i64) {
        self.hold = self.hold.map(|until| until.plus(by));
        self.failed_at = Offset(self.failed_at.0.saturating_add(by));
    }

    /// Half of the present step and up to as much again.
    fn step(&mut self) -> i64 {
        let doublings = self.failures.saturating_sub(1).min(10);
        let whole = (self.first_step << doublings).min(LONGEST_STEP_NS);
        self.random = splitmix64(self.random);
        let half = whole / 2;
        half + (self.random % half.max(1).unsigned_abs()) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, FIRST_STEP_NS, LONGEST_STEP_NS};
    use infermeter_core::clock::Offset;

    /// Attempts that `engines` engines begin within `seconds` when each fails at once.
    fn attempts(engines: u32, seconds: i64) -> usize {
        let one = |seed| {
            let mut backoff = Backoff::new(engines, seed);
            let (mut now, mut begun) = (Offset::ZERO, 0);
            while now.0 < seconds * 1_000_000_000 {
                if backoff.allows(now) {
                    begun += 1;
                    backoff.failed(now, now.plus(50_000));
                }
                now = now.plus(100_000);
            }
            begun
        };
        (0..engines.into()).map(one).sum()
    }

    #[test]
    fn a_dead_address_is_tried_a_few_dozen_times() {
        assert!((18..40).contains(&attempts(1, 12)), "{}", attempts(1, 12));
        let four = attempts(4, 12);
        assert!((60..150).contains(&four), "{four}");
    }

    #[test]
    fn steps_grow_to_the_longest_and_an_answer_forgets_them() {
        let mut backoff = Backoff::new(1, 7);
        let mut now = Offset::ZERO;
        let mut steps = Vec::new();
        for _ in 0..20 {
            assert!(backoff.allows(now));
            backoff.failed(now, now);
            assert!(!backoff.allows(now));
            let until = backoff.hold().expect("a hold");
            steps.push(until.since(now));
            now = until;
        }
        assert!(steps[0] >= FIRST_STEP_NS / 2 && steps[0] <= FIRST_STEP_NS);
        assert!(steps[19] >= LONGEST_STEP_NS / 2 && steps[19] <= LONGEST_STEP_NS);
        backoff.answered(Offset(-1));
        assert!(
            backoff.hold().is_some(),
            "an older connection proves nothing"
        );
        backoff.answered(now);
        assert_eq!(backoff.hold(), None);
        backoff.failed(now, now);
        let until = backoff.hold().expect("a hold");
        assert!(until.since(now) <= FIRST_STEP_NS);
    }

    #[test]
    fn attempts_that_fail_together_count_once() {
        let mut backoff = Backoff::new(1, 7);
        let (begun, failed) = (Offset(5), Offset(1_000));
        for _ in 0..64 {
            backoff.failed(begun, failed);
        }
        assert!(backoff.hold().expect("a hold").since(failed) <= FIRST_STEP_NS);
    }

    #[test]
    fn a_trial_holds_others_off_and_a_connection_lifts_that() {
        let mut backoff = Backoff::new(1, 7);
        backoff.failed(Offset(0), Offset(0));
        let later = backoff.hold().expect("a hold");
        assert!(backoff.allows(later) && !backoff.allows(later));
        backoff.connected();
        assert!(backoff.allows(later) && backoff.allows(later));
    }

    #[test]
    fn what_another_engine_finds_counts_for_all() {
        let mut backoff = Backoff::new(2, 7);
        backoff.failed(Offset(10), Offset(10));
        backoff.heard(Offset(9));
        assert!(backoff.hold().is_some());
        backoff.heard(Offset(11));
        assert_eq!(backoff.hold(), None);
        for at in [20, 21, 22] {
            backoff.hung_up(Offset(at), Offset(at));
        }
        backoff.heard(Offset(30));
        assert!(backoff.hold().is_some(), "it connects, and hangs up");
    }

    #[test]
    fn only_hanging_up_on_everybody_is_a_failure() {
        let mut backoff = Backoff::new(1, 7);
        for at in [1, 2] {
            backoff.hung_up(Offset(at), Offset(at));
            assert_eq!(backoff.hold(), None);
        }
        backoff.answered(Offset(3));
        for at in [4, 5, 6] {
            assert_eq!(backoff.hold(), None);
            backoff.hung_up(Offset(at), Offset(at));
        }
        assert!(backoff.hold().is_some());
    }
}
