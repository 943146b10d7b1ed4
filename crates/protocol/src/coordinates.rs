//! Where a run can be measured, and what is seen of it.

use crate::Point;
use infermeter_analysis::{PrecisionRun, Summary};
use infermeter_core::finding::Verdict;
use infermeter_core::run::RunState;
use infermeter_core::seed::Seeds;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What distinguishes one run of an experiment from another, beside its seeds and its salt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Which of the plans that are compared; 0 where there is one.
    pub variant: usize,
    /// How much load; absent: what the plan says.
    pub load: Option<Intensity>,
}

/// How much load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intensity {
    /// Requests (or sessions) per second, open loop.
    Rate(f64),
    /// Slots, closed loop.
    Concurrency(u32),
}

/// A run that was measured.
pub type RunPoint = Point<Coordinates, RunSeen>;

/// What is seen of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSeen {
    /// Every figure.
    pub summary: Summary,
    /// Whether they can be trusted.
    pub verdict: Verdict,
    /// How it ended.
    pub state: RunState,
    /// Whether its record is complete.
    pub kept: Kept,
    /// As far as a precision that was asked for goes.
    pub precision: Option<PrecisionRun>,
    /// Where it is.
    pub place: Place,
}

/// Whether a record is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is.
    Whole,
    /// It could not be written, on a full disk, say.
    InPart {
        /// Why, and what is left.
        why: String,
    },
}

/// Where a run's record is, and what is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its directory.
    pub directory: PathBuf,
    /// Its id.
    pub run_id: String,
    /// Its seeds.
    pub seeds: Seeds,
}

impl RunSeen {
    /// The run ended as planned, and all of it is on disk.
    pub fn is_whole(&self) -> bool {
        self.state == RunState::Finished && self.kept == Kept::Whole
    }
}
