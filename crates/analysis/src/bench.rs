//! Configurations of a server, measured in the same way: their figures side by side, and which of them no other beats.
//!
//! Pure: it gets the runs and does no IO. Invariants: the unit is the start of a server, never the request; an Invalid
//! run is in no figure; a figure that a run does not support is absent.

use crate::compare::{Axis, Better};
use crate::summary::Summary;
use infermeter_core::finding::Verdict;
use schemars::JsonSchema;
use serde::Serialize;

/// Figures of a point, in order.
const FIGURES: [&str; 8] = [
    "requests_per_s",
    "output_tokens_per_s",
    "ttft.p50",
    "ttft.p90",
    "ttft.p99",
    "tpot.p50",
    "e2e.p50",
    "failed",
];

/// What the frontier weighs against throughput: the first that all points have.
const TAILS: [&str; 3] = ["ttft.p99", "ttft.p90", "ttft.p50"];
/// Throughput.
const THROUGHPUT: &str = "output_tokens_per_s";

/// A run of a configuration.
#[derive(Debug, Clone, Copy)]
pub struct BenchRun<'a> {
    /// The configuration, from 1.
    pub configuration: usize,
    /// How much load, in words.
    pub load: &'a str,
    /// Its figures.
    pub summary: &'a Summary,
    /// Whether they can be trusted.
    pub verdict: Verdict,
}

/// A figure over rounds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BenchFigure {
    /// Which.
    pub axis: Axis,
    /// Its median over the runs that have it, in the unit of the figure.
    pub median: f64,
    /// The least, in the same unit.
    pub min: f64,
    /// The greatest, in the same unit.
    pub max: f64,
    /// Runs that have it.
    pub n: u64,
}

/// A configuration at a load.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BenchPoint {
    /// The configuration, from 1.
    pub configuration: usize,
    /// How much load, in words.
    pub load: String,
    /// Runs that are in the figures.
    pub runs: u64,
    /// Invalid ones, which are not.
    pub invalid: u64,
    /// The worst verdict of its runs.
    pub verdict: Verdict,
    /// Its figures.
    pub figures: Vec<BenchFigure>,
    /// No other point has more throughput and less latency.
    pub on_frontier: bool,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BenchPoints {
    /// By configuration, then in the order of measuring.
    pub points: Vec<BenchPoint>,
    /// The latency that the frontier weighs against throughput; absent where no figure is one of all points.
    pub frontier_of: Option<Axis>,
}

impl BenchPoint {
    /// The median of a figure.
    pub fn median(&self, axis: &Axis) -> Option<f64> {
        let found = self.figures.iter().find(|figure| figure.axis == *axis);
        found.map(|figure| figure.median)
    }
}

impl BenchPoints {
    /// Of these runs, in the order of measuring.
    pub fn of(runs: &[BenchRun<'_>]) -> Self {
        let mut points: Vec<BenchPoint> = Vec::new();
        for run in runs {
            let is_it = |point: &BenchPoint| {
                point.configuration == run.configuration && point.load == run.load
            };
            if !points.iter().any(is_it) {
                points.push(point(runs, run));
            }
        }
        points.sort_by_key(|point| point.configuration);
        let frontier_of = mark(&mut points);
        Self {
            points,
            frontier_of,
        }
    }
}

fn point(runs: &[BenchRun<'_>], like: &BenchRun<'_>) -> BenchPoint {
    let own = runs
        .iter()
        .filter(|run| run.configuration == like.configuration && run.load == like.load);
    let own: Vec<&BenchRun<'_>> = own.collect();
    let used: Vec<&BenchRun<'_>> = own
        .iter()
        .filter(|run| run.verdict != Verdict::Invalid)
        .copied()
        .collect();
    let figure = |name: &&str| {
        let axis: Axis = name.parse().ok()?;
        let mut values: Vec<f64> = used
            .iter()
            .filter_map(|run| axis.value(run.summary))
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        let n = values.len();
        Some(BenchFigure {
            axis,
            median: 0.5 * (values.get(n.checked_sub(1)? / 2)? + values.get(n / 2)?),
            min: *values.first()?,
            max: *values.last()?,
            n: n as u64,
        })
    };
    BenchPoint {
        configuration: like.configuration,
        load: like.load.to_owned(),
        runs: used.len() as u64,
        invalid: (own.len() - used.len()) as u64,
        verdict: own
            .iter()
            .map(|run| run.verdict)
            .max()
            .unwrap_or(Verdict::Invalid),
        figures: FIGURES.iter().filter_map(figure).collect(),
        on_frontier: false,
    }
}

/// Where a point stands.
struct Place {
    at: usize,
    throughput: f64,
    tail: f64,
}

impl Place {
    fn beats(&self, other: &Self) -> bool {
        let as_good = self.throughput >= other.throughput && self.tail <= other.tail;
        as_good && (self.throughput > other.throughput || self.tail < other.tail)
    }
}

/// Marks the points that no other beats in both, and says by which latency.
fn mark(points: &mut [BenchPoint]) -> Option<Axis> {
    let throughput: Axis = THROUGHPUT.parse().ok()?;
    let used: Vec<usize> = (0..points.len())
        .filter(|at| points[*at].runs > 0)
        .collect();
    let of_all = |axis: &Axis| used.iter().all(|at| points[*at].median(axis).is_some());
    if used.is_empty() || !of_all(&throughput) {
        return None;
    }
    let tails = TAILS.iter().filter_map(|name| name.parse::<Axis>().ok());
    let tail = tails
        .filter(|axis| axis.better() == Better::Lower)
        .find(of_all)?;
    let place = |at: &usize| {
        Some(Place {
            at: *at,
            throughput: points[*at].median(&throughput)?,
            tail: points[*at].median(&tail)?,
        })
    };
    let places: Vec<Place> = used.iter().filter_map(place).collect();
    for own in &places {
        points[own.at].on_frontier = !places.iter().any(|other| other.beats(own));
    }
    Some(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(configuration: usize, throughput: f64, tail: f64) -> BenchPoint {
        let figure = |name: &str, value: f64| BenchFigure {
            axis: name.parse().expect("a figure"),
            median: value,
            min: value,
            max: value,
            n: 1,
        };
        BenchPoint {
            configuration,
            load: "10 requests/s".to_owned(),
            runs: 1,
            invalid: 0,
            verdict: Verdict::Valid,
            figures: vec![figure(THROUGHPUT, throughput), figure("ttft.p90", tail)],
            on_frontier: false,
        }
    }

    #[test]
    fn the_frontier_has_what_no_other_beats() {
        let mut points = vec![
            at(1, 100.0, 50.0),
            at(2, 120.0, 60.0),
            at(3, 110.0, 70.0),
            at(4, 100.0, 50.0),
        ];
        let by = mark(&mut points).expect("a latency");
        assert_eq!(by.to_string(), "ttft.p90");
        let on: Vec<usize> = points
            .iter()
            .filter(|p| p.on_frontier)
            .map(|p| p.configuration)
            .collect();
        assert_eq!(on, [1, 2, 4]);
    }

    #[test]
    fn without_a_figure_of_all_there_is_no_frontier() {
        let mut points = vec![at(1, 100.0, 50.0), at(2, 120.0, 60.0)];
        points[1].figures.truncate(1);
        assert_eq!(mark(&mut points), None);
        points[1].runs = 0;
        assert!(mark(&mut points).is_some() && points[0].on_frontier && !points[1].on_frontier);
        assert_eq!(BenchPoints::of(&[]).points, []);
    }
}
