//! `infermeter list [DIR]`: the runs and experiments of a folder, newest first.
//!
//! Computes no figure: what is shown is what each run says of itself, which `report` computes again.
//! Invariant: whatever in the folder is a record is listed; what cannot be read is named, with why.

use super::list_entry::{Entry, Of};
use crate::cli::tables::ListArgs;
use crate::exit;
use crate::show::Shown;
use anyhow::{Context, Result};
use infermeter_report::{Damaged, Document, ListView, ListedExperiment, ListedRun, of_list};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::path::Path;

/// Runs the subcommand. Ends with 3 where something cannot be read.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn list(args: &ListArgs, shown: Shown) -> Result<u8> {
    let entries = entries(&args.folder)?;
    let folder = args.folder.display().to_string();
    shown.print(
        || document(&folder, &entries),
        || to_json(&folder, &entries),
    );
    let damaged = entries.iter().any(|e| matches!(e.of, Of::Damaged { .. }));
    Ok(if damaged { exit::INVALID } else { exit::OK })
}

/// What lies in the folder, newest first.
fn entries(folder: &Path) -> Result<Vec<Entry>> {
    let cannot = || format!("{} cannot be read", folder.display());
    let mut entries = Vec::new();
    for found in std::fs::read_dir(folder).with_context(cannot)? {
        let path = found.with_context(cannot)?.path();
        entries.extend(Entry::of(&path));
    }
    if entries.is_empty() {
        // A run's own directory is a folder of one.
        entries.extend(Entry::of(folder));
    }
    entries.sort_by_key(|entry| Reverse((entry.begun_ns, entry.name.clone())));
    Ok(entries)
}

fn document(folder: &str, entries: &[Entry]) -> Document {
    let mut view = ListView {
        folder: folder.to_owned(),
        ..ListView::default()
    };
    for entry in entries {
        let (name, begun) = (entry.name.as_str(), entry.begun.as_str());
        match &entry.of {
            Of::Run(run) => view.runs.push(ListedRun {
                name,
                begun,
                verdict: run.verdict,
                target: &run.target,
                load: &run.load,
                summary: run.summary.as_ref(),
            }),
            Of::Experiment(experiment) => view.experiments.push(ListedExperiment {
                name,
                begun,
                command: &experiment.command,
                runs: experiment.runs,
                verdict: experiment.verdict,
                answer: experiment.answer.as_deref(),
            }),
            Of::Damaged { why } => view.damaged.push(Damaged { name, why }),
        }
    }
    of_list(&view)
}

fn to_json(folder: &str, entries: &[Entry]) -> Value {
    let each = entries.iter().map(|entry| {
        let mut value = match &entry.of {
            Of::Run(run) => json!({
                "kind": "run",
                "state": run.state,
                "verdict": run.verdict,
                "target": run.target,
                "load": run.load,
                "headline": run.summary.as_ref().map(infermeter_report::headline),
            }),
            Of::Experiment(experiment) => json!({
                "kind": "experiment",
                "command": experiment.command,
                "runs": experiment.runs,
                "verdict": experiment.verdict,
                "answer": experiment.answer,
            }),
            Of::Damaged { why } => json!({ "kind": "damaged", "why": why }),
        };
        value["directory"] = json!(entry.path);
        value["begun"] = json!(entry.begun);
        value
    });
    json!({
        "format_version": infermeter_core::run::FORMAT_VERSION,
        "folder": folder,
        "entries": each.collect::<Vec<_>>(),
    })
}
