//! Where a run comes from that another tool measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of the file that a record was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// The tool, as it is called.
    pub tool: String,
    /// Its version, where the file says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
    /// The file's name, without its folder.
    pub file: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Which of several results of the file; absent where it holds one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Whether it says when requests were sent. Without that every instant counts from its own request's
    /// send, and nothing is known of what happened at the same time.
    pub has_starts: bool,
    /// Whether it is known when that was: where it is not, the clock's `realtime_origin_ns` is 0 and says nothing. (Of
    /// records that do not have this member it may be the instant of the import.)
    #[serde(default = "as_before")]
    pub has_date: bool,
    /// What its figures mean where that is not what ours mean, and what it does not say: a sentence each.
    pub remarks: Vec<String>,
}

/// What earlier versions took for granted.
fn as_before() -> bool {
    true
}
