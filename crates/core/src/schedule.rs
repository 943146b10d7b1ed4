//! A schedule: when requests are sent. Made before the clock starts by the `schedule` crate,
//! executed by `runner`, never changed in between.
//!
//! Invariant: a schedule knows its own facts; nobody else takes it apart to find them.

use crate::request::RequestId;
use std::ops::Range;

mod closed;
mod facts;
mod open;
pub(crate) mod phase;
mod slice;

pub use closed::ClosedSchedule;
pub use facts::{Begins, ScheduleFacts};
pub use open::{ArrivalIds, OpenSchedule};
pub use phase::{LoadModel, Phase, PhaseCounts, Window};
pub use slice::{Slice, SliceError};

/// Requests of a closed loop that are looked at where only time ends the window.
const CLOSED_LOOK: u64 = 10_000;

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

    /// The part that it is of a plan's schedule.
    pub fn slice(&self) -> Slice {
        match self {
            Self::Open(open) => open.slice,
            Self::Closed(closed) => closed.slice,
        }
    }

    /// A part of it: of an open loop every n-th arrival, at its instant; of a closed loop its share of
    /// slots and counts. Ids are those of the whole, and what waits for an answer stays with it.
    ///
    /// # Errors
    /// When a slice of a closed loop would have no slot, or none of the requests that end its window.
    pub fn cut(&self, slice: Slice) -> Result<Self, SliceError> {
        Ok(match self {
            Self::Open(open) => Self::Open(open.cut(slice)),
            Self::Closed(closed) => Self::Closed(closed.cut(slice)?),
        })
    }

    /// What is kept of it with the record.
    pub fn facts(&self) -> ScheduleFacts {
        ScheduleFacts {
            slice: self.slice(),
            sessions: self.has_sessions(),
            begins: match self {
                Self::Open(open) => Begins::Arrivals(PhaseCounts {
                    warmup: open.measure_from as u64,
                    measure: (open.drain_from - open.measure_from) as u64,
                    drain: (open.arrivals.len() - open.drain_from) as u64,
                }),
                Self::Closed(closed) => Begins::Slots(*closed),
            },
        }
    }

    /// The load model, as labelled everywhere.
    pub fn model(&self) -> LoadModel {
        match self {
            Self::Open(_) => LoadModel::OpenLoop,
            Self::Closed(_) => LoadModel::ClosedLoop,
        }
    }

    /// Some requests may wait for the answer to another one.
    pub fn has_sessions(&self) -> bool {
        match self {
            Self::Open(open) => match &open.ids {
                ArrivalIds::Every { stride, .. } => *stride != 1,
                ArrivalIds::Listed(_) => true,
            },
            Self::Closed(closed) => closed.stride != 1,
        }
    }

    /// The measured window, where it is known before the run.
    pub fn window(&self) -> Option<Window> {
        match self {
            Self::Open(open) => Some(open.window()),
            Self::Closed(_) => None,
        }
    }

    /// Arrivals of all phases; absent where answers decide.
    pub fn arrivals(&self) -> Option<u64> {
        match self {
            Self::Open(open) => Some(open.arrivals.len() as u64),
            Self::Closed(_) => None,
        }
    }

    /// Requests or, with sessions, sessions due in the window; absent where answers decide.
    pub fn due_in_window(&self) -> Option<u64> {
        match self {
            Self::Open(open) => Some((open.drain_from - open.measure_from) as u64),
            Self::Closed(_) => None,
        }
    }

    /// No arrival is left for the drain.
    pub fn ends_with_window(&self) -> bool {
        matches!(self, Self::Open(open) if open.drain_from == open.arrivals.len())
    }

    /// Slots of a closed loop.
    pub fn slots(&self) -> Option<u32> {
        match self {
            Self::Open(_) => None,
            Self::Closed(closed) => Some(closed.slots),
        }
    }

    /// The request that is the `number`th to begin something.
    ///
    /// # Panics
    /// Where listed arrivals have no such number.
    pub fn begins(&self, number: u64) -> RequestId {
        match self {
            Self::Open(open) => open.ids.id(number as usize),
            Self::Closed(closed) => closed.slice.in_whole(number) * closed.stride,
        }
    }

    /// The measured requests. In a closed loop the warm-up may take more than the count asked for,
    /// and a window that ends by time has as many as the server completes: `sample` stand for them.
    pub fn measured_ids(&self, sample: u64) -> Range<RequestId> {
        match self {
            Self::Open(open) => {
                let id = |index| open.ids.id(index);
                let last = open.drain_from.checked_sub(1);
                let end = last.map_or(0, |last| id(last) + 1);
                let any = open.measure_from < open.arrivals.len();
                let start = if any { id(open.measure_from) } else { end };
                start.min(end)..end
            }
            Self::Closed(closed) => {
                let start = closed.warmup_requests;
                start..start.saturating_add(closed.requests.unwrap_or(sample))
            }
        }
    }
}
