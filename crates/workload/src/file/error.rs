//! What can be wrong with a workload file, said so that its owner finds the place.
//!
//! Invariant: text from the file is made inert before it gets into a message.

use std::io;
use std::path::PathBuf;

/// Why a workload file cannot be written or read. Lines count from 1, the header included.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be opened, written or read.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not a workload file.
    #[error("{} is not a workload file: {problem}", path.display())]
    NotOne {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        problem: String,
    },
    /// It was made by a later program.
    #[error(
        "{} has version {found} of the format; this program reads up to {}: use a newer one",
        path.display(),
        super::VERSION
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A line is not what it should be.
    #[error("{} line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// It ends early, or goes on.
    #[error(
        "{} holds {found} requests, its header says {said}: it was cut off or added to",
        path.display()
    )]
    Count {
        /// The file.
        path: PathBuf,
        /// Requests found.
        found: u64,
        /// Requests that the header has.
        said: u64,
    },
    /// It was changed.
    #[error(
        "{} was changed since it was made: its requests have the hash {found}, its header says \
         {said}; `infermeter workload convert` makes a file of the changed requests",
        path.display()
    )]
    Hash {
        /// The file.
        path: PathBuf,
        /// The hash of what is there.
        found: String,
        /// The hash in the header.
        said: String,
    },
}
