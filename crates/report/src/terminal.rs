//! The summary on a terminal: verdict and findings first, then objectives, then figures.

use crate::number::{count, counted};
use crate::style::{Style, View};
use crate::{client, findings, full, latency, objectives, run, sessions, throughput};
use infermeter_analysis::{ClassSummary, Summary};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::run::RunManifest;
use infermeter_core::text::inert;
use std::cmp::Reverse;

/// Classes with a table of their own outside the full view.
const CLASSES_SHOWN: usize = 6;

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
    blocks.extend(classes(summary, style));
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

/// A table a class: in the full view all of them, else those with the most requests.
fn classes(summary: &Summary, style: Style) -> Vec<Vec<String>> {
    let all = &summary.classes;
    let total = |class: &ClassSummary| class.measured.total;
    let mut by_size: Vec<usize> = (0..all.len()).collect();
    by_size.sort_by_key(|i| Reverse(total(&all[*i])));
    let shown = match style.view {
        View::Full => all.len(),
        View::Summary => CLASSES_SHOWN.min(all.len()),
    };
    let (tables, rest) = by_size.split_at(shown);
    let in_order = all.iter().enumerate().filter(|(i, _)| tables.contains(i));
    let mut blocks: Vec<Vec<String>> = in_order
        .map(|(_, class)| class_block(class, summary, style))
        .collect();
    if let Some(largest) = rest.first() {
        let text = format!(
            "Further classes: {}, of at most {} each; --full and --json have them.",
            count(rest.len() as u64),
            counted(total(&all[*largest]), "request"),
        );
        blocks.push(style.wrap(0, &text));
    }
    blocks
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
