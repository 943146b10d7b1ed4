//! Sessions as the summary has them.

use crate::distribution::{Distribution, Weight};
use crate::percentile::Percentile;
use crate::run::Run;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::sessions::{SessionCollector, SessionCounts, TurnSamples};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sessions: those that began inside the window, and the measured turns of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionSummary {
    /// How they ended.
    pub counts: SessionCounts,
    /// From the first intended instant to the end of the last answer, of completed sessions.
    pub duration: Option<Distribution>,
    /// Turns of a completed session, mean.
    pub turns_mean: Option<f64>,
    /// Turns of a completed session, most.
    pub turns_max: Option<u32>,
    /// First turns.
    pub first_turns: TurnSummary,
    /// All other turns.
    pub later_turns: TurnSummary,
    /// Turns of a trace that waited for an answer: how much later than in the trace they were due;
    /// absent where no turn has an instant of its own.
    pub slip: Option<Distribution>,
}

/// Turns at one kind of place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TurnSummary {
    /// Measured requests.
    pub measured: u64,
    /// TTFT from the headline origin.
    pub ttft: Option<Distribution>,
    /// E2E from the headline origin.
    pub e2e: Option<Distribution>,
    /// Prompt tokens, mean; absent without usage.
    pub prompt_tokens_mean: Option<f64>,
    /// Share of the prompt tokens that the server took from its cache; absent where it does not say.
    pub cached_share: Option<f64>,
}

impl SessionSummary {
    /// Of a run; `None` where requests stand alone.
    pub(crate) fn of(run: &Run, origin: Origin, wanted: &[Percentile]) -> Option<Self> {
        let mut collector = SessionCollector::new(origin);
        let requests = run.collected.requests.iter();
        requests.for_each(|request| collector.add(request));
        let progress = run.manifest.progress.as_ref();
        let unfinished = progress.map_or(&[][..], |p| &p.unfinished_sessions);
        let samples = collector.finish(unfinished)?;
        let turns = &samples.turns;
        let sum: u64 = turns.iter().map(|n| u64::from(*n)).sum();
        Some(Self {
            counts: samples.counts,
            duration: Distribution::of_requests(&samples.duration_ms, wanted).map(|d| {
                Distribution {
                    weight: Weight::Session,
                    ..d
                }
            }),
            turns_mean: (!turns.is_empty()).then(|| sum as f64 / turns.len() as f64),
            turns_max: turns.iter().copied().max(),
            first_turns: TurnSummary::of(&samples.first, wanted),
            later_turns: TurnSummary::of(&samples.later, wanted),
            slip: Distribution::of_requests(&samples.slip_ms, wanted),
        })
    }
}

impl TurnSummary {
    fn of(samples: &TurnSamples, wanted: &[Percentile]) -> Self {
        let n = samples.e2e_ms.len();
        let tokens = samples.prompt_tokens as f64;
        let known = samples.prompt_tokens > 0 && n > 0;
        Self {
            measured: samples.measured,
            ttft: Distribution::of_requests(&samples.ttft_ms, wanted),
            e2e: Distribution::of_requests(&samples.e2e_ms, wanted),
            prompt_tokens_mean: known.then(|| tokens / n as f64),
            cached_share: samples
                .cached_tokens
                .filter(|_| known)
                .map(|c| c as f64 / tokens),
        }
    }
}
