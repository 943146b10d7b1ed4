//! What can be wrong with a trace or a dataset, said so that its owner finds the place.
//!
//! Invariant: text from the file is made inert before it gets into a message.

use super::format::TraceFormat;
use infermeter_core::units::Span;
use std::path::PathBuf;

/// Why a trace cannot be read. Lines count from 1, the header included.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something in the file is wrong.
    #[error("{}: {source}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<TraceError>,
    },
    /// Reading or unpacking failed.
    #[error("line {line}: {source}")]
    Read {
        /// Line being read.
        line: u64,
        /// What the system says.
        source: std::io::Error,
    },
    /// An option is none, or its value is wrong.
    #[error("{message}")]
    Option {
        /// What is wrong and what to write.
        message: String,
    },
    /// There is nothing in the file, or only a header.
    #[error("no rows: the file is empty or holds a header only")]
    Empty,
    /// Every row was left out.
    #[error("no rows left: {skipped}")]
    AllSkipped {
        /// How many were left out, and why.
        skipped: String,
    },
    /// The content is of no known format.
    #[error(
        "line {line}: no known format has {found}; known are {}; a format is forced by its name",
        TraceFormat::described()
    )]
    Unrecognised {
        /// Line of the header or of the first record.
        line: u64,
        /// The columns or members as found.
        found: String,
    },
    /// The header or the record lacks what its format needs.
    #[error("line {line}: no {column}, which the format {format} needs: found {found}")]
    MissingColumn {
        /// The line.
        line: u64,
        /// The format in force.
        format: TraceFormat,
        /// The column or member.
        column: &'static str,
        /// Those that are there.
        found: String,
    },
    /// A row ends before a column.
    #[error("line {line}: no field {column}: the row ends before it")]
    MissingField {
        /// The line.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// A row has more fields than the header.
    #[error("line {line}: {fields} fields, but the header has {columns}: are two files mixed?")]
    ExtraFields {
        /// The line.
        line: u64,
        /// Fields of the row.
        fields: usize,
        /// Columns of the header.
        columns: usize,
    },
    /// A quote has no end.
    #[error("line {line}: a quoted field opens here and is not closed as it should be")]
    Quote {
        /// The line.
        line: u64,
    },
    /// A value is not what its column needs.
    #[error("line {line}: {column} is `{found}`: {needed} is needed")]
    Value {
        /// The line.
        line: u64,
        /// The column or member.
        column: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        needed: &'static str,
    },
    /// The unit of the timestamps is not what the format has.
    #[error("line {line}: {message}; say the unit: --trace-option time-unit=s (or ms, us, ns)")]
    Unit {
        /// The line.
        line: u64,
        /// What speaks against the format's own unit.
        message: String,
    },
    /// A line is not a JSON object of the expected kind.
    #[error("line {line}: {message}")]
    Json {
        /// The line.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// The number of hash ids does not fit the prompt's length.
    #[error(
        "line {line}: {ids} hash_ids for {tokens} prompt tokens: blocks of {block_tokens} tokens \
         need {needed}{hint}"
    )]
    Blocks {
        /// The line.
        line: u64,
        /// Ids found.
        ids: usize,
        /// Tokens of the prompt.
        tokens: u32,
        /// Tokens of a block.
        block_tokens: u32,
        /// Ids that would fit.
        needed: u32,
        /// What to do, where that can be said.
        hint: String,
    },
    /// A row lies before its predecessor.
    #[error(
        "line {line}: the time lies {by} before the row above (line {earlier}): sort the trace, \
         or give the option sort"
    )]
    Backwards {
        /// The line.
        line: u64,
        /// How much earlier it is.
        by: Span,
        /// Line of the later instant.
        earlier: u64,
    },
    /// A line or an element is too long.
    #[error("line {line}: longer than 16 MiB: this is not a trace")]
    LongRecord {
        /// The line.
        line: u64,
    },
    /// A line is not UTF-8.
    #[error("line {line}: not UTF-8: `{found}`")]
    NotText {
        /// The line.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// There are too many rows.
    #[error("line {line}: more than 50,000,000 rows: read a part (--trace-limit)")]
    TooLong {
        /// The line.
        line: u64,
    },
    /// Rows of more classes than a record can tell apart.
    #[error("line {line}: more than 1,000 classes: this column names no class")]
    TooManyClasses {
        /// The line.
        line: u64,
    },
    /// A conversation goes on after lines of another.
    #[error(
        "line {line}: conversation `{found}` goes on after another began: sort by conversation"
    )]
    Scattered {
        /// The line.
        line: u64,
        /// The conversation.
        found: String,
    },
    /// A replay needs what the format does not have.
    #[error("line {line}: a row without {what} cannot be replayed: this file holds texts")]
    NotReplayable {
        /// The line.
        line: u64,
        /// What is missing.
        what: &'static str,
    },
    /// A dataset needs what the format does not have.
    #[error("line {line}: a row without a text: this file holds lengths; replay it with --trace")]
    NoTexts {
        /// The line.
        line: u64,
    },
    /// A text is asked for that is not there (any more).
    #[error("no text at byte {offset}: {message}")]
    NoText {
        /// Place in the file.
        offset: u64,
        /// Why.
        message: String,
    },
}
