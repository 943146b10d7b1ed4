//! One [`Spread`] for each part of the time.
//!
//! Invariant: what falls outside the axis is left out.

use crate::series::axis::TimeAxis;
use crate::series::spread::Spread;
use infermeter_core::clock::Offset;
use std::ops::Range;

/// Values by the part of the time that each falls into.
#[derive(Debug, Clone)]
pub struct Spreads {
    axis: TimeAxis,
    parts: Vec<Spread>,
    /// The part of the value before, and its instants: neighbours share parts, and a division for each of a
    /// hundred million chunks is not free.
    last: (usize, Range<i64>),
}

impl Spreads {
    /// None yet.
    pub fn new(axis: TimeAxis) -> Self {
        Self {
            axis,
            parts: vec![Spread::default(); axis.parts],
            last: (0, 0..0),
        }
    }

    /// Adds a value `count` times, nanoseconds.
    #[inline]
    pub fn add(&mut self, at: Offset, ns: i64, count: u64) {
        if !self.last.1.contains(&at.0) {
            let Some(part) = self.axis.part(at) else {
                return;
            };
            self.last = (part, self.axis.edge(part).0..self.axis.edge(part + 1).0);
        }
        if let Some(spread) = self.parts.get_mut(self.last.0) {
            spread.add(ns, count);
        }
    }

    /// Adds another's values.
    pub(crate) fn merge(&mut self, other: &Self) {
        let parts = self.parts.iter_mut().zip(&other.parts);
        parts.for_each(|(own, other)| own.merge(other));
    }

    /// In order of time.
    pub fn parts(&self) -> &[Spread] {
        &self.parts
    }
}
