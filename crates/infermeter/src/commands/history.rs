//! `infermeter history add|list|show|trend FOLDER`: runs of the same plans over time.
//!
//! Invariant: what cannot be added is named, and the rest is added.

use super::history_output::{
    AddOutput, HistoryOutput, PlanListed, PlanTrend, RunListed, RunOfTrend, Told,
};
use super::list_entry::load;
use crate::cli::tables::{HistoryAddArgs, HistoryListArgs, HistoryShowArgs, HistoryTrendArgs};
use crate::exit;
use crate::page::Delivery;
use crate::show::Shown;
use anyhow::{Context, Result, bail};
use infermeter_analysis::Trend;
use infermeter_core::text::inert;
use infermeter_record::{DamagedLine, unpack};
use infermeter_report::{
    Block, Document, Entries, Headline, HistoryRun, HistoryView, Section, TrendView, of_history,
    of_history_run, of_trends,
};
use infermeter_session::book::Book;
use infermeter_session::directories::{is_experiment, runs_at};
use infermeter_session::history::{
    self, Added, Entry, History, KeptPlan, Occasion, Origin, looked_at, short,
};
use serde_json::Value;
use std::path::Path;

/// `history add`. Ends with 2 where something could not be added.
///
/// # Errors
/// When the history cannot be written.
pub(crate) fn add(args: &HistoryAddArgs, shown: Shown) -> Result<u8> {
    history::takes(&args.folder)?;
    let mut told = Vec::new();
    let mut entries = Vec::new();
    for from in &args.runs {
        for found in gathered(from, args).unwrap_or_else(|error| vec![Err(error)]) {
            match found {
                Ok(entry) => entries.push(entry),
                Err(error) => told.push(Told {
                    from: from.display().to_string(),
                    run: String::new(),
                    what: "not added",
                    why: inert(&format!("{error:#}"), 600),
                }),
            }
        }
    }
    let failed = !told.is_empty();
    let added = history::add(&args.folder, &entries)?;
    for (entry, added) in entries.iter().zip(added) {
        told.push(Told {
            from: entry.from.display().to_string(),
            run: short(&entry.run_id).to_owned(),
            what: match added {
                Added::New => "added",
                Added::Known => "there already",
            },
            why: match entry.is_usable() {
                true => String::new(),
                false => {
                    "it is kept and not used: it is Invalid, or did not end as planned".to_owned()
                }
            },
        });
    }
    shown.print(|| told_document(&told), || AddOutput::of(&told));
    Ok(match failed {
        true => exit::USAGE,
        false => exit::OK,
    })
}

fn told_document(told: &[Told]) -> Document {
    let mut entries = Entries::default();
    for one in told {
        let of = [one.run.as_str(), one.what].join(" ");
        let text = match one.why.is_empty() {
            true => of.trim().to_owned(),
            false => format!("{}: {}", of.trim(), one.why),
        };
        entries.add(&one.from, text);
    }
    let mut document = Document::default();
    document.push(Section::new("").with(Block::from(entries)));
    document
}

/// What is kept of a directory or a bundle, run by run.
fn gathered(from: &Path, args: &HistoryAddArgs) -> Result<Vec<Result<Entry>>> {
    if from.is_dir() {
        return entries(from, from, args);
    }
    let place = tempfile::tempdir().context("no place to unpack it to")?;
    let unpacked = unpack(from, place.path())?;
    if let Some((path, _)) = unpacked.problems.first() {
        bail!(
            "its file {path} is not what it says: `infermeter verify {}` names all",
            from.display()
        );
    }
    entries(place.path(), from, args)
}

fn entries(directory: &Path, from: &Path, args: &HistoryAddArgs) -> Result<Vec<Result<Entry>>> {
    let occasion = match is_experiment(directory) {
        true => Some(occasion(directory)?),
        false => None,
    };
    let origin = Origin {
        from,
        occasion: occasion.as_deref(),
        server: args.server.as_deref(),
        more: &args.figure,
        headline: |summary| serde_json::to_value(Headline::of(summary)).unwrap_or_default(),
    };
    let runs = runs_at(directory)?;
    Ok(runs
        .iter()
        .map(|run| history::entry(run, &origin))
        .collect())
}

/// What the runs of an experiment have in common: what was asked for, and the first of them.
fn occasion(directory: &Path) -> Result<String> {
    let header = Book::header(directory)?;
    let first = runs_at(directory)?;
    let first = infermeter_record::read_manifest(&first[0])?;
    Ok(format!("{}-{}", short(&header.hash), first.run_id))
}

/// `history list`. Ends with 3 where a line of the history is damaged.
///
/// # Errors
/// When there is none.
pub(crate) fn list(args: &HistoryListArgs, shown: Shown) -> Result<u8> {
    let history = History::read(&args.folder)?;
    let folder = args.folder.display().to_string();
    let document = || {
        let plans: Vec<HistoryView<'_>> = history
            .plans
            .iter()
            .map(|plan| view(plan, &each(plan)))
            .collect();
        of_history(&folder, &plans, &damaged(&history.damaged))
    };
    shown.print(document, || list_json(&history));
    Ok(code(&history))
}

fn list_json(history: &History) -> Value {
    let plans = history.plans.iter().map(|plan| PlanListed {
        id: &plan.id,
        about: about(plan),
        runs: plan.runs.iter().map(RunListed::of).collect(),
    });
    serde_json::to_value(HistoryOutput::of(history, plans.collect())).unwrap_or_default()
}

fn damaged(lines: &[DamagedLine]) -> Vec<(usize, &str)> {
    lines
        .iter()
        .map(|line| (line.line, line.why.as_str()))
        .collect()
}

fn code(history: &History) -> u8 {
    match history.damaged.is_empty() {
        true => exit::OK,
        false => exit::INVALID,
    }
}

/// Each run on its own.
fn each(plan: &KeptPlan) -> Vec<&Entry> {
    plan.runs.iter().collect()
}

fn view<'a>(plan: &'a KeptPlan, runs: &[&'a Entry]) -> HistoryView<'a> {
    let first = runs.first().map_or(0, |run| run.begun_ns);
    HistoryView {
        id: short(&plan.id),
        about: about(plan),
        runs: runs.iter().map(|run| run_view(run, first)).collect(),
    }
}

fn run_view(run: &Entry, first_ns: i64) -> HistoryRun<'_> {
    HistoryRun {
        id: short(&run.run_id),
        begun: &run.begun,
        seconds: (run.begun_ns - first_ns) as f64 / 1e9,
        verdict: run.verdict,
        figures: &run.figures,
    }
}

/// What a plan measures, in words.
fn about(plan: &KeptPlan) -> String {
    let Some(last) = plan.runs.last() else {
        return String::new();
    };
    format!(
        "{}, {}, {}",
        last.server,
        inert(&last.model, 80),
        load(&last.plan)
    )
}

/// `history show`.
///
/// # Errors
/// When there is no such run, or several.
pub(crate) fn show(args: &HistoryShowArgs, shown: Shown) -> Result<u8> {
    let history = History::read(&args.folder)?;
    let found: Vec<&Entry> = history
        .runs()
        .filter(|run| run.run_id.starts_with(&args.run))
        .collect();
    let run = match found[..] {
        [run] => run,
        [] => bail!(
            "no run of this history has an id that begins with {}",
            inert(&args.run, 80)
        ),
        _ => bail!(
            "{} runs have an id that begins with {}",
            found.len(),
            inert(&args.run, 80)
        ),
    };
    let about = [
        ("from", run.from.display().to_string()),
        (
            "state",
            serde_json::to_value(run.state)?
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        ),
        ("findings", run.findings.join(", ")),
        ("server", run.server.clone()),
        (
            "version",
            run.environment.target.version.clone().unwrap_or_default(),
        ),
        ("model", inert(&run.model, 200)),
        ("load", load(&run.plan)),
        ("infermeter", run.infermeter_version.clone()),
        ("plan", run.series.clone()),
    ];
    shown.print(
        || of_history_run(&run_view(run, run.begun_ns), &about),
        || run,
    );
    Ok(exit::OK)
}

/// `history trend`. Ends with 3 where a line of the history is damaged.
///
/// # Errors
/// When there is none, or no such plan.
pub(crate) fn trend(args: &HistoryTrendArgs, delivery: &Delivery<'_>) -> Result<u8> {
    let history = History::read(&args.folder)?;
    let asked = args.plan.as_deref().unwrap_or("");
    let plans: Vec<&KeptPlan> = history
        .plans
        .iter()
        .filter(|plan| plan.id.starts_with(asked))
        .collect();
    if plans.is_empty() {
        bail!(
            "no plan of this history has an id that begins with {}",
            inert(asked, 80)
        );
    }
    let figures = looked_at(&args.figure);
    let found: Vec<Trend> = plans.iter().map(|plan| plan.trend(&figures)).collect();
    let document = |_| {
        let views = plans.iter().zip(&found).map(|(plan, trend)| TrendView {
            of: view(plan, &first_of_each(&plan.occasions())),
            trend,
        });
        let views: Vec<TrendView<'_>> = views.collect();
        of_trends(
            &args.folder.display().to_string(),
            &views,
            &damaged(&history.damaged),
        )
    };
    delivery.deliver(Some(&args.folder), document, || {
        trend_json(&plans, &found, &history)
    })?;
    Ok(code(&history))
}

/// The same of all plans of a folder.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn trend_of(folder: &Path, delivery: &Delivery<'_>) -> Result<u8> {
    let args = HistoryTrendArgs {
        folder: folder.to_owned(),
        ..HistoryTrendArgs::defaults()
    };
    trend(&args, delivery)
}

fn first_of_each<'a>(occasions: &[Occasion<'a>]) -> Vec<&'a Entry> {
    occasions
        .iter()
        .filter_map(|occasion| occasion.runs.first().copied())
        .collect()
}

fn trend_json(plans: &[&KeptPlan], found: &[Trend], history: &History) -> Value {
    let plans = plans.iter().zip(found).map(|(plan, trend)| {
        let runs = first_of_each(&plan.occasions());
        PlanTrend {
            id: &plan.id,
            about: about(plan),
            runs: runs.into_iter().map(RunOfTrend::of).collect(),
            trend,
        }
    });
    serde_json::to_value(HistoryOutput::of(history, plans.collect())).unwrap_or_default()
}
