//! Protocols over runs: what their driver has to know of each beyond its next step.
//!
//! Invariant: what lies ahead is an upper bound. No protocol measures more than it has announced.

use crate::{Coordinates, Protocol, RunPoint, RunSeen, Step};

/// A protocol over runs.
pub trait OfRuns: Protocol<At = Coordinates, Seen = RunSeen> {
    /// The runs that may still be needed, at worst, in their order as far as it is known; none once the
    /// answer is there. A load that is not decided yet is absent.
    fn ahead(&self, points: &[RunPoint]) -> Vec<Coordinates>;

    /// What these runs say, whether or not more of them are to come.
    fn so_far(&self, points: &[RunPoint]) -> Self::Answer;
}

/// A protocol over runs whose answer does not matter.
pub trait AnyOfRuns {
    /// Where the next run is measured, if there is one.
    fn next_at(&self, points: &[RunPoint]) -> Option<Coordinates>;

    /// As [`OfRuns::ahead`].
    fn ahead(&self, points: &[RunPoint]) -> Vec<Coordinates>;

    /// As [`Protocol::fixed`].
    fn fixed(&self) -> Option<Vec<Coordinates>>;
}

impl<P: OfRuns> AnyOfRuns for P {
    fn next_at(&self, points: &[RunPoint]) -> Option<Coordinates> {
        match self.next(points) {
            Step::Measure(at) => Some(at),
            Step::Extend(index) => points.get(index).map(|point| point.at),
            Step::Stop(_) => None,
        }
    }

    fn ahead(&self, points: &[RunPoint]) -> Vec<Coordinates> {
        OfRuns::ahead(self, points)
    }

    fn fixed(&self) -> Option<Vec<Coordinates>> {
        Protocol::fixed(self)
    }
}
