//! What is in the files of a meeting.
//!
//! Instants are nanoseconds since the Unix epoch, by the wall clock of whoever wrote the file, unless said otherwise.
//! Invariant: each holds only what its writer knew itself; nobody writes what another has to say.

use infermeter_core::run::{ClockOffset, RankFacts};
use infermeter_core::text::short_hash;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// How far a start is ahead of its decision at most, nanoseconds: a place that lets ranks wait longer is no better
/// afterwards.
pub(crate) const MOST_LEAD_NS: i64 = 120_000_000_000;

/// What all ranks of a launch share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The id of the run.
    pub run_id: String,
    /// The salt of its prompts.
    pub salt: u64,
    /// Hash of what is measured.
    pub plan_hash: String,
    /// Version of infermeter.
    pub version: String,
    /// When the first rank came, by its wall clock, nanoseconds since the Unix epoch.
    pub started_unix_ns: i64,
}

/// `launch.json`: what the launch is, by whoever came first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaunchFile {
    pub format_version: u32,
    /// What all take.
    pub launch: Launch,
    /// How many ranks there are.
    pub of: u32,
    /// 128 random bits, hex, that messages between ranks carry.
    pub token: String,
    /// What the launcher calls it; absent where it has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Who came first.
    pub by: RankFacts,
}

/// `rank-00003.json`: a rank has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RankFile {
    pub format_version: u32,
    /// Who it is.
    pub facts: RankFacts,
    /// Hash of what it measures.
    pub plan_hash: String,
    /// The run that it takes part in.
    pub run_id: String,
    /// When it came.
    pub joined_unix_ns: i64,
    /// What the others hold their clocks against: of rank 0 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<KeptClock>,
}

/// What a rank knows of its own clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptClock {
    /// When it looked.
    pub read_unix_ns: i64,
    /// How its host keeps it; absent where nobody does, or the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discipline: Option<KeptDiscipline>,
    /// How it stands to the clock of the meeting place; absent where that gives no time stamps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<KeptStore>,
    /// Where it answers what the time is; absent where it does not. No name: to look one up may take any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers_at: Option<SocketAddr>,
}

/// A clock that a service keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptDiscipline {
    /// The kernel's bound of its distance from the true time, nanoseconds.
    pub bound_ns: i64,
}

/// A clock beside the time stamps of the meeting place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptStore {
    /// The own clock minus that of the place, nanoseconds.
    pub offset_ns: i64,
    /// The true offset is at most this far from it, nanoseconds.
    pub bound_ns: i64,
}

/// `ready-00003.json`: a rank is prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadyFile {
    pub format_version: u32,
    pub index: u32,
    /// When it was.
    pub ready_unix_ns: i64,
    /// The longest that it has waited for the meeting place, nanoseconds.
    pub longest_wait_ns: i64,
    /// How its clock stands to that of rank 0, by each way that there was.
    pub clocks: Vec<ClockOffset>,
}

/// `start.json`: what rank 0 has decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StartFile {
    pub format_version: u32,
    /// When it was decided.
    pub decided_unix_ns: i64,
    pub decision: Decision,
}

/// Whether ranks begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// They do.
    Start {
        /// When, by the wall clock of rank 0, nanoseconds since the Unix epoch: no more than [`MOST_LEAD_NS`] after it was
        /// decided.
        at_unix_ns: i64,
        /// Ranks that are not waited for.
        without: Vec<Absent>,
    },
    /// They do not.
    NoStart {
        /// The reason.
        why: String,
    },
}

/// A rank that a launch began without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Its number.
    pub index: u32,
    /// It had come, and was not prepared in time.
    pub came: bool,
    /// What it said of why it cannot go on, or what is wrong with what it left; absent where it left nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `failed-00003.json`: a rank cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailedFile {
    pub format_version: u32,
    pub index: u32,
    /// Its host.
    pub host: String,
    pub failed_unix_ns: i64,
    /// The reason.
    pub why: String,
}

/// `done-00003.json`: the record of a rank is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DoneFile {
    pub format_version: u32,
    /// The run that it is of.
    pub run_id: String,
    pub index: u32,
    pub of: u32,
    pub done_unix_ns: i64,
    /// What it has left.
    pub files: Vec<DeliveredFile>,
    /// How its clock stood to that of rank 0 when it had measured; absent where it did not look again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_at_end: Option<ClockOffset>,
}

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner<'a> {
    /// The rank.
    pub index: u32,
    /// The run.
    pub run_id: &'a str,
}

impl Owner<'_> {
    /// Whose it is instead of this one's, as the end of a sentence; `None` where it is this one's.
    pub(crate) fn instead_of(self, expected: Owner<'_>) -> Option<String> {
        if self.index != expected.index {
            return Some(format!("that of rank {}", self.index));
        }
        let (own, others) = (short_hash(self.run_id), short_hash(expected.run_id));
        (self.run_id != expected.run_id)
            .then(|| format!("of run {own}, and the launch there is run {others}"))
    }
}

impl RankFile {
    /// Whose it says it is.
    pub(crate) fn owner(&self) -> Owner<'_> {
        Owner {
            index: self.facts.slice.index(),
            run_id: &self.run_id,
        }
    }
}

impl DoneFile {
    /// Whose it says it is.
    pub(crate) fn owner(&self) -> Owner<'_> {
        Owner {
            index: self.index,
            run_id: &self.run_id,
        }
    }
}

/// A file of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredFile {
    /// Its path inside the run directory.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
}
