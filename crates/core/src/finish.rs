//! How an answer ended, by the server's word.
//!
//! Does not judge. Invariant: an answer whose server gave no `finish_reason` has none; a word that is not
//! known is [`FinishReason::Other`], never one of the known ones.

use serde::{Deserialize, Serialize};

/// A `finish_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended the answer: `stop`, `eos_token`, `stop_sequence`.
    Stop,
    /// A limit on its length was reached: `length`, `max_tokens`, `model_length`.
    Length,
    /// It ended in a call of a tool: `tool_calls`, `function_call`.
    ToolCalls,
    /// A filter cut it: `content_filter`.
    ContentFilter,
    /// The server gave it up: `abort`, `error`, `cancelled`. Such an answer is not complete.
    Aborted,
    /// Another word.
    Other,
}

/// The words of each kind, in lower case: OpenAI's, and those of TGI, Mistral, Anthropic and Gemini behind
/// their gateways. Servers abort with words of their own: vLLM and SGLang `abort`, vLLM and LMDeploy `error`,
/// TensorRT-LLM `cancelled` and `not_finished`, DeepSeek `insufficient_system_resource`.
const WORDS: [(FinishReason, &[&str]); 5] = [
    (
        FinishReason::Stop,
        &["stop", "eos", "eos_token", "stop_sequence", "end_turn"],
    ),
    (
        FinishReason::Length,
        &["length", "max_tokens", "max_length", "model_length"],
    ),
    (
        FinishReason::ToolCalls,
        &["tool_calls", "tool_call", "tool_use", "function_call"],
    ),
    (FinishReason::ContentFilter, &["content_filter"]),
    (
        FinishReason::Aborted,
        &[
            "abort",
            "aborted",
            "error",
            "cancel",
            "cancelled",
            "canceled",
            "not_finished",
            "timeout",
            "insufficient_system_resource",
        ],
    ),
];

impl FinishReason {
    /// The reason that a server's word stands for, whatever its case.
    pub fn of(word: &str) -> Self {
        let known = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        let found = WORDS.iter().find(|(_, words)| known(words));
        found.map_or(Self::Other, |(reason, _)| *reason)
    }

    /// The answer may have been ended by a token that no chunk shows.
    pub fn has_hidden_end(self) -> bool {
        matches!(self, Self::Stop | Self::ToolCalls)
    }

    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Aborted => "aborted",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FinishReason;

    #[test]
    fn words_of_servers() {
        let words = [
            "stop",
            "stop_sequence",
            "MAX_TOKENS",
            "function_call",
            "abort",
            "insufficient_system_resource",
            "recitation",
            "",
        ];
        let names = words.map(|word| FinishReason::of(word).as_str());
        let expect = [
            "stop",
            "stop",
            "length",
            "tool_calls",
            "aborted",
            "aborted",
            "other",
            "other",
        ];
        assert_eq!(names, expect);
    }
}
