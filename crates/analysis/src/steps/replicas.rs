//! How many replicas there were, and how long: replica-seconds.
//!
//! Between two readings the number is a straight line: where it changed nobody knows, and half of the change over that
//! time is the error. Before the first reading and behind the last one it stands for one interval at most. Invariant:
//! where readings leave more than a tenth of the time open there are no replica-seconds, and never 0 for want of them.

use crate::energy::Measured;
use infermeter_core::run::Window;
use infermeter_core::server::{Quantity, ServerReadings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A longer time without a reading is not known, in intervals.
const GAP_INTERVALS: f64 = 5.0;
/// Nor is any that is longer than this, seconds, where the interval is short: one lost reading or two.
const GAP_S: f64 = 15.0;
/// Share of the time that has to be known.
const KNOWN_SHARE: f64 = 0.9;
/// Changes that a chart shows.
const MOST_POINTS: usize = 1_000;

/// The replicas over the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplicaFigures {
    /// Who said how many there are.
    pub source: String,
    /// Readings of the window with a number.
    pub readings: usize,
    /// Readings of the window without.
    pub failed: usize,
    /// Why the first of those had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Fewest, number of replicas; absent where none was read.
    pub least: Option<f64>,
    /// Most, number of replicas.
    pub most: Option<f64>,
    /// Time average, number of replicas.
    pub mean: Option<f64>,
    /// Replicas times the seconds that they were there, over the window; absent where readings leave too much open.
    pub replica_seconds: Option<Measured>,
    /// Share of the window that the readings tell of, 0 to 1.
    pub known: f64,
    /// The readings at which the number was another one than before, and the one before it; some are left out where
    /// they are more than 1,000.
    pub points: Vec<ReplicaPoint>,
}

/// Replicas at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplicaPoint {
    /// Seconds since the window's start.
    pub at_s: f64,
    /// Number of replicas.
    pub replicas: f64,
}

/// The replicas of one step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepReplicas {
    /// At the last reading before the step, or the first in it, number of replicas.
    pub before: f64,
    /// At the last reading in it, number of replicas.
    pub at_end: f64,
    /// Most in it, number of replicas.
    pub most: f64,
    /// Replicas times seconds; absent where readings leave too much open.
    pub replica_seconds: Option<Measured>,
}

/// What was read, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Readings {
    points: Vec<ReplicaPoint>,
    interval_s: f64,
}

impl Readings {
    /// Those of a run, around its window as well.
    pub fn of(server: &ServerReadings, page: usize, window: Window) -> Self {
        let readings = server.of_page(page).filter_map(|reading| {
            Some(ReplicaPoint {
                at_s: reading.at().since(window.start) as f64 / 1e9,
                replicas: reading.figures.get(Quantity::Replicas)?,
            })
        });
        Self::at(readings.collect(), server.watch.interval_ns as f64 / 1e9)
    }

    pub(super) fn at(mut points: Vec<ReplicaPoint>, interval_s: f64) -> Self {
        points.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        Self { points, interval_s }
    }

    /// Over the whole window.
    pub fn over(&self, server: &ServerReadings, page: usize, window: Window) -> ReplicaFigures {
        let inside = server.of_page(page).filter(|r| window.contains(r.at()));
        let inside: Vec<_> = inside.collect();
        let failed = || inside.iter().filter(|r| r.error.is_some());
        let seconds = window.seconds();
        let held = self.held(0.0, seconds);
        let numbers = || self.within(0.0, seconds).map(|point| point.replicas);
        ReplicaFigures {
            source: server.watch.pages[page].url.clone(),
            readings: inside.len() - failed().count(),
            failed: failed().count(),
            failure: failed().next().and_then(|r| r.error.clone()),
            least: numbers().reduce(f64::min),
            most: numbers().reduce(f64::max),
            mean: (held.known_s > 0.0).then(|| held.sum / held.known_s),
            replica_seconds: held.whole(seconds),
            known: (held.known_s / seconds).min(1.0),
            points: self.changes(seconds),
        }
    }

    /// Over a step, seconds since the window's start; absent where nothing was read in it.
    pub fn of_step(&self, from_s: f64, to_s: f64) -> Option<StepReplicas> {
        let mut inside = self.within(from_s, to_s);
        let first = inside.next()?;
        let before = self.points.iter().rev().find(|point| point.at_s < from_s);
        let last = inside.next_back().unwrap_or(first);
        let most = self.within(from_s, to_s).map(|point| point.replicas);
        Some(StepReplicas {
            before: before.unwrap_or(first).replicas,
            at_end: last.replicas,
            most: most.fold(first.replicas, f64::max),
            replica_seconds: self.held(from_s, to_s).whole(to_s - from_s),
        })
    }

    /// The number at an instant, by the last reading up to it.
    pub fn at_instant(&self, at_s: f64) -> Option<f64> {
        let known = self.points.iter().rev().find(|point| point.at_s <= at_s)?;
        (at_s - known.at_s <= self.longest_gap()).then_some(known.replicas)
    }

    fn within(
        &self,
        from_s: f64,
        to_s: f64,
    ) -> impl DoubleEndedIterator<Item = &ReplicaPoint> + Clone {
        let points = self.points.iter();
        points.filter(move |point| (from_s..to_s).contains(&point.at_s))
    }

    fn longest_gap(&self) -> f64 {
        (GAP_INTERVALS * self.interval_s).max(GAP_S)
    }

    /// The integral from one instant to another, as far as it is known.
    fn held(&self, from_s: f64, to_s: f64) -> Held {
        let mut held = Held::default();
        let time = Time { from_s, to_s };
        for pair in self.points.windows(2) {
            held.add(pair[0], pair[1], time, self.longest_gap());
        }
        // The number stands for an interval beyond the readings.
        let beyond = |point: &ReplicaPoint, to: f64| {
            let reach = (to - point.at_s).clamp(-self.interval_s, self.interval_s);
            ReplicaPoint {
                at_s: point.at_s + reach,
                ..*point
            }
        };
        if let Some(first) = self.points.first().filter(|first| first.at_s > from_s) {
            held.add(beyond(first, from_s), *first, time, f64::INFINITY);
        }
        if let Some(last) = self.points.last().filter(|last| last.at_s < to_s) {
            held.add(*last, beyond(last, to_s), time, f64::INFINITY);
        }
        held
    }

    /// The readings at which the number changed, with the one before each, and both ends.
    fn changes(&self, seconds: f64) -> Vec<ReplicaPoint> {
        let inside: Vec<ReplicaPoint> = self.within(0.0, seconds).copied().collect();
        let last = inside.len().saturating_sub(1);
        let differs = |a: usize, b: usize| match (inside.get(a), inside.get(b)) {
            (Some(a), Some(b)) => a.replicas != b.replicas,
            _ => true,
        };
        let kept = (0..inside.len()).filter(|place| {
            let before = place.checked_sub(1);
            *place == last
                || before.is_none_or(|before| differs(before, *place))
                || differs(*place, place + 1)
        });
        kept.map(|place| inside[place]).take(MOST_POINTS).collect()
    }
}

/// An integral, and how much of the time it covers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Held {
    sum: f64,
    error: f64,
    known_s: f64,
}

impl Held {
    /// Adds what lies between two readings, inside a stretch of time.
    fn add(&mut self, a: ReplicaPoint, b: ReplicaPoint, time: Time, longest_s: f64) {
        let length = b.at_s - a.at_s;
        let (from, to) = (a.at_s.max(time.from_s), b.at_s.min(time.to_s));
        if length <= 0.0 || length > longest_s || to <= from {
            return;
        }
        let at = |s: f64| a.replicas + (b.replicas - a.replicas) * (s - a.at_s) / length;
        self.sum += f64::midpoint(at(from), at(to)) * (to - from);
        self.error += (b.replicas - a.replicas).abs() / 2.0 * (to - from);
        self.known_s += to - from;
    }

    /// Of so many seconds; what is not known has the mean of what is.
    fn whole(self, seconds: f64) -> Option<Measured> {
        let is_known = self.known_s >= KNOWN_SHARE * seconds && self.known_s > 0.0;
        let scale = seconds / self.known_s;
        is_known.then_some(Measured {
            value: self.sum * scale,
            error: self.error * scale,
        })
    }
}

/// A stretch of time, seconds since the window's start.
#[derive(Debug, Clone, Copy)]
struct Time {
    from_s: f64,
    to_s: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(points: &[(f64, f64)]) -> Readings {
        let points = points.iter().map(|(at_s, replicas)| ReplicaPoint {
            at_s: *at_s,
            replicas: *replicas,
        });
        Readings::at(points.collect(), 1.0)
    }

    /// One reading a second, one replica for 20 seconds and three from then on.
    fn stepped() -> Readings {
        let points: Vec<(f64, f64)> = (-2..=62)
            .map(|s| (f64::from(s) + 0.5, if s < 20 { 1.0 } else { 3.0 }))
            .collect();
        readings(&points)
    }

    #[test]
    fn replica_seconds_are_the_integral_and_the_change_is_its_error() {
        let held = stepped().held(0.0, 60.0).whole(60.0).expect("known");
        // 1 for 20 s and 3 for 40 s; between 19.5 and 20.5 nobody knows.
        assert!((held.value - 140.0).abs() < 1e-9, "{held:?}");
        assert!((held.error - 1.0).abs() < 1e-9, "{held:?}");
        let step = stepped().of_step(20.0, 60.0).expect("read");
        assert_eq!((step.before, step.at_end, step.most), (1.0, 3.0, 3.0));
        assert_eq!(stepped().at_instant(20.0), Some(1.0));
    }

    #[test]
    fn what_was_not_read_is_not_known() {
        assert_eq!(readings(&[]).held(0.0, 60.0).whole(60.0), None);
        assert_eq!(readings(&[(30.0, 2.0)]).held(0.0, 60.0).whole(60.0), None);
        // Half of the time without a reading.
        let gap = readings(&[(0.0, 2.0), (10.0, 2.0), (50.0, 2.0), (60.0, 2.0)]);
        assert_eq!(gap.held(0.0, 60.0).whole(60.0), None);
        assert_eq!(gap.at_instant(40.0), None);
        assert_eq!(gap.of_step(20.0, 40.0), None);
        // 55 of 60 seconds: the rest is taken for like them.
        let most: Vec<(f64, f64)> = (0..=54).map(|s| (f64::from(s), 2.0)).collect();
        let held = readings(&most).held(0.0, 60.0).whole(60.0).expect("known");
        assert!((held.value - 120.0).abs() < 1e-9);
    }

    #[test]
    fn a_chart_gets_the_changes_alone() {
        let points = stepped().changes(60.0);
        let points: Vec<(f64, f64)> = points.iter().map(|p| (p.at_s, p.replicas)).collect();
        assert_eq!(points, [(0.5, 1.0), (19.5, 1.0), (20.5, 3.0), (59.5, 3.0)]);
    }
}
