//! Repeated runs: each figure over independent runs, and what a single run cannot show.
//!
//! The run is the unit here, never the request. Invariant: a figure that a run does not support is
//! absent from that run, and an interval over runs that are too short has no upper bound.

use crate::distribution::Distribution;
use crate::figure::{Cell, CellGrade};
use crate::percentile::Percentile;
use crate::summary::Summary;
use crate::{CONFIDENCE, Mean};
use infermeter_core::finding::{Check, Dimension, Finding, Scope, Severity, Verdict, Weight};
use infermeter_core::slo::SloMetric;
use infermeter_core::text::Word;
use infermeter_stats::{
    GroupMoments, OpenAbove, OverRuns, RunFigure, over_runs, variance_components,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Runs under which an interval over runs is too wide to be of much use.
const ENOUGH_RUNS: usize = 5;

/// Runs that do not carry their percentiles.
const RUN_TOO_SHORT: Check = Check {
    code: "run-too-short",
    scope: Scope::Repeated,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// A run far from the others.
const OUTLYING_RUN: Check = Check {
    code: "outlying-run",
    scope: Scope::Repeated,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Too few runs to tell an outlying one.
const FEW_RUNS: Check = Check {
    code: "few-runs",
    scope: Scope::Repeated,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// Runs whose own verdict is not Valid.
const RUNS_NOT_VALID: Check = Check {
    code: "runs-not-valid",
    scope: Scope::Repeated,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Error),
    limit: None,
    test: (),
};

/// The requests are those of a file in every run.
const SAME_REQUESTS: Check = Check {
    code: "same-requests",
    scope: Scope::Repeated,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// All of these.
pub(crate) const REPEATED: &[&Check] = &[
    &RUN_TOO_SHORT,
    &OUTLYING_RUN,
    &FEW_RUNS,
    &RUNS_NOT_VALID,
    &SAME_REQUESTS,
];

/// One figure of every run, and over all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatedFigure {
    /// `ttft.p99`, `tpot.mean`, `output_tokens_per_s`.
    pub name: String,
    /// Its unit: `ms` or `1/s`, or empty for a share.
    pub unit: Word,
    /// In the order of the runs; absent where a run does not support it.
    pub runs: Vec<Option<f64>>,
    /// Over the runs that support it; absent where none does.
    pub over: Option<Over>,
    /// Of a mean: where its spread comes from. Absent for other figures, and where fewer than two
    /// runs have a standard deviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<Components>,
}

/// Components of the variance of a mean, in the figure's unit (standard deviations, not squares).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Components {
    /// Runs that have one.
    pub runs: usize,
    /// Between runs: what requests inside a run do not explain.
    pub between_runs: f64,
    /// Of one observation (request, chunk or token) inside a run.
    pub within_a_run: f64,
    /// Standard deviation of a run's mean, as observations alone explain it, on the effective sample size.
    pub of_a_mean: f64,
    /// Share of the variance of a run's mean that lies between runs, in `[0, 1]`; absent where
    /// nothing varies. Near 1 more runs help, near 0 longer ones do as well.
    pub between_share: Option<f64>,
}

impl Components {
    fn of(runs: &[GroupMoments]) -> Option<Self> {
        let found = variance_components(runs).ok()?;
        Some(Self {
            runs: found.groups,
            between_runs: found.between.sqrt(),
            within_a_run: found.within.sqrt(),
            of_a_mean: found.of_a_mean.sqrt(),
            between_share: found.between_share,
        })
    }
}

/// A figure over runs, in the figure's unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Over {
    /// Runs that support the figure.
    pub n: usize,
    /// Arithmetic mean over runs, with Student's t interval.
    pub mean: Mean,
    /// Sample standard deviation between runs; absent for one run.
    pub std: Option<f64>,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Standard deviation over mean.
    pub cv: Option<f64>,
    /// Runs with fewer than 100 effective tail samples, for which the interval is open above.
    pub short_runs: usize,
    /// Numbers of outlying runs, from 1; none below five runs.
    pub outlying: Vec<usize>,
}

/// Every figure of repeated runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Repeated {
    /// Number of runs.
    pub runs: usize,
    /// Nominal coverage of every interval.
    pub confidence_level: f64,
    /// Verdict of each run.
    pub verdicts: Vec<Verdict>,
    /// The figures, those of one metric together.
    pub figures: Vec<RepeatedFigure>,
}

impl Repeated {
    /// Puts the summaries of runs of one plan together, with the verdict of each.
    pub fn of(runs: &[(Summary, Verdict)]) -> Self {
        let figures: Vec<Vec<Named>> = runs.iter().map(|(summary, _)| figures(summary)).collect();
        let mut names: Vec<(String, Word)> = Vec::new();
        for named in figures.iter().flatten() {
            if !names.iter().any(|(name, _)| *name == named.name) {
                names.push((named.name.clone(), named.unit.clone()));
            }
        }
        let of_runs = |name: &str| -> Vec<Option<RunFigure>> {
            let found = |run: &Vec<Named>| run.iter().find(|n| n.name == name)?.figure;
            figures.iter().map(found).collect()
        };
        let moments_of = |name: &str| -> Vec<GroupMoments> {
            let found = |run: &Vec<Named>| run.iter().find(|n| n.name == name)?.moments;
            figures.iter().filter_map(found).collect()
        };
        Self {
            runs: runs.len(),
            confidence_level: CONFIDENCE,
            verdicts: runs.iter().map(|(_, verdict)| *verdict).collect(),
            figures: names
                .into_iter()
                .map(|(name, unit)| RepeatedFigure {
                    components: Components::of(&moments_of(&name)),
                    ..RepeatedFigure::of(&of_runs(&name), name, unit)
                })
                .collect(),
        }
    }

    /// The figure with a name.
    pub fn figure(&self, name: &str) -> Option<&RepeatedFigure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    /// A percentile of one run, where the run supports it.
    pub(crate) fn figure_of(
        summary: &Summary,
        metric: SloMetric,
        percentile: Percentile,
    ) -> Option<RunFigure> {
        of_cell(summary.distribution(metric)?.cell(percentile)?, percentile)
    }

    /// What repeated runs show beyond the findings of each.
    pub fn findings(&self, replayed: bool) -> Vec<Finding> {
        [
            self.run_too_short(),
            self.outlying_runs(),
            self.few_runs(),
            self.unlike_verdicts(),
            replayed.then(same_requests),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn run_too_short(&self) -> Option<Finding> {
        let short = |figure: &RepeatedFigure| {
            let over = figure.over.as_ref()?;
            let (short, n) = (over.short_runs, over.n);
            (short > 0).then(|| format!("{} ({short} of {n} runs)", figure.name))
        };
        let named: Vec<String> = self.figures.iter().filter_map(short).collect();
        (!named.is_empty()).then(|| {
            RUN_TOO_SHORT.found(
                "Runs are too short for some of their percentiles: repeating cures their spread, not \
                 their bias. Those intervals are open above.",
                format!("Fewer than 100 effective tail samples: {}.", named.join(", ")),
                "Lengthen each run (--duration) rather than adding runs.",
            )
        })
    }

    fn outlying_runs(&self) -> Option<Finding> {
        let mut named: Vec<String> = Vec::new();
        for figure in &self.figures {
            let outlying = figure.over.iter().flat_map(|over| &over.outlying);
            let runs: Vec<String> = outlying.map(|run| format!("run {run}")).collect();
            if !runs.is_empty() {
                named.push(format!("{}: {}", figure.name, runs.join(", ")));
            }
        }
        (!named.is_empty()).then(|| {
            OUTLYING_RUN.found(
                "A run lies far from the others: something was different while it ran.",
                named.join("; ") + ".",
                "Look at that run's record and at what else used the server; measure again rather than \
                 leaving it out.",
            )
        })
    }

    fn few_runs(&self) -> Option<Finding> {
        (self.runs < ENOUGH_RUNS).then(|| {
            FEW_RUNS.found(
                "With few runs the intervals over them are wide, and an outlying one cannot be told.",
                format!("{} of at least {ENOUGH_RUNS}.", self.runs),
                "Repeat more often (--repeat 5).",
            )
        })
    }

    fn unlike_verdicts(&self) -> Option<Finding> {
        let of = |verdict| self.verdicts.iter().filter(|v| **v == verdict).count();
        let (questionable, invalid) = (of(Verdict::Questionable), of(Verdict::Invalid));
        let severity = match (questionable, invalid) {
            (0, 0) => return None,
            (_, 0) => Severity::Warning,
            _ => Severity::Error,
        };
        Some(RUNS_NOT_VALID.weighing(
            severity,
            "Not every run is Valid: figures over runs are no better than the worst of them.",
            format!(
                "{questionable} Questionable and {invalid} Invalid of {}.",
                self.runs
            ),
            "Read the findings of those runs (`infermeter report` on each) and repeat them.",
        ))
    }
}

/// The requests are those of a file in every run.
fn same_requests() -> Finding {
    SAME_REQUESTS.found(
        "Every run sends the same requests at the same instants: the spread over runs is the server's \
         and the machine's alone, not the workload's.",
        "The load is replayed from a file.",
        "For another sample of the same kind of load use --workload and --rate.",
    )
}

struct Named {
    name: String,
    unit: Word,
    figure: Option<RunFigure>,
    /// Of a mean, where its run has a standard deviation.
    moments: Option<GroupMoments>,
}

impl RepeatedFigure {
    fn of(runs: &[Option<RunFigure>], name: String, unit: Word) -> Self {
        let known: Vec<RunFigure> = runs.iter().copied().flatten().collect();
        let numbers: Vec<usize> = (1..)
            .zip(runs)
            .filter_map(|(number, run)| run.map(|_| number))
            .collect();
        Self {
            name,
            unit,
            runs: runs.iter().map(|run| run.map(|run| run.value)).collect(),
            over: over_runs(&known, CONFIDENCE)
                .ok()
                .map(|over| Over::of(over, &numbers)),
            components: None,
        }
    }
}

impl Over {
    fn of(over: OverRuns, numbers: &[usize]) -> Self {
        Self {
            n: over.n,
            mean: at_least_zero(Mean::new(over.mean, over.interval)),
            std: over.std,
            min: over.min,
            max: over.max,
            cv: over.cv,
            short_runs: match over.open_above {
                Some(OpenAbove::ShortRuns { runs }) => runs,
                Some(OpenAbove::OneRun) | None => 0,
            },
            outlying: over.outlying.iter().map(|at| numbers[*at]).collect(),
        }
    }
}

/// No figure here is ever below 0, so neither is the truth.
fn at_least_zero(mean: Mean) -> Mean {
    Mean {
        low: mean.low.map(|low| low.max(0.0)),
        ..mean
    }
}

/// The figures of one run that are followed over runs.
fn figures(summary: &Summary) -> Vec<Named> {
    let mut all = Vec::new();
    let told_apart = |metric: SloMetric| match metric {
        SloMetric::Ttfo => summary.latency.reasoning,
        SloMetric::ChunkGap => summary.latency.multi_token_chunks,
        _ => true,
    };
    let metrics = SloMetric::NAMES.into_iter();
    for (name, metric) in metrics.filter(|(_, metric)| told_apart(*metric)) {
        if let Some(found) = summary.distribution(metric) {
            latency(&mut all, name, found, &summary.percentiles);
        }
    }
    let mut plain = |name: &str, unit: &'static str, value: Option<f64>| {
        all.push(Named {
            name: name.to_owned(),
            unit: unit.into(),
            figure: value.map(|value| RunFigure {
                value,
                effective_tail: None,
            }),
            moments: None,
        });
    };
    if let Some(throughput) = &summary.throughput {
        let output = throughput.output_tokens.map(|rate| rate.per_s);
        plain("output_tokens_per_s", "1/s", output);
        let input = throughput.input_tokens.map(|rate| rate.per_s);
        plain("input_tokens_per_s", "1/s", input);
        plain("requests_per_s", "1/s", Some(throughput.requests.per_s));
    }
    if let Some(load) = &summary.load {
        plain("in_flight", "", Some(load.in_flight.mean));
    }
    if let Some(goodput) = &summary.goodput {
        plain("attainment", "", Some(goodput.attainment.value));
    }
    all
}

fn latency(all: &mut Vec<Named>, name: &str, found: &Distribution, percentiles: &[Percentile]) {
    let unit = &found.unit;
    all.push(Named {
        name: format!("{name}.mean"),
        unit: unit.clone(),
        figure: found.mean.map(|mean| RunFigure {
            value: mean.value,
            effective_tail: None,
        }),
        moments: moments(found),
    });
    for percentile in percentiles {
        all.push(Named {
            name: format!("{name}.{percentile}"),
            unit: unit.clone(),
            figure: found
                .cell(*percentile)
                .and_then(|cell| of_cell(cell, *percentile)),
            moments: None,
        });
    }
}

/// The moments of a run's distribution.
fn moments(found: &Distribution) -> Option<GroupMoments> {
    Some(GroupMoments {
        mean: found.mean?.value,
        variance: found.std?.powi(2),
        effective_n: found.mean_effective_n?,
    })
}

/// A percentile that its run supports, with the effective samples in its tail.
fn of_cell(cell: &Cell, percentile: Percentile) -> Option<RunFigure> {
    let p = percentile.quantile().probability();
    let by_requests = cell.effective_n * p.min(1.0 - p);
    let tail = cell.tail_blocks.map_or(by_requests, |blocks| blocks as f64);
    let value = cell
        .value
        .filter(|_| cell.grade != CellGrade::Unsupported)?;
    Some(RunFigure {
        value,
        effective_tail: Some(tail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precision::{Precision, PrecisionMethod, PrecisionRun};
    use crate::{PrecisionState, Run as JudgedRun, summarize_log};
    use infermeter_metrics::fixture::Run;

    /// A run of `n` steady requests whose first tokens come `late_ns` later than usual.
    fn run(n: u32, late_ns: i64) -> (JudgedRun, Summary) {
        let mut run = Run::steady(n, 20.0, 12);
        for record in run.records() {
            for chunk in &mut record.chunks {
                chunk.at.0 += late_ns;
                chunk.seen.0 += late_ns;
                chunk.lower.0 += late_ns;
            }
            let later = [
                &mut record.first_byte,
                &mut record.first_byte_seen,
                &mut record.finished,
                &mut record.closed,
            ];
            later.into_iter().flatten().for_each(|at| at.0 += late_ns);
        }
        summarize_log(&run.build())
    }

    fn repeated(late_ms: &[i64]) -> Repeated {
        let runs: Vec<(Summary, Verdict)> = late_ms
            .iter()
            .map(|late| (run(300, late * 1_000_000).1, Verdict::Valid))
            .collect();
        Repeated::of(&runs)
    }

    #[test]
    fn runs_that_are_not_valid_are_named() {
        let (_, summary) = run(300, 0);
        let severity = |verdict| {
            let runs = vec![
                (summary.clone(), Verdict::Valid),
                (summary.clone(), verdict),
            ];
            let findings = Repeated::of(&runs).findings(false);
            let found = findings.into_iter().find(|f| f.code == "runs-not-valid");
            found.map(|f| f.severity)
        };
        assert_eq!(severity(Verdict::Valid), None);
        assert_eq!(severity(Verdict::Questionable), Some(Severity::Warning));
        assert_eq!(severity(Verdict::Invalid), Some(Severity::Error));
    }

    #[test]
    fn figures_over_runs_are_those_of_each() {
        let runs = repeated(&[0, 2, 4]);
        let mean = runs.figure("ttft.mean").expect("a figure");
        let base = mean.runs[0].expect("supported");
        let over = mean.over.as_ref().expect("three runs");
        assert!((over.mean.value - base - 2.0).abs() < 1e-9);
        assert!((over.std.expect("three runs") - 2.0).abs() < 1e-9);
        assert_eq!((over.n, over.short_runs), (3, 0));
        // Runs differ by 2 ms, requests inside one by 40 / sqrt(12) ms on 300 of them.
        let parts = mean.components.expect("a mean");
        assert_eq!(parts.runs, 3);
        assert!((parts.within_a_run - 11.5).abs() < 1.0, "{parts:?}");
        let between = (4.0 - parts.of_a_mean.powi(2)).sqrt();
        assert!((parts.between_runs - between).abs() < 1e-9, "{parts:?}");
        let share = parts.between_share.expect("a spread");
        assert!((share - between.powi(2) / 4.0).abs() < 1e-9, "{parts:?}");
        assert!(
            runs.figure("ttft.p50")
                .is_some_and(|f| f.components.is_none())
        );
        assert!(over.mean.high.is_some());
        // 300 requests have 150 in the tail of the median, 30 in that of p90.
        let high = |name: &str| {
            let over = runs
                .figure(name)
                .and_then(|f| f.over.as_ref())
                .expect("supported");
            (over.short_runs, over.mean.high.is_some())
        };
        assert_eq!(high("ttft.p50"), (0, true));
        assert_eq!(high("ttft.p90"), (3, false));
        let p99 = runs.figure("ttft.p99").expect("named");
        assert_eq!((p99.runs.as_slice(), &p99.over), (&[None; 3][..], &None));
        let codes: Vec<String> = runs.findings(false).into_iter().map(|f| f.code).collect();
        assert_eq!(codes, ["run-too-short", "few-runs"]);
        assert!(
            runs.findings(true)
                .iter()
                .any(|f| f.code == "same-requests")
        );
    }

    #[test]
    fn an_outlying_run_is_named() {
        let runs = repeated(&[0, 1, 2, 3, 200]);
        let findings = runs.findings(false);
        let outlying = findings.iter().find(|f| f.code == "outlying-run");
        let evidence = &outlying.expect("run 5").evidence;
        assert!(evidence.contains("ttft.mean: run 5"), "{evidence}");
        let clean = repeated(&[0, 1, 2, 3, 4]).findings(false);
        assert!(clean.iter().all(|f| f.code != "outlying-run"));
    }

    #[test]
    fn the_worst_run_decides() {
        let (_, summary) = run(300, 0);
        let of = |verdicts: &[Verdict]| {
            let runs: Vec<_> = verdicts.iter().map(|v| (summary.clone(), *v)).collect();
            Verdict::of(&Repeated::of(&runs).findings(false))
        };
        assert_eq!(of(&[Verdict::Valid; 5]), Verdict::Valid);
        let questionable = [Verdict::Valid, Verdict::Questionable];
        assert_eq!(of(&questionable), Verdict::Questionable);
        assert_eq!(of(&[Verdict::Invalid, Verdict::Valid]), Verdict::Invalid);
    }

    #[test]
    fn precision_is_reached_over_runs_or_is_not() {
        let looks = |until: &str, late_ms: &[i64]| {
            let until = until.parse().expect("a precision");
            let mut precision = Precision::new(until, late_ms.len(), 300).expect("room");
            let look = |late: &i64| {
                let (run, summary) = run(300, late * 1_000_000);
                precision.look(PrecisionRun::of(&run, &summary, &until))
            };
            late_ms.iter().map(look).collect::<Vec<_>>()
        };
        let wide = looks("ttft.p50+-90%", &[0, 0, 0, 0]);
        assert_eq!(wide[0].state, PrecisionState::Reached);
        let never = looks("ttft.p99.9+-1%", &[0, 40, 80]);
        let states: Vec<PrecisionState> = never.iter().map(|look| look.state).collect();
        let (on, not) = (PrecisionState::Continue, PrecisionState::NotReached);
        assert_eq!(states, [on, on, not]);
        let tokens = looks("itl.p50+-5%", &[0, 0, 0]);
        assert!(
            tokens
                .iter()
                .all(|look| look.method == PrecisionMethod::PlannedLooks)
        );
    }
}
