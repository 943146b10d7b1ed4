//! A curve of levels: what the server can take, where it bends, and which of its points are worth choosing.
//!
//! The knee and the scalability law are descriptive. The answer is the highest load that meets the objectives,
//! between two levels that were measured. Invariant: nothing is said of loads beyond them.

use crate::CONFIDENCE;
use crate::figure::Mean;
use crate::highest_rate::Probe;
use crate::level::{Level, MiddleAndTail};
use crate::objective::SloStatus;
use crate::rate_estimate::{Highest, LoadAnswer, RateEstimate, missed_below_met};
use infermeter_stats::{Interval, UncertainCurve, Usl, bootstrap_curve, kneedle};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Resamples of a curve.
const RESAMPLES: usize = 999;

/// Standard errors between the bounds of a 95 % interval.
const STANDARD_ERRORS: f64 = 2.0 * 1.96;

/// Answers to all objectives together.
pub fn answers(levels: &[Level]) -> Vec<LoadAnswer> {
    let answer = |level: &Level| LoadAnswer {
        load: level.load,
        status: level.status,
    };
    levels.iter().map(answer).collect()
}

/// The highest load for one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveHighest {
    /// As written.
    pub objective: String,
    /// Between these levels.
    pub highest: Highest,
    /// The rate itself, and how it is known.
    pub estimate: RateEstimate,
}

/// The highest load for each objective, from levels and what their runs say of its law (`probes`, none in a
/// closed loop).
pub fn each_objective(levels: &[Level], probes: Option<&[Probe]>) -> Vec<ObjectiveHighest> {
    let Some(first) = levels.first() else {
        return Vec::new();
    };
    let of = |index: usize| -> Vec<LoadAnswer> {
        let answer = |level: &Level| {
            let objective = level.objectives.get(index);
            let status = match (objective, level.overloaded) {
                // Latencies that grow without end meet nothing for long.
                (_, true) => SloStatus::Missed,
                (Some(objective), false) => objective.status,
                (None, false) => SloStatus::Undecided,
            };
            LoadAnswer {
                load: level.load,
                status,
            }
        };
        levels.iter().map(answer).collect()
    };
    let objectives = first.objectives.iter().enumerate();
    objectives
        .map(|(index, objective)| {
            let answers = of(index);
            let own = probes.map(|all| all.iter().map(|p| p.only(index)).collect::<Vec<_>>());
            ObjectiveHighest {
                objective: objective.objective.clone(),
                highest: Highest::of(&answers),
                estimate: RateEstimate::of(own.as_deref(), &answers),
            }
        })
        .collect()
}

/// Levels that miss below levels that meet: load alone does not explain them.
pub fn out_of_order(levels: &[Level]) -> Vec<f64> {
    missed_below_met(&answers(levels))
}

/// What is best where two things are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Much throughput, and a low TTFT p99.
    ThroughputAndTail,
    /// Many tokens per second and accelerator, and per user.
    GpuAndUser,
}

/// One point of a frontier, with what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrontierPoint {
    /// The load: requests per second, or slots.
    pub load: f64,
    /// Throughput: of all, or per accelerator.
    pub throughput: Mean,
    /// The other side: milliseconds of TTFT p99, or tokens per second and user.
    pub other: Mean,
    /// Its interval overlaps that of a level that is not on the frontier and would be better: another
    /// sample may change which of them it is.
    pub uncertain: bool,
}

/// The levels that no other level beats in both, by ascending load.
pub fn frontier(levels: &[Level], wanted: Wanted) -> Vec<FrontierPoint> {
    let all: Vec<FrontierPoint> = levels.iter().filter_map(|l| point(l, wanted)).collect();
    // Larger is better.
    let good = |p: &FrontierPoint| match wanted {
        Wanted::ThroughputAndTail => -p.other.value,
        Wanted::GpuAndUser => p.other.value,
    };
    let beats = |a: &FrontierPoint, b: &FrontierPoint| {
        let (x, y) = (a.throughput.value, b.throughput.value);
        x >= y && good(a) >= good(b) && (x > y || good(a) > good(b))
    };
    let kept = |p: &&FrontierPoint| !all.iter().any(|other| beats(other, p));
    let (on, off): (Vec<&FrontierPoint>, Vec<&FrontierPoint>) = all.iter().partition(kept);
    on.into_iter()
        .map(|p| FrontierPoint {
            uncertain: off.iter().any(|other| {
                overlap(p.throughput, other.throughput) && overlap(p.other, other.other)
            }),
            ..*p
        })
        .collect()
}

fn point(level: &Level, wanted: Wanted) -> Option<FrontierPoint> {
    let (throughput, other) = match wanted {
        Wanted::ThroughputAndTail => {
            let of_requests = level.output_tokens.or(level.achieved);
            (of_requests?, level.ttft.p99.or(level.e2e.p99)?)
        }
        Wanted::GpuAndUser => (level.output_tokens_per_gpu?, level.per_user?),
    };
    Some(FrontierPoint {
        load: level.load,
        throughput,
        other,
        uncertain: false,
    })
}

fn overlap(a: Mean, b: Mean) -> bool {
    let low = |m: Mean| m.low.unwrap_or(m.value);
    let high = |m: Mean| m.high.unwrap_or(m.value);
    low(a) <= high(b) && low(b) <= high(a)
}

/// Where a curve bends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Knee {
    /// Of which latency: `ttft.p99`.
    pub of: String,
    /// The load: requests per second, or slots.
    pub load: f64,
    /// Lowest load among 95 % of the resampled curves' knees; absent where they often have none.
    pub low: Option<f64>,
    /// Highest load among them.
    pub high: Option<f64>,
}

/// A latency of a level.
type Latency = fn(&Level) -> MiddleAndTail;

/// The knee of TTFT p99, or of the first of those that are known at three levels or more. Absent where it
/// is noise: more than a tenth of the curves that are redrawn within their errors have none, or it may lie anywhere.
pub fn knee(levels: &[Level]) -> Option<Knee> {
    let tails: [(&str, Latency); 2] = [("ttft", |level| level.ttft), ("e2e", |level| level.e2e)];
    let figures = tails.into_iter().flat_map(|(name, of)| {
        [
            (format!("{name}.p99"), known(levels, |l| of(l).p99)),
            (format!("{name}.p50"), known(levels, |l| of(l).p50)),
        ]
    });
    let (of, points) = figures
        .into_iter()
        .find(|(_, points)| points.loads.len() >= 3)?;
    let (loads, values) = (&points.loads, &points.values);
    let at = |values: &[f64]| Some(loads[kneedle(loads, values).ok()??]);
    let load = at(values)?;
    let found = points.interval(&at);
    let is_open = found.low.is_none() && found.high.is_none();
    let inner = &loads[1..loads.len() - 1];
    let is_anywhere = inner.len() > 1
        && found.low <= inner.first().copied()
        && found.high >= inner.last().copied();
    (!is_open && !is_anywhere).then_some(Knee {
        of,
        load,
        low: found.low,
        high: found.high,
    })
}

/// The Universal Scalability Law of a curve, on mean in flight and throughput.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scalability {
    /// Coefficient of contention.
    pub contention: f64,
    /// Coefficient of coherence.
    pub coherence: f64,
    /// Requests in flight where throughput is highest; absent where it only ever grows.
    pub peak_in_flight: Option<f64>,
    /// Requests per second there, or what they grow towards.
    pub limit: Option<Mean>,
}

/// Fits the law to completed requests per second.
pub fn scalability(levels: &[Level]) -> Option<Scalability> {
    let inside = |level: &&Level| level.in_flight.is_some_and(|n| n.value > 0.0);
    let kept: Vec<Level> = levels.iter().filter(inside).cloned().collect();
    let points = known(&kept, |level| level.achieved);
    let with = |level: &&Level| level.achieved.is_some_and(|rate| rate.value > 0.0);
    let in_flight = kept
        .iter()
        .filter(with)
        .filter_map(|level| Some(level.in_flight?.value));
    let in_flight: Vec<f64> = in_flight.collect();
    let law = Usl::fit(&in_flight, &points.values).ok()?;
    let limit = |values: &[f64]| Usl::fit(&in_flight, values).ok()?.limit();
    let interval = points.interval(&limit);
    Some(Scalability {
        contention: law.contention,
        coherence: law.coherence,
        peak_in_flight: law.peak(),
        limit: law.limit().map(|value| Mean::new(value, interval)),
    })
}

/// The levels that have a figure, which is above 0.
struct Points {
    loads: Vec<f64>,
    values: Vec<f64>,
    errors: Vec<f64>,
}

fn known(levels: &[Level], of: impl Fn(&Level) -> Option<Mean>) -> Points {
    let mut points = Points {
        loads: Vec::new(),
        values: Vec::new(),
        errors: Vec::new(),
    };
    for level in levels {
        if let Some(mean) = of(level).filter(|mean| mean.value > 0.0) {
            points.loads.push(level.load);
            points.values.push(mean.value);
            points.errors.push(relative_error(mean));
        }
    }
    points
}

/// On the logarithmic scale; a bound that is open counts as far off as the other.
fn relative_error(mean: Mean) -> f64 {
    let log = |bound: Option<f64>| Some((bound.filter(|b| *b > 0.0)? / mean.value).ln().abs());
    match (log(mean.low), log(mean.high)) {
        (Some(low), Some(high)) => (low + high) / STANDARD_ERRORS,
        (Some(one), None) | (None, Some(one)) => 2.0 * one / STANDARD_ERRORS,
        (None, None) => 0.0,
    }
}

impl Points {
    fn interval(&self, figure: &dyn Fn(&[f64]) -> Option<f64>) -> Interval {
        let curve = UncertainCurve {
            values: &self.values,
            errors: &self.errors,
        };
        bootstrap_curve(curve, CONFIDENCE, RESAMPLES, figure)
            .unwrap_or_else(|_| Interval::open(CONFIDENCE))
    }
}

#[cfg(test)]
mod tests;
