//! What can go wrong with a record on disk. Every message names the file and says what to do;
//! causes are part of the message, so that it can be stored as one text.

use infermeter_core::text::inert;
use std::io;
use std::path::{Path, PathBuf};

/// Why a record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// What was tried, as a verb: "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
    /// `--out` names something that exists.
    #[error("{} exists already: name another directory with --out, or remove it", .0.display())]
    DirectoryExists(PathBuf),
    /// No such directory.
    #[error("{} is not a directory: give the directory of a run (what --out named)", .0.display())]
    NotADirectory(PathBuf),
    /// The directory has no `run.json`.
    #[error("{} is not a run directory: no run.json", .0.display())]
    NoManifest(PathBuf),
    /// The directory has no ledger that says what its experiment is.
    #[error("{} is not the directory of an experiment: no experiment.ledger, or none that can be read", .0.display())]
    NoLedger(PathBuf),
    /// The ledger has a writer at this moment.
    #[error("{} is being written by another infermeter: wait until it ends", .0.display())]
    LedgerInUse(PathBuf),
    /// `run.json` is not the JSON that is expected; the cause names line and column.
    #[error("{} cannot be read: {}; restore it from a copy", path.display(), said(cause))]
    BadManifest {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        cause: serde_json::Error,
    },
    /// A value that has no JSON form.
    #[error("cannot write {} as JSON: {cause}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// What the serialiser says.
        cause: serde_json::Error,
    },
    /// The file comes from a newer infermeter.
    #[error(
        "{} has format version {found}, this infermeter reads up to {newest}: \
         use a newer infermeter",
        path.display()
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest version known here.
        newest: u64,
    },
    /// The file does not begin like a journal.
    #[error("{} is not a journal of infermeter: its first bytes are different", .0.display())]
    NotAJournal(PathBuf),
    /// The journal has a writer at this moment.
    #[error(
        "{} is still being written by a run: wait until it ends, then run `infermeter report` again",
        .0.display()
    )]
    RunInProgress(PathBuf),
    /// There is neither a journal nor a Parquet file.
    #[error(
        "{} holds no record (neither requests.parquet nor requests.journal): the run ended before \
         its first request, or the record was removed; restore it from a copy, or run again",
        .0.display()
    )]
    NoRecord(PathBuf),
    /// The Parquet library could not write.
    #[error("cannot write {}: {cause}", path.display())]
    ParquetWrite {
        /// The file.
        path: PathBuf,
        /// What the library says.
        cause: ::parquet::errors::ParquetError,
    },
    /// The file is no whole Parquet file.
    #[error(
        "{} cannot be read as Parquet: {cause}; the file is damaged or was cut short: \
         restore it from a copy",
        path.display()
    )]
    ParquetRead {
        /// The file.
        path: PathBuf,
        /// What the library says.
        cause: String,
    },
    /// A Parquet file that is not a record of infermeter.
    #[error("{} is not a record of infermeter: {problem}", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// What is missing.
        problem: String,
    },
    /// A value that cannot be.
    #[error("{}: row {row}, column {column}: {problem}; restore the file from a copy", path.display())]
    BadValue {
        /// The file.
        path: PathBuf,
        /// The row, from 0.
        row: u64,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A Parquet file of texts cannot be used.
    #[error("{}: {cause}", path.display())]
    Texts {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A record of a class that the run does not name.
    #[error(
        "request {id} is of class number {class}, but the run names {known} classes: run.json does not belong to this journal"
    )]
    UnknownClass {
        /// The request.
        id: u64,
        /// Its class.
        class: u16,
        /// Number of classes given.
        known: usize,
    },
    /// An id that the file format cannot hold.
    #[error("request id {0} is larger than a signed 64-bit number")]
    IdTooLarge(u64),
    /// Records must come in id order.
    #[error("request {id} came after request {after}: rows are written in id order, once each")]
    OutOfOrder {
        /// The record refused.
        id: u64,
        /// The one written before it.
        after: u64,
    },
}

/// Longest text that is kept of what a parser says: it quotes the file.
const MAX_SAID: usize = 300;

/// What a parser says of a file, inert: it quotes what is in there.
fn said(cause: &serde_json::Error) -> String {
    inert(&cause.to_string(), MAX_SAID)
}

impl RecordError {
    /// The same for several results.
    pub(crate) fn io_of(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |cause| Self::io(action, path)(cause)
    }

    /// For `map_err` on an IO result.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io {
            action,
            path: path.to_owned(),
            cause,
        }
    }
}
