//! The record on disk: the journal written while a run goes on, the Parquet file it becomes,
//! `run.json`, the readings of the server's metrics, spans of requests, and the optional `responses.jsonl`; the archive that these
//! are published in, and checked lines for an index over runs.
//!
//! Files hold facts only; this crate computes no metric and judges nothing. The order of the
//! stages (run, convert, summarise) is the facade's.
//!
//! Invariant: at every instant the directory can be read: the journal to its last whole frame, the
//! readings to their last whole line, and every other file whole or not there, because it is written
//! under a temporary name and renamed.

mod atomic;
mod bundle;
mod checked_lines;
mod codec;
mod convert;
mod directory;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod journal;
mod json_file;
mod ledger;
mod manifest;
mod merge;
mod names;
mod parquet;
mod responses;
mod schema;
mod seal;
mod server_metrics;
mod spans;
mod table;
#[cfg(test)]
mod testing;
mod varint;

pub use bundle::{
    About, BUNDLE_VERSION, BundleError, BundleKind, BundleManifest, BundledFile, FileProblem,
    Member, NotAsItWas, Unpacked, unpack, write_bundle,
};
pub use checked_lines::{CheckedLines, DamagedLine, LinesRead};
pub use convert::{Converted, CutOff, LeftOpen, convert};
pub use directory::{RecordState, RunDirectory};
pub use error::RecordError;
pub use journal::places::JournalRecords;
pub use journal::reader::JournalReader;
pub use journal::writer::{JournalTotals, JournalWriter, Sink};
pub use journal::{JOURNAL_FILE, Tail};
pub use ledger::{LEDGER_FILE, Ledger, LedgerContents};
pub use manifest::{ManifestRoom, free_room, read_manifest, write_manifest};
pub use merge::beside::{merge_responses, merge_spans, take_away, take_over};
pub use merge::{MergedRows, RowsOf, Twice, merge_records};
pub use names::MANIFEST_FILE;
pub use parquet::PARQUET_FILE;
pub use parquet::json_lines::rows_as_json_lines;
pub use parquet::reader::{ParquetRecords, read_records};
pub use parquet::server_metrics::{SERVER_METRICS_PARQUET, write_server_metrics};
pub use parquet::texts::texts_as_json_lines;
pub use parquet::writer::RecordsWriter;
pub use responses::{RESPONSES_FILE, Response, ResponsesWriter};
pub use seal::{Alteration, LEFT_OUT_FILE, LeftOut, altered, digest_of, seal};
pub use server_metrics::{SERVER_METRICS_FILE, ServerMetricsWriter, read_server_metrics};
pub use spans::{SPANS_FILE, SpansWriter, read_spans};
pub use table::{TableColumn, write_table};
