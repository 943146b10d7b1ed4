//! An open loop: arrivals at instants fixed in advance.
//!
//! It does not make them. Invariant: arrivals are in order of time, and phases are contiguous.

use super::phase::{Phase, Window};
use super::slice::Slice;
use crate::clock::Offset;
use crate::request::RequestId;

/// Which requests the arrivals are, ids ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrivalIds {
    /// Arrival `i` of the whole is request `i * stride`: what lies between belongs to the session that
    /// it begins.
    Every {
        /// 1 where requests stand alone.
        stride: u64,
        /// The arrivals of the whole that these are.
        slice: Slice,
    },
    /// One id for each arrival: rows of a trace that wait for no other row.
    Listed(Vec<RequestId>),
}

impl ArrivalIds {
    /// Requests stand alone: arrival `i` is request `i`.
    pub const ALONE: Self = Self::every(1);

    /// Each arrival begins a session of at most `stride` requests.
    pub const fn every(stride: u64) -> Self {
        Self::Every {
            stride,
            slice: Slice::WHOLE,
        }
    }

    /// The request of arrival `index`.
    ///
    /// # Panics
    /// Where a list has no such arrival.
    pub fn id(&self, index: usize) -> RequestId {
        match self {
            Self::Every { stride, slice } => slice.in_whole(index as u64) * stride,
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
    /// The part that it is of a plan's schedule.
    pub slice: Slice,
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

    /// The measured window.
    pub fn window(&self) -> Window {
        Window {
            start: self.window_start,
            end: self.window_end,
        }
    }

    /// The phase of a request that is no arrival, due at `intended`.
    pub fn phase_at(&self, intended: Offset) -> Phase {
        self.window().phase_at(intended)
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

impl OpenSchedule {
    /// Every n-th arrival, at its instant.
    pub(super) fn cut(&self, slice: Slice) -> Self {
        // A place below the limit belongs to the slice as often as its share says.
        let below = |limit: usize| slice.share(limit as u64) as usize;
        let own = |index: &usize| slice.takes(*index as u64);
        let places = (0..self.arrivals.len()).filter(own);
        Self {
            ids: match &self.ids {
                ArrivalIds::Every {
                    stride,
                    slice: outer,
                } => ArrivalIds::Every {
                    stride: *stride,
                    slice: slice.inside(*outer),
                },
                ArrivalIds::Listed(ids) => {
                    ArrivalIds::Listed(places.clone().map(|index| ids[index]).collect())
                }
            },
            arrivals: places.map(|index| self.arrivals[index]).collect(),
            measure_from: below(self.measure_from),
            drain_from: below(self.drain_from),
            window_start: self.window_start,
            window_end: self.window_end,
            slice: slice.inside(self.slice),
        }
    }
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
            slice: Slice::WHOLE,
        };
        let roots = schedule.clone().only(|row| row != 2 && row != 4);
        assert_eq!(roots.arrivals, [0, 5, 15].map(Offset));
        assert_eq!(roots.ids, ArrivalIds::Listed(vec![0, 1, 3]));
        assert_eq!((roots.measure_from, roots.drain_from), (1, 3));
        assert_eq!(roots.window_end, schedule.window_end);
        assert_eq!(roots.ids.id(2), 3);
        assert_eq!(ArrivalIds::every(4).id(2), 8);
        let phases = [4, 5, 19, 20].map(|at| roots.phase_at(Offset(at)));
        use Phase::{Drain, Measure, Warmup};
        assert_eq!(phases, [Warmup, Measure, Measure, Drain]);
    }
}
