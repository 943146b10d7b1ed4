//! The same as JSON.

use crate::headline::headline;
use infermeter_analysis::Summary;
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::run::RunManifest;
use serde_json::{Value, json as object};

/// Everything that the terminal shows, for programs. Latencies are milliseconds; a percentile
/// that the sample cannot support has `"value": null`, grade `unsupported` and `needed`.
pub fn json(
    summary: &Summary,
    verdict: Verdict,
    findings: &[Finding],
    manifest: &RunManifest,
) -> Value {
    object!({
        "format_version": manifest.format_version,
        "infermeter_version": manifest.infermeter_version,
        "run_id": manifest.run_id,
        "state": manifest.state,
        "verdict": verdict,
        "findings": findings,
        "model": manifest.model,
        "plan": manifest.plan,
        "plan_hash": manifest.plan_hash,
        "seeds": manifest.seeds,
        "headline": headline(summary),
        "summary": summary,
    })
}
