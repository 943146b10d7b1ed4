//! Runs at one rate as a level, and the highest rate that meets the objectives.
//!
//! The rate is that of the law of margins where the levels support it, else the highest level that meets them
//! ([`RateEstimate`]). Invariant: a level is met only if every run of it meets every objective, and the highest
//! level is never above one that is missed: what is missed at 5 requests/s is not taken as met at 8.

use crate::gate::NoFigure;
use crate::highest_rate::Probe;
use crate::objective::{SloLine, SloStatus};
use crate::rate_estimate::{Highest, LoadAnswer, RateEstimate};
use crate::summary::Summary;
use infermeter_core::text::Word;
use schemars::JsonSchema;
use serde::Serialize;

/// What was measured at one rate.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CapacityLevel")]
pub struct Level {
    /// Requests per second asked for.
    pub rate: f64,
    /// Runs.
    pub runs: usize,
    /// The gravest answer of an objective in a run.
    pub status: SloStatus,
    /// Whether no objective's interval holds its limit.
    pub sure: bool,
    /// Share of the requests that meet all objectives.
    pub attainment: Option<f64>,
    /// Completed measured requests.
    pub completed: u64,
    /// Measured requests that were due.
    pub requests: u64,
    /// Prompt tokens of a completed request, mean.
    pub input_tokens: Option<f64>,
    /// Output tokens of a completed request, mean.
    pub output_tokens: Option<f64>,
    /// Mean power of its GPUs over its runs, watts; absent where a run does not know it.
    pub mean_power_w: Option<f64>,
    /// Each objective in each run.
    pub objectives: Vec<ObjectiveAt>,
    /// What its runs say of the law of margins.
    #[serde(skip)]
    pub probes: Vec<Probe>,
}

/// An objective at a level.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ObjectiveAt {
    /// As written.
    pub objective: String,
    /// Met, missed or undecided.
    pub status: SloStatus,
    /// What was measured; absent where the sample does not carry it, and among the failures.
    pub measured: Option<f64>,
    /// Why nothing was; absent where something was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<NoFigure>,
    /// Its limit.
    pub limit: f64,
    /// Unit of both: `ms`, `1/s`, or empty for a share.
    pub unit: Word,
}

impl Level {
    /// The runs at `rate`, of which there is at least one.
    pub fn of(rate: f64, runs: &[&Summary]) -> Self {
        let lines = || runs.iter().flat_map(|run| &run.slo);
        let weighed = |of: fn(&Summary) -> (u64, u64)| {
            let (sum, n) = runs
                .iter()
                .map(|run| of(run))
                .fold((0, 0), |(sum, n), (tokens, count)| {
                    (sum + tokens, n + count)
                });
            (n > 0).then(|| sum as f64 / n as f64)
        };
        let shares = runs
            .iter()
            .filter_map(|run| run.goodput.as_ref().map(|g| g.attainment));
        let (met, judged) = shares.fold((0, 0), |(met, n), share| (met + share.count, n + share.n));
        Self {
            rate,
            probes: runs.iter().map(|run| Probe::of(run, rate)).collect(),
            runs: runs.len(),
            status: lines()
                .map(|line| line.status)
                .max()
                .unwrap_or(SloStatus::Undecided),
            sure: lines().all(|line| !line.straddles),
            attainment: (judged > 0).then(|| met as f64 / judged as f64),
            completed: runs.iter().map(|run| run.tokens.completed).sum(),
            requests: runs.iter().map(|run| run.requests.measured.total).sum(),
            input_tokens: weighed(|run| match run.tokens.prompt {
                Some(_) => (run.tokens.prompt_tokens, run.tokens.with_usage),
                None => (0, 0),
            }),
            output_tokens: weighed(|run| (run.tokens.output_tokens, run.tokens.output_known)),
            mean_power_w: mean_power(runs),
            objectives: lines().map(ObjectiveAt::of).collect(),
        }
    }
}

/// Over runs of equal weight; absent where one does not know it.
fn mean_power(runs: &[&Summary]) -> Option<f64> {
    let watts = runs.iter().map(|run| run.energy.as_ref()?.mean_power_w);
    let watts: Vec<f64> = watts.collect::<Option<_>>()?;
    (!watts.is_empty()).then(|| watts.iter().sum::<f64>() / watts.len() as f64)
}

impl ObjectiveAt {
    fn of(line: &SloLine) -> Self {
        let measured = line.measured.value.or(line.judged_ms);
        Self {
            objective: line.objective.clone(),
            status: line.status,
            without: measured.is_none().then(|| NoFigure::why(&line.measured)),
            measured,
            limit: line.measured.limit,
            unit: line.measured.unit.clone(),
        }
    }
}

/// The highest rate that an instance takes under the objectives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct InstanceRate {
    /// Requests per second: by the law of margins, or the highest level that meets them.
    pub rate: f64,
    /// Requests per second: the lower end of the law's interval, or the highest level that meets them with every limit outside its
    /// interval; absent where none does.
    pub low: Option<f64>,
    /// Requests per second: the upper end, or the lowest level that misses them; absent where none does.
    pub high: Option<f64>,
    /// The levels that it lies between.
    pub levels: Highest,
    /// Which of the two it is.
    pub estimate: RateEstimate,
}

/// The highest rate that meets the objectives; `None` where no level does below the first that is missed. A level
/// with too few requests to tell neither counts nor stands in the way. `levels` ascend.
pub(crate) fn highest_met(levels: &[Level]) -> Option<InstanceRate> {
    let not_missed = levels
        .iter()
        .take_while(|level| level.status != SloStatus::Missed);
    let met = not_missed.filter(|level| level.status == SloStatus::Met);
    let sure = met.clone().filter(|level| level.sure);
    let low = sure.last().map(|level| level.rate);
    let mut missed = levels
        .iter()
        .filter(|level| level.status == SloStatus::Missed);
    let between = Highest {
        met: Some(met.last()?.rate),
        missed: missed.next().map(|level| level.rate),
    };
    // A level that is met by its value alone may well lie above the rate.
    let sure = levels.iter().map(|level| LoadAnswer {
        load: level.rate,
        status: if level.sure {
            level.status
        } else {
            SloStatus::Undecided
        },
    });
    let sure: Vec<LoadAnswer> = sure.collect();
    let probes: Vec<Probe> = levels
        .iter()
        .flat_map(|l| l.probes.iter().cloned())
        .collect();
    let estimate = RateEstimate::of(Some(&probes), &sure);
    let of_levels = InstanceRate {
        rate: between.met?,
        low,
        high: between.missed,
        levels: between,
        estimate,
    };
    Some(match estimate.law() {
        None => of_levels,
        Some(found) => InstanceRate {
            rate: found.rate,
            low: Some(found.low),
            high: Some(found.high),
            ..of_levels
        },
    })
}
