//! Logs of production as rows of a trace: `infermeter workload import`.
//!
//! Files are read as a stream, record by record; each becomes calls (lengths, an instant, a session), the
//! calls are sorted on disk by their instants, and what waits for what and which blocks are shared is worked
//! out for one session at a time. It opens no socket and keeps no text unless asked to.
//!
//! Invariant: a record becomes calls or is counted with its reason and its line; memory does not grow with
//! the files but by some hundred bytes for each session.

mod access;
mod asked;
mod batch;
mod call;
mod chat;
mod copilot;
mod dynamo;
mod finish;
mod format;
mod gor;
mod hashes;
mod import;
mod langfuse;
mod left_out;
mod litellm;
mod mapped;
mod named;
mod plain;
mod reader;
mod records;
mod sessions;
mod sides;
mod sink;
mod spans;
mod spill;
mod timed;

use crate::counter::TokenCounter;
use crate::tokenizer::Tokenizer;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};

pub use asked::{ImportOptions, Imported, MappedCall, TextsKept};
pub use format::LogFormat;
pub use import::import_logs;
pub use left_out::places;
pub use timed::{first_row, import_trace};

/// Imports bytes, for fuzzing: the number of rows, and what was written; `None` where that is nothing.
pub(crate) fn of_bytes(
    bytes: &[u8],
    texts: TextsKept,
    counter: &TokenCounter,
) -> Option<(u64, Vec<u8>)> {
    let options = ImportOptions {
        format: None,
        block_tokens: 16,
        texts,
        tokenizer: Tokenizer::open("o200k").ok()?,
        counter: Some(counter),
        key: crate::keyed::HashKey::new([1; 32]),
        folder: std::env::temp_dir(),
        mapping: None,
    };
    let written = Arc::new(Mutex::new(Vec::new()));
    let source = records::Source::Input(Box::new(Cursor::new(bytes.to_vec())));
    let out = Box::new(Shared(Arc::clone(&written)));
    let imported = import::import_sources(vec![source], &[], &options, out).ok()?;
    let bytes = std::mem::take(&mut *written.lock().ok()?);
    Some((imported.rows, bytes))
}

/// Keeps what is written where others can look.
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().map_err(|_| io::ErrorKind::Other)?;
        kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
