//! A schedule: when requests are sent. Made before the clock starts by the `schedule` crate,
//! executed by `runner`, never changed in between.

use crate::clock::Offset;
use crate::request::RequestId;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Requests of a closed loop that are looked at where only time ends the window.
const CLOSED_LOOK: u64 = 10_000;

/// Phase of the one continuous load that a request belongs to, by its intended instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the measured window.
    Warmup,
    /// Inside the measured window.
    Measure,
    /// Keeps the load on while measured requests finish.
    Drain,
}

impl Phase {
    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warmup => "warmup",
            Self::Measure => "measure",
            Self::Drain => "drain",
        }
    }
}

/// When and how requests are offered.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// Arrivals at instants fixed in advance.
    Open(OpenSchedule),
    /// A fixed number of slots, each sending its next request when the previous one closed.
    Closed(ClosedSchedule),
}

impl Schedule {
    /// Ids of requests that are warm-up, and of those that are measured. A closed loop knows only
    /// which are sure to be warm-up, as long as it is not cut short by its time, and which are the
    /// first that may be measured.
    pub fn ids(&self) -> (Range<RequestId>, Range<RequestId>) {
        match self {
            Self::Open(open) => {
                let (from, to) = (open.measure_from as u64, open.drain_from as u64);
                (0..from, from..to)
            }
            Self::Closed(closed) => {
                let at_once = match closed.warmup_ns {
                    0 => 0,
                    _ => u64::from(closed.slots),
                };
                let from = closed.warmup_requests.max(at_once);
                let measured = closed.requests.unwrap_or(CLOSED_LOOK);
                (0..from, from..from.saturating_add(measured))
            }
        }
    }
}

/// Arrivals of an open loop. Request `i` (its id) is due at `arrivals[i]`; phases are contiguous:
/// ids below `measure_from` are warm-up, from there below `drain_from` measured, then drain.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSchedule {
    /// Due instants, non-decreasing, offsets from the run's origin.
    pub arrivals: Vec<Offset>,
    /// Index of the first measured arrival.
    pub measure_from: usize,
    /// Index of the first drain arrival.
    pub drain_from: usize,
    /// Start of the measured window.
    pub window_start: Offset,
    /// End of the measured window.
    pub window_end: Offset,
}

impl OpenSchedule {
    /// The phase of arrival `id`.
    pub fn phase_of(&self, id: usize) -> Phase {
        if id < self.measure_from {
            Phase::Warmup
        } else if id < self.drain_from {
            Phase::Measure
        } else {
            Phase::Drain
        }
    }
}

/// A closed loop of `slots` users. Warm-up ends when both its time and its request count have
/// passed (at the latest after `warmup_max_ns`); the measured window ends after `duration_ns` or
/// `requests`, whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedSchedule {
    /// Concurrent slots.
    pub slots: u32,
    /// Least warm-up time, nanoseconds.
    pub warmup_ns: i64,
    /// Least number of warm-up requests.
    pub warmup_requests: u64,
    /// Warm-up ends here at the latest, nanoseconds.
    pub warmup_max_ns: i64,
    /// Length of the measured window, nanoseconds.
    pub duration_ns: Option<i64>,
    /// Number of measured requests.
    pub requests: Option<u64>,
}
