//! The instants of a monitor, and waiting for them.
//!
//! Measures nothing. Invariant: the instants are the first one plus whole multiples of the interval, whatever the
//! runs took: nothing adds up, and an instant that passed while something else went on is passed over and counted.

use infermeter_core::clock::{monotonic_ns, realtime_ns, suspended_ns};
use infermeter_core::units::Span;
use infermeter_sys::signals;
use std::time::Duration;

/// Longest sleep between two looks for a signal.
const LOOK_NS: i64 = 200_000_000;

/// Time, as a monitor needs it.
pub trait Pace {
    /// Nanoseconds since some origin. It never goes back, and goes on while the machine sleeps.
    fn now_ns(&self) -> i64;

    /// Nanoseconds of Unix time.
    fn unix_ns(&self) -> i64;

    /// A signal has come.
    fn is_stopped(&self) -> bool;

    /// Waits until `at_ns` of [`Self::now_ns`], or for a signal.
    fn wait_until(&mut self, at_ns: i64) -> Waited;
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The instant is there.
    Due,
    /// A signal came first.
    Stopped,
}

/// The machine's time.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachinePace;

impl Pace for MachinePace {
    fn now_ns(&self) -> i64 {
        monotonic_ns() + suspended_ns()
    }

    fn unix_ns(&self) -> i64 {
        realtime_ns()
    }

    fn is_stopped(&self) -> bool {
        signals::count() > 0
    }

    fn wait_until(&mut self, at_ns: i64) -> Waited {
        loop {
            if self.is_stopped() {
                return Waited::Stopped;
            }
            let left = at_ns - self.now_ns();
            if left <= 0 {
                return Waited::Due;
            }
            std::thread::sleep(Duration::from_nanos(left.min(LOOK_NS).unsigned_abs()));
        }
    }
}

/// Equally spaced instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instants {
    /// The first, of [`Pace::now_ns`].
    pub first_ns: i64,
    /// From one to the next; more than 0.
    pub every: Span,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant {
    /// Its number, from 0.
    pub number: u64,
    /// When it is.
    pub due_ns: i64,
    /// Instants that passed since the one before it was begun.
    pub skipped: u64,
}

impl Instants {
    /// The first of them.
    pub fn first(self) -> Instant {
        self.at(0)
    }

    fn at(self, number: u64) -> Instant {
        let later = i128::from(self.every.ns()) * i128::from(number);
        let due = i128::from(self.first_ns) + later;
        Instant {
            number,
            due_ns: i64::try_from(due).unwrap_or(i64::MAX),
            skipped: 0,
        }
    }

    /// The next one behind `last` that has not passed at `now_ns`.
    pub fn after(self, last: u64, now_ns: i64) -> Instant {
        let passed = now_ns.saturating_sub(self.first_ns).max(0).unsigned_abs();
        let next = passed.div_ceil(self.every.ns().max(1).unsigned_abs());
        let next = next.max(last + 1);
        Instant {
            skipped: next - last - 1,
            ..self.at(next)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_do_not_drift_and_those_that_passed_are_counted() {
        let instants = Instants {
            first_ns: 1_000,
            every: Span(100),
        };
        let check = |last: u64, now_ns: i64, number: u64, due_ns: i64, skipped: u64| {
            let expect = Instant {
                number,
                due_ns,
                skipped,
            };
            assert_eq!(instants.after(last, now_ns), expect, "{last} {now_ns}");
        };
        assert_eq!(instants.first().due_ns, 1_000);
        check(0, 1_050, 1, 1_100, 0);
        // On the instant it is still time for it.
        check(0, 1_100, 1, 1_100, 0);
        check(0, 1_101, 2, 1_200, 1);
        check(3, 1_999, 10, 2_000, 6);
        check(3, 1_301, 4, 1_400, 0);
        // A clock that stands before the first instant.
        check(0, 0, 1, 1_100, 0);
    }
}
