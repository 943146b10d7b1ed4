//! What can be wrong with a trace, said so that its owner finds the place.
//!
//! Invariant: text from the file is made inert before it gets into a message.

use std::path::PathBuf;

/// Why a trace cannot be read. Lines count from 1, the header included.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened.
    #[error("cannot open the trace {} (--trace): {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Something in the file is wrong.
    #[error("trace {} (--trace): {source}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<TraceError>,
    },
    /// Reading failed.
    #[error("line {line}: {source}")]
    Read {
        /// Line being read.
        line: u64,
        /// What the system says.
        source: std::io::Error,
    },
    /// A limit of no rows.
    #[error("--trace-limit 0: at least 1 row is needed")]
    LimitZero,
    /// There is no row.
    #[error(
        "no rows: a header with TIMESTAMP, ContextTokens, GeneratedTokens and at least one row are \
         needed"
    )]
    Empty,
    /// The header lacks a column.
    #[error("line {line}: the header has no column {column}: it has {header}")]
    MissingColumn {
        /// Line of the header.
        line: u64,
        /// The column.
        column: &'static str,
        /// The header as found.
        header: String,
    },
    /// A row ends before a column.
    #[error("line {line}: no field {column}: the row ends before it")]
    MissingField {
        /// The line.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// A count is no usable number of tokens.
    #[error("line {line}: {column} is `{found}`: a whole number from 1 to 4,000,000 is needed")]
    Tokens {
        /// The line.
        line: u64,
        /// The column.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// A timestamp is none.
    #[error(
        "line {line}: TIMESTAMP is `{found}`: a date and time as in 2023-11-16 18:15:46.6805900 or \
         2024-05-10T00:00:00.009930+00:00 is needed"
    )]
    Timestamp {
        /// The line.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// A row lies before its predecessor.
    #[error("line {line}: TIMESTAMP `{found}` lies before the row above: sort the trace by time")]
    Backwards {
        /// The line.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// A line is too long.
    #[error("line {line}: longer than 65,536 bytes: this is no trace")]
    LongLine {
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
    #[error("line {line}: more than 50,000,000 rows: give a --trace-limit")]
    TooLong {
        /// The line.
        line: u64,
    },
}
