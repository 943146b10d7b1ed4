//! The one row that all formats are brought to.
//!
//! It holds no text: a row says where in the file its text stands, so that rows stay small.
//! Invariant: what a format does not tell is absent, never 0.

use serde::Serialize;

/// Most rows of a trace (16 bytes each, and 4 for each hash id); use a limit to replay a part.
pub(crate) const MAX_TRACE_ROWS: usize = 50_000_000;

/// Most tokens that a row may ask for, as for fixed lengths in a plan.
pub const MAX_TOKENS: u32 = 4_000_000;

/// One request of a trace or of a dataset, whatever its format.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Row {
    /// Line of the file that it begins in, from 1.
    pub line: u64,
    /// Nanoseconds after the first row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ns: Option<i64>,
    /// Tokens of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u32>,
    /// Tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u32>,
    /// What kind of request it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Conversation that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Place in the conversation, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// Its own name, where others refer to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name of the request before it in the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Names of further requests that have to end before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_after: Vec<String>,
    /// Nanoseconds between the answer before it and this request (a tool at work, mostly).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<i64>,
    /// Images of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<u32>,
    /// Where the text stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextRef>,
    /// Tokens of a block of the prompt, where there are hash ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_tokens: Option<u32>,
    /// Blocks of the prompt, in order; equal ids are equal blocks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hash_ids: Vec<u64>,
}

/// Where the text of a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TextRef {
    /// Bytes before it.
    pub offset: u64,
    /// Its length in the file, bytes.
    pub bytes: u32,
    /// Which request of the conversation there, from 0.
    pub request: u32,
}

/// Lengths for a row that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawnLengths {
    /// Tokens of the prompt.
    pub input_tokens: u32,
    /// Tokens of the answer.
    pub output_tokens: u32,
}

/// What can be replayed: one request with an instant and both lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceRow {
    /// Nanoseconds after the first row.
    pub offset_ns: i64,
    /// Tokens of the prompt, at least 1.
    pub input_tokens: u32,
    /// Tokens of the answer, at least 1.
    pub output_tokens: u32,
}
