//! `until`: whether repeated runs have pinned a percentile down, looked at after each of them.
//!
//! While no run's requests wait on each other, the requests of all runs are one independent sample,
//! and a confidence sequence holds at every look (Howard and Ramdas 2022). Once a run is flagged as
//! correlated, and for token-level series, the runs are the sample, looked at as often as was
//! planned before the first of them.
//!
//! It measures nothing. Invariant: neither the number of looks nor what the sequence is tuned for
//! depends on what was measured.

use crate::CONFIDENCE;
use crate::distribution::Distribution;
use crate::percentile::Percentile;
use crate::repeated::Repeated;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::plan::Until;
use infermeter_core::slo::SloMetric;
use infermeter_metrics::population::{Failures, Population};
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::samples::request_samples;
use infermeter_stats::{
    Interval, Look, LookPlan, QuantileSequence, RunFigure, StatsError, relative_half_width,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Runs before the first look at replicates.
const FIRST_LOOK: usize = 3;
/// Looks at most.
const LOOKS: usize = 4;

/// How an interval over runs was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrecisionMethod {
    /// A confidence sequence over the requests of all runs.
    ConfidenceSequence,
    /// Student's t over runs at planned looks.
    PlannedLooks,
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrecisionState {
    /// The interval is narrow enough.
    Reached,
    /// More runs are to come.
    Continue,
    /// The last run has ended, and it is not.
    NotReached,
}

/// The state after some runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrecisionLook {
    /// What was asked for, as in `ttft.p99+-10%`.
    pub asked: String,
    /// Runs so far.
    pub runs: usize,
    /// Whether to go on.
    pub state: PrecisionState,
    /// How the interval was made.
    pub method: PrecisionMethod,
    /// The percentile, milliseconds; absent where the runs do not support it.
    pub value: Option<f64>,
    /// Lower bound, of joint coverage over all looks.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Ratio of half the interval's width to the value; absent where it is open.
    pub relative: Option<f64>,
    /// Runs that are expected to be enough; absent where nothing can be said, or not even the most
    /// are.
    pub expected_runs: Option<usize>,
}

/// One run, as far as precision goes.
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionRun {
    figure: Option<RunFigure>,
    /// The requests' values, where they are independent.
    values: Option<Vec<f64>>,
}

/// Looks at repeated runs.
#[derive(Debug, Clone)]
pub struct Precision {
    until: Until,
    most: usize,
    plan: LookPlan,
    sequence: QuantileSequence,
    runs: Vec<PrecisionRun>,
}

impl Precision {
    /// At most `most` runs of about `requests` measured requests each.
    ///
    /// # Errors
    /// When `most` leaves no room for looks.
    pub fn new(until: Until, most: usize, requests: usize) -> Result<Self, StatsError> {
        let first = FIRST_LOOK.min(most);
        let looks = LOOKS.min(most.saturating_sub(first) + 1);
        let percentile = percentile_of(&until);
        let tuned_for = (requests * most / 2).max(1);
        Ok(Self {
            until,
            most,
            plan: LookPlan::new(first, most, looks, CONFIDENCE)?,
            sequence: QuantileSequence::new(percentile.quantile(), CONFIDENCE, tuned_for)?,
            runs: Vec::new(),
        })
    }

    /// Numbers of runs at which replicates are looked at, ascending; the last is the most.
    pub fn looks(&self) -> &[usize] {
        self.plan.runs()
    }

    /// Takes a run into account and says whether to go on.
    pub fn look(&mut self, run: PrecisionRun) -> PrecisionLook {
        self.runs.push(run);
        let values: Option<Vec<&[f64]>> = self.runs.iter().map(|r| r.values.as_deref()).collect();
        match values {
            Some(values) => self.by_sequence(values.concat()),
            None => self.by_runs(),
        }
    }

    fn by_sequence(&self, mut sorted: Vec<f64>) -> PrecisionLook {
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        let interval = self.sequence.interval(&sorted).ok();
        let rank = percentile_of(&self.until).quantile().rank(n.max(1));
        let value = interval.and_then(|_| sorted.get(rank - 1)).copied();
        let needed = self.sequence.observations_for(&sorted, self.until.relative);
        let expected = needed.map(|needed| {
            let runs = needed as f64 * self.runs.len() as f64 / n as f64;
            (runs.ceil() as usize).max(1)
        });
        let look = self.looked(PrecisionMethod::ConfidenceSequence, value, interval);
        PrecisionLook {
            expected_runs: expected.filter(|runs| *runs <= self.most),
            ..look
        }
    }

    fn by_runs(&self) -> PrecisionLook {
        let figures: Vec<RunFigure> = self.runs.iter().filter_map(|run| run.figure).collect();
        let method = PrecisionMethod::PlannedLooks;
        // Runs that do not support the percentile say nothing about it, and never will.
        let looked = match figures.len() == self.runs.len() {
            true => self.plan.look(&figures, self.until.relative).ok().flatten(),
            false => None,
        };
        let (over, narrow) = match looked {
            None => return self.looked(method, None, None),
            Some(Look::Reached(over)) => (over, true),
            Some(Look::Continue { over, .. } | Look::NotReached(over)) => (over, false),
        };
        let cv = over.cv.unwrap_or(0.0);
        let look = self.looked(method, Some(over.mean), Some(over.interval));
        PrecisionLook {
            state: match narrow {
                true => PrecisionState::Reached,
                false => self.unfinished(),
            },
            expected_runs: self.plan.expected_runs(cv, self.until.relative),
            ..look
        }
    }

    fn looked(
        &self,
        method: PrecisionMethod,
        value: Option<f64>,
        interval: Option<Interval>,
    ) -> PrecisionLook {
        let pair = value.zip(interval);
        let relative = pair.and_then(|(value, i)| relative_half_width(&i, value));
        let narrow = relative.is_some_and(|relative| relative <= self.until.relative);
        // Replicates are looked at as planned; a sequence at any time.
        let decides = method == PrecisionMethod::ConfidenceSequence;
        PrecisionLook {
            asked: self.until.to_string(),
            runs: self.runs.len(),
            state: match narrow && decides {
                true => PrecisionState::Reached,
                false => self.unfinished(),
            },
            method,
            value,
            low: interval.and_then(|i| i.low),
            high: interval.and_then(|i| i.high),
            relative,
            expected_runs: None,
        }
    }

    fn unfinished(&self) -> PrecisionState {
        match self.runs.len() < self.most {
            true => PrecisionState::Continue,
            false => PrecisionState::NotReached,
        }
    }
}

impl PrecisionRun {
    /// A run with its summary.
    pub fn of(run: &Run, summary: &Summary, until: &Until) -> Self {
        let found = summary.distribution(until.metric);
        let independent = found.is_some_and(|found| found.correlated == Some(false));
        let population = Population::of(&run.collected);
        let values = request_metric(until.metric).filter(|_| independent);
        Self {
            figure: Repeated::figure_of(summary, until.metric, percentile_of(until)),
            values: values.map(|metric| {
                let origin = summary.headline_origin;
                request_samples(&population, metric, origin, Failures::Excluded)
            }),
        }
    }
}

impl Summary {
    /// The distribution of a metric from the headline origin.
    pub fn distribution(&self, metric: SloMetric) -> Option<&Distribution> {
        let (latency, origin) = (&self.latency, self.headline_origin);
        match metric {
            SloMetric::Ttft => latency.ttft.from(origin),
            SloMetric::Ttfo => latency.ttfo.from(origin),
            SloMetric::Ntpot => latency.ntpot.from(origin),
            SloMetric::E2e => latency.e2e.from(origin),
            SloMetric::Tpot => latency.tpot.as_ref(),
            SloMetric::Itl => latency.itl.as_ref(),
            SloMetric::ChunkGap => latency.chunk_gap.as_ref(),
            SloMetric::SessionE2e => self.sessions.as_ref()?.duration.as_ref(),
        }
    }
}

fn percentile_of(until: &Until) -> Percentile {
    Percentile::new(until.percentile).unwrap_or(Percentile::DEFAULT[0])
}

/// The metric of requests; a token-level one has no independent observations.
fn request_metric(metric: SloMetric) -> Option<RequestMetric> {
    match metric {
        SloMetric::Ttft => Some(RequestMetric::Ttft),
        SloMetric::Ttfo => Some(RequestMetric::Ttfo),
        SloMetric::Tpot => Some(RequestMetric::Tpot),
        SloMetric::Ntpot => Some(RequestMetric::Ntpot),
        SloMetric::E2e => Some(RequestMetric::E2e),
        SloMetric::Itl | SloMetric::ChunkGap | SloMetric::SessionE2e => None,
    }
}
