//! The trial of response caching: pairs of a repeated and a fresh prompt, timed on a quiet server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the trial saw. Nothing is left out: a trial that broke off keeps its pairs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CacheTrial {
    /// Answers in pairs, in the order of sending.
    pub pairs: Vec<CachePair>,
    /// Why the trial broke off.
    pub problem: Option<String>,
}

/// A repeated prompt beside a fresh one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CachePair {
    /// The prompt that was answered before.
    pub repeated: AnswerTimes,
    /// A prompt of the same length that was not.
    pub fresh: AnswerTimes,
}

/// One answer, timed by the program from the write of its request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerTimes {
    /// To the read that held the first generated text; absent for an answer that is not a stream.
    pub ttft_ms: Option<f64>,
    /// To the last read.
    pub e2e_ms: f64,
    /// `usage.completion_tokens`; absent where the server does not say.
    pub output_tokens: Option<u64>,
}
