//! The generator's view of itself.

use crate::calibration::CalibrationSummary;
use crate::distribution::{Distribution, Weight};
use crate::percentile::Percentile;
use crate::ranks::RanksSummary;
use crate::run::Run;
use crate::threads::{ThreadTotals, totals};
use crate::token_figures::TokenFigures;
use infermeter_core::run::Window;
use infermeter_metrics::departure::departures;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::{Failures, Population};
use infermeter_metrics::receive::Censoring;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::samples::request_samples;
use infermeter_metrics::stamps::{StampCounts, stamp_counts};
use infermeter_metrics::token_series::{Group, SeriesId, TokenMetric};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the client behaved while it measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientSummary {
    /// Send - intended, of every measured request that was sent.
    pub send_lag: Option<Distribution>,
    /// Program stamp - kernel stamp, per read: kept out of the results.
    pub client_lag: Option<Distribution>,
    /// When requests left by the kernel's stamps; absent unless `--audit-send` asked for them.
    pub departure: Option<Departure>,
    /// Chunk instants known only to lie between two stamps.
    pub censoring: Censoring,
    /// Whose stamps the instants are.
    pub stamps: StampCounts,
    /// What this machine's certificate says about the load; absent without one.
    pub calibration: Option<CalibrationSummary>,
    /// Totals over the worker threads; absent where the run did not end by itself.
    pub threads: Option<ThreadTotals>,
    /// Each of several processes that shared the load; absent where one had all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<RanksSummary>,
}

/// When the last bytes of the measured requests left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Departure {
    /// Departure - `send_start`, of requests on connections that were open.
    pub behind_send: Option<Distribution>,
    /// Departure - return of the last write; below 0 where the kernel was done before.
    pub behind_write: Option<Distribution>,
    /// Requests with a stamp.
    pub stamped: u64,
    /// Requests that were written and have none.
    pub missing: u64,
}

impl ClientSummary {
    /// Of a run with this window.
    pub(crate) fn of(
        run: &Run,
        population: &Population<'_>,
        window: Option<Window>,
        wanted: &[Percentile],
        figures: &TokenFigures,
    ) -> Self {
        let lags = request_samples(
            population,
            RequestMetric::SendLag,
            Origin::Intended,
            Failures::Excluded,
        );
        let stamps = stamp_counts(population);
        let lag = figures.of(SeriesId {
            group: Group::All,
            metric: TokenMetric::ClientLag,
            failures: Failures::Excluded,
        });
        Self {
            calibration: CalibrationSummary::of(run, window, &stamps, figures),
            send_lag: Distribution::of_requests(&lags, wanted)
                // Of a load that is not ours nobody knows when a request was due.
                .filter(|_| run.manifest.load_model.is_ours()),
            client_lag: lag.map(|lag| Distribution::of_series(lag, "ms", Weight::Read, wanted)),
            departure: run
                .manifest
                .plan
                .audit_send
                .then(|| departure(population, wanted)),
            censoring: figures.censoring,
            stamps,
            threads: run.manifest.client_health.as_ref().map(totals),
            ranks: RanksSummary::of(&run.manifest, &requests_of(run), population, wanted),
        }
    }
}

impl ClientSummary {
    /// ` That was rank 2 (node-b).`, of the rank whose threads have the largest such figure; empty where one process
    /// had the whole load.
    pub(crate) fn worst_rank(&self, of: impl Fn(&ThreadTotals) -> Option<f64>) -> String {
        let ranks = self.ranks.as_ref();
        let worst = ranks.and_then(|ranks| ranks.worst(of));
        worst.map_or_else(String::new, |rank| format!(" That was {}.", rank.named()))
    }
}

/// Requests with a record, by their client; none where one had the whole load.
fn requests_of(run: &Run) -> BTreeMap<u32, u64> {
    let mut counts = BTreeMap::new();
    for client in run.collected.requests.iter().filter_map(|r| r.client) {
        *counts.entry(client).or_insert(0) += 1;
    }
    counts
}

fn departure(population: &Population<'_>, wanted: &[Percentile]) -> Departure {
    let found = departures(population);
    let distribution = |samples| Distribution::of_instants(samples, Weight::Read, wanted);
    Departure {
        behind_send: distribution(&found.behind_send),
        behind_write: distribution(&found.behind_write),
        stamped: found.stamped,
        missing: found.missing,
    }
}
