//! What an import is asked, and what comes of it.
//!
//! It reads and writes nothing. Invariant: what a log does not say is absent.

use super::format::LogFormat;
use super::left_out::{LeftOut, Place};
use super::sessions::Reuse;
use crate::counter::TokenCounter;
use crate::keyed::HashKey;
use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::trace::BlockOrigin;
use serde_json::Value;
use std::io;
use std::path::PathBuf;

/// A row as a mapping reads it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MappedCall {
    /// When it was sent, seconds.
    pub start_s: Option<f64>,
    /// The same as a date.
    pub start_text: Option<String>,
    /// From sending to the end of the answer, milliseconds.
    pub e2e_ms: Option<f64>,
    /// Tokens of the prompt.
    pub input_tokens: Option<f64>,
    /// Tokens of the answer.
    pub output_tokens: Option<f64>,
    /// Tokens of the prompt that were cached.
    pub cached_tokens: Option<f64>,
    /// Conversation.
    pub session: Option<String>,
    /// What it asks.
    pub prompt: Option<String>,
    /// It failed; absent where nothing says.
    pub failed: Option<bool>,
}

/// Reads a row; what is wrong with it otherwise.
pub type RowMapping<'m> = &'m dyn Fn(&Value) -> Result<MappedCall, String>;

/// What becomes of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextsKept {
    /// Nothing.
    None,
    /// Their blocks as keyed hashes.
    #[default]
    Hashed,
    /// They are written as they are.
    Plain,
}

/// How logs become rows.
pub struct ImportOptions<'m> {
    /// The format; absent: recognised by content.
    pub format: Option<LogFormat>,
    /// Tokens of a block, at least 1.
    pub block_tokens: u32,
    /// What becomes of texts.
    pub texts: TextsKept,
    /// Counts texts whose lengths a log does not say, and cuts them into blocks.
    pub tokenizer: Tokenizer,
    /// Its vocabulary, where it is loaded already; absent: loaded for the first text that needs it.
    pub counter: Option<&'m TokenCounter>,
    /// Secret of the hashes; throw it away.
    pub key: HashKey,
    /// Folder for chunks while they are sorted.
    pub folder: PathBuf,
    /// How rows of an unknown form are read.
    pub mapping: Option<RowMapping<'m>>,
}

/// Why an import ends without a result.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The content is of no known format.
    #[error(
        "{} line {line}: no known log has {found}; known are {}; everything else is read with --map FILE",
        path.display(),
        LogFormat::described()
    )]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// Line of its first record.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// There is nothing to write.
    #[error("no calls: {left_out}")]
    NoCalls {
        /// What was left out and why.
        left_out: String,
    },
    /// The vocabulary does not load.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Rows or chunks cannot be written.
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Formats, in the order in which they were met.
    pub formats: Vec<LogFormat>,
    /// Records read.
    pub records: u64,
    /// Rows written.
    pub rows: u64,
    /// From the first instant to the last, nanoseconds; absent where the log has no instants.
    pub span_ns: Option<i64>,
    /// Sessions told apart.
    pub sessions: u64,
    /// What was left out, by reason.
    pub left_out: Vec<LeftOut>,
    /// How often clocks jumped.
    pub jumps: u64,
    /// The first places of these.
    pub first_jumps: Vec<Place>,
    /// What equal blocks say.
    pub blocks: BlockOrigin,
    /// Cached tokens, where blocks were made up.
    pub reuse: Reuse,
    /// Rows that wait for another.
    pub waiting: u64,
    /// Of those, rows that wait for several.
    pub joining: u64,
    /// Waits beyond the most of a call.
    pub waits_beyond: u64,
    /// Sentences about what is not as it was recorded; the header of the rows has them, too.
    pub notes: Vec<String>,
}
