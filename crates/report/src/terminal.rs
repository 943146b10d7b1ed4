//! The summary on a terminal: verdict and findings first, then objectives, then figures.

use crate::style::{Style, View};
use crate::{client, findings, full, latency, objectives, run, sessions, throughput};
use infermeter_analysis::{ClassSummary, Summary};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::run::RunManifest;
use infermeter_core::text::inert;

/// Renders a run for people. Ends with a line break.
pub fn terminal(
    summary: &Summary,
    verdict: Verdict,
    findings: &[Finding],
    manifest: &RunManifest,
    style: Style,
) -> String {
    let mut blocks = vec![
        findings::lines(verdict, findings, style),
        objectives::lines(summary, style),
        run::lines(summary, manifest, style),
        latency::lines(summary, style),
        sessions::lines(summary, style),
        throughput::lines(summary, style),
        client::lines(summary, style),
    ];
    let classes = summary.classes.iter();
    blocks.extend(classes.map(|class| class_block(class, summary, style)));
    if style.view == View::Full || manifest.plan.strict {
        blocks.push(run::context(summary, style));
    }
    if style.view == View::Full {
        blocks.extend(full::blocks(summary, style));
    }
    let blocks = blocks.into_iter().filter(|lines| !lines.is_empty());
    let blocks: Vec<String> = blocks.map(|lines| lines.join("\n") + "\n").collect();
    blocks.join("\n")
}

fn class_block(class: &ClassSummary, summary: &Summary, style: Style) -> Vec<String> {
    let heading = format!(
        "Class {}: {} of {} completed",
        inert(&class.class, 80),
        class.measured.completed,
        class.measured.total
    );
    let mut lines = vec![style.heading(&heading)];
    lines.extend(latency::class_lines(&class.latency, summary, style));
    lines
}
