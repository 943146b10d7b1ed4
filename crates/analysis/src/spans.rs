//! Where the time to the first token went, request by request: the client's records joined with the spans that
//! the engine sent.
//!
//! Only durations of each side are used, so that their clocks need not agree: what lies between the two sides is
//! the client's TTFT less the server's. What subtraction cannot tell apart is one part. Invariant: the parts of a
//! request add up to its TTFT, whatever the spans say.

mod groups;
mod joined;

use crate::distribution::{Percentiles, request_cells};
use crate::figure::Mean;
use crate::limits::RESIDUAL_LEAST_TTFT_MS;
use crate::percentile::Percentile;
use crate::run::Run;
use groups::{Taken, groups};
use infermeter_core::spans::SpanTally;
use infermeter_core::text::Word;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::Population;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::series::load::Stays;
use joined::{Apart, Joined, Shape, Told};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the times to the first token of a run are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpansSummary {
    /// Where the TTFT that is taken apart begins.
    pub origin: Origin,
    /// Completed measured requests with a first token, which all should have spans.
    pub requests: u64,
    /// Requests of these that are taken apart.
    pub joined: u64,
    /// Requests of which no span tells the server's TTFT.
    pub missing: u64,
    /// Requests with spans of several engines, of which none is known to have sent the first token.
    pub ambiguous: u64,
    /// Requests whose spans tell other times than those of most requests: they would be other parts.
    pub unlike: u64,
    /// Requests of the joined ones whose TTFT is shorter by the client than by the server.
    pub impossible: u64,
    /// Spans that came, by what became of them; absent where the run was killed.
    pub tally: Option<SpanTally>,
    /// The parts, in the order of time.
    pub parts: Vec<Word>,
    /// All requests, then by class, by the load at their send, and by their place among the TTFTs.
    pub groups: Vec<SpansGroup>,
    /// The server's own TTFT less its parts; absent where spans do not tell both queue and prefill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual: Option<ResidualSummary>,
}

/// What the TTFTs of some requests are made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpansGroup {
    /// What they have in common: `all`, `class`, `in_flight` or `ttft`.
    pub by: Word,
    /// Their class, `12 to 40` others in flight at the send, `above p99`; empty for all of them.
    pub label: String,
    /// Requests.
    pub n: u64,
    /// Their mean TTFT, milliseconds.
    pub ttft_ms: Mean,
    /// The parts of it, in the order of `parts`.
    pub parts: Vec<SpansPart>,
}

/// A part of the TTFTs of some requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpansPart {
    /// Its name.
    pub part: Word,
    /// Its mean, milliseconds.
    pub ms: Mean,
    /// Its share of the mean TTFT; 0 to 1, but for a part that is negative.
    pub share: f64,
}

/// The server's own TTFT less the sum of the parts that it tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResidualSummary {
    /// Requests whose TTFT by the server is long enough for a share of it to mean something (5 ms).
    pub n: u64,
    /// Its size as a share of the server's TTFT, by percentile.
    pub share: Percentiles,
    /// The greatest such share.
    pub share_max: f64,
}

impl SpansSummary {
    /// Of a run whose spans were received; `None` where none were asked for, or no answer came as a stream.
    pub(crate) fn of(run: &Run, population: &Population<'_>, origin: Origin) -> Option<Self> {
        let received = run.spans.as_ref()?;
        if !population.streaming() {
            return None;
        }
        let joined = Joined::of(&received.spans);
        let mut found = Self {
            origin,
            requests: 0,
            joined: 0,
            missing: 0,
            ambiguous: 0,
            unlike: 0,
            impossible: 0,
            tally: received.tally,
            parts: Vec::new(),
            groups: Vec::new(),
            residual: None,
        };
        let stays = Stays::of(&run.collected.requests);
        let mut told: Vec<(Taken, Told)> = Vec::new();
        for request in population.completed() {
            let metric = |origin| RequestMetric::Ttft.value_ms(request, origin);
            let Some((ttft_ms, sent_ms)) = metric(origin).zip(metric(Origin::Send)) else {
                continue;
            };
            found.requests += 1;
            match joined.told(request.id) {
                Apart::Told(own) => told.push((
                    Taken {
                        class: request.class,
                        others: request
                            .send_start
                            .map_or(0, |at| stays.at(at))
                            .saturating_sub(1),
                        ttft_ms,
                        outside_ms: own.outside_ms(sent_ms),
                        parts: own.parts(ttft_ms, sent_ms, origin),
                    },
                    own,
                )),
                Apart::Missing => found.missing += 1,
                Apart::Ambiguous => found.ambiguous += 1,
            }
        }
        found.take(told, run);
        Some(found)
    }

    /// Takes the requests apart that tell the same times as most of them.
    fn take(&mut self, mut told: Vec<(Taken, Told)>, run: &Run) {
        let Some(shape) = most_frequent(&told) else {
            return;
        };
        let all = told.len();
        told.retain(|(_, own)| own.shape == shape);
        self.unlike = (all - told.len()) as u64;
        self.joined = told.len() as u64;
        self.impossible = told
            .iter()
            .filter(|(taken, _)| taken.outside_ms < 0.0)
            .count() as u64;
        self.residual = residual(&told, shape);
        self.parts = shape.parts(self.origin).collect();
        let taken: Vec<Taken> = told.into_iter().map(|(taken, _)| taken).collect();
        self.groups = groups(&taken, &self.parts, &run.manifest.classes);
    }
}

fn most_frequent(told: &[(Taken, Told)]) -> Option<Shape> {
    let mut counts: BTreeMap<Shape, usize> = BTreeMap::new();
    for (_, own) in told {
        *counts.entry(own.shape).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, n)| *n);
    most.map(|(shape, _)| shape)
}

fn residual(told: &[(Taken, Told)], shape: Shape) -> Option<ResidualSummary> {
    if !shape.has_residual() {
        return None;
    }
    let shares = told.iter().filter_map(|(_, own)| {
        let long = own.server_ms >= RESIDUAL_LEAST_TTFT_MS;
        long.then(|| own.rest_ms.abs() / own.server_ms)
    });
    let shares: Vec<f64> = shares.collect();
    let wanted = [50.0, 99.0].into_iter().filter_map(Percentile::new);
    let wanted: Vec<Percentile> = wanted.collect();
    Some(ResidualSummary {
        n: shares.len() as u64,
        share: request_cells(&shares, &wanted)?,
        share_max: shares.iter().copied().fold(0.0, f64::max),
    })
}

#[cfg(test)]
pub(crate) mod tests;
