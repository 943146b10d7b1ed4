//! One run: the protocol of `run` alone.

use crate::{Coordinates, Point, Protocol, RunSeen, Step};

/// Measures once, what the plan says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Once;

impl Protocol for Once {
    type At = Coordinates;
    type Seen = RunSeen;
    type Answer = ();

    fn next(&self, points: &[Point<Coordinates, RunSeen>]) -> Step<Coordinates, ()> {
        match points {
            [] => Step::Measure(Coordinates::default()),
            _ => Step::Stop(()),
        }
    }
}
