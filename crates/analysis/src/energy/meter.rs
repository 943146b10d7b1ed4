//! Energy over the window from what a GPU says now and then: its counter of energy, or else its power.
//!
//! A counter is a line between the readings at which it changed: what it says between them is interpolated, and
//! the error says how far that can be off. Power is summed by trapezoids. Invariant: where the readings leave too
//! much open there is a reason, and never 0.

use crate::limits::{ENERGY_EDGE_SHARE, POWER_GAP_S};
use infermeter_core::run::Window;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reading this near to an edge of the window is always good enough, seconds: a phase is told within 50 ms.
const EDGE_S: f64 = 0.1;
/// Shorter times between two readings say nothing of the power between them, seconds: a counter's steps do.
const SLOPE_S: f64 = 0.05;
/// Of the readings, so many change the counter where it is as fresh as they are.
const FRESH_SHARE: f64 = 0.7;

/// A value, and how far the way it was read can have moved it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// The value, in the unit that its name says.
    pub value: f64,
    /// The most that readings at other instants than the window's edges, and power that moved between readings, can
    /// account for, in the value's unit. The sensor's own error is not in it.
    pub error: f64,
}

impl Measured {
    /// The same by so many.
    pub(super) fn per(self, count: f64) -> Option<Self> {
        (count > 0.0).then(|| Self {
            value: self.value / count,
            error: self.error / count,
        })
    }
}

/// What energy was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnergyMethod {
    /// The board's own counter.
    Counter,
    /// Its power, by trapezoids.
    Power,
}

/// A value at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Seconds since the window's start.
    pub at_s: f64,
    /// How far the instant can be off, seconds: half of the answer's time.
    pub slack_s: f64,
    pub value: f64,
}

/// The window's edges, seconds since its start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edges {
    pub end_s: f64,
}

impl Edges {
    pub(super) fn of(window: Window) -> Self {
        Self {
            end_s: window.seconds(),
        }
    }

    /// How far from an edge a reading may lie.
    fn near_s(self) -> f64 {
        (self.end_s * ENERGY_EDGE_SHARE).max(EDGE_S)
    }
}

/// How often a counter changes: between two changes of it, at the median, seconds. `None` where it is as fresh as
/// the readings.
pub(super) fn refresh_s(counter: &[Sample]) -> Option<f64> {
    let knots = changes(counter);
    let fresh = (counter.len().saturating_sub(1)) as f64 * FRESH_SHARE;
    if knots.len() < 2 || knots.len() as f64 >= fresh {
        return None;
    }
    let mut gaps: Vec<f64> = knots.windows(2).map(|w| w[1].at_s - w[0].at_s).collect();
    gaps.sort_by(f64::total_cmp);
    gaps.get(gaps.len() / 2).copied()
}

/// The readings at which it had changed since the one before. The change came in between, which is its slack.
fn changes(counter: &[Sample]) -> Vec<Sample> {
    let pairs = counter.windows(2).filter(|w| w[1].value != w[0].value);
    let knot = |w: &[Sample]| Sample {
        slack_s: w[1].slack_s + (w[1].at_s - w[0].at_s),
        ..w[1]
    };
    pairs.map(knot).collect()
}

/// Energy by the counter, joules.
///
/// # Errors
/// Why it is not known.
pub(super) fn by_counter(counter: &[Sample], edges: Edges) -> Result<Measured, &'static str> {
    if counter.windows(2).any(|w| w[1].value < w[0].value) {
        return Err("the counter of energy went back: the driver was loaded again");
    }
    let knots = match refresh_s(counter) {
        Some(_) => changes(counter),
        None => counter.to_vec(),
    };
    if knots.len() < 2 || knots.iter().all(|knot| knot.value == knots[0].value) {
        return Err("the counter of energy did not move");
    }
    let power = slopes(&knots);
    let [start, end] = [0.0, edges.end_s].map(|edge| at(&knots, edge, power, edges.near_s()));
    let (start, end) = (start?, end?);
    Ok(Measured {
        value: (end.value - start.value).max(0.0),
        error: start.error + end.error,
    })
}

/// The least and the greatest power between two readings, watts.
#[derive(Debug, Clone, Copy)]
struct Slopes {
    least: f64,
    greatest: f64,
}

fn slopes(knots: &[Sample]) -> Slopes {
    let slope = |a: &Sample, b: &Sample| (b.value - a.value) / (b.at_s - a.at_s);
    let pairs = knots
        .windows(2)
        .filter(|w| w[1].at_s - w[0].at_s >= SLOPE_S);
    let mut all: Vec<f64> = pairs.map(|w| slope(&w[0], &w[1])).collect();
    if let (true, Some((first, last))) = (all.is_empty(), knots.first().zip(knots.last())) {
        all.push(slope(first, last));
    }
    let all = all.into_iter().filter(|slope| slope.is_finite());
    all.fold(
        Slopes {
            least: f64::INFINITY,
            greatest: 0.0,
        },
        |found, slope| Slopes {
            least: found.least.min(slope),
            greatest: found.greatest.max(slope),
        },
    )
}

/// What the counter had reached at an edge.
fn at(knots: &[Sample], edge: f64, power: Slopes, near_s: f64) -> Result<Measured, &'static str> {
    let after = knots.partition_point(|knot| knot.at_s <= edge);
    let before = after.checked_sub(1).and_then(|before| knots.get(before));
    match (before, knots.get(after)) {
        (Some(a), Some(b)) => {
            let length = b.at_s - a.at_s;
            let part = (edge - a.at_s) / length;
            // On a line the two powers on its sides are furthest apart when one is the least, the other the greatest.
            let bend = (power.greatest - power.least).max(0.0) * length * part * (1.0 - part);
            let slack = a.slack_s * (1.0 - part) + b.slack_s * part;
            Ok(Measured {
                value: a.value + (b.value - a.value) * part,
                error: bend + power.greatest * slack,
            })
        }
        (Some(one), None) | (None, Some(one)) if (one.at_s - edge).abs() <= near_s => {
            Ok(Measured {
                value: one.value,
                error: power.greatest * ((one.at_s - edge).abs() + one.slack_s),
            })
        }
        _ => Err("no reading of the counter of energy lies near an edge of the window"),
    }
}

/// Energy by power, joules.
///
/// # Errors
/// Why it is not known.
pub(super) fn by_power(power: &[Sample], edges: Edges) -> Result<Measured, &'static str> {
    let from = power.partition_point(|p| p.at_s <= 0.0).saturating_sub(1);
    let to = power.partition_point(|p| p.at_s < edges.end_s) + 1;
    let inside = &power[from..to.min(power.len())];
    let (Some(first), Some(last), true) = (inside.first(), inside.last(), inside.len() > 1) else {
        return Err("its power was read less than twice");
    };
    let near = edges.near_s().min(POWER_GAP_S);
    if first.at_s > near || last.at_s < edges.end_s - near {
        return Err("no reading of its power lies near an edge of the window");
    }
    let mut sum = Measured {
        value: 0.0,
        error: 0.0,
    };
    for pair in inside.windows(2) {
        let gap = pair[1].at_s - pair[0].at_s;
        if gap > POWER_GAP_S {
            return Err("its power was not read for longer than the gap that is allowed");
        }
        let [start, end] = [pair[0].at_s.max(0.0), pair[1].at_s.min(edges.end_s)];
        if end > start {
            let on = |at: f64| {
                let part = (at - pair[0].at_s) / gap;
                pair[0].value + (pair[1].value - pair[0].value) * part
            };
            sum.value += (on(start) + on(end)) / 2.0 * (end - start);
            // Power that moved at once at either end of the gap, and not evenly.
            sum.error += (pair[1].value - pair[0].value).abs() / 2.0 * (end - start);
        }
    }
    // What lies beyond the first and the last reading.
    for (beside, missing) in [
        (first, first.at_s.max(0.0)),
        (last, (edges.end_s - last.at_s).max(0.0)),
    ] {
        sum.value += beside.value * missing;
        sum.error += beside.value * missing;
    }
    Ok(sum)
}

/// The longest time without a reading of the power inside the window, seconds.
pub(super) fn longest_gap_s(power: &[Sample], edges: Edges) -> Option<f64> {
    let gaps = power
        .windows(2)
        .filter(|w| w[1].at_s > 0.0 && w[0].at_s < edges.end_s);
    gaps.map(|w| w[1].at_s - w[0].at_s).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Edges = Edges { end_s: 10.0 };

    /// Readings each `every` seconds from one second before the window to one after it.
    fn readings(every: f64, of: impl Fn(f64) -> f64) -> Vec<Sample> {
        let count = (12.0 / every).round() as usize;
        let all = (0..=count).map(|n| n as f64 * every - 1.0);
        let sample = |at_s| Sample {
            at_s,
            slack_s: 0.001,
            value: of(at_s),
        };
        all.map(sample).collect()
    }

    #[track_caller]
    fn near(found: Result<Measured, &'static str>, truth: f64, most_error: f64) {
        let found = found.expect("known");
        let apart = (found.value - truth).abs();
        assert!(apart <= found.error + 1e-6, "{found:?} against {truth}");
        assert!(found.error <= most_error, "{found:?}");
    }

    /// 100 W in the first half of the window and before it, 500 W after that: joules since a second before it.
    fn step_energy(at: f64) -> f64 {
        let since = at + 1.0;
        match at {
            at if at <= 5.0 => 100.0 * since,
            at => 600.0 + 500.0 * (at - 5.0),
        }
    }

    fn step_power(at: f64) -> f64 {
        if at <= 5.0 { 100.0 } else { 500.0 }
    }

    #[test]
    fn a_counter_gives_the_energy_between_the_edges() {
        near(by_counter(&readings(0.5, step_energy), TEN), 3_000.0, 5.0);
        // Edges between two readings: what came between them is interpolated, and the error says so.
        let off = readings(0.7, step_energy);
        near(by_counter(&off, TEN), 3_000.0, 200.0);
        // The window's own edges are read, as they are in a run, and nothing before them.
        let mut inside = readings(1.0, step_energy);
        inside.retain(|s| (0.0..=10.0).contains(&s.at_s));
        near(by_counter(&inside, TEN), 3_000.0, 5.0);
    }

    #[test]
    fn a_counter_that_is_refreshed_seldom_is_a_line_between_its_changes() {
        // Read each 0.25 s, refreshed each 2 s.
        let stale = readings(0.25, |at| step_energy((at / 2.0).floor() * 2.0));
        let refresh = refresh_s(&stale).expect("seldom");
        assert!((refresh - 2.0).abs() < 1e-9, "{refresh}");
        near(by_counter(&stale, TEN), 3_000.0, 900.0);
        assert_eq!(refresh_s(&readings(0.25, step_energy)), None);
    }

    #[test]
    fn a_counter_that_says_nothing() {
        let still = readings(0.5, |_| 70.0);
        assert!(
            by_counter(&still, TEN)
                .expect_err("still")
                .contains("did not move")
        );
        let back = readings(0.5, |at| if at < 4.0 { 900.0 + at } else { at });
        assert!(
            by_counter(&back, TEN)
                .expect_err("reset")
                .contains("went back")
        );
        let mut late = readings(0.5, step_energy);
        late.retain(|s| s.at_s > 3.0);
        assert!(
            by_counter(&late, TEN)
                .expect_err("late")
                .contains("near an edge")
        );
        assert!(by_counter(&[], TEN).is_err());
    }

    #[test]
    fn power_is_summed_by_trapezoids() {
        // A ramp: trapezoids are exact on it.
        near(
            by_power(&readings(0.5, |at| 100.0 + 10.0 * at), TEN),
            1_500.0,
            60.0,
        );
        near(by_power(&readings(0.25, step_power), TEN), 3_000.0, 60.0);
        let mut inside = readings(1.0, |_| 250.0);
        inside.retain(|s| (0.0..=9.5).contains(&s.at_s));
        near(by_power(&inside, TEN), 2_500.0, 260.0);
    }

    #[test]
    fn a_gap_is_not_filled() {
        let mut gap = readings(0.5, step_power);
        gap.retain(|s| !(2.0..=2.0 + POWER_GAP_S).contains(&s.at_s));
        assert!(
            by_power(&gap, TEN)
                .expect_err("a gap")
                .contains("gap that is allowed")
        );
        let longest = longest_gap_s(&gap, TEN).expect("a gap");
        assert!(longest > POWER_GAP_S, "{longest}");
        assert!(by_power(&gap[..1], TEN).is_err());
        let mut late = readings(0.5, step_power);
        late.retain(|s| s.at_s > 2.0);
        assert!(
            by_power(&late, TEN)
                .expect_err("late")
                .contains("near an edge")
        );
    }
}
