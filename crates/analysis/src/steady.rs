//! Whether the window was steady: did the start-up outlast the warm-up, and does anything drift?
//!
//! Does not judge what follows from it: that is the checks'. Rests on ten equal-time batch means and
//! on one-second bins (statistics.md), never on raw values. Invariant: a series that cannot answer
//! is undecided, never steady.

use crate::limits::{DRIFT_RELATIVE, EXPLAINED_SHARE, TPOT_EXPLAINED_SHARE};
use crate::run::Run;
use infermeter_core::plan::Plan;
use infermeter_core::run::{LoadModel, Window};
use infermeter_core::text::Word;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::seconds::{BIN_NS, Seconds};
use infermeter_stats::{DRIFT_ALPHA, Transient, Undecided as Why, drift, halves, transient};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer about steadiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Steadiness {
    /// Nothing drifts, and the start-up lies before the window.
    Steady,
    /// A series drifts, or the start-up reaches into the window.
    NotSteady,
    /// The series cannot answer.
    Undecided,
}

/// The window's steadiness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SteadySummary {
    /// The answer, over the start-up and every series.
    pub answer: Steadiness,
    /// The start-up.
    pub start_up: StartUp,
    /// Each series, tested for drift.
    pub series: Vec<SteadySeries>,
}

/// Whether the start-up outlasts the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StartUp {
    /// Steady: not beyond the warm-up.
    pub answer: Steadiness,
    /// Warm-up that the run had, whole seconds.
    pub warmup_s: usize,
    /// Warm-up that it would have needed, seconds; absent unless the start-up outlasts it.
    pub needed_s: Option<usize>,
    /// Level between the warm-up's end and the cut, relative to what follows, less 1.
    pub relative: Option<f64>,
}

/// One series of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SteadySeries {
    /// `in_flight`, `ttft`, `tpot` or `output_tokens`.
    pub name: Word,
    /// The answer.
    pub answer: Steadiness,
    /// Means over ten equal parts of the window: requests, milliseconds, tokens per second. Empty
    /// where a part has no value.
    pub batch_means: Vec<f64>,
    /// Kendall's tau of these against time.
    pub tau: Option<f64>,
    /// Two-sided p-value of the Mann-Kendall test.
    pub p_value: Option<f64>,
    /// Change over the window along the Theil-Sen line of the batch means' logarithms: -0.5 for half.
    pub relative_change: Option<f64>,
    /// Second half over first, less 1: -0.5 for half.
    pub halves_relative: Option<f64>,
    /// Ratio of a difference to its error: Student's t of the halves' batch means, eight degrees of freedom.
    pub halves_t: Option<f64>,
}

/// Whether the load asked for is the same over the whole window: a rate profile, a trace or a
/// profile of clients moves every series by plan.
pub(crate) fn constant_load(plan: &Plan) -> bool {
    plan.rate_profile.is_none() && plan.trace.is_none() && plan.clients.is_none()
}

impl SteadySummary {
    /// Of a run with a window, under a constant load; absent otherwise.
    pub(crate) fn of(run: &Run, origin: Origin, window: Option<Window>) -> Option<Self> {
        let window = window.filter(|_| constant_load(&run.manifest.plan))?;
        let seconds = Seconds::of(&run.collected.requests, window, origin);
        // In a closed loop what is asked follows the server, so it explains nothing.
        let open = run.manifest.load_model == LoadModel::OpenLoop;
        let drawn = Drawn(open.then_some(seconds.asked_tokens.as_slice()));
        let start_up = StartUp::of(&seconds, drawn);
        let named = [
            ("in_flight", Some(&seconds.in_flight), EXPLAINED_SHARE),
            ("ttft", seconds.ttft_ms.as_ref(), EXPLAINED_SHARE),
            ("tpot", seconds.tpot_ms.as_ref(), TPOT_EXPLAINED_SHARE),
            (
                "output_tokens",
                seconds.output_tokens.as_ref(),
                EXPLAINED_SHARE,
            ),
        ];
        let series: Vec<SteadySeries> = named
            .into_iter()
            .filter_map(|(name, bins, share)| {
                let explained = drawn.halves(seconds.warmup).map(|drawn| drawn / share);
                let bins = bins?.get(seconds.warmup..)?;
                Some(SteadySeries::of(name, bins, explained))
            })
            .collect();
        let answers = series.iter().map(|s| s.answer).chain([start_up.answer]);
        Some(Self {
            answer: all_of(answers),
            start_up,
            series,
        })
    }
}

/// Not steady if any is, else undecided if any is.
fn all_of(answers: impl Iterator<Item = Steadiness> + Clone) -> Steadiness {
    let any = |wanted| answers.clone().any(|answer| answer == wanted);
    if any(Steadiness::NotSteady) {
        Steadiness::NotSteady
    } else if any(Steadiness::Undecided) {
        Steadiness::Undecided
    } else {
        Steadiness::Steady
    }
}

/// The load as it was drawn, by second. Random arrivals and lengths move every series; what they
/// explain says nothing about the server.
#[derive(Debug, Clone, Copy)]
struct Drawn<'a>(Option<&'a [f64]>);

impl Drawn<'_> {
    /// Second half of the window less its first, relative to their mean.
    fn halves(self, warmup: usize) -> Option<f64> {
        let window = self.0?.get(warmup..)?;
        let (first, second) = window.split_at(window.len() / 2);
        let (first, second) = (mean(first)?, mean(second)?);
        let centre = 0.5 * (first + second);
        (centre > 0.0).then(|| (second - first) / centre)
    }

    /// Level before `cut` relative to what follows, less 1.
    fn head(self, warmup: usize, cut: usize) -> Option<f64> {
        let bins = self.0?;
        let (head, rest) = (mean(bins.get(warmup..cut)?)?, mean(bins.get(cut..)?)?);
        (rest > 0.0).then(|| head / rest - 1.0)
    }
}

fn mean(bins: &[f64]) -> Option<f64> {
    (!bins.is_empty()).then(|| bins.iter().sum::<f64>() / bins.len() as f64)
}

/// The change that the drawn load can explain is at least `change`, and the same way.
fn explains(explicable: Option<f64>, change: Option<f64>) -> bool {
    explicable.zip(change).is_some_and(|(explicable, change)| {
        explicable * change > 0.0 && explicable.abs() >= change.abs()
    })
}

impl StartUp {
    fn of(seconds: &Seconds, drawn: Drawn<'_>) -> Self {
        let mut series: Vec<&[f64]> = vec![&seconds.in_flight];
        series.extend(seconds.ttft_ms.as_deref());
        series.extend(seconds.output_tokens.as_deref());
        let too_few = Transient::Undecided(Why::NoSteadyPart);
        let (answer, cut) = match transient(&series, seconds.warmup).unwrap_or(too_few) {
            Transient::Steady => (Steadiness::Steady, None),
            Transient::Until { end, relative }
                if explains(
                    drawn.head(seconds.warmup, end).map(|d| d / EXPLAINED_SHARE),
                    Some(relative),
                ) =>
            {
                (Steadiness::Steady, None)
            }
            Transient::Until { end, relative } => (Steadiness::NotSteady, Some((end, relative))),
            Transient::Undecided(_) => (Steadiness::Undecided, None),
        };
        Self {
            answer,
            warmup_s: seconds.warmup,
            needed_s: cut.map(|(end, _)| end),
            relative: cut.map(|(_, relative)| relative).filter(|r| r.is_finite()),
        }
    }
}

impl SteadySeries {
    /// Of the window's bins; `explicable` is what the drawn load lets its halves differ by.
    fn of(name: &'static str, bins: &[f64], explicable: Option<f64>) -> Self {
        let at_ns: Vec<i64> = (0..)
            .take(bins.len())
            .map(|bin: i64| bin * BIN_NS)
            .collect();
        let trend = drift(bins, &at_ns, DRIFT_ALPHA).ok().flatten();
        let apart = halves(bins, &at_ns, DRIFT_ALPHA).ok().flatten();
        let large = |r: Option<f64>| r.is_none_or(|r| r.abs() > DRIFT_RELATIVE);
        let answer = match (&trend, &apart) {
            (Some(trend), Some(apart)) => {
                let rises = trend.is_significant() && large(trend.relative_change);
                let steps = apart.significant && large(apart.relative);
                if (rises || steps) && !explains(explicable, apart.relative) {
                    Steadiness::NotSteady
                } else {
                    Steadiness::Steady
                }
            }
            _ => Steadiness::Undecided,
        };
        Self {
            name: name.into(),
            answer,
            batch_means: trend.map_or_else(Vec::new, |t| t.batch_means.to_vec()),
            tau: trend.map(|t| t.tau),
            p_value: trend.map(|t| t.p_value),
            relative_change: trend.and_then(|t| t.relative_change),
            halves_relative: apart
                .filter(|h| h.first > 0.0)
                .map(|h| h.second / h.first - 1.0),
            halves_t: apart.and_then(|h| h.t),
        }
    }
}
