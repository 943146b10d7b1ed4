//! The figures of one plan over time: their levels, and where these changed.
//!
//! The run is the unit: intervals of single runs are shown, and decide nothing, since they do not hold what differs
//! from run to run. Invariants: a run that is not to be used is in no level; all figures together raise a false
//! alarm with the chance that is stated; a figure with too few runs is told so and has no change; a figure among the
//! failures is greater than any other, and never left out.

use crate::CONFIDENCE;
use crate::objective::SloFigure;
use infermeter_core::slo::Measure;
use infermeter_core::text::Word;
use infermeter_stats::{
    CHANGE_POINTS_LIMIT, Quantile, change_points, change_power, independent_interval,
    least_for_a_change, rank_sum,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// The chance that a change is found in any figure where there is none.
pub(crate) const TREND_ERROR: f64 = 0.05;

/// The change whose runs are counted, relative, and of shares in points.
const ASKED_CHANGE: (f64, f64) = (0.05, 0.01);
/// How certainly it is to be found.
const ASKED_POWER: f64 = 0.8;
/// Numbers of further runs that are tried.
const FURTHER: [usize; 10] = [3, 4, 5, 6, 8, 10, 15, 20, 30, 50];
/// Runs of a level that its size is estimated from: the nearest to the change.
const NEAREST: usize = 60;

/// A run of a history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrendRun {
    /// It may be used.
    pub used: bool,
    /// Its figures, by name.
    pub figures: BTreeMap<String, SloFigure>,
}

/// Figures over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    /// The chance that a change is found in any of them where there is none.
    pub error: f64,
    /// Runs that were looked at; those of a figure are numbered among all.
    pub runs: usize,
    /// The figures.
    pub figures: Vec<TrendFigure>,
}

/// A figure over time. Runs are numbered from 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendFigure {
    /// Its name.
    pub name: String,
    /// `ms`, `1/s`, or empty for a share.
    pub unit: Word,
    /// Less of it is better.
    pub less_is_better: bool,
    /// Its values, in order of time.
    pub points: Vec<TrendPoint>,
    /// Values of runs that are not used.
    pub unused: Vec<TrendPoint>,
    /// Runs that may be used and do not have it.
    pub absent: usize,
    /// Values that it takes for any change to be found.
    pub least: usize,
    /// Correlation of neighbouring runs that is allowed for.
    pub correlation: f64,
    /// Standard deviation between runs of one level, relative, of shares in points; absent below two.
    pub noise: Option<f64>,
    /// Its levels, in order of time.
    pub levels: Vec<TrendLevel>,
    /// The changes between them.
    pub changes: Vec<TrendChange>,
    /// The change that the next figure is about: 0.05 for 5 %, of shares 0.01 for a point.
    pub asked_change: f64,
    /// So many further runs find such a change with a chance of 80 %; absent where 50 do not.
    pub runs_to_find: Option<usize>,
}

/// The value of one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendPoint {
    /// The run.
    pub run: usize,
    /// The value; absent among the failures, which count as the greatest.
    pub value: Option<f64>,
    /// Lower bound, by the run alone.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
}

/// Runs without a change among them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendLevel {
    /// The first run.
    pub from: usize,
    /// The last.
    pub to: usize,
    /// Runs with a value.
    pub n: usize,
    /// Their median; absent among the failures.
    pub median: Option<f64>,
    /// Lower bound of the median over runs; absent where they are too few for one.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
}

/// A change from one level to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrendChange {
    /// The last run before it.
    pub before: usize,
    /// The first run behind it.
    pub at: usize,
    /// That is this run at the earliest, with 95 % confidence.
    pub earliest: usize,
    /// It is this one at the latest.
    pub latest: usize,
    /// The chance of such a split where nothing changed.
    pub p_value: f64,
    /// By how much: 0.05 for 5 % more, of shares for five points; absent where it is from or to the failures.
    pub change: Option<f64>,
    /// Lower bound of that, as if the place of the change were known.
    pub at_least: Option<f64>,
    /// Upper bound.
    pub at_most: Option<f64>,
    /// It is for the worse.
    pub worse: bool,
    /// What else is one thing in all runs before and another in all behind.
    pub beside: Vec<String>,
}

/// Looks at `figures` over `runs`, which are in order of time. Figures that no run has are left out, and take no
/// part in the error.
pub fn trend(runs: &[TrendRun], figures: &[Measure]) -> Trend {
    let first = runs.len().saturating_sub(CHANGE_POINTS_LIMIT);
    let known = figures.iter().filter(|figure| {
        let name = figure.to_string();
        let has = |run: &TrendRun| run.figures.get(&name).is_some_and(is_told);
        runs[first..].iter().any(has)
    });
    let known: Vec<&Measure> = known.collect();
    let error = TREND_ERROR / known.len().max(1) as f64;
    let of = |figure: &&Measure| Series::of(runs, first, figure).judged(error);
    Trend {
        error: TREND_ERROR,
        runs: runs.len(),
        figures: known.iter().map(of).collect(),
    }
}

/// It has a value, or lies among the failures.
fn is_told(figure: &SloFigure) -> bool {
    figure.infinite || figure.value.is_some_and(f64::is_finite)
}

/// A figure, not judged yet.
struct Series {
    figure: TrendFigure,
    /// Ratios are differences of logarithms: it has a unit.
    relative: bool,
}

/// Values on the scale on which differences are looked at. What has no place there (failures above, of logarithms 0
/// below) is put so far outside that its differences are greater than any other.
struct Scaled {
    values: Vec<f64>,
    /// Which of them have their own place.
    told: Vec<bool>,
    /// The greatest difference between those.
    widest: f64,
}

impl Scaled {
    fn of(points: &[TrendPoint], relative: bool) -> Self {
        let scaled = |point: &TrendPoint| match point.value {
            None => f64::INFINITY,
            Some(value) if relative && value <= 0.0 => f64::NEG_INFINITY,
            Some(value) if relative => value.ln(),
            Some(value) => value,
        };
        let values: Vec<f64> = points.iter().map(scaled).collect();
        let told: Vec<bool> = values.iter().map(|value| value.is_finite()).collect();
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (least, most) = (
            finite().reduce(f64::min).unwrap_or_default(),
            finite().reduce(f64::max).unwrap_or_default(),
        );
        let widest = most - least;
        // The mean of this and of any difference between two values is beyond those, too.
        let outside = 4.0 * widest + 1.0;
        let placed = |value: &f64| value.clamp(least - outside, most + outside);
        Self {
            values: values.iter().map(placed).collect(),
            told,
            widest,
        }
    }

    /// A difference, where it is one between values that have their own place.
    fn difference(&self, difference: f64) -> Option<f64> {
        (difference.abs() <= self.widest * (1.0 + 1e-9)).then_some(difference)
    }
}

impl Series {
    fn of(runs: &[TrendRun], first: usize, measure: &Measure) -> Self {
        let name = measure.to_string();
        let mut figure = TrendFigure {
            less_is_better: measure.figure.has_most(),
            unit: Word::default(),
            points: Vec::new(),
            unused: Vec::new(),
            absent: 0,
            least: 0,
            correlation: 0.0,
            noise: None,
            levels: Vec::new(),
            changes: Vec::new(),
            asked_change: 0.0,
            runs_to_find: None,
            name,
        };
        for (number, run) in runs.iter().enumerate().skip(first) {
            let found = run.figures.get(&figure.name);
            match (found.filter(|found| is_told(found)), run.used) {
                (Some(found), used) => {
                    figure.unit = found.unit.clone();
                    let point = TrendPoint {
                        run: number,
                        value: found.value.filter(|_| !found.infinite),
                        low: found.low,
                        high: found.high,
                    };
                    match used {
                        true => figure.points.push(point),
                        false => figure.unused.push(point),
                    }
                }
                (None, true) => figure.absent += 1,
                (None, false) => {}
            }
        }
        let relative = !figure.unit.is_empty();
        Self { figure, relative }
    }

    fn judged(mut self, error: f64) -> TrendFigure {
        let scaled = Scaled::of(&self.figure.points, self.relative);
        let values = &scaled.values;
        self.figure.least = least_for_a_change(error);
        self.figure.asked_change = if self.relative {
            ASKED_CHANGE.0
        } else {
            ASKED_CHANGE.1
        };
        let Ok(found) = change_points(values, error) else {
            return self.figure;
        };
        self.figure.correlation = found.correlation;
        let mut ends = vec![0];
        ends.extend(found.changes.iter().map(|change| change.at));
        ends.push(values.len());
        for ends in ends.windows(2) {
            self.figure
                .levels
                .push(level(&self.figure.points[ends[0]..ends[1]]));
        }
        let run = |at: usize| self.figure.points[at.min(values.len() - 1)].run;
        let changes = found
            .changes
            .iter()
            .zip(ends.windows(3))
            .map(|(change, ends)| {
                let size = self.size(&scaled, ends[0]..ends[1], ends[1]..ends[2]);
                TrendChange {
                    before: run(change.at - 1),
                    at: run(change.at),
                    earliest: run(change.earliest),
                    latest: run(change.latest),
                    p_value: change.p_value,
                    ..size
                }
            });
        self.figure.changes = changes.collect();
        let noise = noise(&scaled, &ends);
        self.figure.noise = noise.map(|noise| if self.relative { noise.exp_m1() } else { noise });
        let before = (values.len() - ends[ends.len() - 2]).min(NEAREST);
        self.figure.runs_to_find = noise.and_then(|noise| {
            let shift = if self.relative {
                ASKED_CHANGE.0.ln_1p()
            } else {
                ASKED_CHANGE.1
            };
            let effect = (shift / noise.max(1e-12)).min(1e3);
            let finds = |after: &usize| {
                change_power(before, *after, effect, found.correlation, error) >= ASKED_POWER
            };
            FURTHER.into_iter().find(finds)
        });
        self.figure
    }

    /// How far the second group lies above the first: Hodges and Lehmann's shift, of the values next to the change.
    fn size(&self, scaled: &Scaled, before: Range<usize>, after: Range<usize>) -> TrendChange {
        let (before, after) = (&scaled.values[before], &scaled.values[after]);
        let before = &before[before.len().saturating_sub(NEAREST)..];
        let after = &after[..after.len().min(NEAREST)];
        // Each bound by itself, so that both together hold at the level of all intervals.
        let found = rank_sum(before, after, 1.0 - (1.0 - CONFIDENCE) / 2.0).ok();
        let change = |shift: f64| {
            let shift = scaled.difference(shift)?;
            Some(if self.relative { shift.exp_m1() } else { shift })
        };
        TrendChange {
            before: 0,
            at: 0,
            earliest: 0,
            latest: 0,
            p_value: 0.0,
            change: found.and_then(|found| change(found.shift)),
            at_least: found.and_then(|found| found.at_least).and_then(change),
            at_most: found.and_then(|found| found.at_most).and_then(change),
            worse: found.is_some_and(|found| (found.shift > 0.0) == self.figure.less_is_better),
            beside: Vec::new(),
        }
    }
}

/// The median of a level, and its interval over runs.
fn level(points: &[TrendPoint]) -> TrendLevel {
    let value = |point: &TrendPoint| point.value.unwrap_or(f64::INFINITY);
    let mut sorted: Vec<f64> = points.iter().map(value).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    // It asks for finite values, and its bounds are some of them.
    let within: Vec<f64> = sorted.iter().map(|value| value.min(f64::MAX)).collect();
    let interval = independent_interval(&within, Quantile::P50, CONFIDENCE).ok();
    let told = |bound: Option<f64>| bound.filter(|bound| *bound < f64::MAX);
    let middle = |at: usize| sorted.get(at).copied().unwrap_or_default();
    let median = 0.5 * (middle(n.saturating_sub(1) / 2) + middle(n / 2));
    TrendLevel {
        from: points.first().map_or(0, |point| point.run),
        to: points.last().map_or(0, |point| point.run),
        n,
        median: Some(median).filter(|median| median.is_finite()),
        low: told(interval.and_then(|interval| interval.low)),
        high: told(interval.and_then(|interval| interval.high)),
    }
}

/// Standard deviation inside the levels that begin and end at `ends`, of the values that have their own place.
fn noise(scaled: &Scaled, ends: &[usize]) -> Option<f64> {
    let (mut squares, mut freedom) = (0.0, 0);
    for ends in ends.windows(2) {
        let level: Vec<f64> = (ends[0]..ends[1])
            .filter(|at| scaled.told[*at])
            .map(|at| scaled.values[at])
            .collect();
        let mean = level.iter().sum::<f64>() / level.len().max(1) as f64;
        squares += level.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        freedom += level.len().saturating_sub(1);
    }
    (freedom > 0).then(|| (squares / freedom as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(values: &[f64]) -> Vec<TrendRun> {
        let run = |value: &f64| TrendRun {
            used: true,
            figures: BTreeMap::from([(
                "ttft.p50".to_owned(),
                SloFigure {
                    unit: "ms".into(),
                    value: Some(*value),
                    ..SloFigure::default()
                },
            )]),
        };
        values.iter().map(run).collect()
    }

    fn judged(runs: &[TrendRun]) -> TrendFigure {
        let figures = ["ttft.p50", "e2e.p50"].map(|figure| figure.parse().expect("a figure"));
        let mut trend = trend(runs, &figures);
        assert_eq!(
            trend.figures.len(),
            1,
            "a figure that no run has is left out"
        );
        trend.figures.remove(0)
    }

    /// Around 100, by up to a per cent.
    fn steady(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| 100.0 + (i * 37 % 11) as f64 / 5.0 - 1.0)
            .collect()
    }

    #[test]
    fn a_change_has_its_size_its_place_and_its_levels() {
        let mut values = steady(24);
        values[14..].iter_mut().for_each(|value| *value *= 1.1);
        let figure = judged(&runs(&values));
        let [change] = &figure.changes[..] else {
            panic!("{figure:#?}");
        };
        assert_eq!((change.before, change.at), (13, 14));
        assert!(change.worse && (change.change.expect("a size") - 0.1).abs() < 0.01);
        assert!(change.at_least < change.change && change.change < change.at_most);
        let medians: Vec<f64> = figure
            .levels
            .iter()
            .map(|level| level.median.map_or(0.0, f64::round))
            .collect();
        assert_eq!(medians, [100.0, 110.0]);
        assert_eq!((figure.levels[0].to, figure.levels[1].from), (13, 14));
        assert_eq!(figure.runs_to_find, Some(3));
    }

    #[test]
    fn runs_that_are_not_used_move_nothing() {
        let mut all = runs(&steady(24));
        for run in all.iter_mut().skip(12) {
            run.used = false;
            let figure = run.figures.get_mut("ttft.p50").expect("there");
            figure.value = Some(500.0);
        }
        let figure = judged(&all);
        assert!(figure.changes.is_empty());
        assert_eq!((figure.points.len(), figure.unused.len()), (12, 12));
        all[3].figures.clear();
        assert_eq!(judged(&all).absent, 1);
    }

    /// Makes a run's figure one among the failures.
    fn fail(run: &mut TrendRun) {
        let figure = run.figures.get_mut("ttft.p50").expect("there");
        (figure.value, figure.infinite) = (None, true);
    }

    #[test]
    fn figures_among_the_failures_are_the_greatest() {
        let mut all = runs(&steady(24));
        all[14..].iter_mut().for_each(fail);
        let figure = judged(&all);
        let [change] = &figure.changes[..] else {
            panic!("{figure:#?}");
        };
        assert_eq!((change.at, change.worse, change.change), (14, true, None));
        assert_eq!((figure.points.len(), figure.absent), (24, 0));
        assert_eq!(figure.points[20].value, None);
        let [before, after] = &figure.levels[..] else {
            panic!("{figure:#?}");
        };
        assert!(
            before.median.is_some() && (after.median, after.low, after.high) == (None, None, None)
        );
        assert!(
            figure.noise.is_some_and(|noise| noise < 0.02),
            "{figure:#?}"
        );
        let text = serde_json::to_string(&figure).expect("JSON");
        assert_eq!(
            serde_json::from_str::<TrendFigure>(&text).expect("read"),
            figure
        );

        // One is one rank, and moves neither size nor noise by much.
        let mut values = steady(24);
        values[14..].iter_mut().for_each(|value| *value *= 1.1);
        let mut all = runs(&values);
        fail(&mut all[20]);
        let figure = judged(&all);
        let change = &figure.changes[0];
        assert_eq!(change.at, 14);
        assert!(
            change.change.is_some_and(|size| (size - 0.1).abs() < 0.02),
            "{change:#?}"
        );
        all.iter_mut().for_each(fail);
        let figure = judged(&all);
        assert_eq!((figure.changes.len(), figure.points.len()), (0, 24));
        assert_eq!(figure.levels[0].median, None);
    }

    /// A unit is a unit, whatever the values are.
    #[test]
    fn a_zero_leaves_changes_relative() {
        let mut values = steady(24);
        values[14..].iter_mut().for_each(|value| *value *= 1.1);
        values[3] = 0.0;
        let figure = judged(&runs(&values));
        let [change] = &figure.changes[..] else {
            panic!("{figure:#?}");
        };
        assert_eq!(change.at, 14);
        assert!(
            change.change.is_some_and(|size| (size - 0.1).abs() < 0.02),
            "{change:#?}"
        );
        assert!((figure.asked_change - 0.05).abs() < 1e-12 && figure.noise < Some(0.02));
        assert_eq!(figure.points[3].value, Some(0.0));
    }

    #[test]
    fn few_runs_are_told_how_many_it_takes() {
        let figure = judged(&runs(&[1.0, 1.0, 1.0, 9.0, 9.0, 9.0]));
        assert!(figure.changes.is_empty());
        assert_eq!((figure.points.len(), figure.least), (6, 8));
        assert_eq!(trend(&[], &[]).figures, []);
    }
}
