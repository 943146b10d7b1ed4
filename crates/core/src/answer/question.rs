//! Requests whose answers a program can check.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was asked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Question {
    /// Of which kind it is.
    pub kind: QuestionKind,
    /// Number of the canary, from 0; of an evaluation the row, counted over all files in the plan's order.
    pub row: u32,
}

/// The kinds of questions.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum QuestionKind {
    /// A canary: say this marker.
    #[serde(rename = "canary-copy")]
    Copy,
    /// A canary: say what stands somewhere in the prompt.
    #[serde(rename = "canary-needle")]
    Needle,
    /// A canary: count.
    #[serde(rename = "canary-count")]
    Count,
    /// A canary: say words in the other order.
    #[serde(rename = "canary-reverse")]
    Reverse,
    /// A canary: add or multiply.
    #[serde(rename = "canary-arithmetic")]
    Arithmetic,
    /// A canary: call the right tool.
    #[serde(rename = "canary-tool")]
    Tool,
    /// A canary: an object with these members.
    #[serde(rename = "canary-json")]
    Json,
    /// A row of an evaluation.
    #[serde(rename = "eval")]
    Eval,
}

impl QuestionKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Copy,
        Self::Needle,
        Self::Count,
        Self::Reverse,
        Self::Arithmetic,
        Self::Tool,
        Self::Json,
        Self::Eval,
    ];

    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copy => "canary-copy",
            Self::Needle => "canary-needle",
            Self::Count => "canary-count",
            Self::Reverse => "canary-reverse",
            Self::Arithmetic => "canary-arithmetic",
            Self::Tool => "canary-tool",
            Self::Json => "canary-json",
            Self::Eval => "eval",
        }
    }

    /// The kind with this name in files.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// It is one of ours, and no row of an evaluation.
    pub fn is_canary(self) -> bool {
        self != Self::Eval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files() {
        for kind in QuestionKind::ALL {
            assert_eq!(QuestionKind::parse(kind.as_str()), Some(kind));
            let json = serde_json::to_value(kind).expect("JSON");
            assert_eq!(json, kind.as_str());
        }
        assert_eq!(QuestionKind::parse("copy"), None);
    }
}
