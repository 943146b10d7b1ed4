//! What a monitor says of each of its instants, for programs and for its own file.
//!
//! Decides nothing. Invariant: an instant at which something was to be measured has one line, whatever became of it;
//! what was not measured has no figure.

use crate::failure::Cause;
use infermeter_analysis::{SloFigure, SloStatus};
use infermeter_core::finding::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Version of the lines.
pub const MONITOR_VERSION: u32 = 1;

/// What became of one instant of a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MonitorLine {
    /// Version of the format.
    pub format_version: u32,
    /// Its number, from 1; it goes on where a monitor of the same folder ended.
    pub slot: u64,
    /// The server, by its name or its address.
    pub server: String,
    /// When it was due, nanoseconds of Unix time.
    pub due_ns: i64,
    /// The same in words.
    pub due: String,
    /// From there until preparing the measurement began, milliseconds.
    pub late_ms: f64,
    /// Instants before it at which nothing was measured, since what was begun before took longer.
    pub skipped: u64,
    /// What became of it.
    pub state: SlotState,
    /// What was measured; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<MonitoredRun>,
    /// Why nothing was, or not all of it is on disk; absent where there is nothing to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<MonitorError>,
    /// What has changed; empty where nothing has.
    pub news: Vec<News>,
    /// What the monitor itself could not do, as on a full disk.
    pub problems: Vec<String>,
    /// Directories of runs that were removed to keep within the bounds.
    pub removed: u64,
}

/// What became of an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// A run ended as planned, with answers.
    Measured,
    /// The target could not be used, or no request completed.
    Down,
    /// It could not be measured for a reason that is not the target's.
    Failed,
    /// A signal ended the run.
    Interrupted,
}

/// A run of a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MonitoredRun {
    /// Its id.
    pub run_id: String,
    /// Its directory, which goes when it is among the oldest.
    pub directory: PathBuf,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// It takes part in the search for changes.
    pub usable: bool,
    /// Codes of its errors and warnings.
    pub findings: Vec<String>,
    /// Requests that were measured.
    pub requests: u64,
    /// The figures that are looked at, by name; those that it does not have are absent.
    pub figures: BTreeMap<String, SloFigure>,
    /// The answer to the objectives of the plan; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives: Option<SloStatus>,
}

/// Why something was not measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MonitorError {
    /// Whose it is.
    pub cause: Cause,
    /// What is wrong, and what to do.
    pub message: String,
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct News {
    /// What it is.
    pub kind: NewsKind,
    /// Since when: the begin of the first run of the new level, or the first instant; nanoseconds of Unix time.
    pub since_ns: i64,
    /// The same in words.
    pub since: String,
    /// Instants since the opposite was told, of `up` and `objectives_met`; absent of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted: Option<u64>,
    /// The change of a figure, of `regression` and `improvement`; absent of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<FigureChange>,
}

/// Kinds of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewsKind {
    /// A figure changed for the worse.
    Regression,
    /// A figure changed for the better.
    Improvement,
    /// The target cannot be measured any more, or no request completes.
    Down,
    /// It can be measured again.
    Up,
    /// An objective of the plan is missed, which was not before.
    ObjectiveMissed,
    /// All objectives are met again.
    ObjectivesMet,
}

impl NewsKind {
    /// It is what `--exit-on-regression` ends for.
    pub fn is_regression(self) -> bool {
        matches!(self, Self::Regression | Self::ObjectiveMissed)
    }
}

/// A change of level of a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FigureChange {
    /// The figure.
    pub figure: String,
    /// `ms`, `1/s`, or empty for a share.
    pub unit: String,
    /// Median over the runs of the level before, in the figure's unit; absent among the failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<f64>,
    /// Runs of that level.
    pub runs_before: usize,
    /// Median over the runs since, in the figure's unit; absent among the failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<f64>,
    /// Runs of that level.
    pub runs_after: usize,
    /// By how much: 0.05 for 5 % more, of shares for five points; absent from or to the failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// Lower bound of that share; absent where the runs are too few for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Upper bound of that share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// The chance of such a split where nothing changed, at one look.
    pub p_value: f64,
    /// The first run of the new level.
    pub first_run: String,
    /// That is at this time at the earliest, with 95 % confidence; nanoseconds of Unix time.
    pub earliest_ns: i64,
    /// It is at this one at the latest.
    pub latest_ns: i64,
    /// What else is one thing in all runs before and another in all since.
    pub beside: Vec<String>,
}
