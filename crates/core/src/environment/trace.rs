//! What was read from a file of requests: counts, what was left out and why, and what became of the
//! members that its requests bring.

use super::OtherMembers;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Lines named for each reason.
const LINES_NAMED: usize = 5;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TraceRead {
    /// The format.
    pub format: String,
    /// The file is compressed with gzip.
    pub compressed: bool,
    /// Rows kept.
    pub rows: u64,
    /// Rows left out, by reason.
    pub skipped: Vec<Skipped>,
    /// Rows read, but not among those selected afterwards (by thinning).
    pub unselected: u64,
    /// Rows whose prompt was cut to the context.
    pub clipped: Touched,
    /// Rows whose parent in the conversation is not in the file above them.
    pub orphans: Touched,
    /// Tokens of a block, where rows have hash ids.
    pub block_tokens: Option<u32>,
    /// Unit of the timestamps, where they are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<String>,
    /// What requests of texts bring beside them, and what becomes of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberUse>,
    /// Names of members beyond the first 100, which are not told apart.
    #[serde(skip_serializing_if = "is_zero")]
    pub members_beyond: u64,
    /// Rows of a trace whose answer's length is drawn: the file has none.
    #[serde(skip_serializing_if = "is_zero")]
    pub drawn_outputs: u64,
    /// What was done to the rows, in order.
    pub operations: Vec<String>,
    /// Of another version.
    #[serde(flatten)]
    pub other: OtherMembers,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Why a row is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// It failed when it was recorded: it has no response tokens.
    Failed,
    /// Prompt and answer exceed the context.
    OverContext,
    /// Its conversation has no answer to ask for.
    NoAnswer,
    /// Its prompt is empty.
    NoPrompt,
    /// It has images, which are not sent.
    Images,
    /// It has audio, files or other parts that are not sent.
    OtherParts,
    /// One of its texts is null.
    NullText,
    /// It asks for no output tokens: there would be nothing to measure.
    NoOutput,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed when recorded (0 response tokens)",
            Self::OverContext => "longer than the context",
            Self::NoAnswer => "a conversation without an answer",
            Self::NoPrompt => "an empty prompt",
            Self::Images => "with images, which are not sent",
            Self::OtherParts => "with parts that are neither text nor image, which are not sent",
            Self::NullText => "a text that is null",
            Self::NoOutput => "0 output tokens, which cannot be asked for",
        })
    }
}

/// Rows left out or changed for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Touched {
    /// How many.
    pub rows: u64,
    /// Lines of the first few.
    pub first_lines: Vec<u64>,
}

impl Touched {
    /// Counts a row.
    pub fn add(&mut self, line: u64) {
        self.rows += 1;
        if self.first_lines.len() < LINES_NAMED {
            self.first_lines.push(line);
        }
    }

    /// `12 rows (lines 3, 8, 9, 14, 20, ...)`.
    pub fn described(&self) -> String {
        let mut lines: Vec<String> = self.first_lines.iter().map(u64::to_string).collect();
        if self.rows as usize > lines.len() {
            lines.push("...".to_owned());
        }
        let s = if self.rows == 1 { "" } else { "s" };
        format!("{} row{s} (line{s} {})", self.rows, lines.join(", "))
    }
}

/// Rows left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Why.
    pub reason: SkipReason,
    /// Which.
    pub touched: Touched,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.touched.described(), self.reason)
    }
}

/// What becomes of a member.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is sent as it stands.
    Sent,
    /// infermeter sets it itself.
    Ours,
    /// A flag sets it.
    Flag,
    /// It is no member of the chat or completions API.
    Unknown,
    /// It is a member of another API than the one in use.
    OtherApi,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Sent,
        Self::Ours,
        Self::Flag,
        Self::Unknown,
        Self::OtherApi,
    ];
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sent => "sent as they stand",
            Self::Ours => "not sent, infermeter sets them itself",
            Self::Flag => "not sent, a flag sets them",
            Self::Unknown => "not sent, no members of the API",
            Self::OtherApi => "not sent, this API does not take them",
        })
    }
}

/// A member and how many rows have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberUse {
    /// Its name, inert; `messages[].NAME` for one of a message.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
    /// Rows that have it.
    pub rows: u64,
}
