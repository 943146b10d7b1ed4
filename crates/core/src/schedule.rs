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

/// Which requests the arrivals are, ids ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrivalIds {
    /// Arrival `i` is request `i * stride`: what lies between belongs to the session that it begins.
    Every {
        /// 1 where requests stand alone.
        stride: u64,
    },
    /// One id for each arrival: rows of a trace that wait for no other row.
    Listed(Vec<RequestId>),
}

impl ArrivalIds {
    /// Requests stand alone: arrival `i` is request `i`.
    pub const ALONE: Self = Self::Every { stride: 1 };

    /// The request of arrival `index`.
    ///
    /// # Panics
    /// Where a list has no such arrival.
    pub fn id(&self, index: usize) -> RequestId {
        match self {
            Self::Every { stride } => index as u64 * stride,
            Self::Listed(ids) => ids[index],
        }
    }
}

/// Arrivals of an open loop: arrival `i` is request `ids.id(i)`, due at `arrivals[i]`; phases are
/// contiguous: indices below `measure_from` are warm-up, from there below `drain_from` measured,
/// then drain. Requests that wait for another one's answer are no arrivals.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSchedule {
    /// Due instants, non-decreasing, offsets from the run's origin.
    pub arrivals: Vec<Offset>,
    /// Which requests they are.
    pub ids: ArrivalIds,
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
    /// The phase of arrival `index`.
    pub fn phase_of(&self, index: usize) -> Phase {
        if index < self.measure_from {
            Phase::Warmup
        } else if index < self.drain_from {
            Phase::Measure
        } else {
            Phase::Drain
        }
    }

    /// The phase of a request that is no arrival, due at `intended`.
    pub fn phase_at(&self, intended: Offset) -> Phase {
        if intended < self.window_start {
            Phase::Warmup
        } else if intended < self.window_end {
            Phase::Measure
        } else {
            Phase::Drain
        }
    }

    /// The arrivals that begin something; the others (rows of a trace that wait for another row's
    /// answer) are left out. The window stays.
    #[must_use]
    pub fn only(mut self, begins: impl Fn(usize) -> bool) -> Self {
        let ids: Vec<usize> = (0..self.arrivals.len()).filter(|i| begins(*i)).collect();
        let below = |limit: usize| ids.partition_point(|index| *index < limit);
        (self.measure_from, self.drain_from) = (below(self.measure_from), below(self.drain_from));
        self.arrivals = ids.iter().map(|index| self.arrivals[*index]).collect();
        let ids = ids.into_iter().map(|index| self.ids.id(index));
        self.ids = ArrivalIds::Listed(ids.collect());
        self
    }
}

/// A closed loop of `slots` users. Warm-up ends when both its time and its request count have
/// passed (at the latest after `warmup_max_ns`); the measured window ends after `duration_ns` or
/// `requests`, whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedSchedule {
    /// Concurrent slots; with sessions, users.
    pub slots: u32,
    /// Ids of a session: slots take requests `0`, `stride`, `2 * stride` and so on, and what lies
    /// between follows them. 1 where requests stand alone.
    pub stride: u64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_no_arrival() {
        let schedule = OpenSchedule {
            arrivals: [0, 5, 10, 15, 20].map(Offset).to_vec(),
            ids: ArrivalIds::ALONE,
            measure_from: 1,
            drain_from: 4,
            window_start: Offset(5),
            window_end: Offset(20),
        };
        let roots = schedule.clone().only(|row| row != 2 && row != 4);
        assert_eq!(roots.arrivals, [0, 5, 15].map(Offset));
        assert_eq!(roots.ids, ArrivalIds::Listed(vec![0, 1, 3]));
        assert_eq!((roots.measure_from, roots.drain_from), (1, 3));
        assert_eq!(roots.window_end, schedule.window_end);
        assert_eq!(roots.ids.id(2), 3);
        assert_eq!(ArrivalIds::Every { stride: 4 }.id(2), 8);
        let phases = [4, 5, 19, 20].map(|at| roots.phase_at(Offset(at)));
        use Phase::{Drain, Measure, Warmup};
        assert_eq!(phases, [Warmup, Measure, Measure, Drain]);
    }
}
