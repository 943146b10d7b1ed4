//! How many requests were in flight, when: of every phase and outcome, from send to close.
//!
//! Invariant: at one instant ends come before starts, so that a slot that is handed on counts once.

use crate::facts::RequestFacts;
use crate::seconds::stays;
use crate::series::axis::TimeAxis;
use infermeter_core::clock::Offset;

/// Requests in flight in one part of the time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct InFlightPart {
    /// Time average.
    pub mean: f64,
    /// Fewest for any time.
    pub least: u64,
    /// Most for any time.
    pub most: u64,
}

/// When requests were sent, and when they ended.
#[derive(Debug, Clone, Default)]
pub struct Stays {
    starts: Vec<i64>,
    ends: Vec<i64>,
}

impl Stays {
    /// Of all requests; one without an end stays.
    pub fn of(requests: &[RequestFacts]) -> Self {
        let stays = stays(requests);
        let mut starts: Vec<i64> = stays.iter().map(|stay| stay.start).collect();
        let mut ends: Vec<i64> = stays.iter().map(|stay| stay.end).collect();
        starts.sort_unstable();
        ends.sort_unstable();
        Self { starts, ends }
    }

    /// Requests in flight at an instant; those that are sent then are among them.
    pub fn at(&self, at: Offset) -> u64 {
        let begun = self.starts.partition_point(|start| *start <= at.0);
        let ended = self.ends.partition_point(|end| *end <= at.0);
        begun.saturating_sub(ended) as u64
    }

    /// Over the parts of an axis.
    pub fn over(&self, axis: &TimeAxis) -> Vec<InFlightPart> {
        let before = |all: &[i64]| all.partition_point(|at| *at < axis.start.0);
        let mut walk = Walk {
            starts: &self.starts[before(&self.starts)..],
            ends: &self.ends[before(&self.ends)..],
            level: before(&self.starts).saturating_sub(before(&self.ends)) as u64,
        };
        (0..axis.parts)
            .map(|part| walk.part(axis.edge(part), axis.edge(part + 1)))
            .collect()
    }
}

/// A walk through time.
struct Walk<'a> {
    starts: &'a [i64],
    ends: &'a [i64],
    level: u64,
}

impl Walk<'_> {
    fn part(&mut self, from: Offset, to: Offset) -> InFlightPart {
        let mut part = InFlightPart {
            least: u64::MAX,
            ..InFlightPart::default()
        };
        let (mut at, mut area) = (from.0, 0.0);
        loop {
            let next = [self.starts.first(), self.ends.first()];
            let next = next
                .into_iter()
                .flatten()
                .min()
                .copied()
                .unwrap_or(i64::MAX);
            let until = next.min(to.0);
            if until > at {
                area += self.level as f64 * (until - at) as f64;
                part.least = part.least.min(self.level);
                part.most = part.most.max(self.level);
                at = until;
            }
            if next >= to.0 {
                break;
            }
            self.step(next);
        }
        part.mean = area / to.since(from).max(1) as f64;
        part.least = part.least.min(part.most);
        part
    }

    fn step(&mut self, at: i64) {
        match self.ends.split_first() {
            Some((end, rest)) if *end <= at => {
                self.ends = rest;
                self.level = self.level.saturating_sub(1);
            }
            _ => {
                self.starts = self.starts.get(1..).unwrap_or_default();
                self.level += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Run, facts, ms};

    #[test]
    fn overlapping_requests_by_hand() {
        let mut run = Run::open(1.0, 3);
        // In flight from 0.5 s before the window to 1.5 s, from 0.5 s to 1 s, and 1 s to 1.25 s.
        run.warmup_stream(-500, ms(500), ms(1_500), 2)
            .closes_after(0);
        run.stream(500, ms(250), ms(250), 2).closes_after(0);
        run.stream(1_000, ms(125), ms(125), 2).closes_after(0);
        let log = run.build();
        let window = log.manifest.window.expect("a window");
        let axis = TimeAxis::of(window.start..=window.end.plus(-1), window.start, 3);
        assert_eq!((axis.part_ns, axis.parts), (ms(1_000), 3));
        let stays = Stays::of(&facts(&log).requests);
        let part = |mean, least, most| InFlightPart { mean, least, most };
        let expect = [part(1.5, 1, 2), part(0.75, 0, 2), part(0.0, 0, 0)];
        assert_eq!(stays.over(&axis), expect);
        // The one that ended at 1 s is no longer there when the next is sent.
        assert_eq!(stays.at(window.start.plus(ms(1_000))), 2);
        assert_eq!(stays.at(window.start.plus(ms(2_000))), 0);
    }
}
