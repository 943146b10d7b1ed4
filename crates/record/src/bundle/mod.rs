//! A bundle: one archive (tar in gzip) of a record, with a list of its files and their digests in front.
//!
//! What belongs into one is decided by whoever makes it. Invariants: the same files give the same bytes; what an
//! archive holds is written below the directory that is given for it and nowhere else; what it takes to read
//! one is bounded, whatever the archive says.

mod error;
mod reader;
mod writer;

pub use error::BundleError;
pub(crate) use reader::unpack_from;
pub use reader::{Unpacked, unpack};
pub use writer::{About, Member, write_bundle};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The list of a bundle's files: the first entry of the archive.
pub(crate) const BUNDLE_FILE: &str = "bundle.json";

/// Version of the list.
pub const BUNDLE_VERSION: u32 = 1;

/// What a bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BundleKind {
    /// The record of one run.
    Run,
    /// An experiment: its ledger, its answer and its runs.
    Experiment,
}

/// `bundle.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BundleManifest {
    /// Version of this list.
    pub format_version: u32,
    /// Version of infermeter that made it.
    pub infermeter_version: String,
    /// What it holds.
    pub kind: BundleKind,
    /// Version of `run.json` and of the rows, as far as this infermeter writes them.
    pub record_version: u32,
    /// Texts of prompts and answers may be in it.
    pub texts: bool,
    /// The files, by path.
    pub files: Vec<BundledFile>,
    /// Those that are not byte for byte the ones of the directory.
    pub changed: Vec<NotAsItWas>,
    /// What the directory has and the bundle has not.
    pub left_out: Vec<NotAsItWas>,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundledFile {
    /// Its path, from the record's own directory.
    pub path: String,
    /// What it holds.
    pub holds: String,
    /// Its length, bytes.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
}

/// A file that was changed or left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NotAsItWas {
    /// Its path.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What is wrong with a file of a bundle that can be read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileProblem {
    /// Its contents are not those that the list gives the digest of.
    Changed,
    /// The list has it, the archive has not.
    Missing,
    /// The archive has it, the list has not. It is not unpacked.
    Unlisted,
}

/// Longest path in a bundle, bytes: what the header of an entry takes without extensions.
const LONGEST_PATH: usize = 100;

/// A path that a bundle may have: names of letters, digits, `-`, `_` and `.`, none of which begins with a dot.
fn is_plain(path: &str) -> bool {
    let plain = |name: &str| {
        let mut bytes = name.bytes();
        let sign = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        !name.is_empty() && !name.starts_with('.') && bytes.all(sign)
    };
    path.len() <= LONGEST_PATH && path.split('/').all(plain)
}

#[cfg(test)]
mod tests;
