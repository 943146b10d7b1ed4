//! Whether an open loop keeps up, and whether the record agrees with itself about what was inside.
//!
//! Does not look at failures or objectives. The queue counts as emptied where the server's own gauge
//! read 0; without enough readings of it, where a request's TTFT comes close to the least that prompts
//! of its length band ever had. Invariant: that floor comes from before the last third, so a queue that
//! grows cannot set it.

use crate::limits::WAITING_READINGS;
use crate::run::Run;
use crate::server::waiting;
use crate::steady::constant_load;
use infermeter_core::record::Outcome;
use infermeter_core::request::length_band;
use infermeter_core::run::{LoadModel, Window};
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::seconds::stays;
use infermeter_stats::{
    Delay, Residence, Saturation, Stability, queue_emptied, queue_emptied_by_delays,
    relative_difference, residence, saturation,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Whether the server keeps up with an open loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepsUp {
    /// The queue was empty in the last third, and nothing grows.
    Stable,
    /// Requests in flight grow, and the queue was never seen empty in the last third.
    Unstable,
    /// Neither.
    Undecided,
}

/// How it is known whether the queue was ever empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueSign {
    /// Readings of the server's waiting gauge.
    ServerGauge,
    /// TTFT against its floor.
    TtftFloor,
}

impl QueueSign {
    /// Whose word it is, for people.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::ServerGauge => "by the server's waiting gauge",
            Self::TtftFloor => "by TTFT against its floor",
        }
    }
}

/// An open loop's stability and the signs behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StabilitySummary {
    /// The answer.
    pub answer: KeepsUp,
    /// Requests due in the window that were sent.
    pub arrivals: usize,
    /// Requests that ended in the window, whenever they came.
    pub departures: usize,
    /// Ratio of arrivals less departures to arrivals.
    pub left_behind: Option<f64>,
    /// The queue was empty at some moment of the last third; absent where nobody can tell.
    pub emptied: Option<bool>,
    /// How that is known.
    pub emptied_by: Option<QueueSign>,
    /// Time average of the requests inside, over ten equal parts of the window.
    pub inside: Vec<f64>,
    /// Kendall's tau of these against time.
    pub tau: f64,
    /// Two-sided p-value of the Mann-Kendall test.
    pub p_value: f64,
}

/// Little's law on the run's own records: algebra, so a difference is a defect of the recorder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResidenceSummary {
    /// Time average of the requests in flight, by sweeping over sends and ends.
    pub by_number: f64,
    /// Sum of the times in flight clipped to the window, over its length: requests.
    pub by_residence: f64,
    /// How far these and the load's own average lie apart, relative to the larger.
    pub difference: f64,
}

impl StabilitySummary {
    /// Of an open loop of constant load; absent otherwise.
    pub(crate) fn of(run: &Run, window: Window) -> Option<Self> {
        let manifest = &run.manifest;
        if manifest.load_model != LoadModel::OpenLoop || !constant_load(&manifest.plan) {
            return None;
        }
        let span = window.start.0..window.end.0;
        let inside = waits(&run.collected.requests);
        let (emptied, by) = match gauge_emptied(run, window) {
            Some(emptied) => (Some(emptied), QueueSign::ServerGauge),
            None => (
                emptied(&run.collected.requests, &span),
                QueueSign::TtftFloor,
            ),
        };
        let found = saturation(&inside, span, emptied).ok()?;
        Some(Self {
            emptied_by: emptied.map(|_| by),
            ..Self::from(found)
        })
    }
}

impl From<Saturation> for StabilitySummary {
    fn from(found: Saturation) -> Self {
        Self {
            answer: match found.stability {
                Stability::Stable => KeepsUp::Stable,
                Stability::Unstable => KeepsUp::Unstable,
                Stability::Undecided => KeepsUp::Undecided,
            },
            arrivals: found.arrivals,
            departures: found.departures,
            left_behind: found.left_behind(),
            emptied: found.emptied,
            emptied_by: None,
            tau: found.tau,
            p_value: found.p_value,
            inside: found.inside,
        }
    }
}

/// From the intended instant to the end, of requests that were sent.
fn waits(requests: &[RequestFacts]) -> Vec<Range<i64>> {
    let sent = requests.iter().filter(|r| r.send_start.is_some());
    sent.map(|r| r.intended.0..r.closed.map_or(i64::MAX, |closed| closed.0))
        .collect()
}

/// Whether the server's queue was empty at some reading of the last third; `None` with too few.
fn gauge_emptied(run: &Run, window: Window) -> Option<bool> {
    let (values, at_ns) = waiting(run, window);
    let last_third = window.end.0 - window.end.since(window.start) / 3;
    let seen = at_ns.iter().filter(|at| **at >= last_third).count();
    if seen < WAITING_READINGS {
        return None;
    }
    queue_emptied(&values, &at_ns, window.start.0..window.end.0, 0.0).ok()?
}

/// Whether some TTFT of the last third of `window` is about that of an idle server.
fn emptied(requests: &[RequestFacts], window: &Range<i64>) -> Option<bool> {
    let of = |r: &RequestFacts| {
        let completed = r.outcome == Outcome::Completed;
        let delay = RequestMetric::Ttft.value_ms(r, Origin::Intended)?;
        completed.then(|| Delay {
            kind: length_band(r.requested_prompt_tokens),
            at_ns: r.intended.0,
            delay,
        })
    };
    let delays: Vec<Delay> = requests.iter().filter_map(of).collect();
    queue_emptied_by_delays(&delays, window.clone()).ok()?
}

impl ResidenceSummary {
    /// Of a window, beside the `mean` in flight that the load states.
    pub(crate) fn of(run: &Run, window: Window, mean: f64) -> Option<Self> {
        let span = window.start.0..window.end.0;
        let found: Residence = residence(&stays(&run.collected.requests), span).ok()?;
        let to_mean = relative_difference(found.by_residence, mean);
        Some(Self {
            by_number: found.by_number,
            by_residence: found.by_residence,
            difference: found.residual().max(to_mean),
        })
    }
}
