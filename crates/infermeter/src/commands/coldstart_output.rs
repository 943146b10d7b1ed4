//! What `coldstart` prints for programs, and keeps as `result.json`.
//!
//! Decides nothing.

use infermeter_analysis::cold_start::ColdStart;
use infermeter_report::cold_start_line;
use infermeter_session::coldstart::ColdAsked;
use schemars::JsonSchema;
use serde::Serialize;

/// Starts for programs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ColdStartOutput<'a> {
    /// Version of the format.
    format_version: u32,
    /// What was asked.
    asked: &'a ColdAsked,
    /// What the starts say.
    found: &'a ColdStart,
    /// The answer in a line.
    answer_in_a_line: String,
}

impl<'a> ColdStartOutput<'a> {
    /// Of these starts.
    pub fn of(asked: &'a ColdAsked, found: &'a ColdStart) -> Self {
        Self {
            format_version: found.format_version,
            asked,
            found,
            answer_in_a_line: cold_start_line(found),
        }
    }

    /// The answer in a line.
    pub fn answer(&self) -> &str {
        &self.answer_in_a_line
    }
}
