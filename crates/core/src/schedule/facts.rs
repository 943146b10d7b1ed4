//! What of a schedule is kept with the record.
//!
//! Invariant: it follows from the schedule alone, so a record can be compared with it without trusting
//! whoever wrote the record.

use super::closed::ClosedSchedule;
use super::phase::PhaseCounts;
use super::slice::Slice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a schedule says must come of it: known before the run, and kept beside its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleFacts {
    /// The part of the plan's schedule that it is.
    #[serde(default, skip_serializing_if = "Slice::is_whole")]
    pub slice: Slice,
    /// Some requests wait for others.
    pub sessions: bool,
    /// What begins.
    pub begins: Begins,
}

/// What begins by itself, without waiting for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Begins {
    /// So many arrivals.
    Arrivals(PhaseCounts),
    /// What slots send: that depends on the answers.
    Slots(ClosedSchedule),
}
