//! Names of other tools for what is measured: a table for each format that is read and written.
//!
//! Its importer and its exporter take names, units and meanings from here, so that a file which was exported
//! reads back as what it was. Invariant: a name is translated by what it means, never by how it sounds.

use crate::facts::statistics::Metric;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// A latency, from the send: a distribution, milliseconds here.
    Latency(Metric),
    /// Output tokens of a request: a distribution.
    OutputLength,
    /// From the instant that a request was due to its send, milliseconds: a distribution.
    SendLag,
    /// Requests that completed.
    Completed,
    /// Requests that did not.
    Failed,
    /// Seconds.
    Duration,
    /// Prompt tokens of the completed requests.
    InputTokens,
    /// Output tokens of the completed requests.
    OutputTokens,
    /// Completed requests per second.
    RequestRate,
    /// Prompt tokens per second.
    InputRate,
    /// Output tokens per second.
    OutputRate,
    /// Both together.
    TotalRate,
    /// Output tokens per second and accelerator.
    OutputRatePerGpu,
}

impl Quantity {
    /// The name printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latency(metric) => metric.as_str(),
            Self::OutputLength => "output tokens",
            Self::SendLag => "send lag",
            Self::Completed => "completed requests",
            Self::Failed => "failed requests",
            Self::Duration => "duration",
            Self::InputTokens => "prompt tokens, total",
            Self::OutputTokens => "output tokens, total",
            Self::RequestRate => "request throughput",
            Self::InputRate => "input throughput",
            Self::OutputRate => "output throughput",
            Self::TotalRate => "total throughput",
            Self::OutputRatePerGpu => "output throughput per GPU",
        }
    }
}

/// A name of another tool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// As it stands in the file; of a distribution without its statistic.
    pub theirs: &'static str,
    /// What it is here.
    pub ours: Quantity,
    /// What one of its unit is here; 1 where the file names the unit.
    pub factor: f64,
    /// What it means, where the name does not say it.
    pub remark: &'static str,
}

const fn term(theirs: &'static str, ours: Quantity, factor: f64, remark: &'static str) -> Term {
    Term {
        theirs,
        ours,
        factor,
        remark,
    }
}

const fn latency(theirs: &'static str, metric: Metric, remark: &'static str) -> Term {
    term(theirs, Quantity::Latency(metric), 1.0, remark)
}

const fn single(theirs: &'static str, ours: Quantity) -> Term {
    term(theirs, ours, 1.0, "")
}

const fn in_seconds(theirs: &'static str, metric: Metric, remark: &'static str) -> Term {
    term(theirs, Quantity::Latency(metric), 1e3, remark)
}

/// `vllm bench serve`: `mean_ttft_ms`, `p99_ttft_ms` and the like.
pub const VLLM: &[Term] = &[
    latency(
        "itl",
        Metric::ChunkGap,
        "one gap per chunk, however many tokens it carries",
    ),
    latency("tpot", Metric::Tpot, "(E2E - TTFT) / (tokens - 1)"),
    latency(
        "ttft",
        Metric::Ttft,
        "from the send; stamped by the client's event loop",
    ),
    latency("e2el", Metric::E2e, "to the end of the stream"),
    term(
        "duration",
        Quantity::Duration,
        1.0,
        "first send to last end: ramp and drain are in it",
    ),
    single("completed", Quantity::Completed),
    single("failed", Quantity::Failed),
    single("total_input_tokens", Quantity::InputTokens),
    single("total_output_tokens", Quantity::OutputTokens),
    single("request_throughput", Quantity::RequestRate),
    single("output_throughput", Quantity::OutputRate),
    single("total_token_throughput", Quantity::TotalRate),
    single("input_throughput", Quantity::InputRate),
];

/// AIPerf: an object with unit and statistics for each.
pub const AIPERF: &[Term] = &[
    latency(
        "inter_token_latency",
        Metric::Tpot,
        "(last - first token) / (tokens - 1)",
    ),
    latency(
        "inter_chunk_latency",
        Metric::ChunkGap,
        "gaps between chunks",
    ),
    latency(
        "time_to_first_token",
        Metric::Ttft,
        "from the send; stamped by the client",
    ),
    latency(
        "request_latency",
        Metric::E2e,
        "from the send to the last response",
    ),
    term(
        "output_sequence_length",
        Quantity::OutputLength,
        1.0,
        "the client's tokenizer; usage_completion_tokens is the server's count",
    ),
    term(
        "credit_to_start_latency",
        Quantity::SendLag,
        1.0,
        "from the scheduler's credit to the send",
    ),
    single("request_throughput", Quantity::RequestRate),
    single("output_token_throughput", Quantity::OutputRate),
    single("input_token_throughput", Quantity::InputRate),
    single("total_token_throughput", Quantity::TotalRate),
];

/// llm-d Benchmark Report, `results.request_performance.aggregate`: units stand beside the statistics.
pub const LLMD: &[Term] = &[
    latency(
        "time_per_output_token",
        Metric::Tpot,
        "(last - first token) / (tokens - 1)",
    ),
    latency(
        "normalized_time_per_output_token",
        Metric::Ntpot,
        "E2E / tokens",
    ),
    latency(
        "inter_token_latency",
        Metric::Itl,
        "as the load generator behind the report defines it",
    ),
    latency("time_to_first_token", Metric::Ttft, ""),
    latency("request_latency", Metric::E2e, ""),
    single("request_rate", Quantity::RequestRate),
    single("input_token_rate", Quantity::InputRate),
    single("output_token_rate", Quantity::OutputRate),
    single("total_token_rate", Quantity::TotalRate),
];

/// Rows of InferenceX: vLLM's names, in seconds.
pub const INFERENCEX: &[Term] = &[
    in_seconds(
        "itl",
        Metric::ChunkGap,
        "one gap per chunk, however many tokens it carries",
    ),
    in_seconds("tpot", Metric::Tpot, "(E2E - TTFT) / (tokens - 1)"),
    in_seconds("e2el", Metric::E2e, "to the end of the stream"),
    in_seconds("ttft", Metric::Ttft, ""),
    single("output_tput_per_gpu", Quantity::OutputRatePerGpu),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_one_thing() {
        for terms in [VLLM, AIPERF, LLMD, INFERENCEX] {
            for (index, term) in terms.iter().enumerate() {
                let others = &terms[index + 1..];
                assert!(
                    others
                        .iter()
                        .all(|o| o.theirs != term.theirs && o.ours != term.ours),
                    "{}",
                    term.theirs
                );
            }
        }
    }
}
