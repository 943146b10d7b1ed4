//! `requests.parquet`: one row per scheduled request, in id order. The columns are
//! [`crate::schema`]'s.
//!
//! Does not keep chunk texts. Invariant: rows are in id order, each id once (of merged records, as far as theirs are),
//! and memory while writing or streaming is bounded by one row group.

mod cells;
pub(crate) mod columns;
pub(crate) mod gathered;
pub(crate) mod json_lines;
pub(crate) mod lanes;
mod levels;
mod one_value;
mod pages;
pub(crate) mod reader;
pub(crate) mod rows;
pub(crate) mod server_metrics;
pub(crate) mod texts;
pub(crate) mod writer;

#[cfg(test)]
mod tests;

use crate::error::RecordError;
use std::path::Path;

/// The file's name in a run directory.
pub const PARQUET_FILE: &str = "requests.parquet";

/// Rows decoded at a time.
const BATCH_ROWS: usize = 256;

/// What the library says of a file that it cannot read.
fn unreadable(path: &Path, cause: &::parquet::errors::ParquetError) -> RecordError {
    RecordError::ParquetRead {
        path: path.to_owned(),
        cause: cause.to_string(),
    }
}
