//! What a server says of itself while it is measured: readings of its metrics page.
//!
//! Facts as they were read, one value per figure over all engines behind the page; nothing is
//! computed from them here. Invariant: what a page does not say is absent, never 0.

use crate::clock::Offset;
use crate::schedule::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of `server-metrics.jsonl`.
pub const SERVER_METRICS_VERSION: u32 = 1;

/// An engine whose series are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerEngine {
    /// vLLM, and what speaks its names.
    Vllm,
    /// SGLang.
    Sglang,
    /// llama.cpp's server.
    LlamaCpp,
    /// Text Generation Inference.
    Tgi,
    /// TensorRT-LLM, under Triton or served by itself.
    TensorrtLlm,
}

impl ServerEngine {
    /// The name people use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::LlamaCpp => "llama.cpp",
            Self::Tgi => "TGI",
            Self::TensorrtLlm => "TensorRT-LLM",
        }
    }
}

/// The figures of one page. Counts are summed over the engines behind it, shares averaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerFigures {
    /// Requests that take part in the engine's steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<f64>,
    /// Requests in its queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<f64>,
    /// Share of the KV cache in use, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_usage: Option<f64>,
    /// Counter: sequences that gave their KV cache back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preemptions: Option<f64>,
    /// Counter: prompt tokens looked up in the prefix cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_queries: Option<f64>,
    /// Counter: of those, found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_hits: Option<f64>,
    /// Counter: drafts verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drafts: Option<f64>,
    /// Counter: tokens of these drafts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_tokens: Option<f64>,
    /// Counter: of those, accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_tokens: Option<f64>,
    /// Tokens per verified draft as the engine itself averages them lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_length: Option<f64>,
}

/// Why a page was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingCause {
    /// A multiple of the interval had passed since the run's origin.
    Interval,
    /// A phase began: `phase` names it.
    PhaseStart,
    /// The load had ended.
    End,
}

/// One reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerReading {
    /// Before the request was sent.
    pub asked_ns: Offset,
    /// When the answer was there, or the failure.
    pub answered_ns: Offset,
    /// Phase of the load when it was asked.
    pub phase: Phase,
    /// Why it was read.
    pub cause: ReadingCause,
    /// Readings left out before this one because the server still owed an answer.
    #[serde(default)]
    pub skipped: u64,
    /// Why there are no figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the page said.
    #[serde(default)]
    pub figures: ServerFigures,
}

impl ServerReading {
    /// The instant that the figures are taken for: the middle between question and answer.
    pub fn at(&self) -> Offset {
        Offset(self.asked_ns.0 + self.answered_ns.since(self.asked_ns) / 2)
    }
}

/// What was read: the first line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerWatch {
    /// [`SERVER_METRICS_VERSION`].
    pub format_version: u32,
    /// Whose series were found before the load.
    pub engine: ServerEngine,
    /// The page, user info hidden.
    pub url: String,
    /// From one reading to the next, nanoseconds.
    pub interval_ns: i64,
}

/// All readings of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerReadings {
    /// What was read.
    pub watch: ServerWatch,
    /// In order of time.
    pub readings: Vec<ServerReading>,
}
