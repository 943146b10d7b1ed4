//! Phases of a load, its measured window, and the two load models.

use crate::clock::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Phase of the one continuous load that a request belongs to, by its intended instant.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the measured window.
    Warmup,
    /// Inside the measured window.
    Measure,
    /// Keeps the load on while measured requests finish.
    Drain,
}

impl Phase {
    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warmup => "warmup",
            Self::Measure => "measure",
            Self::Drain => "drain",
        }
    }
}

/// A number for each phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseCounts {
    /// Before the measured window.
    pub warmup: u64,
    /// Inside it.
    pub measure: u64,
    /// After it.
    pub drain: u64,
}

impl PhaseCounts {
    /// The number of one phase.
    pub fn of(&self, phase: Phase) -> u64 {
        match phase {
            Phase::Warmup => self.warmup,
            Phase::Measure => self.measure,
            Phase::Drain => self.drain,
        }
    }

    /// One more of a phase.
    pub fn add(&mut self, phase: Phase) {
        match phase {
            Phase::Warmup => self.warmup += 1,
            Phase::Measure => self.measure += 1,
            Phase::Drain => self.drain += 1,
        }
    }
}

/// The measured window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// First instant inside.
    pub start: Offset,
    /// First instant past it.
    pub end: Offset,
}

impl Window {
    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.end.since(self.start) as f64 / 1e9
    }

    /// The phase of an instant.
    pub fn phase_at(&self, at: Offset) -> Phase {
        if at < self.start {
            Phase::Warmup
        } else if at < self.end {
            Phase::Measure
        } else {
            Phase::Drain
        }
    }

    /// Whether an instant lies inside.
    pub fn contains(&self, at: Offset) -> bool {
        at >= self.start && at < self.end
    }
}

/// The load model, as labelled everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadModel {
    /// Arrivals from a schedule.
    OpenLoop,
    /// A fixed number of slots; latency is self-throttled.
    ClosedLoop,
    /// Another tool's: when requests were sent is known at most, not when they were due.
    Imported,
    /// The users' own, seen as it went through a proxy: nobody scheduled it.
    Observed,
}

impl LoadModel {
    /// infermeter offered the load. It knows when requests were due then, and answers for its own sending.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::OpenLoop | Self::ClosedLoop)
    }
}
