//! How an answer ended, by the server's word.
//!
//! Does not judge. Invariant: an answer whose server gave no `finish_reason` has none; a word that is not
//! known is [`FinishReason::Other`], never one of the known ones.

use serde::Serialize;

/// A `finish_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended the answer: `stop`, `eos_token`, `stop_sequence`.
    Stop,
    /// A limit on its length was reached: `length`, `max_tokens`.
    Length,
    /// It ended in a call of a tool: `tool_calls`, `function_call`.
    ToolCalls,
    /// A filter cut it: `content_filter`.
    ContentFilter,
    /// Another word.
    Other,
}

impl FinishReason {
    /// The reason that a server's word stands for.
    pub fn of(word: &str) -> Self {
        match word {
            "stop" | "eos_token" | "stop_sequence" => Self::Stop,
            "length" | "max_tokens" => Self::Length,
            "tool_calls" | "function_call" => Self::ToolCalls,
            "content_filter" => Self::ContentFilter,
            _ => Self::Other,
        }
    }

    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FinishReason;

    #[test]
    fn words_of_servers() {
        let words = ["stop", "stop_sequence", "length", "function_call", "abort"];
        let names = words.map(|word| FinishReason::of(word).as_str());
        assert_eq!(names, ["stop", "stop", "length", "tool_calls", "other"]);
    }
}
