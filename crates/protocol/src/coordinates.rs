//! Where a run can be measured, and what is seen of it.

use crate::Point;
use infermeter_analysis::{PrecisionRun, Summary};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::plan::Warmup;
use infermeter_core::run::RunState;
use infermeter_core::seed::Seeds;
use infermeter_core::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// What distinguishes one run of an experiment from another, beside its seeds and its salt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coordinates {
    /// Which of the plans that are compared; 0 where there is one.
    pub variant: usize,
    /// How much load; absent: what the plan says.
    pub load: Option<Intensity>,
    /// How long; absent: what the plan says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// The warm-up before; absent: what the plan says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Warmup>,
}

impl Coordinates {
    /// The first plan at a load.
    pub fn at(load: Intensity) -> Self {
        Self {
            load: Some(load),
            ..Self::default()
        }
    }
}

/// How long a run measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Time of the window.
    Time(Span),
    /// Measured requests.
    Requests(u64),
    /// So many times what the plan says.
    Times(u32),
}

/// How much load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intensity {
    /// Requests (or sessions) per second, open loop.
    Rate(f64),
    /// Slots, closed loop.
    Concurrency(u32),
}

impl fmt::Display for Intensity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{} requests/s", (rate * 1e4).round() / 1e4),
            Self::Concurrency(slots) => write!(f, "concurrency {slots}"),
        }
    }
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
    /// Why.
    pub findings: Vec<Finding>,
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
