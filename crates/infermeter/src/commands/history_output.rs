//! What the commands of `history` print for programs.
//!
//! Decides nothing. Invariant: what `show` prints is the line of the history as it is kept, and is described there.

use infermeter_analysis::Trend;
use infermeter_core::finding::Verdict;
use infermeter_record::DamagedLine;
use infermeter_report::Headline;
use infermeter_session::history::{Entry, HISTORY_VERSION, History};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// What became of something that was to be added.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Told {
    /// The directory or the bundle, as it was named.
    pub from: String,
    /// The beginning of the run's id; empty where no run could be read.
    pub run: String,
    /// `added`, `there already` or `not added`.
    #[serde(rename = "result")]
    pub what: &'static str,
    /// Why it was not added, or is not used; empty where there is nothing to say.
    pub why: String,
}

/// `history add --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AddOutput<'a> {
    /// Version of the format.
    format_version: u32,
    /// What was to be added, run by run.
    runs: &'a [Told],
}

impl<'a> AddOutput<'a> {
    /// Of what became of each.
    pub fn of(runs: &'a [Told]) -> Self {
        Self {
            format_version: HISTORY_VERSION,
            runs,
        }
    }
}

/// Plans of a history, `history list --json` and `history trend --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct HistoryOutput<'a, P> {
    /// Version of the format.
    format_version: u32,
    /// Its plans, each with its runs.
    plans: Vec<P>,
    /// Lines that cannot be believed.
    damaged: &'a [DamagedLine],
}

impl<'a, P> HistoryOutput<'a, P> {
    /// Of these plans of a history.
    pub fn of(history: &'a History, plans: Vec<P>) -> Self {
        Self {
            format_version: HISTORY_VERSION,
            plans,
            damaged: &history.damaged,
        }
    }
}

/// A plan with all of its runs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanListed<'a> {
    /// What identifies the plan and its server.
    pub id: &'a str,
    /// What it measures, in words.
    pub about: String,
    /// Its runs, in order of time.
    pub runs: Vec<RunListed<'a>>,
}

/// A run of a history.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunListed<'a> {
    /// Its id.
    run_id: &'a str,
    /// When it began, in words.
    begun: &'a str,
    /// Whether it can be trusted.
    verdict: Verdict,
    /// It takes part in trends and in baselines.
    usable: bool,
    /// The server, by its name or its address.
    server: &'a str,
    /// Where it was read from.
    from: &'a Path,
    /// The headline, as the version that added it computed it.
    #[schemars(with = "Headline")]
    headline: &'a Value,
}

impl<'a> RunListed<'a> {
    /// Of what is kept of it.
    pub fn of(run: &'a Entry) -> Self {
        Self {
            run_id: &run.run_id,
            begun: &run.begun,
            verdict: run.verdict,
            usable: run.is_usable(),
            server: &run.server,
            from: &run.from,
            headline: &run.headline,
        }
    }
}

/// A plan with its figures over time.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PlanTrend<'a> {
    /// What identifies the plan and its server.
    pub id: &'a str,
    /// What it measures, in words.
    pub about: String,
    /// The first run of each occasion, in order of time: what the numbers of `trend` count from 0.
    pub runs: Vec<RunOfTrend<'a>>,
    /// Its figures over these runs.
    pub trend: &'a Trend,
}

/// A run that a trend counts.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunOfTrend<'a> {
    /// Its id.
    run_id: &'a str,
    /// When it began, in words.
    begun: &'a str,
    /// Whether it can be trusted.
    verdict: Verdict,
}

impl<'a> RunOfTrend<'a> {
    /// Of what is kept of it.
    pub fn of(run: &'a Entry) -> Self {
        Self {
            run_id: &run.run_id,
            begun: &run.begun,
            verdict: run.verdict,
        }
    }
}
