//! How a run went, as the runner saw it.

use crate::clock::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the run went, as the runner saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// Requests with a record (every arrival reached, every slot's send).
    pub scheduled: u64,
    /// Drain arrivals that the run ended before, and turns of sessions under way.
    pub drain_not_reached: u64,
    /// Sessions under way with turns that the run ended before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished_sessions: Vec<u64>,
    /// The trace ended before the drain did.
    pub drain_without_load: bool,
    /// When the run ended.
    pub ended: Offset,
    /// A signal ended it early, or the record was recovered from its journal.
    pub interrupted: bool,
    /// The record was recovered from a journal: requests in flight at the end are missing.
    pub recovered: bool,
    /// What was counted beside the recorder; absent from records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
}

/// What those who send counted themselves, so that nothing the recorder loses goes unseen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// Records handed to the recorder.
    pub handed_over: u64,
    /// Arrivals of the drain that the run ended before.
    pub arrivals_not_reached: u64,
}

impl Progress {
    /// That of another client, which took another part of the load.
    pub(super) fn add(&mut self, other: Self) {
        self.scheduled += other.scheduled;
        self.drain_not_reached += other.drain_not_reached;
        self.unfinished_sessions.extend(other.unfinished_sessions);
        self.unfinished_sessions.sort_unstable();
        self.drain_without_load |= other.drain_without_load;
        self.ended = self.ended.max(other.ended);
        self.interrupted |= other.interrupted;
        self.recovered |= other.recovered;
        // One that did not count makes the sum unknown.
        self.counted = self.counted.zip(other.counted).map(|(own, other)| Counted {
            handed_over: own.handed_over + other.handed_over,
            arrivals_not_reached: own.arrivals_not_reached + other.arrivals_not_reached,
        });
    }
}
