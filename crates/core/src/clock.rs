//! The one place that reads clocks. Everything measured is an [`Offset`] from a run's origin on
//! `CLOCK_MONOTONIC`; kernel receive stamps come in `CLOCK_REALTIME` and are converted with a
//! [`RealtimePairing`] taken next to them.

use rustix::time::{ClockId, clock_gettime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nanoseconds since the run's origin on the monotonic clock. Negative before the origin.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Offset(pub i64);

impl Offset {
    /// The run's origin.
    pub const ZERO: Self = Self(0);

    /// `self - earlier` in nanoseconds.
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// This instant moved by `ns` nanoseconds.
    pub fn plus(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

/// `CLOCK_MONOTONIC` now, nanoseconds.
pub fn monotonic_ns() -> i64 {
    read(ClockId::Monotonic)
}

/// `CLOCK_REALTIME` now, nanoseconds since the Unix epoch.
pub fn realtime_ns() -> i64 {
    read(ClockId::Realtime)
}

/// CPU time of the calling thread, nanoseconds.
pub fn thread_cpu_ns() -> i64 {
    read(ClockId::ThreadCPUTime)
}

/// CPU time of the process (user and system, all threads), nanoseconds.
pub fn process_cpu_ns() -> i64 {
    read(ClockId::ProcessCPUTime)
}

/// `CLOCK_BOOTTIME - CLOCK_MONOTONIC`, nanoseconds: the time that the machine has slept since it was
/// booted. The tightest of three brackets, so that a thread held up between two reads has not slept.
pub fn suspended_ns() -> i64 {
    let mut best = (i64::MAX, 0);
    for _ in 0..3 {
        let before = monotonic_ns();
        let boot = read(ClockId::Boottime);
        let width = monotonic_ns() - before;
        if width < best.0 {
            best = (width, boot - (before + width / 2));
        }
    }
    best.1
}

fn read(id: ClockId) -> i64 {
    let t = clock_gettime(id);
    t.tv_sec * 1_000_000_000 + t.tv_nsec
}

/// The origin of a run on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// `CLOCK_MONOTONIC` at offset 0, nanoseconds.
    pub monotonic_origin_ns: i64,
    /// `CLOCK_REALTIME` at offset 0, nanoseconds since the Unix epoch.
    pub realtime_origin_ns: i64,
}

impl Clock {
    /// A clock whose origin lies `lead_ns` nanoseconds in the future.
    pub fn starting_in(lead_ns: i64) -> Self {
        let pairing = RealtimePairing::now();
        let monotonic_origin_ns = monotonic_ns() + lead_ns;
        Self {
            monotonic_origin_ns,
            realtime_origin_ns: monotonic_origin_ns + pairing.realtime_minus_monotonic_ns,
        }
    }

    /// A clock whose origin is at an instant of the wall clock, nanoseconds since the Unix epoch; where that has
    /// passed, or is nearer than `lead_ns`, as [`Self::starting_in`] that. The wall clock is asked once: what it
    /// is set to afterwards moves no origin.
    pub fn starting_at(realtime_ns: i64, lead_ns: i64) -> Self {
        Self::at_realtime(realtime_ns, lead_ns, RealtimePairing::now(), monotonic_ns())
    }

    fn at_realtime(realtime_ns: i64, lead_ns: i64, pairing: RealtimePairing, now_ns: i64) -> Self {
        let asked = realtime_ns.saturating_sub(pairing.realtime_minus_monotonic_ns);
        let monotonic_origin_ns = asked.max(now_ns + lead_ns);
        Self {
            monotonic_origin_ns,
            realtime_origin_ns: monotonic_origin_ns
                .saturating_add(pairing.realtime_minus_monotonic_ns),
        }
    }

    /// The present instant.
    pub fn now(&self) -> Offset {
        self.at_monotonic(monotonic_ns())
    }

    /// The offset of an instant given in `CLOCK_MONOTONIC` nanoseconds.
    pub fn at_monotonic(&self, monotonic_ns: i64) -> Offset {
        Offset(monotonic_ns - self.monotonic_origin_ns)
    }

    /// `CLOCK_MONOTONIC` nanoseconds of an offset.
    pub fn monotonic_at(&self, at: Offset) -> i64 {
        at.0 + self.monotonic_origin_ns
    }
}

/// Difference of the two clocks at one instant, from a bracketed read: realtime is read between
/// two monotonic reads and the tightest of three brackets is kept (error at most half its width).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RealtimePairing {
    /// `CLOCK_REALTIME - CLOCK_MONOTONIC`, nanoseconds.
    pub realtime_minus_monotonic_ns: i64,
    /// The monotonic instant at which the pairing was taken, nanoseconds.
    pub taken_at_monotonic_ns: i64,
}

impl RealtimePairing {
    /// Pairs the clocks now.
    pub fn now() -> Self {
        let mut best = (i64::MAX, 0, 0);
        for _ in 0..3 {
            let before = monotonic_ns();
            let real = realtime_ns();
            let after = monotonic_ns();
            let width = after - before;
            if width < best.0 {
                best = (width, real - (before + width / 2), after);
            }
        }
        Self {
            realtime_minus_monotonic_ns: best.1,
            taken_at_monotonic_ns: best.2,
        }
    }

    /// Converts a `CLOCK_REALTIME` instant to `CLOCK_MONOTONIC`, nanoseconds.
    pub fn to_monotonic(&self, realtime_ns: i64) -> i64 {
        realtime_ns - self.realtime_minus_monotonic_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairing_converts_a_realtime_read_to_nearby_monotonic() {
        let pairing = RealtimePairing::now();
        let before = monotonic_ns();
        let converted = pairing.to_monotonic(realtime_ns());
        let after = monotonic_ns();
        assert!(converted >= before - 1_000_000 && converted <= after + 1_000_000);
    }

    #[test]
    fn an_origin_is_at_its_instant_or_as_soon_as_can_be() {
        let pairing = RealtimePairing {
            realtime_minus_monotonic_ns: 5_000,
            taken_at_monotonic_ns: 90,
        };
        let origins = |asked: i64| {
            let clock = Clock::at_realtime(asked, 10, pairing, 100);
            (clock.monotonic_origin_ns, clock.realtime_origin_ns)
        };
        assert_eq!(origins(5_300), (300, 5_300));
        for passed in [5_109, 5_050, 0, i64::MIN] {
            assert_eq!(origins(passed), (110, 5_110), "{passed}");
        }
    }

    #[test]
    fn offsets_round_trip_through_the_monotonic_clock() {
        let clock = Clock {
            monotonic_origin_ns: 1_000,
            realtime_origin_ns: 5_000,
        };
        assert_eq!(
            clock.at_monotonic(clock.monotonic_at(Offset(-7))),
            Offset(-7)
        );
    }
}
