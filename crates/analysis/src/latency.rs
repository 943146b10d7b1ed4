//! Every latency of a population of requests.

use crate::distribution::{Distribution, Percentiles, Weight, cells_of, request_cells};
use crate::figure::Cell;
use crate::fluidity::FluiditySummary;
use crate::limits::TOKENS_PER_CHUNK;
use crate::parallel;
use crate::percentile::Percentile;
use crate::token_figures::{TokenFigures, population};
use infermeter_metrics::chunk_sums::chunk_sums;
use infermeter_metrics::collect::Collected;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::{Failures, Population, is_failure};
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::samples::request_samples;
use infermeter_metrics::stalls::{Stalls, stalls};
use infermeter_metrics::token_series::{Group, SeriesId, TokenMetric};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One metric from both origins; never mixed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ByOrigin {
    /// From the intended send time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended: Option<Distribution>,
    /// From `send_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<Distribution>,
}

impl ByOrigin {
    /// The distribution from one origin.
    pub fn from(&self, origin: Origin) -> Option<&Distribution> {
        match origin {
            Origin::Intended => self.intended.as_ref(),
            Origin::Send => self.send.as_ref(),
        }
    }
}

/// The latencies of completed measured requests. A metric that does not exist is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencySummary {
    /// Time to first token.
    pub ttft: ByOrigin,
    /// Time to first visible output token.
    pub ttfo: ByOrigin,
    /// Time per output token.
    pub tpot: Option<Distribution>,
    /// Its second form, (last - first) / (n - tokens of the first chunk), where chunks carry
    /// several tokens.
    pub tpot_after_first_chunk: Option<Distribution>,
    /// Per-token gaps.
    pub itl: Option<Distribution>,
    /// Gaps between chunks.
    pub chunk_gap: Option<Distribution>,
    /// Chunk gap / tokens of the chunk.
    pub smoothed_itl: Option<Distribution>,
    /// End to end / output tokens.
    pub ntpot: ByOrigin,
    /// End to end, to the last token.
    pub e2e: ByOrigin,
    /// Tokens of each chunk.
    pub tokens_per_chunk: Option<Distribution>,
    /// Tokens per second that a user sees, 1 / TPOT: at `p99`, what 99 % of the requests had at
    /// least (so the cell is the reciprocal of TPOT's p99).
    pub per_user_tokens_per_s: Percentiles,
    /// First response byte, from the send.
    pub first_byte: Option<Distribution>,
    /// TCP connect, of requests that opened a connection.
    pub connect: Option<Distribution>,
    /// TLS handshake, of requests that opened a connection.
    pub tls: Option<Distribution>,
    /// Until the kernel had taken the whole request, from a connection that is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<Distribution>,
    /// Stalls.
    pub stalls: Stalls,
    /// The share of token deadlines met; absent without deadlines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fluidity: Option<FluiditySummary>,
    /// Chunks carry more than a token on average: chunk gap is not ITL.
    pub multi_token_chunks: bool,
    /// Some completed answer holds reasoning (TTFO differs from TTFT).
    pub reasoning: bool,
}

/// Computes every latency of a group of requests. From the intended send only where that was
/// scheduled: in a closed loop it is the end of the answer before.
pub(crate) fn latencies(
    run: &Collected,
    group: Group,
    headline: Origin,
    wanted: &[Percentile],
    figures: &TokenFigures,
) -> LatencySummary {
    let population = &population(run, group);
    let table = Table {
        population,
        group,
        headline,
        wanted,
        figures,
        any_failed: population.records().any(is_failure),
        one_token_each: run.one_token_each(group),
        several: chunk_sums(population, 1)
            .first()
            .and_then(|sums| sums.mean_tokens())
            .is_some_and(|mean| mean > TOKENS_PER_CHUNK),
    };
    let mut found = table.requests().into_iter();
    let mut next = || found.next().flatten();
    let mut both = || ByOrigin {
        intended: next(),
        send: next(),
    };
    let (ttft, ntpot, e2e, ttfo) = (both(), both(), both(), both());
    let reasoning = population.completed().any(|r| r.chunks.reasoning);
    let tpot = next();
    let mut summary = LatencySummary {
        // Without reasoning every first token is visible.
        ttfo: if reasoning { ttfo } else { ttft.clone() },
        ttft,
        per_user_tokens_per_s: tpot.as_ref().map(speeds).unwrap_or_default(),
        tpot,
        ntpot,
        e2e,
        first_byte: next(),
        connect: next(),
        tls: next(),
        upload: next(),
        stalls: stalls(population),
        fluidity: FluiditySummary::of(population, run.fluidity.as_ref()),
        multi_token_chunks: table.several,
        tpot_after_first_chunk: next(),
        reasoning,
        ..LatencySummary::default()
    };
    table.tokens(&mut summary);
    summary
}

struct Table<'a> {
    population: &'a Population<'a>,
    group: Group,
    headline: Origin,
    wanted: &'a [Percentile],
    figures: &'a TokenFigures,
    any_failed: bool,
    /// Chunk gap, ITL and smoothed ITL are the same series.
    one_token_each: bool,
    /// Chunks carry more than a token on average.
    several: bool,
}

impl Table<'_> {
    /// Every metric with one value per request, in the order in which they are taken.
    fn requests(&self) -> Vec<Option<Distribution>> {
        let by_origin = [
            RequestMetric::Ttft,
            RequestMetric::Ntpot,
            RequestMetric::E2e,
            RequestMetric::Ttfo,
        ];
        let of_the_send = [
            RequestMetric::Tpot,
            RequestMetric::FirstByte,
            RequestMetric::Connect,
            RequestMetric::Tls,
            RequestMetric::Upload,
            RequestMetric::TpotAfterFirstChunk,
        ];
        let both = by_origin.map(|m| [(m, Origin::Intended), (m, Origin::Send)]);
        let send = of_the_send.map(|m| (m, Origin::Send));
        let all: Vec<_> = both.into_iter().flatten().chain(send).collect();
        let reasoning = self.population.completed().any(|r| r.chunks.reasoning);
        let wanted = |metric| match metric {
            RequestMetric::Ttfo => reasoning,
            RequestMetric::TpotAfterFirstChunk => self.several,
            _ => true,
        };
        let meant = |origin| origin == Origin::Send || self.headline == Origin::Intended;
        parallel::map(&all, self.population.len(), |(metric, origin)| {
            (wanted(*metric) && meant(*origin))
                .then(|| self.request(*metric, *origin))
                .flatten()
        })
    }

    fn request(&self, metric: RequestMetric, origin: Origin) -> Option<Distribution> {
        let samples = request_samples(self.population, metric, origin, Failures::Excluded);
        let mut distribution = Distribution::of_requests(&samples, self.wanted)?;
        if self.any_failed && !metric.is_of_the_send() {
            let with = request_samples(self.population, metric, origin, Failures::AsInfinity);
            distribution.with_failures = request_cells(&with, self.wanted);
        }
        Some(distribution)
    }

    fn token(&self, metric: TokenMetric, weight: Weight) -> Option<Distribution> {
        let series = |failures| SeriesId {
            group: self.group,
            metric,
            failures,
        };
        let unit = match metric {
            TokenMetric::TokensPerChunk => "tokens",
            _ => "ms",
        };
        let figure = self.figures.of(series(Failures::Excluded))?;
        let mut distribution = Distribution::of_series(figure, unit, weight, self.wanted);
        if self.any_failed && metric != TokenMetric::TokensPerChunk {
            let with = self.figures.of(series(Failures::AsInfinity));
            distribution.with_failures = with.map(|figure| cells_of(figure, self.wanted));
        }
        Some(distribution)
    }

    fn tokens(&self, summary: &mut LatencySummary) {
        summary.chunk_gap = self.token(TokenMetric::ChunkGap, Weight::Chunk);
        summary.tokens_per_chunk = self.token(TokenMetric::TokensPerChunk, Weight::Chunk);
        if self.one_token_each {
            // Every chunk is one token: the three forms are the same series.
            let of = |weight| {
                summary
                    .chunk_gap
                    .clone()
                    .map(|d| Distribution { weight, ..d })
            };
            summary.itl = of(Weight::Token);
            summary.smoothed_itl = of(Weight::Chunk);
        } else {
            summary.itl = self.token(TokenMetric::Itl, Weight::Token);
            summary.smoothed_itl = self.token(TokenMetric::SmoothedItl, Weight::Chunk);
        }
    }
}

fn speeds(tpot: &Distribution) -> Percentiles {
    let cells = tpot.percentiles.iter();
    cells.map(|(p, cell)| (*p, speed_of(cell))).collect()
}

/// The cell of 1 / TPOT (tokens per second) from one of TPOT (milliseconds): bounds change places.
pub(crate) fn speed_of(tpot: &Cell) -> Cell {
    let per_second = |ms: f64| if ms > 0.0 { Some(1e3 / ms) } else { None };
    Cell {
        value: tpot.value.and_then(per_second),
        low: tpot.high.and_then(per_second),
        high: tpot.low.and_then(per_second),
        order_statistic: tpot.order_statistic.map(|ms| 1e3 / ms),
        ..tpot.clone()
    }
}
