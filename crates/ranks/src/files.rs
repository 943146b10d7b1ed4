//! The files of a meeting: their names, what is in them, and how they are read.
//!
//! It opens nothing. Invariant: a file of a later format is refused by its version, whatever else is in it; what was read
//! is inert, within its limits, and true of itself (a rank exists, a hash is one).

mod check;
mod kinds;
pub(crate) mod names;
mod path;
#[cfg(test)]
mod tests;

pub use kinds::{Absent, DeliveredFile, Launch};
pub(crate) use kinds::{
    Decision, DoneFile, FailedFile, KeptClock, KeptDiscipline, KeptStore, LaunchFile, MOST_LEAD_NS,
    Owner, RankFile, ReadyFile, StartFile,
};

pub(crate) use path::checked_name;

use infermeter_core::text::inert;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The form in which files are written, and the highest that is read.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Most bytes of what a parser says.
const WHY_BYTES: usize = 200;

/// A file of a meeting.
pub(crate) trait Kept: Serialize + DeserializeOwned {
    /// The same within its limits, or what is wrong with it.
    fn checked(self) -> Result<Self, String>;
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// A later version of infermeter wrote it.
    #[error(
        "{name} has format version {version}, and this infermeter {} reads up to {FORMAT_VERSION}: use one version for all",
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// Its name.
        name: String,
        /// Its version.
        version: u32,
    },
    /// It is something else.
    #[error("{name} is not what ranks leave there: {why}")]
    Wrong {
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
}

#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

/// Reads a file.
///
/// # Errors
/// When a later version wrote it, and when it is not such a file.
pub(crate) fn read<T: Kept>(name: &str, bytes: &[u8]) -> Result<T, FileError> {
    let wrong = |why: String| FileError::Wrong {
        name: inert(name, WHY_BYTES),
        why: inert(&why, WHY_BYTES),
    };
    let version: Version =
        serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    match version.format_version {
        1..=FORMAT_VERSION => {}
        0 => return Err(wrong("there is no format version 0".to_owned())),
        version => {
            return Err(FileError::Newer {
                name: inert(name, WHY_BYTES),
                version,
            });
        }
    }
    let file: T = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    file.checked().map_err(wrong)
}

/// The bytes of a file.
///
/// # Errors
/// Never for what the crate writes: the types have no maps with keys other than text.
pub(crate) fn written<T: Kept>(file: &T) -> Result<Vec<u8>, FileError> {
    let mut bytes = serde_json::to_vec_pretty(file).map_err(|error| FileError::Wrong {
        name: "a file".to_owned(),
        why: error.to_string(),
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}
