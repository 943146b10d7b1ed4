//! Why an archive is no bundle that can be read, and what to do. Names from an archive are made inert.

use super::{BUNDLE_FILE, BUNDLE_VERSION};
use crate::error::RecordError;
use infermeter_core::text::inert;
use std::io;
use std::path::{Path, PathBuf};

/// Why a bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file of the record, or the archive, cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It cannot be read to its end.
    #[error(
        "{} is not a whole archive: {cause}; it was cut short or damaged: get it again from where it was made",
        path.display()
    )]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        cause: io::Error,
    },
    /// It does not begin with the list of its files.
    #[error("{} is not a bundle of infermeter: it does not begin with {BUNDLE_FILE}", .0.display())]
    NotABundle(PathBuf),
    /// The list cannot be read.
    #[error("{}: {BUNDLE_FILE} cannot be read: {problem}", path.display())]
    BadList {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It is of a newer infermeter.
    #[error(
        "{} has format version {found}, this infermeter reads up to {BUNDLE_VERSION}: use a newer infermeter",
        path.display()
    )]
    NewerVersion {
        /// The archive.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// An entry whose path is not one of a bundle.
    #[error(
        "{}: the entry `{entry}` {problem}; nothing of it was unpacked: it was not made by infermeter",
        path.display()
    )]
    Entry {
        /// The archive.
        path: PathBuf,
        /// The entry's path, inert.
        entry: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It unpacks to more than is accepted.
    #[error("{} is refused: {problem}", path.display())]
    TooLarge {
        /// The archive.
        path: PathBuf,
        /// What is too much.
        problem: String,
    },
    /// A file became another one while it was put into the archive.
    #[error("{} changed while it was read: is its run still going on?", .0.display())]
    Moving(PathBuf),
}

impl BundleError {
    pub(crate) fn damaged(path: &Path) -> impl Fn(io::Error) -> Self {
        move |cause| Self::Damaged {
            path: path.to_owned(),
            cause,
        }
    }

    pub(crate) fn entry(path: &Path, entry: &str, problem: &'static str) -> Self {
        Self::Entry {
            path: path.to_owned(),
            entry: inert(entry, 200),
            problem,
        }
    }
}
