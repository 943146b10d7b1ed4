//! An experiment for programs: what is the same whatever decides over the runs, around what was found.
//!
//! Invariant: nothing in it is said that cannot be computed again from the runs' records.

use crate::several::Seen;
use infermeter_analysis::Gated;
use infermeter_core::finding::Verdict;
use infermeter_core::run::{FORMAT_VERSION, RunState};
use infermeter_protocol::{OfRuns, RunPoint};
use infermeter_session::kept_experiment::Missing;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// The member that has the answer in a line.
pub(crate) const ANSWER: &str = "answer_in_a_line";

/// An experiment, as `--json` prints it and as it is kept in its directory.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ExperimentOutput<'a, Found, OfRun> {
    /// Version of the format.
    format_version: u32,
    #[serde(flatten)]
    found: Found,
    /// The runs that are there, in the order of measuring.
    runs: Vec<RunTold<'a, OfRun>>,
    /// Those that are not; absent where none is missing.
    #[serde(skip_serializing_if = "<[Missing]>::is_empty")]
    missing: &'a [Missing],
    /// The answer in a line.
    answer_in_a_line: String,
    /// What `--fail-if` decides; absent where it asks nothing, and from the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<&'a Gated>,
}

/// A run of an experiment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Told{OfRun}")]
struct RunTold<'a, OfRun> {
    /// Its directory.
    directory: &'a Path,
    /// Its id.
    run_id: &'a str,
    #[serde(flatten)]
    of: OfRun,
    /// Whether it can be trusted.
    verdict: Verdict,
    /// How it ended.
    state: RunState,
}

impl<'a, Found: Serialize, OfRun: Serialize> ExperimentOutput<'a, Found, OfRun> {
    /// Something found of runs that are shown elsewhere.
    pub fn of(found: Found, answer_in_a_line: String) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            found,
            runs: Vec::new(),
            missing: &[],
            answer_in_a_line,
            gate: None,
        }
    }

    /// With the runs that it was found in, and what is to be said of each.
    pub fn over<P: OfRuns>(
        self,
        seen: &'a Seen<'_, P>,
        of_run: impl Fn(&'a RunPoint) -> OfRun,
    ) -> Self {
        let runs = seen.points.iter().map(|point| RunTold {
            directory: &point.seen.place.directory,
            run_id: &point.seen.place.run_id,
            of: of_run(point),
            verdict: point.seen.verdict,
            state: point.seen.state,
        });
        Self {
            runs: runs.collect(),
            missing: seen.missing,
            ..self
        }
    }

    /// As JSON, with a gate where there is one.
    pub fn json(self, gate: Option<&Gated>) -> Value {
        let gated = ExperimentOutput { gate, ..self };
        serde_json::to_value(gated).unwrap_or_default()
    }
}
