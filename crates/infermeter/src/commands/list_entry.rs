//! What one directory of a folder is: a run, an experiment, something damaged, or nothing of ours.
//!
//! Reads `run.json`, the ledger and the file of an experiment's answer, no record.

use crate::compare::Compared;
use crate::search::Searched;
use crate::several::Rendering;
use crate::sweep::Swept;
use crate::together::Repeated;
use crate::told::ANSWER;
use anyhow::Result;
use infermeter_analysis::Summary;
use infermeter_core::finding::Verdict;
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_core::run::{RunManifest, RunState};
use infermeter_core::text::inert;
use infermeter_protocol::{Compare, Coordinates, ProtocolSpec, Repeat, Search, Sweep};
use infermeter_record::{JOURNAL_FILE, MANIFEST_FILE, PARQUET_FILE, read_manifest};
use infermeter_session::book::{Asked, Book};
use infermeter_session::directories::is_experiment;
use infermeter_session::ranked::rank_directories;
use infermeter_session::run_id::timestamp;
use infermeter_session::runs::RunEntry;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Longest reason, bytes.
const MOST_BYTES: usize = 400;

/// A directory that holds something of ours.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it is.
    pub path: PathBuf,
    /// Its own name.
    pub name: String,
    /// Its place in time: when it began, as far as it says; else when its directory changed last.
    pub begun_ns: i64,
    /// The same in words; absent of a run that was imported without a date.
    pub begun: Option<String>,
    /// What it is.
    pub of: Of,
}

/// What is there.
#[derive(Debug)]
pub(super) enum Of {
    Run(Box<Run>),
    Experiment(Experiment),
    Damaged { why: String },
}

/// A run, by its `run.json`.
#[derive(Debug)]
pub(super) struct Run {
    pub state: RunState,
    pub verdict: Option<Verdict>,
    pub target: String,
    pub load: String,
    pub summary: Option<Summary>,
}

/// An experiment, by its ledger.
#[derive(Debug)]
pub(super) struct Experiment {
    pub command: String,
    pub runs: usize,
    pub verdict: Option<Verdict>,
    pub answer: Option<String>,
}

/// What was read, and when it began as far as that is said.
struct Read {
    of: Of,
    begun_ns: Option<i64>,
    /// Nobody knows when that was: least of all does its directory.
    has_no_date: bool,
}

impl Read {
    fn of(of: Of, begun_ns: Option<i64>) -> Self {
        Self {
            of,
            begun_ns,
            has_no_date: false,
        }
    }
}

impl Entry {
    /// What a directory is; `None` where it holds nothing of ours.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let ours = [MANIFEST_FILE, PARQUET_FILE, JOURNAL_FILE];
        let is_run = ours.iter().any(|name| path.join(name).exists());
        let read = match (is_experiment(path), is_run) {
            (true, _) => experiment(path),
            (false, true) => run(path),
            (false, false) => unmerged(path)?,
        };
        let Read {
            of,
            begun_ns,
            has_no_date,
        } = read.unwrap_or_else(|error| {
            let why = inert(&format!("{error:#}"), MOST_BYTES);
            Read::of(Of::Damaged { why }, None)
        });
        let begun_ns = begun_ns.or_else(|| changed_ns(path)).unwrap_or(0);
        let name = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        Some(Self {
            path: path.to_owned(),
            name: name.into_owned(),
            begun: (!has_no_date).then(|| timestamp(begun_ns)),
            begun_ns,
            of,
        })
    }
}

/// Records of ranks that were not merged; `None` where there are none.
fn unmerged(path: &Path) -> Option<Result<Read>> {
    let ranks = rank_directories(path).unwrap_or_default();
    let manifest = read_manifest(ranks.first()?);
    let why = format!(
        "the records of {} were not merged: `infermeter merge {}` does it",
        counted(ranks.len() as u64, "rank"),
        inert(&path.display().to_string(), MOST_BYTES)
    );
    let begun_ns = manifest.ok().and_then(|manifest| manifest.begun_ns());
    Some(Ok(Read::of(Of::Damaged { why }, begun_ns)))
}

/// When the directory changed last.
fn changed_ns(path: &Path) -> Option<i64> {
    let about = std::fs::metadata(path).ok()?;
    Some(about.mtime() * 1_000_000_000 + about.mtime_nsec())
}

fn run(path: &Path) -> Result<Read> {
    let manifest = read_manifest(path)?;
    let begun_ns = manifest.begun_ns();
    let RunManifest { state, verdict, .. } = manifest;
    // A version with other figures judged it: `report` computes them.
    let summary = Summary::read(&manifest).ok().flatten();
    Ok(Read {
        of: Of::Run(Box::new(Run {
            state,
            verdict,
            target: manifest.plan.target.clone(),
            load: load(&manifest.plan),
            summary,
        })),
        begun_ns,
        has_no_date: begun_ns.is_none(),
    })
}

/// `20/s`, `32 slots`.
pub(super) fn load(plan: &Plan) -> String {
    match (plan.rate, plan.concurrency) {
        (Some(rate), _) => format!("{rate}/s"),
        (None, Some(slots)) => format!("{slots} slots"),
        (None, None) if plan.rate_profile.is_some() => "a profile".to_owned(),
        (None, None) => "a replay".to_owned(),
    }
}

fn experiment(path: &Path) -> Result<Read> {
    let Asked::Runs(asked) = Book::header(path)?.asked else {
        let calibrate = Experiment {
            command: "calibrate".to_owned(),
            runs: 0,
            verdict: None,
            answer: None,
        };
        return Ok(Read::of(Of::Experiment(calibrate), None));
    };
    let book = Book::read::<Coordinates, RunEntry>(path)?;
    let verdicts = book.ended.iter().map(|line| line.seen.verdict);
    let first = path.join("run-01");
    let begun = read_manifest(&first).ok();
    let of = Of::Experiment(Experiment {
        command: asked.protocol.command().to_owned(),
        runs: book.ended.len(),
        verdict: verdicts.max(),
        answer: answer(path, &asked.protocol),
    });
    Ok(Read::of(of, begun.and_then(|manifest| manifest.begun_ns())))
}

/// The file of an experiment's answer.
pub(super) fn answer_file(protocol: &ProtocolSpec) -> &'static str {
    match protocol {
        ProtocolSpec::Compare(_) => <Compared as Rendering<Compare>>::FILE,
        ProtocolSpec::Repeat { .. } => <Repeated as Rendering<Repeat>>::FILE,
        ProtocolSpec::Sweep(_) => <Swept as Rendering<Sweep>>::FILE,
        ProtocolSpec::Search(_) => <Searched as Rendering<Search>>::FILE,
    }
}

/// The answer in a line, where it was written.
fn answer(path: &Path, protocol: &ProtocolSpec) -> Option<String> {
    let text = std::fs::read_to_string(path.join(answer_file(protocol))).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    Some(value[ANSWER].as_str()?.to_owned())
}
