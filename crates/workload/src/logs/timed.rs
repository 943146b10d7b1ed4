//! Traces that `run --trace` reads already (Azure, BurstGPT, Mooncake, Qwen-Bailian) as rows without names.
//!
//! Invariant: lengths, instants, waits and the sharing of blocks stay as they are; sessions and names become
//! numbers.

use super::asked::LogError;
use crate::trace::{
    BlockOrigin, Row, RowsHeader, RowsWriter, TraceError, TraceFacts, TraceOptions, read_rows,
};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// Why a trace is not imported.
#[derive(Debug, thiserror::Error)]
pub enum TimedError {
    /// Its rows are wrong.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// It has texts.
    #[error("{0}: rows with texts are replayed as they are: run --trace")]
    Texts(String),
    /// Rows cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// The first row, where the file at `path` is such a trace.
pub fn first_row(path: &Path, options: &TraceOptions) -> Option<Row> {
    let mut first = None;
    let one = TraceOptions {
        limit: Some(1),
        ..options.clone()
    };
    let facts = read_rows(path, &one, &mut |row| {
        first = Some(row);
        Ok(())
    });
    facts.ok().filter(|facts| facts.format.is_timed())?;
    first
}

/// Writes the rows of the trace at `path`, whose first row is `first`.
///
/// # Errors
/// When a row is wrong or has a text, and when writing fails.
pub fn import_trace(
    path: &Path,
    first: &Row,
    options: &TraceOptions,
    out: Box<dyn Write + Send>,
) -> Result<TraceFacts, TimedError> {
    if first.text.is_some() {
        return Err(TimedError::Texts(path.display().to_string()));
    }
    let blocks = match first.block_tokens {
        Some(_) => BlockOrigin::Recorded,
        None => BlockOrigin::None,
    };
    let header = RowsHeader {
        block_tokens: first.block_tokens,
        blocks,
        ..RowsHeader::of("trace")
    };
    let mut writer = RowsWriter::new(out, &header).map_err(LogError::Write)?;
    let mut numbers = Numbers::default();
    let mut failed = None;
    let facts = read_rows(path, options, &mut |row| {
        let row = numbers.unnamed(row);
        if failed.is_none() {
            failed = writer.write(&row, &[]).err();
        }
        Ok(())
    })?;
    match failed.or(writer.into_inner().flush().err()) {
        Some(error) => Err(LogError::Write(error).into()),
        None => Ok(facts),
    }
}

/// Names so far.
#[derive(Default)]
struct Numbers {
    sessions: HashMap<String, usize>,
    names: HashMap<String, usize>,
}

impl Numbers {
    fn unnamed(&mut self, row: Row) -> Row {
        let number = |of: &mut HashMap<String, usize>, name: String| {
            let next = of.len() + 1;
            of.entry(name).or_insert(next).to_string()
        };
        let names = &mut self.names;
        Row {
            session: row.session.map(|name| number(&mut self.sessions, name)),
            name: row.name.map(|name| number(names, name)),
            parent: row.parent.map(|name| number(names, name)),
            also_after: row
                .also_after
                .into_iter()
                .map(|name| number(names, name))
                .collect(),
            ..row
        }
    }
}
