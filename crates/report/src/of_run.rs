//! The document of a run: the verdict, then objectives and figures, then what was run and by whom.

use crate::document::{Document, Judgement};
use crate::picture::distributions;
use crate::view::View;
use crate::{
    answers, both_sides, by_class, client, energy, full, latency, network, objectives, quotable,
    ranks, reproduce, run, server_times, sessions, spans, steps, throughput,
};
use infermeter_analysis::Summary;
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::run::RunManifest;

/// What is told of a run.
pub fn of_run(
    summary: &Summary,
    verdict: Verdict,
    findings: &[Finding],
    manifest: &RunManifest,
    view: View,
) -> Document {
    let mut document = Document::titled(format!("Run {}", manifest.run_id));
    document.verdict = Some(Judgement::of(verdict, findings));
    document.push(objectives::section(summary));
    document.push(steps::section(summary));
    document.push(latency::section(summary));
    document.push(throughput::section(summary));
    document.push(answers::section(summary));
    document.push(both_sides::section(summary, manifest, view));
    document.push(server_times::section(summary));
    for section in spans::sections(summary, view) {
        document.push(section);
    }
    document.push(energy::section(summary, view));
    for section in by_class::sections(summary, view) {
        document.push(section);
    }
    document.push(sessions::section(summary));
    document.push(run::section(summary, manifest));
    document.push(client::section(summary));
    document.push(ranks::section(summary, manifest, view));
    document.push(network::section(summary, manifest, view));
    let shared = view != View::Summary;
    if shared {
        document.push(quotable::section(summary, manifest));
    }
    if shared || manifest.plan.publication {
        document.push(run::context(summary));
    }
    if shared {
        document.push(reproduce::section(summary, manifest));
        document.push(distributions(summary));
    }
    if view == View::Full {
        for section in full::sections(summary) {
            document.push(section);
        }
    }
    document
}
