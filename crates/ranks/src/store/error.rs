//! Why a meeting place cannot be used, and what to do about it.

use infermeter_core::text::inert;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Most bytes of a name or a reason of others in a message.
const SHOWN_BYTES: usize = 300;

/// Why a meeting place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is no place.
    #[error("`{place}` is not a meeting place: {why}")]
    Place {
        /// What was given.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// This program knows no object stores.
    #[error(
        "{place}: this infermeter was built without object stores: build it with `--features object-store`, or meet in a \
         directory that all ranks share"
    )]
    NotBuilt {
        /// What was given.
        place: String,
    },
    /// It may not be written to, or not be read.
    #[error(
        "{place}: {doing} is not allowed: give the user of every rank the right to read and write there ({cause})"
    )]
    Rights {
        /// The place.
        place: String,
        /// What was attempted.
        doing: String,
        /// What the system says.
        cause: String,
    },
    /// It is full.
    #[error("{place}: {doing} found no room left: make room, or meet elsewhere ({cause})")]
    Full {
        /// The place.
        place: String,
        /// What was attempted.
        doing: String,
        /// What the system says.
        cause: String,
    },
    /// A file is where a folder has to be.
    #[error("{place} is a file, or is below one: give a directory, which is made if it is missing")]
    NotFolder {
        /// The place.
        place: String,
    },
    /// Two ranks could both believe that they were first.
    #[error(
        "{place} cannot be used: {why}, so two ranks could both believe that they came first: meet in a directory of a \
         local file system or NFS, or in an object store with conditional writes"
    )]
    NoCreateIfAbsent {
        /// The place.
        place: String,
        /// What it did.
        why: String,
    },
    /// No file can have the name.
    #[error("the name `{name}` {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is more than there may be.
    #[error("{name} in {place} has more than {most} bytes: ranks did not leave it so")]
    TooLarge {
        /// The place.
        place: String,
        /// The name.
        name: String,
        /// How many it may have.
        most: u64,
    },
    /// Nothing has the name.
    #[error("{name} is not in {place}")]
    Absent {
        /// The place.
        place: String,
        /// The name.
        name: String,
    },
    /// A file of this host that is to be put there, or was got from there.
    #[error("{path}: {cause}")]
    Local {
        /// The file.
        path: String,
        /// What the system says.
        cause: io::Error,
    },
    /// Anything else that the place says.
    #[error("{place}: {doing} failed: {cause}")]
    Other {
        /// The place.
        place: String,
        /// What was attempted.
        doing: String,
        /// What the place says.
        cause: String,
    },
}

impl StoreError {
    /// What the system says of a folder.
    pub(super) fn of_folder(place: &Path, doing: String, cause: &io::Error) -> Self {
        let place = inert(&place.display().to_string(), SHOWN_BYTES);
        let said = cause.to_string();
        match cause.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Rights {
                place,
                doing,
                cause: said,
            },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full {
                place,
                doing,
                cause: said,
            },
            ErrorKind::NotADirectory => Self::NotFolder { place },
            _ => Self::Other {
                place,
                doing,
                cause: said,
            },
        }
    }

    /// What the system says of a file of this host.
    pub(crate) fn local(path: &Path, cause: io::Error) -> Self {
        Self::Local {
            path: inert(&path.display().to_string(), SHOWN_BYTES),
            cause,
        }
    }
}

/// Whether a name can be used.
///
/// # Errors
/// What is wrong with it.
pub(super) fn checked(name: &str) -> Result<&str, StoreError> {
    match crate::files::checked_name(name) {
        Ok(()) => Ok(name),
        Err(why) => Err(StoreError::Name {
            name: inert(name, SHOWN_BYTES),
            why,
        }),
    }
}

/// Whether names can begin so: nothing, or the beginning of one.
///
/// # Errors
/// What is wrong with it.
pub(super) fn checked_prefix(prefix: &str) -> Result<&str, StoreError> {
    // With something behind it, it has to be a name.
    checked(&format!("{prefix}x")).map(|_| prefix)
}
