//! A run for programs.

use crate::headline::Headline;
use infermeter_analysis::series::RunSeries;
use infermeter_analysis::{Gated, Summary};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::plan::Plan;
use infermeter_core::run::{RunManifest, RunState};
use infermeter_core::seed::Seeds;
use schemars::JsonSchema;
use serde::Serialize;

/// Everything that the terminal shows of a run, for programs. Latencies are milliseconds; a percentile
/// that the sample cannot support has the value null, the grade `unsupported`, and what it needs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunOutput<'a> {
    /// Version of the record that it is of.
    format_version: u32,
    /// Version of infermeter that measured.
    infermeter_version: &'a str,
    /// Random 128-bit id, hex.
    run_id: &'a str,
    /// How the run ended.
    state: RunState,
    /// Whether it can be trusted.
    verdict: Verdict,
    /// What speaks against it.
    findings: &'a Vec<Finding>,
    /// The model asked for.
    model: &'a str,
    /// The plan, secrets replaced by `***`.
    plan: &'a Plan,
    /// SHA-256 of the plan's JSON, hex.
    plan_hash: &'a str,
    /// Both seeds.
    seeds: Seeds,
    /// One value for each metric.
    headline: Headline<'a>,
    /// Every figure.
    summary: &'a Summary,
    /// Figures over time and request by request; absent unless `--series` asks for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<&'a RunSeries>,
    /// What `--fail-if` decides; absent where it asks nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<&'a Gated>,
}

impl<'a> RunOutput<'a> {
    /// A run as it was judged.
    pub fn of(summary: &'a Summary, verdict: Verdict, manifest: &'a RunManifest) -> Self {
        Self {
            format_version: manifest.format_version,
            infermeter_version: &manifest.infermeter_version,
            run_id: &manifest.run_id,
            state: manifest.state,
            verdict,
            findings: &manifest.findings,
            model: &manifest.model,
            plan: &manifest.plan,
            plan_hash: &manifest.plan_hash,
            seeds: manifest.seeds,
            headline: Headline::of(summary),
            summary,
            series: None,
            gate: None,
        }
    }
}
