//! The formats that are read, by name, and what is known of the tool behind each.

use schemars::JsonSchema;
use serde::Serialize;

/// The format of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A run directory of infermeter.
    Infermeter,
    /// `vllm bench serve`.
    Vllm,
    /// The Rust client of vLLM's benchmark.
    VllmRust,
    /// SGLang `bench_serving`.
    Sglang,
    /// AIPerf: `profile_export_aiperf.json` or `profile_export.jsonl`.
    Aiperf,
    /// GenAI-Perf.
    GenaiPerf,
    /// GuideLLM.
    Guidellm,
    /// inference-perf.
    InferencePerf,
    /// llmperf.
    Llmperf,
    /// genai-bench.
    GenaiBench,
    /// llm-d Benchmark Report.
    Llmd,
    /// MLPerf LoadGen: `mlperf_log_summary.txt` or `mlperf_log_detail.txt`.
    MlperfLoadgen,
    /// MLPerf Endpoints: `result_summary.json`.
    MlperfEndpoints,
    /// evalscope: `benchmark_summary.json` or `benchmark_percentile.json`.
    Evalscope,
    /// LLMeter: `stats.json` or `responses.jsonl`.
    Llmeter,
    /// oha, a load generator for any HTTP server.
    Oha,
    /// Rows of InferenceX (InferenceMAX).
    InferenceX,
    /// CSV of the LLM-Perf leaderboard (optimum-benchmark).
    LlmPerf,
    /// CSV or JSON read through a mapping file.
    Mapped,
}

/// When a tool that counts tokens itself does so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tokenising {
    /// Once nothing is timed any more, or in processes of its own.
    OutsideTiming,
    /// Between requests, while the duration goes on.
    InsideDuration,
    /// It is not known, or differs between versions.
    Unknown,
}

impl Format {
    /// The name printed.
    pub fn label(self) -> &'static str {
        match self {
            Self::Infermeter => "infermeter run",
            Self::Vllm => "vllm bench serve",
            Self::VllmRust => "vllm bench serve (Rust client)",
            Self::Sglang => "SGLang bench_serving",
            Self::Aiperf => "AIPerf",
            Self::GenaiPerf => "GenAI-Perf",
            Self::Guidellm => "GuideLLM",
            Self::InferencePerf => "inference-perf",
            Self::Llmperf => "llmperf",
            Self::GenaiBench => "genai-bench",
            Self::Llmd => "llm-d Benchmark Report",
            Self::MlperfLoadgen => "MLPerf LoadGen",
            Self::MlperfEndpoints => "MLPerf Endpoints",
            Self::Evalscope => "evalscope",
            Self::Llmeter => "LLMeter",
            Self::Oha => "oha",
            Self::InferenceX => "InferenceX",
            Self::LlmPerf => "LLM-Perf leaderboard",
            Self::Mapped => "mapped file",
        }
    }

    /// Whether E2E is known to end with the last token. With other tools it ends with the stream,
    /// frames after the last token included, or nobody says.
    pub fn e2e_ends_at_last_token(self) -> bool {
        match self {
            Self::Infermeter
            | Self::Aiperf
            | Self::GenaiPerf
            | Self::Guidellm
            | Self::MlperfLoadgen => true,
            Self::Vllm
            | Self::VllmRust
            | Self::Sglang
            | Self::InferencePerf
            | Self::Llmperf
            | Self::GenaiBench
            | Self::Llmd
            | Self::MlperfEndpoints
            | Self::Evalscope
            | Self::Llmeter
            | Self::Oha
            | Self::InferenceX
            | Self::LlmPerf
            | Self::Mapped => false,
        }
    }

    /// When its tool counts tokens, as its source has it.
    pub(crate) fn tokenising(self) -> Tokenising {
        match self {
            // vllm bench serve and bench_serving count after the last answer; AIPerf in processes of
            // its own, behind the stamps. oha counts none.
            Self::Infermeter
            | Self::Vllm
            | Self::VllmRust
            | Self::Sglang
            | Self::Aiperf
            | Self::GenaiPerf
            | Self::Oha => Tokenising::OutsideTiming,
            // Its one loop counts an answer before it sends the next request.
            Self::Llmperf => Tokenising::InsideDuration,
            // inference-perf has versions that count before they stamp the end.
            Self::InferencePerf
            | Self::Guidellm
            | Self::GenaiBench
            | Self::Llmd
            | Self::MlperfLoadgen
            | Self::MlperfEndpoints
            | Self::Evalscope
            | Self::Llmeter
            | Self::InferenceX
            | Self::LlmPerf
            | Self::Mapped => Tokenising::Unknown,
        }
    }

    /// Whether the client that wrote it was infermeter.
    pub(crate) fn is_own(self) -> bool {
        self == Self::Infermeter
    }
}
