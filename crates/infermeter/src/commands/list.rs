//! `infermeter list [DIR]`: the runs and experiments of a folder, newest first.
//!
//! Computes no figure: what is shown is what each run says of itself, which `report` computes again.
//! Invariant: whatever in the folder is a record is listed; what cannot be read is named, with why.

use super::list_entry::{Entry, Of};
use crate::cli::tables::ListArgs;
use crate::exit;
use crate::show::Shown;
use anyhow::{Context, Result};
use infermeter_core::finding::Verdict;
use infermeter_core::run::{FORMAT_VERSION, RunState};
use infermeter_report::{
    Damaged, Document, Headline, ListView, ListedExperiment, ListedRun, of_list,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::cmp::Reverse;
use std::path::Path;

/// Runs the subcommand. Ends with 3 where something cannot be read.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn list(args: &ListArgs, shown: Shown) -> Result<u8> {
    let entries = entries(&args.folder)?;
    let folder = args.folder.display().to_string();
    shown.print(|| document(&folder, &entries), || output(&folder, &entries));
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
        let begun = entry.begun.as_deref().unwrap_or("unknown");
        let name = entry.name.as_str();
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

/// A folder for programs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ListOutput<'a> {
    /// Version of the format.
    format_version: u32,
    /// The folder, as it was named.
    folder: &'a str,
    /// What it holds, newest first.
    entries: Vec<EntryOutput<'a>>,
}

/// A directory of the folder.
#[derive(Debug, Serialize, JsonSchema)]
struct EntryOutput<'a> {
    #[serde(flatten)]
    of: OfOutput<'a>,
    /// Where it is.
    directory: &'a Path,
    /// When it began, UTC; when it changed last, where it does not say; null of a run that was imported from a file without
    /// a date.
    begun: Option<&'a str>,
}

/// What a directory holds.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum OfOutput<'a> {
    /// A run, as its `run.json` has it.
    Run {
        /// How it ended.
        state: RunState,
        /// Whether it can be trusted; null before it was judged.
        verdict: Option<Verdict>,
        /// Where its requests went.
        target: &'a str,
        /// How much load, in words.
        load: &'a str,
        /// One value for each metric; null before it was judged, and where another version judged it.
        headline: Option<Box<Headline<'a>>>,
    },
    /// An experiment, as its ledger has it.
    Experiment {
        /// The command that measures it.
        command: &'a str,
        /// Runs that have ended.
        runs: usize,
        /// The gravest of their verdicts; null without a run.
        verdict: Option<Verdict>,
        /// Its answer in a line; null before there is one.
        answer: Option<&'a str>,
    },
    /// Something that cannot be read.
    Damaged {
        /// Why.
        why: &'a str,
    },
}

fn output<'a>(folder: &'a str, entries: &'a [Entry]) -> ListOutput<'a> {
    let each = entries.iter().map(|entry| EntryOutput {
        of: match &entry.of {
            Of::Run(run) => OfOutput::Run {
                state: run.state,
                verdict: run.verdict,
                target: &run.target,
                load: &run.load,
                headline: run
                    .summary
                    .as_ref()
                    .map(|summary| Box::new(Headline::of(summary))),
            },
            Of::Experiment(experiment) => OfOutput::Experiment {
                command: &experiment.command,
                runs: experiment.runs,
                verdict: experiment.verdict,
                answer: experiment.answer.as_deref(),
            },
            Of::Damaged { why } => OfOutput::Damaged { why },
        },
        directory: &entry.path,
        begun: entry.begun.as_deref(),
    });
    ListOutput {
        format_version: FORMAT_VERSION,
        folder,
        entries: each.collect(),
    }
}
