//! Protocols: what is measured next, given what has been measured.
//!
//! A protocol is pure. It does no IO, reads no clock and draws nothing; whoever drives it measures what it
//! asks for and asks again. So each can be tested in virtual time, or on points made by hand, and a run that
//! was cut off goes on where the points on disk end.
//!
//! Invariant: the same points give the same step.

mod compare;
mod coordinates;
mod of_runs;
mod once;
mod repeat;
pub mod search;
mod spec;
mod sweep;

pub use compare::{BeforeRun, Compare, CompareFlags, DEFAULT_ROUNDS, TurnOrder};
pub use coordinates::{Coordinates, Intensity, Kept, Length, Place, RunPoint, RunSeen};
pub use of_runs::{AnyOfRuns, OfRuns};
pub use once::Once;
pub use repeat::{MOST_RUNS, Repeat, RepeatError, Together};
pub use search::{ObjectiveRate, Search, SearchAnswer, SearchSpec};
pub use spec::{ProtocolSpec, SpecError};
pub use sweep::{Levels, Sweep, SweepSpec};

/// One thing that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Point<At, Seen> {
    /// In the order of measuring, from 1.
    pub number: usize,
    /// What was asked for.
    pub at: At,
    /// How many points at the same coordinates there were before it.
    pub replicate: usize,
    /// What was seen there.
    pub seen: Seen,
}

/// A point of a protocol.
pub type PointOf<P> = Point<<P as Protocol>::At, <P as Protocol>::Seen>;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step<At, Answer> {
    /// Measure this.
    Measure(At),
    /// Measure at the coordinates of this point (by its index) once more: another sample of the same.
    Extend(usize),
    /// Nothing more: this is the answer.
    Stop(Answer),
}

/// Decides what is measured next.
///
/// Runs have [`Coordinates`] and show a [`RunSeen`]; a protocol over something else (the rungs of a
/// calibration) brings types of its own.
pub trait Protocol {
    /// Where something can be measured.
    type At: Clone + PartialEq;
    /// What is seen there.
    type Seen;
    /// What comes out in the end.
    type Answer;

    /// The next step, given all points in the order of measuring.
    fn next(&self, points: &[PointOf<Self>]) -> Step<Self::At, Self::Answer>;

    /// Whether anything is left to be measured where the targets of these places cannot be any more.
    fn goes_on_without(&self, _lost: &[Self::At]) -> bool {
        false
    }

    /// The next step then.
    fn without(
        &self,
        points: &[PointOf<Self>],
        _lost: &[Self::At],
    ) -> Step<Self::At, Self::Answer> {
        self.next(points)
    }

    /// Where all points are measured, by number, where nothing that is seen changes that. Then a point is known by
    /// its number alone, and one that is missing can be measured when later ones are there. `None`: each follows
    /// from those before it.
    fn fixed(&self) -> Option<Vec<Self::At>> {
        None
    }
}

/// Which point it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// Its number, from 1.
    pub number: usize,
    /// How many at the same coordinates have lower numbers.
    pub replicate: usize,
}

/// Which point is measured next, at `at`.
pub fn numbered<P: Protocol>(protocol: &P, points: &[PointOf<P>], at: &P::At) -> Numbered {
    let Some(all) = protocol.fixed() else {
        return Numbered {
            number: points.len() + 1,
            replicate: points.iter().filter(|point| point.at == *at).count(),
        };
    };
    let own = (1..).zip(&all).filter(|(_, place)| *place == at);
    let missing = |(_, (number, _)): &(usize, (usize, &P::At))| {
        !points.iter().any(|point| point.number == *number)
    };
    let next = own.enumerate().find(missing);
    let (replicate, number) = next.map_or((0, all.len() + 1), |(n, (number, _))| (n, number));
    Numbered { number, replicate }
}
