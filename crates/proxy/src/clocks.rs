//! Instants of one thread: the clock, and kernel stamps turned into its offsets.
//!
//! Invariant: a stamp is never later than the instant at which the program had the bytes, and never earlier than its
//! lower bound.

use crate::seen::Stamp;
use infermeter_core::clock::{Clock, Offset, RealtimePairing};
use infermeter_core::record::StampSource;
use std::cell::Cell;
use std::time::Duration;

/// A duration in nanoseconds, as instants count.
pub(crate) fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A pairing of the clocks is used for this long.
const PAIRING_NS: i64 = 1_000_000;

/// Reads the clock for one thread.
#[derive(Debug)]
pub(crate) struct Clocks {
    clock: Clock,
    pairing: Cell<RealtimePairing>,
}

impl Clocks {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            pairing: Cell::new(RealtimePairing::now()),
        }
    }

    pub(crate) fn now(&self) -> Offset {
        self.clock.now()
    }

    /// The stamp of a read: the kernel's where there is one.
    pub(crate) fn stamp(&self, kernel_realtime_ns: Option<i64>, lower: Offset) -> Stamp {
        let seen = self.now();
        let (at, source) = match kernel_realtime_ns {
            Some(realtime_ns) => {
                let monotonic = self.pairing_at(seen).to_monotonic(realtime_ns);
                (self.clock.at_monotonic(monotonic), StampSource::Kernel)
            }
            None => (seen, StampSource::Program),
        };
        let at = at.min(seen);
        Stamp {
            at,
            seen,
            lower: lower.min(at),
            source,
        }
    }

    fn pairing_at(&self, now: Offset) -> RealtimePairing {
        let pairing = self.pairing.get();
        let age = now.since(self.clock.at_monotonic(pairing.taken_at_monotonic_ns));
        if age < PAIRING_NS {
            return pairing;
        }
        let fresh = RealtimePairing::now();
        self.pairing.set(fresh);
        fresh
    }
}
