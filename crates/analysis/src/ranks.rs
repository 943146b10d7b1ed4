//! The ranks of a run that several processes measured: who each was, how it kept up, and how far their clocks may lie
//! apart.
//!
//! Judges none of them: that is `checks::ranks`. Instants of a record count from its own rank's start, and no rank's are
//! moved: what is known of the starts says how far they lie beside those of another. Invariant: a latency lies within one
//! rank and rests on one clock; only what counts over ranks (requests in flight, arrivals, figures over time) is as exact
//! as [`RanksSummary::bound_ms`] says.

use crate::distribution::Distribution;
use crate::percentile::Percentile;
use crate::threads::{ThreadTotals, totals};
use infermeter_core::run::{ClientHealth, ClientRun, ClockOffset, OffsetSource, RunManifest};
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::Population;
use infermeter_metrics::request_metric::RequestMetric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All ranks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RanksSummary {
    /// Into how many parts the load was cut; the index of a part is below it.
    pub of: u32,
    /// The index of each part of which there is no record.
    pub missing: Vec<u32>,
    /// By so much the starts of two ranks lie apart at most, as far as their clocks say, milliseconds; absent where the
    /// clock of one is not known.
    pub started_apart_ms: Option<f64>,
    /// So far from that the truth may be, milliseconds: what the clocks of two ranks are known to. Absent where that of
    /// one is not known.
    pub bound_ms: Option<f64>,
    /// Each of those that have a record.
    pub each: Vec<RankSummary>,
}

/// One rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankSummary {
    /// The index of its part of the load.
    pub rank: u32,
    /// Its host; absent where it was no rank.
    pub host: Option<String>,
    /// What processor it ran on; absent where it was no rank.
    pub arch: Option<String>,
    /// Its version of infermeter; absent where it was no rank.
    pub version: Option<String>,
    /// Who said which rank it is; absent where it was none.
    pub told_by: Option<String>,
    /// Requests that it has a record of.
    pub requests: u64,
    /// Send - intended, of its measured requests that were sent.
    pub send_lag: Option<Distribution>,
    /// Totals over its worker threads; absent where it did not end by itself.
    pub threads: Option<ThreadTotals>,
    /// How its wall clock stood to that of rank 0; absent where that is not known.
    pub clock: Option<RankClock>,
    /// How much later than agreed on it began, by the clock of rank 0, milliseconds; absent where no start was agreed on,
    /// or its clock is not known.
    pub start_lag_ms: Option<f64>,
    /// A signal ended it early, or it was killed.
    pub interrupted: bool,
    /// It was killed: its record was made from its journal.
    pub recovered: bool,
}

/// How the clock of a rank stood to that of rank 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankClock {
    /// Its wall clock minus that of rank 0, milliseconds.
    pub offset_ms: f64,
    /// The true offset is at most this far from it, milliseconds.
    pub bound_ms: f64,
    /// How it was found.
    pub by: OffsetSource,
}

impl RanksSummary {
    /// Of a run of several; `None` of any other.
    pub(crate) fn of(
        manifest: &RunManifest,
        requests: &BTreeMap<u32, u64>,
        population: &Population<'_>,
        wanted: &[Percentile],
    ) -> Option<Self> {
        let clients = &manifest.clients;
        let of = parts_of(manifest)?;
        let starts: Option<Vec<Start>> = clients.iter().map(|c| Start::of(manifest, c)).collect();
        let starts = starts.filter(|starts| !starts.is_empty());
        let lags = match manifest.load_model.is_ours() {
            true => lags(population),
            false => BTreeMap::new(),
        };
        let each = clients.iter().map(|client| {
            let rank = client.slice.index();
            let own = lags.get(&rank);
            RankSummary {
                requests: requests.get(&rank).copied().unwrap_or(0),
                send_lag: own.and_then(|own| Distribution::of_requests(own, wanted)),
                ..RankSummary::about(manifest, client)
            }
        });
        Some(Self {
            of,
            missing: missing(of, clients),
            started_apart_ms: starts.as_deref().map(apart_ms),
            bound_ms: starts.as_deref().map(bound_ms),
            each: each.collect(),
        })
    }

    /// The rank whose sends were the latest by this percentile.
    pub(crate) fn latest(&self, percentile: Percentile) -> Option<LatestRank> {
        let lags = self.each.iter().filter_map(|rank| {
            Some(LatestRank {
                rank: rank.named(),
                ms: rank.send_lag.as_ref()?.order_statistic(percentile)?,
            })
        });
        lags.max_by(|a, b| a.ms.total_cmp(&b.ms))
    }

    /// The rank of which this figure of its threads is the largest.
    pub(crate) fn worst(&self, of: impl Fn(&ThreadTotals) -> Option<f64>) -> Option<&RankSummary> {
        let figures = self.each.iter().filter_map(|rank| {
            let figure = of(rank.threads.as_ref()?)?;
            Some((rank, figure))
        });
        let worst = figures.max_by(|a, b| a.1.total_cmp(&b.1));
        worst.map(|(rank, _)| rank)
    }

    /// How far instants of two ranks may lie beside each other, milliseconds: what their starts lie apart, and what is
    /// not known of that.
    pub fn beside_ms(&self) -> Option<f64> {
        Some(self.started_apart_ms? + self.bound_ms?)
    }
}

/// A rank that sent late.
pub(crate) struct LatestRank {
    /// Its name.
    pub(crate) rank: String,
    /// Its send lag, milliseconds.
    pub(crate) ms: f64,
}

impl RankSummary {
    /// What is known without its records.
    fn about(manifest: &RunManifest, client: &ClientRun) -> Self {
        let facts = client.rank.as_ref();
        let start = Start::of(manifest, client);
        let asked = facts.and_then(|facts| facts.start_asked_ns);
        Self {
            rank: client.slice.index(),
            host: facts.map(|facts| facts.host.clone()),
            arch: facts.map(|facts| facts.arch.clone()),
            version: facts.map(|facts| facts.version.clone()),
            told_by: facts.map(|facts| facts.told_by.clone()),
            requests: 0,
            send_lag: None,
            threads: Some(&client.health)
                .filter(|health| !health.threads.is_empty())
                .map(totals),
            clock: facts.and_then(|facts| facts.clock).map(RankClock::of),
            start_lag_ms: start
                .zip(asked)
                .map(|(start, asked)| ms(start.at_ns - i128::from(asked))),
            interrupted: client.progress.interrupted,
            recovered: client.progress.recovered,
        }
    }

    /// `rank 3 (node-b)`.
    pub(crate) fn named(&self) -> String {
        let host = self.host.as_deref().filter(|host| !host.is_empty());
        let host = host.map_or_else(String::new, |host| format!(" ({host})"));
        format!("rank {}{host}", self.rank)
    }
}

impl RankClock {
    fn of(offset: ClockOffset) -> Self {
        Self {
            offset_ms: ms(offset.offset_ns.into()),
            bound_ms: ms(offset.bound_ns.into()),
            by: offset.by,
        }
    }
}

/// When a rank began.
struct Start {
    /// By the wall clock of rank 0, nanoseconds since the Unix epoch.
    at_ns: i128,
    /// So far from that it may have been.
    bound_ns: i64,
}

impl Start {
    fn of(manifest: &RunManifest, client: &ClientRun) -> Option<Self> {
        let clock = client.clock.unwrap_or(manifest.clock);
        let offset = offset(client)?;
        Some(Self {
            at_ns: i128::from(clock.realtime_origin_ns) - i128::from(offset.offset_ns),
            bound_ns: offset.bound_ns,
        })
    }
}

/// How the clock of a rank stands to that of rank 0, which is its own.
pub(crate) fn offset(client: &ClientRun) -> Option<ClockOffset> {
    let own = ClockOffset {
        offset_ns: 0,
        bound_ns: 0,
        by: OffsetSource::SameKernel,
    };
    let facts = client.rank.as_ref();
    let known = facts.and_then(|facts| facts.clock);
    known.or((client.slice.index() == 0).then_some(own))
}

/// Into how many parts the load of a run of several clients was cut.
pub(crate) fn parts_of(manifest: &RunManifest) -> Option<u32> {
    let clients = &manifest.clients;
    let of = clients.iter().map(|client| client.slice.of()).max()?;
    (of > 1 || clients.len() > 1).then_some(of)
}

/// `Thread 5 of 8`, and of a run of several ranks which one's: threads of all of them are counted one after the other,
/// from 0.
pub(crate) fn thread_named(manifest: &RunManifest, index: usize) -> String {
    let threads = |health: &ClientHealth| health.threads.len();
    let mut before = 0;
    for client in manifest
        .clients
        .iter()
        .filter(|_| parts_of(manifest).is_some())
    {
        let own = threads(&client.health);
        if index < before + own {
            let rank = RankSummary::about(manifest, client).named();
            return format!("Thread {} of {own} of {rank}", index - before + 1);
        }
        before += own;
    }
    let all = manifest.client_health.as_ref().map_or(0, threads);
    format!("Thread {} of {all}", index + 1)
}

/// Whether there is a record of each part of the load.
pub(crate) fn has_all_parts(manifest: &RunManifest) -> bool {
    parts_of(manifest).is_none_or(|of| missing(of, &manifest.clients).is_empty())
}

fn missing(of: u32, clients: &[ClientRun]) -> Vec<u32> {
    let is_there = |index: &u32| clients.iter().any(|c| c.slice.index() == *index);
    (0..of).filter(|index| !is_there(index)).collect()
}

/// The send lags of each rank, milliseconds: all rows are looked at once, however many ranks there are.
fn lags(population: &Population<'_>) -> BTreeMap<u32, Vec<f64>> {
    let mut lags: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for request in population.sent() {
        let lag = RequestMetric::SendLag.value_ms(request, Origin::Intended);
        if let Some((client, lag)) = request.client.zip(lag) {
            lags.entry(client).or_default().push(lag);
        }
    }
    lags
}

/// From the first start to the last.
fn apart_ms(starts: &[Start]) -> f64 {
    let at = starts.iter().map(|start| start.at_ns);
    let range = at.clone().max().zip(at.min());
    ms(range.map_or(0, |(last, first)| last - first))
}

/// The two bounds that are widest, together.
fn bound_ms(starts: &[Start]) -> f64 {
    let mut bounds: Vec<i64> = starts.iter().map(|start| start.bound_ns).collect();
    bounds.sort_unstable_by(|a, b| b.cmp(a));
    ms(bounds.iter().take(2).map(|bound| i128::from(*bound)).sum())
}

fn ms(ns: i128) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests;
