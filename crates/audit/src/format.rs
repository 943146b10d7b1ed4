//! The formats that are read, by name, and what is known of the tool behind each.

use serde::Serialize;

/// The format of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
    /// CSV or JSON read through a mapping file.
    Mapped,
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
            Self::Mapped => "mapped file",
        }
    }

    /// Whether the client that wrote it was infermeter.
    pub fn is_own(self) -> bool {
        self == Self::Infermeter
    }
}
