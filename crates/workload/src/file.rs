//! The workload file: every request of a workload, ready to be published and sent again.
//!
//! JSON lines. The first is the [`Header`], each other one a request in order of its id: lengths,
//! class, instant, place in a session, messages and members of the body. The salt is not in the
//! file: a request says where its slot comes from ([`SlotKey`]), and a run spells it before the
//! first message. The hash in the header covers everything behind it, so equal hashes are equal
//! workloads.
//!
//! It knows no schedule and no API. Invariant: what was written is read back as the same requests,
//! and a file that was changed since it was made is refused.

mod error;
mod index;
mod line;
mod writer;

pub use error::FileError;
pub use index::{FileEntry, WorkloadFile};
pub use line::FileRequest;
pub(crate) use line::IndexLine;
pub use writer::{FileHeader, WorkloadWriter, Written, encode_line};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the header's `format` says.
pub(crate) const FORMAT: &str = "infermeter-workload";

/// Version of the file's layout.
pub(crate) const VERSION: u32 = 1;

/// The first line of a workload file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// `infermeter-workload`.
    pub format: String,
    /// Version of the layout: 1.
    pub version: u32,
    /// Number of requests.
    pub requests: u64,
    /// SHA-256 over the tokenizer's name, a line break, the classes as JSON, a line break, and every
    /// line after the header with its line break; hex.
    pub sha256: String,
    /// The tokenizer that prompt lengths are meant under: `o200k`, `cl100k`, or the SHA-256 of a
    /// `tokenizer.json`.
    pub tokenizer: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The program that made the file.
    pub made_by: String,
    /// What it was made from, for people.
    pub description: String,
    /// Warm-up and window that it was made for; absent where requests have no instants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<FilePhases>,
}

/// The phases that the instants of a file were made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePhases {
    /// Start of the measured window, nanoseconds after the origin.
    pub window_start_ns: i64,
    /// Its end.
    pub window_end_ns: i64,
}

impl Header {
    /// The beginning of the hash: what the header says about the requests.
    fn hasher(&self) -> Sha256 {
        let mut hasher = Sha256::new();
        hasher.update(self.tokenizer.as_bytes());
        hasher.update(b"\n");
        hasher.update(serde_json::to_vec(&self.classes).unwrap_or_default());
        hasher.update(b"\n");
        hasher
    }
}

/// A digest in lower-case hexadecimal digits.
pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
