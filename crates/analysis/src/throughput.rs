//! Throughputs with intervals from ten equal-time batch means.

use crate::CONFIDENCE;
use crate::figure::Mean;
use infermeter_core::plan::Plan;
use infermeter_core::text::Word;
use infermeter_metrics::throughput::{PARTS, Throughput, WindowCount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rate over the measured window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// Per second.
    pub per_s: f64,
    /// Lower bound (Student's t on ten equal-time batch means, on the logarithmic scale).
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// What was counted: tokens, requests or items.
    pub count: f64,
    /// Batches behind the interval.
    pub batches: usize,
}

impl From<&WindowCount> for Rate {
    fn from(count: &WindowCount) -> Self {
        Self::of_parts(count.per_second(), &count.part_rates(), count.total())
    }
}

impl Rate {
    fn of_parts(per_s: f64, parts: &[f64; PARTS], count: f64) -> Self {
        let mean = Mean::of_batches(per_s, parts, CONFIDENCE);
        Self {
            per_s: mean.value,
            low: mean.low,
            // Where nothing came, nothing bounds the rate.
            high: mean.high.filter(|_| count > 0.0),
            count,
            batches: PARTS,
        }
    }
}

/// What arrived inside the window per second, of all requests whatever their phase or outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThroughputSummary {
    /// Output tokens. Absent where chunks arrived and no token count is known, and where nothing is
    /// generated.
    pub output_tokens: Option<Rate>,
    /// Prompt tokens, at their request's first token. Absent where an import does not say all of them.
    pub input_tokens: Option<Rate>,
    /// Those from the server's cache; absent where it does not say.
    pub cached_input_tokens: Option<Rate>,
    /// Input and output together; absent without both.
    pub total_tokens: Option<Rate>,
    /// Completed requests.
    pub requests: Rate,
    /// What completed requests held several of; absent where requests hold a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemRate>,
    /// Output tokens per second and accelerator, where their number was declared.
    pub output_tokens_per_gpu: Option<Rate>,
    /// Completed requests per second and accelerator, where their number was declared.
    pub requests_per_gpu: Option<Rate>,
    /// Responses whose usage was spread evenly over their chunks.
    pub responses_spread_evenly: u64,
    /// Responses whose tokens are the tokenizer's estimate.
    pub responses_estimated: u64,
    /// Chunks inside the window whose tokens are unknown and not counted.
    pub uncounted_chunks: u64,
    /// Chunks inside the window.
    pub chunks: u64,
    /// Requests whose prompt tokens are those asked for, for want of usage.
    pub prompt_tokens_as_asked: u64,
}

/// Texts embedded, or documents ranked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ItemRate {
    /// What they are called: `inputs` or `documents`.
    pub called: Word,
    /// How many completed.
    #[serde(flatten)]
    pub rate: Rate,
}

impl ThroughputSummary {
    /// Of what was counted inside the window.
    pub(crate) fn of(counted: &Throughput, plan: &Plan) -> Self {
        let (api, gpus) = (plan.endpoint.api(), plan.gpus);
        let items = counted.items.as_ref().zip(api.input.items());
        let known = counted.uncounted_chunks < counted.chunks || counted.chunks == 0;
        let known = known || counted.output_tokens.total() > 0.0;
        let known = known && plan.endpoint.generates();
        let output_tokens = known.then(|| Rate::from(&counted.output_tokens));
        let input_tokens =
            (counted.unknown_prompts == 0).then(|| Rate::from(&counted.prompt_tokens));
        let requests = Rate::from(&counted.requests);
        let per_gpu = |rate: Rate| gpus.filter(|g| *g > 0).map(|g| divided(rate, g));
        Self {
            total_tokens: output_tokens
                .zip(input_tokens)
                .map(|_| total(&counted.output_tokens, &counted.prompt_tokens)),
            output_tokens_per_gpu: output_tokens.and_then(per_gpu),
            requests_per_gpu: per_gpu(requests),
            output_tokens,
            input_tokens,
            cached_input_tokens: counted.cached_tokens.as_ref().map(Rate::from),
            requests,
            items: items.map(|(count, called)| ItemRate {
                called: called.into(),
                rate: Rate::from(count),
            }),
            responses_spread_evenly: counted.spread_evenly,
            responses_estimated: counted.estimated,
            uncounted_chunks: counted.uncounted_chunks,
            chunks: counted.chunks,
            prompt_tokens_as_asked: counted.prompt_tokens_as_asked,
        }
    }
}

fn divided(rate: Rate, gpus: u32) -> Rate {
    let by = f64::from(gpus);
    Rate {
        per_s: rate.per_s / by,
        low: rate.low.map(|x| x / by),
        high: rate.high.map(|x| x / by),
        ..rate
    }
}

/// The sum of two counts, part by part, so that its interval keeps their dependence.
fn total(a: &WindowCount, b: &WindowCount) -> Rate {
    let mut parts = a.part_rates();
    for (part, other) in parts.iter_mut().zip(b.part_rates()) {
        *part += other;
    }
    let per_s = a.per_second() + b.per_second();
    Rate::of_parts(per_s, &parts, a.total() + b.total())
}
