//! Traces that `run --trace` reads already (Azure, BurstGPT, Mooncake, Qwen-Bailian) as rows without names.
//!
//! Invariant: lengths, instants, waits and the sharing of blocks stay as they are; sessions, names, blocks and
//! classes that the public traces do not have become numbers.

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

/// Names of classes in the public traces, which say nothing of anybody.
const CLASSES: [&str; 8] = [
    "API log",
    "ChatGPT",
    "Conversation log",
    "GPT-4",
    "file",
    "image",
    "search",
    "text",
];

/// Names so far.
#[derive(Default)]
struct Numbers {
    classes: HashMap<String, usize>,
    /// Blocks in the order in which they were met: their hashes could be looked up.
    blocks: HashMap<u64, u64>,
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
        let class = row.class.map(|name| match CLASSES.contains(&&*name) {
            true => name,
            false => format!("class {}", number(&mut self.classes, name)),
        });
        let mut block = |id: u64| {
            let next = self.blocks.len() as u64;
            *self.blocks.entry(id).or_insert(next)
        };
        Row {
            class,
            hash_ids: row.hash_ids.into_iter().map(&mut block).collect(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Shared;
    use crate::trace::Trace;
    use std::sync::{Arc, Mutex};

    fn imported(text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trace.jsonl");
        std::fs::write(&path, text).expect("written");
        let options = TraceOptions::default();
        let first = first_row(&path, &options).expect("a trace");
        let kept = Arc::new(Mutex::new(Vec::new()));
        let out = Box::new(Shared(Arc::clone(&kept)));
        import_trace(&path, &first, &options, out).expect("rows");
        let bytes = kept.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    fn trace(rows: &str, pacing: &str) -> Trace {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, rows).expect("written");
        let mut options = TraceOptions::default();
        if !pacing.is_empty() {
            options.set(&format!("pacing={pacing}")).expect("an option");
        }
        Trace::read(&path, &options).expect("a trace")
    }

    #[test]
    fn a_wait_of_a_row_without_an_instant_stays() {
        let rows = imported(
            "{\"timestamp\":0,\"input_length\":9,\"output_length\":2,\"session_id\":\"a\",\
             \"hash_ids\":[1]}\n\
             {\"session_id\":\"a\",\"delay\":30000,\"input_length\":12,\"output_length\":2}\n",
        );
        for pacing in ["", "timestamps", "idle-gaps"] {
            let trace = trace(&rows, pacing);
            assert_eq!(trace.parent(1), Some(0), "{pacing}");
            assert_eq!(trace.delay_ns(1), Some(30_000_000_000), "{pacing}");
        }
    }

    #[test]
    fn hashes_and_own_classes_become_numbers() {
        let rows = imported(
            "{\"timestamp\":0,\"input_length\":600,\"output_length\":2,\"type\":\"acme-bot\",\
             \"hash_ids\":[777000111,777000222]}\n\
             {\"timestamp\":5,\"input_length\":600,\"output_length\":2,\"type\":\"text\",\
             \"hash_ids\":[777000111,5]}\n",
        );
        assert!(!rows.contains("acme") && !rows.contains("777000"), "{rows}");
        assert!(
            rows.contains("class 1") && rows.contains("\"text\""),
            "{rows}"
        );
        let share = trace(&rows, "").shared_prefix_share().expect("blocks");
        assert!(share > 0.3, "{share}");
    }
}
