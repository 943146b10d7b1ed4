//! What was asked with nothing else in flight, before and after the load: beside it the answers under load are judged.
//!
//! No texts. Invariant: a question of a pass is one of the measured load's.

use crate::answer::{Fingerprint, Question};
use crate::request::RequestId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that was asked alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Solo {
    /// Questions before the load; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<SoloPass>,
    /// The same questions after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<SoloPass>,
    /// Prompts of the load, word for word, after it; absent where no reference was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferencePasses>,
}

/// Questions, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SoloPass {
    /// Questions that were to be asked.
    pub wanted: u32,
    /// Those that were answered, in the order of asking.
    pub answers: Vec<SoloAnswer>,
    /// Why it ended.
    pub ended_by: SoloEnd,
    /// What went wrong, in words; absent where nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Why questions are asked no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SoloEnd {
    /// All were asked.
    AllAsked,
    /// Its time was over.
    Time,
    /// The server did not answer any more, or the run was interrupted.
    Failed,
}

/// The answer to one question, asked alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SoloAnswer {
    /// The measured request with the same question.
    pub id: RequestId,
    /// The question.
    pub question: Question,
    /// Whether the answer is right; absent where it cannot be judged.
    pub correct: Option<bool>,
    /// What the checks found, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// Characters of the visible text.
    pub chars: u32,
    /// Output tokens by usage.
    pub output_tokens: Option<u32>,
    /// How the server says that it ended.
    pub finish_reason: Option<String>,
    /// From the request to the last byte of the answer, nanoseconds.
    pub e2e_ns: i64,
}

/// Prompts of the load that were asked again alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReferencePasses {
    /// Prompts that were to be asked.
    pub wanted: u32,
    /// Those that were answered.
    pub asked: u32,
    /// Those that were answered twice.
    pub repeated: u32,
    /// The server said how likely its tokens were.
    pub logprobs: bool,
    /// Requests ask for the same answer each time: greedy, or by a seed.
    pub deterministic_asked: bool,
    /// What tells the answers from those of another server, by request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<ReferenceAnswers>,
    /// What went wrong, in words; absent where nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The answers to one prompt, asked alone, without their texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceAnswers {
    /// The measured request with the same prompt.
    pub id: RequestId,
    /// The first answer.
    pub first: Fingerprint,
    /// The second one; absent where it was not asked for, or not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Fingerprint>,
}

/// A file of questions with answers that rode in the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvalFile {
    /// Its name, without folders.
    pub name: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its rows.
    pub rows: u32,
    /// Number of its first row, counted over all files.
    pub first_row: u32,
    /// Share of the requests that carry one of its rows.
    pub share: f64,
    /// It was made up, here.
    pub synthetic: bool,
}
