//! The head of a run for programs: one value for each metric, from the origin that its load model makes the
//! headline, so that a reader needs to know neither.
//!
//! Computes nothing: every value stands in the summary, too. Invariant: what does not exist is absent, and
//! what the sample does not carry is null.

use infermeter_analysis::{Cell, Distribution, Goodput, Mean, Percentile, Rate, Summary};
use infermeter_core::text::Word;
use infermeter_metrics::origin::Origin;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// One value for each metric, so that a reader needs to know nothing of the load model.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Headline<'a> {
    /// What the latencies of whole requests are counted from.
    origin: Origin,
    /// Measured requests.
    requests: u64,
    /// Of those, completed.
    completed: u64,
    /// Share of the measured requests that failed or timed out; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_rate: Option<f64>,
    /// Time to first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttft: Option<HeadlineTimes<'a>>,
    /// Time per output token.
    #[serde(skip_serializing_if = "Option::is_none")]
    tpot: Option<HeadlineTimes<'a>>,
    /// Gaps between tokens; between chunks where the tokens of chunks are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    itl: Option<HeadlineTimes<'a>>,
    /// End to end / output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    ntpot: Option<HeadlineTimes<'a>>,
    /// End to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    e2e: Option<HeadlineTimes<'a>>,
    /// Output tokens per second; absent where no count is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_per_s: Option<&'a Rate>,
    /// Input and output tokens per second; absent without both.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_tokens_per_s: Option<&'a Rate>,
    /// Completed requests per second; absent without a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_s: Option<&'a Rate>,
    /// Requests that meet every objective; absent without objectives.
    #[serde(skip_serializing_if = "Option::is_none")]
    goodput: Option<&'a Goodput>,
}

/// One metric at the head.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct HeadlineTimes<'a> {
    /// Unit of every value: `ms`.
    unit: &'a Word,
    /// What it is counted from.
    origin: Origin,
    /// Observations.
    n: usize,
    /// The arithmetic mean; null where too few observations carry one.
    mean: Option<&'a Mean>,
    /// The smallest observation.
    min: f64,
    /// The largest observation.
    max: f64,
    #[serde(flatten)]
    percentiles: BTreeMap<Percentile, Option<&'a Cell>>,
}

impl<'a> Headline<'a> {
    /// That of a run.
    pub fn of(summary: &'a Summary) -> Self {
        let measured = &summary.requests.measured;
        let failed = measured.failed + measured.timed_out;
        let share = failed as f64 / measured.total as f64;
        let throughput = summary.throughput.as_ref();
        let mut headline = Self {
            origin: summary.headline_origin,
            requests: measured.total,
            completed: measured.completed,
            error_rate: (measured.total > 0).then_some(share),
            ttft: None,
            tpot: None,
            itl: None,
            ntpot: None,
            e2e: None,
            output_tokens_per_s: throughput.and_then(|t| t.output_tokens.as_ref()),
            total_tokens_per_s: throughput.and_then(|t| t.total_tokens.as_ref()),
            requests_per_s: throughput.map(|t| &t.requests),
            goodput: summary.goodput.as_ref(),
        };
        for (name, distribution) in summary.headline() {
            let (place, origin) = match name {
                "TTFT" => (&mut headline.ttft, summary.headline_origin),
                "NTPOT" => (&mut headline.ntpot, summary.headline_origin),
                "E2E" => (&mut headline.e2e, summary.headline_origin),
                "TPOT" => (&mut headline.tpot, Origin::Send),
                _ => (&mut headline.itl, Origin::Send),
            };
            *place = Some(HeadlineTimes::of(
                distribution,
                origin,
                &summary.percentiles,
            ));
        }
        headline
    }
}

impl<'a> HeadlineTimes<'a> {
    fn of(distribution: &'a Distribution, origin: Origin, percentiles: &[Percentile]) -> Self {
        let cells = percentiles.iter();
        Self {
            unit: &distribution.unit,
            origin,
            n: distribution.n,
            mean: distribution.mean.as_ref(),
            min: distribution.min,
            max: distribution.max,
            percentiles: cells.map(|p| (*p, distribution.cell(*p))).collect(),
        }
    }
}
