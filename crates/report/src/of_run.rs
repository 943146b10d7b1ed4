//! The document of a run: verdict and findings first, then objectives, then figures.

use crate::document::{Block, Document, Judgement, Section, Tone};
use crate::{client, full, latency, objectives, quotable, reproduce, run, sessions, throughput};
use infermeter_analysis::{ClassSummary, Summary};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::number::{count, counted};
use infermeter_core::run::RunManifest;
use std::cmp::Reverse;

/// Classes with a table of their own outside the full view.
const CLASSES_SHOWN: usize = 6;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// The summary.
    #[default]
    Summary,
    /// The summary, and below it what a reader elsewhere needs: figures with their conditions, and all that it
    /// takes to measure the same again.
    Shared,
    /// All this, and every figure of every metric.
    Full,
}

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
    document.push(run::section(summary, manifest));
    document.push(latency::section(summary));
    document.push(sessions::section(summary));
    document.push(throughput::section(summary));
    document.push(client::section(summary));
    for section in classes(summary, view) {
        document.push(section);
    }
    let shared = view != View::Summary;
    if shared {
        document.push(quotable::section(summary, manifest));
    }
    if shared || manifest.plan.publication {
        document.push(run::context(summary));
    }
    if shared {
        document.push(reproduce::section(summary, manifest));
    }
    if view == View::Full {
        for section in full::sections(summary) {
            document.push(section);
        }
    }
    document
}

/// A table a class: in the full view all of them, else those with the most requests.
fn classes(summary: &Summary, view: View) -> Vec<Section> {
    let all = &summary.classes;
    let total = |class: &ClassSummary| class.measured.total;
    let mut by_size: Vec<usize> = (0..all.len()).collect();
    by_size.sort_by_key(|i| Reverse(total(&all[*i])));
    let shown = match view {
        View::Full => all.len(),
        View::Summary | View::Shared => CLASSES_SHOWN.min(all.len()),
    };
    let (tables, rest) = by_size.split_at(shown);
    let in_order = all.iter().enumerate().filter(|(i, _)| tables.contains(i));
    let mut sections: Vec<Section> = in_order
        .map(|(_, class)| of_class(class, summary))
        .collect();
    if let Some(largest) = rest.first() {
        let text = format!(
            "{}, of at most {} each; --full and --json have them.",
            count(rest.len() as u64),
            counted(total(&all[*largest]), "request"),
        );
        sections.push(Section::new("Further classes").with(Block::Text(Tone::Plain, text)));
    }
    sections
}

fn of_class(class: &ClassSummary, summary: &Summary) -> Section {
    let heading = format!(
        "Class {}: {} of {} completed",
        class.class,
        count(class.measured.completed),
        count(class.measured.total)
    );
    Section::new(heading).with(latency::table(&class.latency, summary))
}
