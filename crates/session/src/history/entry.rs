//! What is kept of one run: figures with their intervals, verdict, plan and environment.
//!
//! Invariant: every figure was computed from the rows when the run was added.

use super::HISTORY_VERSION;
use crate::bundle::unfinished;
use crate::differences;
use crate::kept::KeptRun;
use crate::run_id::timestamp;
use anyhow::{Context, Result, bail};
use infermeter_analysis::{SloFigure, Summary};
use infermeter_core::environment::Environment;
use infermeter_core::finding::{Severity, Verdict};
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_core::slo::Measure;
use infermeter_core::text::inert;
use infermeter_record::{PARQUET_FILE, digest_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Figures that are kept of every run that has them.
const KEPT: [&str; 21] = [
    "ttft.p50",
    "ttft.p90",
    "ttft.p95",
    "ttft.p99",
    "ttft.mean",
    "tpot.p50",
    "tpot.p90",
    "tpot.p99",
    "tpot.mean",
    "itl.p50",
    "itl.p99",
    "itl.mean",
    "e2e.p50",
    "e2e.p90",
    "e2e.p95",
    "e2e.p99",
    "e2e.mean",
    "ntpot.p50",
    "throughput",
    "output_throughput",
    "error_rate",
];

/// A run of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Version of the format.
    pub format_version: u32,
    /// Version of infermeter that computed the figures.
    pub infermeter_version: String,
    /// What identifies its plan and its server.
    pub series: String,
    /// The server, by its name or its address.
    pub server: String,
    /// The run.
    pub run_id: String,
    /// SHA-256 of its rows.
    pub record: String,
    /// Runs of one experiment have the same.
    pub occasion: String,
    /// When it began, nanoseconds of Unix time.
    pub begun_ns: i64,
    /// The same in words.
    pub begun: String,
    /// Where it was read from.
    pub from: PathBuf,
    /// How it ended.
    pub state: RunState,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// Codes of its errors and warnings.
    pub findings: Vec<String>,
    /// The model.
    pub model: String,
    /// Its plan, secrets hidden.
    pub plan: Plan,
    /// The hash of all that it measured.
    pub plan_hash: String,
    /// Client, server and workload.
    pub environment: Environment,
    /// The headline, as `--json` has it.
    pub headline: Value,
    /// Its figures, by name.
    pub figures: BTreeMap<String, SloFigure>,
}

/// Where a run comes from, and how it is kept.
#[derive(Debug, Clone)]
pub struct Origin<'a> {
    /// The directory or the bundle, as it was named.
    pub from: &'a Path,
    /// What runs that were measured together have in common; absent of a run that stands alone.
    pub occasion: Option<&'a str>,
    /// The name of the server, in place of its address.
    pub server: Option<&'a str>,
    /// Figures that are kept beside the usual ones.
    pub more: &'a [Measure],
    /// The headline of a summary.
    pub headline: fn(&Summary) -> Value,
}

/// What is kept of the run in `directory`.
///
/// # Errors
/// When its record is not complete, or cannot be read.
pub fn entry(directory: &Path, origin: &Origin<'_>) -> Result<Entry> {
    if let Some(why) = unfinished(directory)? {
        bail!(
            "{}: {why}: `infermeter report {0}` completes it",
            directory.display()
        );
    }
    let judged = KeptRun::open(directory)?.judge(None)?;
    let figures = figures(directory, origin.more)?;
    let manifest = judged.manifest;
    let weighty = manifest
        .findings
        .iter()
        .filter(|f| f.severity > Severity::Note);
    let server = origin.server.unwrap_or(&manifest.plan.target);
    let rows = digest_of(&directory.join(PARQUET_FILE))?;
    let Some(begun_ns) = manifest.begun_ns() else {
        bail!(
            "{}: the file that it was imported from does not say when it was measured, and a history is in order of \
             time: import it with --begun TIME",
            directory.display()
        );
    };
    Ok(Entry {
        format_version: HISTORY_VERSION,
        infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        series: differences::work(&manifest.plan, server),
        server: inert(server, 200),
        occasion: origin.occasion.unwrap_or(&manifest.run_id).to_owned(),
        record: rows.context("it has no rows")?,
        begun_ns,
        begun: timestamp(begun_ns),
        from: origin.from.to_owned(),
        state: manifest.state,
        verdict: judged.verdict,
        findings: weighty.map(|finding| finding.code.clone()).collect(),
        headline: (origin.headline)(&judged.summary),
        run_id: manifest.run_id,
        model: manifest.model,
        plan: manifest.plan,
        plan_hash: manifest.plan_hash,
        environment: manifest.environment,
        figures,
    })
}

/// The figures, each as an objective without a limit would have it: failures count as the slowest.
fn figures(directory: &Path, more: &[Measure]) -> Result<BTreeMap<String, SloFigure>> {
    let mut kept = KeptRun::open(directory)?;
    let plan = &mut kept.manifest.plan;
    let own = plan.slo.iter().map(|slo| slo.of.clone());
    let usual = KEPT.iter().filter_map(|name| name.parse().ok());
    let mut measures: Vec<Measure> = Vec::new();
    for measure in usual.chain(own).chain(more.iter().cloned()) {
        if !measures.contains(&measure) {
            measures.push(measure);
        }
    }
    plan.fluidity = plan.deadlines();
    plan.slo = measures
        .iter()
        .map(|measure| measure.clone().without_limit())
        .collect();
    let summary = kept.judge(None)?.summary;
    let named = measures.iter().map(Measure::to_string).zip(&summary.slo);
    let figures = named.map(|(name, line)| (name, line.figure()));
    Ok(figures.filter(|(_, figure)| figure.n > 0).collect())
}

impl Entry {
    pub(super) fn parsed(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            format_version: u64,
        }
        let said = |error: serde_json::Error| inert(&error.to_string(), 200);
        let Versioned { format_version } = serde_json::from_str(text).map_err(said)?;
        if format_version > u64::from(HISTORY_VERSION) {
            return Err(format!(
                "it is of a newer infermeter (format version {format_version})"
            ));
        }
        serde_json::from_str(text).map_err(said)
    }
}
