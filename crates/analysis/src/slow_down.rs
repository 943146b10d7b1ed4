//! Whether the server became slower at its work while the load stayed the same.
//!
//! Not a queue that grows: there decode keeps its pace, and arrivals were too many from the start. Three
//! things together make a slow-down: time per output token rises over the window (the tests of drift, on
//! ten equal-time batch means), by more than the streams that decode beside one another explain, and, in
//! an open loop, the server kept up at first.
//!
//! Invariant: absent where any of the three cannot be told.

use crate::limits::{KEPT_UP, SLOWER, SLOWER_PER_STREAM};
use crate::run::Run;
use crate::steady::constant_load;
use infermeter_core::clock::Offset;
use infermeter_core::record::Outcome;
use infermeter_core::run::{LoadModel, Window};
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_stats::{DRIFT_ALPHA, drift, halves};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A server that became slower.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlowDown {
    /// Mean TPOT of requests due in the window's first third, milliseconds.
    pub first_tpot_ms: f64,
    /// The same of its last third.
    pub last_tpot_ms: f64,
    /// Streams between their first and last chunk, time average of the first third.
    pub first_decoding: f64,
    /// The same of the last third, streams.
    pub last_decoding: f64,
    /// Two-sided p-value of the trend (Mann-Kendall).
    pub p_value: f64,
}

impl SlowDown {
    /// Of a constant load.
    pub(crate) fn of(run: &Run, window: Window) -> Option<Self> {
        let manifest = &run.manifest;
        let requests = &run.collected.requests;
        if !constant_load(&manifest.plan) {
            return None;
        }
        let tpots = tpots(requests, window);
        let (at_ns, values): (Vec<i64>, Vec<f64>) = tpots.iter().copied().unzip();
        let trend = drift(&values, &at_ns, DRIFT_ALPHA).ok()??;
        let apart = halves(&values, &at_ns, DRIFT_ALPHA).ok()??;
        if !trend.is_significant() && !apart.significant {
            return None;
        }
        let third = window.end.since(window.start) / 3;
        let (first, last) = (window.start.plus(third), window.end.plus(-third));
        let found = Self {
            first_tpot_ms: mean(&tpots, window.start, first)?,
            last_tpot_ms: mean(&tpots, last, window.end)?,
            first_decoding: decoding(requests, window.start, first),
            last_decoding: decoding(requests, last, window.end),
            p_value: trend.p_value,
        };
        let kept_up = manifest.load_model == LoadModel::ClosedLoop
            || left_behind(requests, window.start, first)? <= KEPT_UP;
        (kept_up && found.is_slower()).then_some(found)
    }

    /// How many times as long a token takes.
    pub fn ratio(&self) -> f64 {
        self.last_tpot_ms / self.first_tpot_ms
    }

    fn is_slower(&self) -> bool {
        let more = (self.last_decoding / self.first_decoding.max(1.0) - 1.0).max(0.0);
        self.ratio() > SLOWER && self.ratio() > 1.0 + SLOWER_PER_STREAM * more
    }
}

/// Instants and TPOT of the completed requests due in the window.
fn tpots(requests: &[RequestFacts], window: Window) -> Vec<(i64, f64)> {
    let inside = requests.iter().filter(|r| {
        r.outcome == Outcome::Completed && r.intended >= window.start && r.intended < window.end
    });
    let tpot =
        |r: &RequestFacts| Some((r.intended.0, RequestMetric::Tpot.value_ms(r, Origin::Send)?));
    inside.filter_map(tpot).collect()
}

fn mean(tpots: &[(i64, f64)], from: Offset, to: Offset) -> Option<f64> {
    let inside = tpots.iter().filter(|(at, _)| (from.0..to.0).contains(at));
    let (n, sum) = inside.fold((0_u32, 0.0), |(n, sum), (_, tpot)| (n + 1, sum + tpot));
    (n > 0).then(|| sum / f64::from(n))
}

/// Streams between their first and last chunk, time average.
fn decoding(requests: &[RequestFacts], from: Offset, to: Offset) -> f64 {
    let spans = requests.iter().filter_map(|r| {
        let (first, last) = (r.chunks.first?.max(from), r.chunks.last?.min(to));
        Some(last.since(first).max(0) as f64)
    });
    spans.sum::<f64>() / to.since(from).max(1) as f64
}

/// Requests more in flight at the end than at the start, over those that arrived meanwhile.
fn left_behind(requests: &[RequestFacts], from: Offset, to: Offset) -> Option<f64> {
    let inside = |at: Option<Offset>| at.is_some_and(|at| at >= from && at < to);
    let sent = || requests.iter().filter(|r| r.send_start.is_some());
    let arrived = sent().filter(|r| inside(Some(r.intended))).count() as f64;
    let ended = sent().filter(|r| inside(r.closed)).count() as f64;
    (arrived > 0.0).then(|| (arrived - ended) / arrived)
}
