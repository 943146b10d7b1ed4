//! Whether the window was steady: did the start-up outlast the warm-up, and does anything drift?
//!
//! Does not judge what follows from it: that is the checks'. Rests on ten equal-time batch means and
//! on one-second bins (statistics.md), never on raw values. Invariant: a series that cannot answer
//! is undecided, never steady.

use crate::limits::DRIFT_RELATIVE;
use crate::run::Run;
use infermeter_core::plan::Plan;
use infermeter_core::run::Window;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::seconds::{BIN_NS, Seconds};
use infermeter_stats::{DRIFT_ALPHA, Transient, Undecided as Why, drift, halves, transient};
use serde::Serialize;

/// The answer about steadiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SteadySummary {
    /// The answer, over the start-up and every series.
    pub answer: Steadiness,
    /// The start-up.
    pub start_up: StartUp,
    /// Each series, tested for drift.
    pub series: Vec<SteadySeries>,
}

/// Whether the start-up outlasts the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SteadySeries {
    /// `in_flight`, `ttft` or `output_tokens`.
    pub name: &'static str,
    /// The answer.
    pub answer: Steadiness,
    /// Means over ten equal parts of the window: requests, milliseconds, tokens per second. Empty
    /// where a part has no value.
    pub batch_means: Vec<f64>,
    /// Kendall's tau of these against time.
    pub tau: Option<f64>,
    /// Two-sided p-value of the Mann-Kendall test.
    pub p_value: Option<f64>,
    /// Theil-Sen slope over the window, relative to the mean.
    pub relative_change: Option<f64>,
    /// Second half less first, relative to their mean.
    pub halves_relative: Option<f64>,
    /// Student's t of the halves' batch means, eight degrees of freedom.
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
        let start_up = StartUp::of(&seconds);
        let named = [
            ("in_flight", Some(&seconds.in_flight)),
            ("ttft", seconds.ttft_ms.as_ref()),
            ("output_tokens", seconds.output_tokens.as_ref()),
        ];
        let series: Vec<SteadySeries> = named
            .into_iter()
            .filter_map(|(name, bins)| Some(SteadySeries::of(name, bins?.get(seconds.warmup..)?)))
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

impl StartUp {
    fn of(seconds: &Seconds) -> Self {
        let mut series: Vec<&[f64]> = vec![&seconds.in_flight];
        series.extend(seconds.ttft_ms.as_deref());
        series.extend(seconds.output_tokens.as_deref());
        let too_few = Transient::Undecided(Why::NoSteadyPart);
        let (answer, cut) = match transient(&series, seconds.warmup).unwrap_or(too_few) {
            Transient::Steady => (Steadiness::Steady, None),
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
    /// Of the window's bins.
    fn of(name: &'static str, bins: &[f64]) -> Self {
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
                if rises || steps {
                    Steadiness::NotSteady
                } else {
                    Steadiness::Steady
                }
            }
            _ => Steadiness::Undecided,
        };
        Self {
            name,
            answer,
            batch_means: trend.map_or_else(Vec::new, |t| t.batch_means.to_vec()),
            tau: trend.map(|t| t.tau),
            p_value: trend.map(|t| t.p_value),
            relative_change: trend.and_then(|t| t.relative_change),
            halves_relative: apart.and_then(|h| h.relative),
            halves_t: apart.and_then(|h| h.t),
        }
    }
}
