//! Objectives: each one judged, and the requests that met them all.
//!
//! What a figure is and how it is judged is in [`judge`]; the rule of three answers in [`answer`]. Invariant:
//! without a sample, and where the sample does not carry the figure, nothing is met.

mod answer;
mod judge;

pub(crate) use judge::Judge;

use crate::figure::{Cell, Share};
use crate::looks::{LookError, widening};
use crate::percentile::Percentile;
use crate::throughput::Rate;
use infermeter_core::text::Word;
use infermeter_stats::clopper_pearson;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether an objective is met. The order is that of gravity.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SloStatus {
    /// The figure, failures counted as misses, is within the limit.
    Met,
    /// Too few data to tell: no sample, or neither is the figure supported nor does its range lie on one
    /// side of the limit. Of everything but percentiles also where the limit lies inside the interval.
    Undecided,
    /// The figure is not within the limit.
    Missed,
}

/// One objective, judged; failed requests are misses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SloLine {
    /// As it is written: `ttft.p99<500ms`. It reads back as an objective.
    pub objective: String,
    /// The measure's name.
    pub metric: Word,
    /// The percentile; absent where it is about something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentile: Option<Percentile>,
    /// The limit of a latency, milliseconds; where it grows with the prompt, the part that does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_ms: Option<f64>,
    /// Met, missed, or undecided for want of data.
    pub status: SloStatus,
    /// The limit lies inside the range in which the figure plausibly lies.
    pub straddles: bool,
    /// Of a percentile of a latency: the sample's order statistic, failures as +infinity, milliseconds,
    /// whether or not the sample supports it as a figure; absent among the failures and where nothing is
    /// decided.
    pub judged_ms: Option<f64>,
    /// Of a percentile: its cell with failures as +infinity; of a latency in milliseconds.
    pub cell: Option<Cell>,
    /// Share of the requests that meet this objective on their own, with the interval of that share; absent where
    /// that means nothing for a single request. What decides over several runs is `within`.
    pub attainment: Option<Share>,
    /// Of a percentile of a figure of requests: the share of these within the limit, failures beyond it, as in
    /// `attainment`, but on the smallest effective sample size of the share itself, of p90 and of the percentile. Several runs are decided
    /// by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Share>,
    /// The figure beside its limit, in the same form for every objective.
    #[serde(default)]
    pub measured: SloFigure,
}

impl SloLine {
    /// The answer of the interval alone: undecided where it holds the limit, also of a percentile, which is
    /// otherwise decided by its value then.
    fn certain(&self) -> SloStatus {
        match self.straddles {
            true => SloStatus::Undecided,
            false => self.status,
        }
    }

    /// The answer with so small a chance of being wrong. What decides over several runs asks for this.
    ///
    /// A percentile of requests is answered by the share within the limit. Its own interval will not do: its bounds
    /// are values of the sample, and where one bad minute of a queue makes the tail, all of these lie in that minute,
    /// so that the interval lies far beyond the limit however wide it is. The share counts the minute once. What a
    /// single run leaves open for want of requests no share can meet.
    pub(crate) fn at(&self, errors: LookError) -> SloStatus {
        if let Some((percentile, within)) = self.percentile.zip(self.within) {
            let found = by_share(within, percentile, errors);
            let unsupported = matches!(self.measured.doubt, Some(SloDoubt::TooFew { .. }));
            // Of so few requests a queue's worst minutes are not in the sample, however sure the share seems.
            return match found == SloStatus::Met && unsupported {
                true => SloStatus::Undecided,
                false => found,
            };
        }
        let certain = self.certain();
        let error = match certain {
            SloStatus::Met => errors.met,
            SloStatus::Missed => errors.missed,
            SloStatus::Undecided => return certain,
        };
        match self.measured.reaches_limit(certain, widening(error)) {
            true => SloStatus::Undecided,
            false => certain,
        }
    }

    /// What the run measured, whatever the limit: none where a percentile is not supported, and infinite where it
    /// falls among the failures.
    pub fn figure(&self) -> SloFigure {
        match &self.cell {
            None => self.measured.clone(),
            Some(cell) => SloFigure {
                value: cell.value,
                infinite: cell.infinite,
                doubt: cell.needed.map(|needed| SloDoubt::TooFew { needed }),
                ..self.measured.clone()
            },
        }
    }

    /// The run has nothing that the objective could be judged on.
    pub fn lacks_sample(&self) -> bool {
        matches!(
            self.measured.doubt,
            Some(
                SloDoubt::NoSample
                    | SloDoubt::UnknownClass
                    | SloDoubt::NoDeadlines
                    | SloDoubt::NotChecked
            )
        )
    }
}

/// Whether the share within the limit is at least what the percentile asks for, by exact bounds.
fn by_share(within: Share, percentile: Percentile, errors: LookError) -> SloStatus {
    let asked = percentile.quantile().probability();
    let effective_n = within.effective_n;
    let bounds = |error: f64| {
        clopper_pearson(within.value * effective_n, effective_n, 1.0 - 2.0 * error).ok()
    };
    let low = bounds(errors.met).and_then(|bounds| bounds.low);
    let high = bounds(errors.missed).and_then(|bounds| bounds.high);
    if low.is_some_and(|low| low >= asked) {
        return SloStatus::Met;
    }
    match high.is_some_and(|high| high < asked) {
        true => SloStatus::Missed,
        false => SloStatus::Undecided,
    }
}

/// The figure of an objective, in the unit of its limit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SloFigure {
    /// `ms`, `1/s`, or empty for a share.
    pub unit: Word,
    /// What was measured; absent where the sample does not carry it, and among the failures.
    pub value: Option<f64>,
    /// Lower bound; absent where the sample gives none.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// What it is held to.
    pub limit: f64,
    /// Which side of the limit is meant.
    pub bound: Bound,
    /// Milliseconds taken off each value for each token of its prompt; absent where the limit does not grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub less_per_input_token_ms: Option<f64>,
    /// Observations.
    pub n: usize,
    /// Independent observations of equal information; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_n: Option<f64>,
    /// It lies among the failures, which count as +infinity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub infinite: bool,
    /// Why nothing is decided; absent where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<SloDoubt>,
}

impl SloFigure {
    /// Whether the bound on the limit's side, so many times as far from the value, is no longer on the side of
    /// `status`. A figure without that bound (it lies among the failures) does not reach its limit. Distances are
    /// relative where the figure has a unit.
    fn reaches_limit(&self, status: SloStatus, times: f64) -> bool {
        let is_most = self.bound == Bound::AtMost;
        let is_below = is_most == (status == SloStatus::Met);
        let bound = if is_below { self.high } else { self.low };
        let Some((value, bound)) = self.value.zip(bound) else {
            return false;
        };
        let relative = !self.unit.is_empty() && value > 0.0 && bound > 0.0;
        let wide = match relative {
            true => value * (bound / value).powf(times),
            false => value + (bound - value) * times,
        };
        match is_below {
            true => wide > self.limit,
            false => wide < self.limit,
        }
    }
}

/// Which side of a limit is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SloBound")]
pub enum Bound {
    /// The limit is the most.
    #[default]
    AtMost,
    /// The limit is the least.
    AtLeast,
}

/// Why an objective is undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SloDoubt {
    /// The run has no sample of what it is about.
    NoSample,
    /// The run has no class of that name.
    UnknownClass,
    /// Nobody says when tokens are due.
    NoDeadlines,
    /// Nobody asked for the checks that it rests on.
    NotChecked,
    /// No other objective says what a good request is.
    NothingToMeet,
    /// The sample is too small; it would need so many observations.
    TooFew {
        /// So many.
        needed: usize,
    },
    /// The limit lies inside the interval.
    Straddles,
    /// A maximum within the limit proves nothing about the requests that were not sent.
    OnlyAMissIsCertain,
}

/// The requests that met every objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Goodput {
    /// Share of the measured requests that meet every objective; failures, time-outs and
    /// truncations are misses, and so are answers that were checked and found corrupted.
    pub attainment: Share,
    /// Those requests per second of the window; absent without a window.
    pub requests: Option<Rate>,
    /// Answers were checked, and corrupted ones are misses.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sound_only: bool,
}

#[cfg(test)]
mod tests;
