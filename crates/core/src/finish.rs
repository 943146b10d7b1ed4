//! How an answer ended, by the server's word.
//!
//! Does not judge. Invariant: an answer whose server gave no `finish_reason` has none; a word that is not
//! known is [`FinishReason::Other`], never one of the known ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A `finish_reason`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended the answer: `stop`, `eos_token`, `stop_sequence`, `end_turn`, `completed`.
    Stop,
    /// A limit on its length was reached: `length`, `max_tokens`, `max_output_tokens`.
    Length,
    /// It ended in a call of a tool: `tool_calls`, `function_call`, `tool_use`.
    ToolCalls,
    /// A filter cut it: `content_filter`, `refusal`.
    ContentFilter,
    /// The server gave it up: `abort`, `error`, `cancelled`. Such an answer is not complete.
    Aborted,
    /// Another word.
    Other,
}

/// The words of each kind, in lower case: OpenAI's (Responses say `completed` where chat says `stop`), those of Anthropic,
/// and those of TGI, Mistral and Gemini behind their gateways. Servers abort with words of their own: vLLM and SGLang `abort`, vLLM and LMDeploy `error`,
/// TensorRT-LLM `cancelled` and `not_finished`, DeepSeek `insufficient_system_resource`.
const WORDS: [(FinishReason, &[&str]); 5] = [
    (
        FinishReason::Stop,
        &[
            "stop",
            "eos",
            "eos_token",
            "stop_sequence",
            "end_turn",
            "completed",
        ],
    ),
    (
        FinishReason::Length,
        &[
            "length",
            "max_tokens",
            "max_length",
            "model_length",
            "max_output_tokens",
            "model_context_window_exceeded",
        ],
    ),
    (
        FinishReason::ToolCalls,
        &["tool_calls", "tool_call", "tool_use", "function_call"],
    ),
    (FinishReason::ContentFilter, &["content_filter", "refusal"]),
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
            "failed",
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
            "completed",
            "max_output_tokens",
            "refusal",
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
            "stop",
            "length",
            "content_filter",
            "other",
            "other",
        ];
        assert_eq!(names, expect);
    }
}
