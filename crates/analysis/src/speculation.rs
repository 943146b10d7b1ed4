//! Speculative decoding: how many tokens a verified draft gave.
//!
//! Accepted length = 1 + accepted / drafts, acceptance rate = accepted / draft tokens, both over the
//! window: the 1 is the token that the target model adds itself. Rests on the server's counters, else
//! on what it averages itself, else on tokens per chunk: an upper bound, since a chunk may hold
//! several steps. Invariant: where chunks are put together on the way, there is no such bound.

use crate::class_summary::ClassSummary;
use crate::latency::LatencySummary;
use crate::limits::COALESCED_CHUNKS;
use crate::run::Run;
use crate::server::risen;
use infermeter_core::run::Window;
use infermeter_core::server::{Quantity, ReadingCause, ServerReading, ServerReadings};
use infermeter_metrics::facts::ChunkFacts;
use infermeter_metrics::population::Population;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the figures rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpeculationSource {
    /// The server's counters, over the window: every request counts, whoever sent it.
    ServerCounters,
    /// The mean of the server's own recent averages, over the window.
    ServerGauge,
    /// Tokens per chunk: an upper-bound proxy.
    TokensPerChunkUpperBound,
}

/// Speculative decoding in the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpeculationSummary {
    /// Why there are no figures; absent where there are.
    pub not_available: Option<String>,
    /// What they rest on, or would.
    pub source: Option<SpeculationSource>,
    /// Tokens that a verified draft gave, the target model's own included.
    pub accepted_length: Option<f64>,
    /// Share of the draft tokens that were accepted.
    pub acceptance_rate: Option<f64>,
    /// Drafts verified.
    pub drafts: Option<f64>,
    /// Tokens of these drafts.
    pub draft_tokens: Option<f64>,
    /// Of those, accepted.
    pub accepted_tokens: Option<f64>,
    /// By class, where there are several; by tokens per chunk alone.
    pub classes: Vec<ClassAcceptedLength>,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassAcceptedLength {
    /// Its name.
    pub class: String,
    /// Mean tokens per chunk: an upper bound.
    pub accepted_length: f64,
}

impl SpeculationSummary {
    /// Of a run; `None` where nothing looks like speculation.
    pub(crate) fn of(
        run: &Run,
        population: &Population<'_>,
        latency: &LatencySummary,
        classes: &[ClassSummary],
        window: Option<Window>,
    ) -> Option<Self> {
        let window = window?;
        let all = [
            Quantity::Drafts,
            Quantity::DraftTokens,
            Quantity::AcceptedTokens,
        ];
        let joined = run.server.as_ref().map(ServerReadings::joined);
        let readings = joined.as_deref().unwrap_or_default();
        // An engine may count drafts and nothing else: its averages say more then.
        let says = |quantity: Quantity| readings.iter().any(|r| r.figures.get(quantity).is_some());
        if says(Quantity::Drafts)
            && (all.iter().all(|of| says(*of)) || !says(Quantity::AcceptedLength))
        {
            let found = Self::of_counters(run, window);
            return Some(Self {
                source: Some(SpeculationSource::ServerCounters),
                ..found.unwrap_or_else(Self::unknown)
            });
        }
        if let Some(length) = gauge(readings, window) {
            return Some(Self {
                source: Some(SpeculationSource::ServerGauge),
                accepted_length: Some(length),
                ..Self::blank()
            });
        }
        if !latency.multi_token_chunks {
            return None;
        }
        Some(match put_together(population) {
            Some(why) => Self::unknown(&why),
            None => Self::of_chunks(latency, classes)?,
        })
    }

    fn of_counters(run: &Run, window: Window) -> Result<Self, &'static str> {
        let drafts = risen(run, window, Quantity::Drafts)?;
        let draft_tokens = risen(run, window, Quantity::DraftTokens)?;
        let accepted = risen(run, window, Quantity::AcceptedTokens)?;
        if drafts <= 0.0 {
            return Err("no draft was verified in the window");
        }
        Ok(Self {
            accepted_length: Some(1.0 + accepted / drafts),
            acceptance_rate: (draft_tokens > 0.0).then(|| accepted / draft_tokens),
            drafts: Some(drafts),
            draft_tokens: Some(draft_tokens),
            accepted_tokens: Some(accepted),
            ..Self::blank()
        })
    }

    fn of_chunks(latency: &LatencySummary, classes: &[ClassSummary]) -> Option<Self> {
        let mean = |l: &LatencySummary| Some(l.tokens_per_chunk.as_ref()?.mean.as_ref()?.value);
        let class = |class: &ClassSummary| {
            Some(ClassAcceptedLength {
                class: class.class.clone(),
                accepted_length: mean(&class.latency)?,
            })
        };
        Some(Self {
            source: Some(SpeculationSource::TokensPerChunkUpperBound),
            accepted_length: Some(mean(latency)?),
            classes: classes.iter().filter_map(class).collect(),
            ..Self::blank()
        })
    }

    fn unknown(why: &str) -> Self {
        Self {
            not_available: Some(why.to_owned()),
            ..Self::blank()
        }
    }

    fn blank() -> Self {
        Self {
            not_available: None,
            source: None,
            accepted_length: None,
            acceptance_rate: None,
            drafts: None,
            draft_tokens: None,
            accepted_tokens: None,
            classes: Vec::new(),
        }
    }
}

/// The server's own average over the window's readings: 0 says that it averaged nothing.
fn gauge(readings: &[ServerReading], window: Window) -> Option<f64> {
    let inside = readings
        .iter()
        .filter(|r| r.cause == ReadingCause::Interval && window.contains(r.at()));
    let lengths: Vec<f64> = inside
        .filter_map(|r| {
            r.figures
                .get(Quantity::AcceptedLength)
                .filter(|length| *length > 0.0)
        })
        .collect();
    let sum: f64 = lengths.iter().sum();
    (!lengths.is_empty()).then(|| sum / lengths.len() as f64)
}

/// Why chunks are not what the steps gave: the same number of tokens in each but the first and the
/// last (a stream interval), or many with one instant.
fn put_together(population: &Population<'_>) -> Option<String> {
    let chunks = || population.completed().map(|r| &r.chunks);
    let inner = chunks().filter_map(|c: &ChunkFacts| c.inner_tokens);
    let range = inner.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    if let Some((least, most)) = range
        && least == most
        && most > 1
    {
        return Some(format!(
            "each chunk carries {most} tokens: the server sends them at intervals"
        ));
    }
    let shared: u64 = chunks().map(|c| u64::from(c.shared_instants)).sum();
    let all: u64 = chunks().map(|c| c.count as u64).sum();
    let share = shared as f64 / all.max(1) as f64;
    (share > COALESCED_CHUNKS).then(|| {
        format!(
            "{:.0} % of the chunks came together with the one before",
            share * 100.0
        )
    })
}

#[cfg(test)]
mod tests;
