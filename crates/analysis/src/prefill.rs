//! The speed of the first phase: prompt tokens that no cache held, over the time to the first token.
//!
//! A request's TTFT is all that a client sees of its prefill. It contains connecting, the network, the queue
//! and the first step of decoding, so the figure is a lower bound of the engine's own speed, and on a loaded
//! server far below it. The speed of the second phase is 1 / TPOT (`per_user_tokens_per_s`).

use crate::distribution::{Percentiles, request_cells};
use crate::latency::speed_of;
use crate::percentile::Percentile;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::Population;
use infermeter_metrics::request_metric::RequestMetric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Uncached prompt tokens / TTFT from the send, of the completed measured requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrefillSummary {
    /// Tokens per second: at `p99`, what 99 % of the requests had at least.
    pub tokens_per_s: Percentiles,
    /// Requests with a prompt that was not cached as a whole.
    pub n: u64,
    /// Of those, the ones whose usage says what came from a cache; of the others every token counts.
    pub cached_known: u64,
    /// Requests whose prompt tokens are those asked for, for want of usage.
    pub as_asked: u64,
}

/// Prompt tokens that the server had to compute; absent where all came from its cache.
fn uncached(r: &RequestFacts) -> Option<u32> {
    let prompt = r.input_tokens()?;
    let uncached = prompt.checked_sub(r.cached_tokens.unwrap_or(0))?;
    (uncached > 0).then_some(uncached)
}

impl PrefillSummary {
    /// Of a population; `None` where no request has a first token.
    pub(crate) fn of(population: &Population<'_>, wanted: &[Percentile]) -> Option<Self> {
        if !population.streaming() {
            return None;
        }
        let mut found = Self {
            tokens_per_s: Percentiles::new(),
            n: 0,
            cached_known: 0,
            as_asked: 0,
        };
        let mut ms_per_token = Vec::new();
        for request in population.completed() {
            let ttft = RequestMetric::Ttft.value_ms(request, Origin::Send);
            let Some((tokens, ttft)) = uncached(request).zip(ttft) else {
                continue;
            };
            ms_per_token.push(ttft / f64::from(tokens));
            found.n += 1;
            found.cached_known += u64::from(request.cached_tokens.is_some());
            found.as_asked += u64::from(request.prompt_tokens.is_none());
        }
        let cells = request_cells(&ms_per_token, wanted)?;
        found.tokens_per_s = cells.iter().map(|(p, cell)| (*p, speed_of(cell))).collect();
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_metrics::fixture::{Run, facts, ms};

    #[test]
    fn speeds_by_hand() {
        let mut run = Run::open(1.0, 60);
        for i in 0..40 {
            run.stream(i * 1_000, ms(20 + i % 2), ms(10), 2);
        }
        let mut log = run.build();
        // 100 prompt tokens; of the even ones 60 are cached, of one all: it has no prefill.
        for record in log.records.iter_mut().step_by(2) {
            record.cached_tokens = Some(60);
        }
        log.records[0].cached_tokens = Some(100);
        log.records[1].prompt_tokens = None;
        let collected = facts(&log);
        let population = Population::of(&collected);
        let found = PrefillSummary::of(&population, &Percentile::DEFAULT).expect("a prefill");
        assert_eq!((found.n, found.cached_known, found.as_asked), (39, 19, 1));
        // 40 tokens in 20 ms, or 100 in 21 ms: the slower ones are 19 of 39.
        let p50 = &found.tokens_per_s[&Percentile::DEFAULT[0]];
        assert_eq!(p50.value.map(f64::round), Some(4_762.0));
        assert_eq!(p50.low, Some(2_000.0));
    }

    #[test]
    fn without_a_stream_there_is_none() {
        let mut run = Run::open(1.0, 60);
        run.stream(0, ms(20), ms(10), 2);
        let mut log = run.build();
        log.manifest.plan.no_stream = true;
        let collected = facts(&log);
        let none = PrefillSummary::of(&Population::of(&collected), &Percentile::DEFAULT);
        assert_eq!(none, None);
    }
}
