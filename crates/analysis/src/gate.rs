//! Gates: whether runs are worse than those of a baseline by more than is accepted.
//!
//! The run is the unit. A change is judged by the exact rank-sum test of two groups of runs; one run against
//! many is the same test, and says whether the run lies beyond their prediction interval. Runs that were sent one
//! load each are pairs ([`Gate::of_pairs`]). A level is judged on the candidate's requests alone.
//!
//! Nothing is read here, and no workloads are compared. Invariant: below the least number of runs nothing passes
//! and nothing fails.

mod paired;
mod unlike;

pub use paired::{GatePair, GatePairs};
pub use unlike::{Unlike, unlike};

use crate::objective::{SloDoubt, SloFigure};
use infermeter_core::finding::Verdict;
use infermeter_core::gate::{FailIf, Threshold};
use infermeter_core::text::Word;
use infermeter_stats::{RankSum, clopper_pearson, holm, least_first, rank_sum, rank_sum_power};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The chance that a gate fails where nothing changed, over all of its criteria of a change.
const GATE_ERROR: f64 = 0.05;

/// What a gate says. The order is that of gravity.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum GateAnswer {
    /// What is not accepted can be ruled out.
    Pass,
    /// It can neither be ruled out nor shown.
    Inconclusive,
    /// It is worse, and what is not accepted cannot be ruled out.
    Fail,
}

/// How a criterion was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateForm {
    /// Interleaved rounds on both servers: the paired test of a comparison.
    PairedRounds,
    /// Levels of two sweeps: the same test over the levels that both have.
    PairedLevels,
    /// Two groups of runs: the exact rank-sum test.
    TwoGroups,
    /// One run against the prediction interval of the baseline's.
    OneRun,
    /// The candidate's requests alone.
    Level,
}

/// Why a criterion is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateDoubt {
    /// Runs that have no such figure: so many of the baseline's and of the candidate's.
    WithoutFigure {
        /// Of the baseline's.
        baseline: usize,
        /// Of the candidate's.
        candidate: usize,
    },
    /// The baseline has too few runs for the candidate's.
    TooFewRuns {
        /// What it takes.
        needed: usize,
    },
    /// The interval reaches beyond the threshold, and holds no change.
    NotTold,
    /// It would pass, but levels that the baseline's server holds are too much for the candidate's.
    LevelsLost {
        /// How many.
        levels: usize,
    },
}

/// Why a run has no such figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoFigure {
    /// It lies among the failed requests.
    AmongFailures,
    /// A percentile of too few observations.
    TooFew {
        /// What it takes.
        needed: usize,
    },
    /// Nothing of it was measured.
    NoSample,
    /// There is no class of that name.
    UnknownClass,
    /// Nobody says when tokens are due.
    NoDeadlines,
    /// No objective says what a good request is.
    NothingToMeet,
}

impl NoFigure {
    /// Why the first of these that has no value has none.
    fn of(figures: &[SloFigure]) -> Option<Self> {
        let figure = figures.iter().find(|figure| figure.value.is_none())?;
        Some(Self::why(figure))
    }

    /// Why a figure has no value.
    pub(crate) fn why(figure: &SloFigure) -> Self {
        match figure.doubt {
            _ if figure.infinite => Self::AmongFailures,
            Some(SloDoubt::TooFew { needed }) => Self::TooFew { needed },
            Some(SloDoubt::UnknownClass) => Self::UnknownClass,
            Some(SloDoubt::NoDeadlines) => Self::NoDeadlines,
            Some(SloDoubt::NothingToMeet) => Self::NothingToMeet,
            Some(
                SloDoubt::NoSample
                | SloDoubt::NotChecked
                | SloDoubt::Straddles
                | SloDoubt::OnlyAMissIsCertain,
            )
            | None => Self::NoSample,
        }
    }
}

/// One criterion, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateLine {
    /// As it is written: `ttft.p99>+5%`.
    pub criterion: String,
    /// Which of several groups of pairs it is judged on: a side, a load; empty where there is one.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub of: Word,
    /// The answer.
    pub answer: GateAnswer,
    /// How it was judged.
    pub form: GateForm,
    /// Why it is inconclusive; absent where it is not.
    pub doubt: Option<GateDoubt>,
    /// Unit of the two figures: `ms`, `1/s`, or empty for a share.
    pub unit: Word,
    /// Median over the baseline's runs.
    pub baseline: Option<f64>,
    /// Median over the candidate's runs.
    pub candidate: Option<f64>,
    /// Why runs of the baseline have none; absent where all have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_without: Option<NoFigure>,
    /// Why runs of the candidate have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_without: Option<NoFigure>,
    /// How much worse the candidate is, below 0 where it is better: 0.05 for 5 %, or for five percentage
    /// points of a share. Of a level: the level.
    pub worse: Option<f64>,
    /// It is at least so much worse, with 95 % confidence on this side.
    pub at_least: Option<f64>,
    /// It is at most so much worse, with 95 % confidence on this side.
    pub at_most: Option<f64>,
    /// What is not accepted, in the same terms.
    pub threshold: f64,
    /// One-sided p-value of no change; absent of a level.
    pub p_value: Option<f64>,
    /// The same, adjusted for all criteria of the gate (Holm).
    pub p_adjusted: Option<f64>,
    /// Runs of the baseline with the figure.
    pub baseline_runs: usize,
    /// Runs of the candidate with it.
    pub candidate_runs: usize,
    /// The fewest runs of the baseline with which this many of the candidate's can fail.
    pub least_baseline_runs: Option<usize>,
    /// Standard deviation between runs without a change, relative or in points; absent below two runs a
    /// side.
    pub noise: Option<f64>,
    /// The chance that a change as great as the threshold is found, at this noise and number of runs.
    pub power: Option<f64>,
}

/// All criteria.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// The gravest of them.
    pub answer: GateAnswer,
    /// Each of them.
    pub lines: Vec<GateLine>,
}

/// A gate with what its runs are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gated {
    /// The criteria, judged.
    #[serde(rename = "decision")]
    pub gate: Gate,
    /// What the sides differ in before any speed.
    pub unlike: Vec<Unlike>,
    /// How their workloads differ, in sentences; empty where they are the same.
    pub other_workload: Vec<String>,
    /// The baseline's runs.
    pub baseline: Vec<GateRun>,
    /// The candidate's.
    pub candidate: Vec<GateRun>,
    /// Which runs of a history the baseline's are, in a sentence; absent of any other baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// What was measured on one side alone, and so is not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<String>,
    /// Whether the comparison that the runs are of can be trusted; absent of other runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Verdict>,
}

/// A run that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateRun {
    /// Where it is.
    pub directory: PathBuf,
    /// Whether it can be trusted.
    pub verdict: Verdict,
}

impl Gated {
    /// The gravest verdict of all runs, and of their comparison.
    pub fn verdict(&self) -> Verdict {
        let runs = self.baseline.iter().chain(&self.candidate);
        runs.map(|run| run.verdict)
            .chain(self.comparison)
            .max()
            .unwrap_or(Verdict::Invalid)
    }
}

/// The figures of one run, one for each criterion.
pub type GateFigures = Vec<SloFigure>;

impl Gate {
    /// Judges criteria on the runs of both sides.
    pub fn of(criteria: &[FailIf], baseline: &[GateFigures], candidate: &[GateFigures]) -> Self {
        let changes = criteria.iter().filter(|c| !is_level(c)).count();
        let lines = criteria.iter().enumerate().map(|(index, criterion)| {
            let of = |runs: &[GateFigures]| -> Vec<SloFigure> {
                runs.iter()
                    .filter_map(|run| run.get(index).cloned())
                    .collect()
            };
            let sides = Sides {
                baseline: of(baseline),
                candidate: of(candidate),
            };
            match criterion.threshold {
                Threshold::Level(most) => sides.level(criterion, most.share()),
                Threshold::Relative(_) | Threshold::Points(_) => sides.change(criterion, changes),
            }
        });
        let mut lines: Vec<GateLine> = lines.collect();
        let p_values: Vec<Option<f64>> = lines
            .iter()
            .filter(|line| line.form != GateForm::Level)
            .map(|line| line.p_value)
            .collect();
        let changed = lines.iter_mut().filter(|line| line.form != GateForm::Level);
        for (line, adjusted) in changed.zip(holm(&p_values)) {
            line.decide(adjusted);
        }
        Self::of_lines(lines)
    }

    /// Puts lines together that were judged already.
    fn of_lines(lines: Vec<GateLine>) -> Self {
        let gravest = lines.iter().map(|line| line.answer).max();
        Self {
            answer: gravest.unwrap_or(GateAnswer::Inconclusive),
            lines,
        }
    }
}

impl GateLine {
    /// The answer of a change: worse with confidence, and its upper bound reaches the threshold; or the
    /// upper bound stays below it; or neither.
    pub fn decide(&mut self, p_adjusted: Option<f64>) {
        self.p_adjusted = p_adjusted;
        if self.doubt.is_some() {
            return;
        }
        let is_worse = p_adjusted.is_some_and(|p| p <= GATE_ERROR * (1.0 + 1e-9));
        let ruled_out = self.at_most.is_some_and(|most| most < self.threshold);
        (self.answer, self.doubt) = match (ruled_out, is_worse) {
            (true, _) => (GateAnswer::Pass, None),
            (false, true) => (GateAnswer::Fail, None),
            (false, false) => (GateAnswer::Inconclusive, Some(GateDoubt::NotTold)),
        };
    }
}

fn is_level(criterion: &FailIf) -> bool {
    matches!(criterion.threshold, Threshold::Level(_))
}

/// One figure of the runs of both sides.
struct Sides {
    baseline: Vec<SloFigure>,
    candidate: Vec<SloFigure>,
}

/// Values in which a change for the worse is a shift upwards, the same for every baseline.
#[derive(Clone, Copy)]
struct Scale {
    relative: bool,
    less_is_better: bool,
}

impl Scale {
    fn of(criterion: &FailIf) -> Self {
        Self {
            relative: matches!(criterion.threshold, Threshold::Relative(_)),
            less_is_better: criterion.of.figure.has_most(),
        }
    }

    /// Ratios are differences of logarithms.
    fn value(self, value: f64) -> Option<f64> {
        let value = match self.relative {
            true => Some(value.ln()).filter(|ln| ln.is_finite())?,
            false => value,
        };
        Some(if self.less_is_better { value } else { -value })
    }

    /// A shift as how much worse that is: of a rate 5 % worse is 5 % less.
    fn worse(self, shift: f64) -> f64 {
        match (self.relative, self.less_is_better) {
            (true, true) => shift.exp_m1(),
            (true, false) => -(-shift).exp_m1(),
            (false, _) => shift,
        }
    }

    /// The shift that is so much worse.
    fn shift(self, worse: f64) -> f64 {
        match (self.relative, self.less_is_better) {
            (true, true) => worse.ln_1p(),
            (true, false) => -(-worse).ln_1p(),
            (false, _) => worse,
        }
    }
}

impl Sides {
    /// A change, judged but for the adjustment over all criteria.
    fn change(&self, criterion: &FailIf, changes: usize) -> GateLine {
        let scale = Scale::of(criterion);
        let of = |side: &[SloFigure]| -> Vec<f64> {
            let values = side.iter().filter_map(|figure| figure.value);
            values.filter_map(|value| scale.value(value)).collect()
        };
        let (baseline, candidate) = (of(&self.baseline), of(&self.candidate));
        let error = GATE_ERROR / changes.max(1) as f64;
        let least = least_first(candidate.len(), error);
        let without = GateDoubt::WithoutFigure {
            baseline: self.baseline.len() - baseline.len(),
            candidate: self.candidate.len() - candidate.len(),
        };
        let found = rank_sum(&baseline, &candidate, 1.0 - GATE_ERROR).ok();
        let whole = without
            == GateDoubt::WithoutFigure {
                baseline: 0,
                candidate: 0,
            };
        let doubt = match &found {
            _ if !whole => Some(without),
            None => Some(without),
            Some(_) if baseline.len() < least => Some(GateDoubt::TooFewRuns { needed: least }),
            Some(_) => None,
        };
        let threshold = threshold(criterion);
        let noise = noise(&baseline, &candidate);
        let worse =
            |of: fn(&RankSum) -> Option<f64>| found.as_ref().and_then(of).map(|x| scale.worse(x));
        GateLine {
            form: match self.candidate.len() {
                1 => GateForm::OneRun,
                _ => GateForm::TwoGroups,
            },
            doubt,
            worse: worse(|found| Some(found.shift)),
            at_least: worse(|found| found.at_least),
            at_most: worse(|found| found.at_most),
            threshold,
            p_value: found.as_ref().map(|found| found.p_greater),
            baseline_runs: baseline.len(),
            candidate_runs: candidate.len(),
            least_baseline_runs: (!candidate.is_empty()).then_some(least),
            power: noise.map(|noise| {
                let effect = match noise > 0.0 {
                    true => scale.shift(threshold) / noise,
                    // Runs that do not differ at all show any change.
                    false => 1e3,
                };
                rank_sum_power(baseline.len(), candidate.len(), effect, error)
            }),
            noise: noise.map(|noise| match scale.relative {
                true => noise.exp_m1(),
                false => noise,
            }),
            ..self.line(criterion)
        }
    }

    /// A share of the candidate's requests against a level.
    fn level(&self, criterion: &FailIf, level: f64) -> GateLine {
        let trials = |figure: &SloFigure| Some((figure.value?, figure.effective_n?));
        let (mut successes, mut all, mut runs) = (0.0, 0.0, 0);
        for (share, effective_n) in self.candidate.iter().filter_map(trials) {
            successes += share * effective_n;
            all += effective_n;
            runs += 1;
        }
        // Two-sided 90 % is 95 % on each side.
        let interval = clopper_pearson(successes.min(all), all, 1.0 - 2.0 * GATE_ERROR).ok();
        let (low, high) = interval.map_or((None, None), |i| (i.low, i.high));
        let more_is_worse = criterion.of.figure.has_most();
        let (beyond, within) = match more_is_worse {
            true => (
                low.is_some_and(|x| x > level),
                high.is_some_and(|x| x < level),
            ),
            false => (
                high.is_some_and(|x| x < level),
                low.is_some_and(|x| x > level),
            ),
        };
        let without = self.candidate.len() - runs;
        let (answer, doubt) = match (interval.is_none() || without > 0, beyond, within) {
            (true, ..) => {
                let doubt = GateDoubt::WithoutFigure {
                    baseline: 0,
                    candidate: without,
                };
                (GateAnswer::Inconclusive, Some(doubt))
            }
            (false, true, _) => (GateAnswer::Fail, None),
            (false, false, true) => (GateAnswer::Pass, None),
            (false, false, false) => (GateAnswer::Inconclusive, Some(GateDoubt::NotTold)),
        };
        GateLine {
            answer,
            doubt,
            form: GateForm::Level,
            worse: (all > 0.0).then(|| successes / all),
            at_least: low,
            at_most: high,
            threshold: level,
            candidate_runs: runs,
            ..self.line(criterion)
        }
    }

    /// What is known before anything is judged.
    fn line(&self, criterion: &FailIf) -> GateLine {
        let values = |side: &[SloFigure]| median(side.iter().filter_map(|f| f.value).collect());
        let mut figures = self.candidate.iter().chain(&self.baseline);
        GateLine {
            criterion: criterion.to_string(),
            of: Word::default(),
            answer: GateAnswer::Inconclusive,
            form: GateForm::TwoGroups,
            doubt: None,
            unit: figures
                .next()
                .map(|figure| figure.unit.clone())
                .unwrap_or_default(),
            baseline: values(&self.baseline),
            candidate: values(&self.candidate),
            baseline_without: NoFigure::of(&self.baseline),
            candidate_without: NoFigure::of(&self.candidate),
            worse: None,
            at_least: None,
            at_most: None,
            threshold: threshold(criterion),
            p_value: None,
            p_adjusted: None,
            baseline_runs: self.baseline.len(),
            candidate_runs: self.candidate.len(),
            least_baseline_runs: None,
            noise: None,
            power: None,
        }
    }
}

fn threshold(criterion: &FailIf) -> f64 {
    match criterion.threshold {
        Threshold::Relative(percent) | Threshold::Points(percent) | Threshold::Level(percent) => {
            percent.share()
        }
    }
}

/// Standard deviation inside the groups, those of at least two values.
fn noise(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    let (mut squares, mut freedom) = (0.0, 0);
    for side in [baseline, candidate]
        .into_iter()
        .filter(|side| side.len() > 1)
    {
        let mean = side.iter().sum::<f64>() / side.len() as f64;
        squares += side.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        freedom += side.len() - 1;
    }
    (freedom > 0).then(|| (squares / freedom as f64).sqrt())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    Some(0.5 * (values.get(n.checked_sub(1)? / 2)? + values.get(n / 2)?))
}

#[cfg(test)]
mod tests;
