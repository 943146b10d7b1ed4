//! An experiment of runs that is on disk: what is there, what is missing, and how to go on.
//!
//! Measures nothing. A run counts that was entered in the ledger, or that ended as planned without having
//! been entered: a kill can come between the two. Invariant: nothing that was measured is removed; what was
//! cut off is set aside when its place is needed.

use crate::aside::set_aside;
use crate::book::{Asked, AskedRuns, Book, EndedLine, FORMAT_VERSION, Header, Read, Stopped};
use crate::differences;
use crate::directories::number_of;
use crate::experiment::{Experiment, measured};
use crate::kept::KeptRun;
use crate::load::Load;
use crate::runs::{RunEntry, run_name};
use anyhow::{Result, bail};
use infermeter_analysis::RunSetup;
use infermeter_core::plan::Plan;
use infermeter_core::run::{RunManifest, RunState};
use infermeter_core::text::inert;
use infermeter_protocol::{AnyOfRuns, Coordinates, Kept, ProtocolSpec, RunPoint, RunSeen};
use infermeter_record::{Ledger, RunDirectory, read_manifest};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Runs of an experiment, as they are on disk.
#[derive(Debug)]
pub struct KeptExperiment {
    /// The plans, secrets replaced, and what decides over their runs.
    pub asked: AskedRuns,
    /// The runs that are there.
    pub points: Vec<RunPoint>,
    /// Those that should be there, with why they are not.
    pub missing: Vec<Missing>,
    /// What could not be measured, where it said so.
    pub stopped: Vec<Stopped>,
}

/// A run that is not there.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Missing {
    /// Its number.
    pub run: usize,
    /// Where it was to be measured, as far as that is known.
    #[serde(skip)]
    pub at: Option<Coordinates>,
    /// Why it is not there.
    pub why: String,
}

/// The book of an experiment that goes on, and what it has already.
#[derive(Debug)]
pub struct Resumed {
    /// Its book.
    pub book: Book,
    /// The runs that are there.
    pub points: Vec<RunPoint>,
}

/// The header of an experiment over these plans, each with its first load. Its hash is over the requests
/// and their instants, too: a trace or a dataset may change behind a plan that does not.
///
/// # Errors
/// Where a plan makes no experiment.
pub fn header(planned: &[(Plan, Load)], protocol: ProtocolSpec) -> Result<Header> {
    let mut hasher = Sha256::new();
    hasher.update(serde_json::to_vec(&protocol)?);
    let mut variants = Vec::new();
    for (plan, load) in planned {
        let experiment = Experiment::of(plan)?;
        hasher.update(experiment.hash());
        // How often it is measured is no part of the experiment.
        hasher.update(plan.repeat.unwrap_or_default().to_le_bytes());
        hasher.update(load.workload.hash());
        hasher.update(load.schedule_hash().unwrap_or_default());
        variants.push(measured(plan));
    }
    let hash = hasher.finalize();
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let asked = AskedRuns { variants, protocol };
    Ok(Header::new(hash, Asked::Runs(asked)))
}

/// What the experiment of a directory asks for.
///
/// # Errors
/// Where there is none of runs.
pub fn asked(directory: &Path) -> Result<AskedRuns> {
    match Book::header(directory)?.asked {
        Asked::Runs(asked) => Ok(asked),
        Asked::Rungs { .. } => bail!(
            "{} holds a calibration: `infermeter calibrate --resume {0}` continues it",
            directory.display()
        ),
    }
}

/// Makes the directory of an experiment, with its book.
///
/// # Errors
/// Where it exists, or cannot be written.
pub fn create(directory: &Path, header: &Header) -> Result<Book> {
    RunDirectory::create(directory)?;
    Book::create(directory, header)
}

impl KeptExperiment {
    /// Reads and judges what is there; `change` is made to what each run says of itself before.
    ///
    /// # Errors
    /// Where there is no experiment of runs.
    pub fn open(directory: &Path, change: &dyn Fn(&mut RunManifest)) -> Result<Self> {
        let asked = asked(directory)?;
        let protocol = asked.protocol.protocol(&asked.variants)?;
        let read: Read<Coordinates, RunEntry> = Book::read(directory)?;
        let shelf = Shelf {
            directory,
            read: &read,
            change,
        };
        let found = shelf.runs(&*protocol);
        let mut missing = found.missing;
        let expected = Expected::of(&*protocol, &found.points);
        let account = Account {
            expected: &expected,
            points: &found.points,
            stopped: &read.stopped,
        };
        for one in &expected {
            if !missing.iter().any(|m| m.run == one.run) && !has(&found.points, one.run) {
                missing.push(Missing {
                    run: one.run,
                    at: Some(one.at),
                    why: account.why(one),
                });
            }
        }
        missing.sort_by_key(|missing| missing.run);
        Ok(Self {
            asked,
            points: found.points,
            missing,
            stopped: read.stopped,
        })
    }
}

/// What is wrong with runs of these names in the directory of an experiment: its ledger does not know them.
///
/// # Errors
/// Where there is no experiment of runs.
pub fn strangers(directory: &Path, names: &[&str]) -> Result<Vec<(String, &'static str)>> {
    let asked = asked(directory)?;
    let protocol = asked.protocol.protocol(&asked.variants)?;
    let read: Read<Coordinates, RunEntry> = Book::read(directory)?;
    let shelf = Shelf {
        directory,
        read: &read,
        change: &|_| {},
    };
    let not_entered = shelf.others(protocol.fixed().as_ref().map(Vec::len));
    let wrong = |name: &&str| {
        let number = number_of(name).filter(|number| run_name(*number) == **name);
        let entered = read.ended.iter().find(|line| Some(line.number) == number);
        match entered {
            Some(line) => {
                let run = read_manifest(&directory.join(name)).ok();
                let is_other = run.is_some_and(|run| run.run_id != line.seen.run_id);
                is_other.then_some("the experiment's ledger has another run of this number")
            }
            None if number.is_some_and(|number| not_entered.contains(&number)) => None,
            None => Some("it is no part of the experiment: its ledger does not know it"),
        }
    };
    let wrong = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), wrong(name)?)));
    Ok(wrong.collect())
}

/// What runs say of the set-ups that they were measured on, in their directories; absent where one cannot be read.
pub fn setups(points: &[RunPoint]) -> Option<Vec<RunSetup>> {
    let setup = |point: &RunPoint| {
        let manifest = read_manifest(&point.seen.place.directory).ok()?;
        Some(RunSetup::of(&manifest, &point.seen.summary))
    };
    points.iter().map(setup).collect()
}

/// How many runs there are, from the first on without a hole, that ended as planned.
fn whole(points: &[RunPoint]) -> usize {
    let whole = (1..)
        .zip(points)
        .take_while(|(number, point)| point.number == *number && point.seen.is_whole());
    whole.count()
}

fn has(points: &[RunPoint], number: usize) -> bool {
    points.iter().any(|point| point.number == number)
}

/// A run that is to be there.
struct Expected {
    run: usize,
    at: Coordinates,
}

impl Expected {
    /// Those of a protocol: all, or what may follow from the first ones.
    fn of(protocol: &dyn AnyOfRuns, points: &[RunPoint]) -> Vec<Self> {
        let (first, all) = match protocol.fixed() {
            Some(all) => (1, all),
            None => {
                let whole = whole(points);
                (whole + 1, protocol.ahead(&points[..whole]))
            }
        };
        let numbered = (first..).zip(all);
        numbered.map(|(run, at)| Self { run, at }).collect()
    }
}

/// What is known of an experiment whose runs are not all there.
struct Account<'a> {
    expected: &'a [Expected],
    points: &'a [RunPoint],
    stopped: &'a [Stopped],
}

impl Account<'_> {
    /// Why a run was not begun.
    fn why(&self, expected: &Expected) -> String {
        let run = expected.run;
        if let Some(own) = self.stopped.iter().find(|stopped| stopped.number == run) {
            // What stands there was said of this run when it happened.
            let prefix = format!("run {run}: ");
            let why = own.why.strip_prefix(&prefix).unwrap_or(&own.why);
            return format!("not measured: {why}");
        }
        let mut stopped = self.stopped.iter();
        match stopped.find(|stopped| self.went_on_without(stopped, expected)) {
            Some(stopped) => format!("left out, as run {} could not be measured", stopped.number),
            None => "not begun".to_owned(),
        }
    }

    /// The run has the target of one that could not be measured, and others went on.
    fn went_on_without(&self, stopped: &Stopped, expected: &Expected) -> bool {
        let lost = self
            .expected
            .iter()
            .find(|other| other.run == stopped.number);
        let went_on = self
            .points
            .iter()
            .any(|point| point.number > stopped.number);
        went_on
            && stopped.number < expected.run
            && lost.is_some_and(|lost| lost.at.variant == expected.at.variant)
    }
}

/// Goes on with the experiment of a directory: its runs that can be used.
///
/// # Errors
/// Where it is another one, where another process measures it, and where its files cannot be read.
pub fn resume(directory: &Path, header: &Header, protocol: &dyn AnyOfRuns) -> Result<Resumed> {
    let found = Book::header(directory)?;
    same(directory, &found, header)?;
    let (mut book, read) = Book::reopen::<Coordinates, RunEntry>(directory)?;
    let shelf = Shelf {
        directory,
        read: &read,
        change: &|_| {},
    };
    let points = usable(protocol, shelf.runs(protocol).points);
    for point in &points {
        if !read.ended.iter().any(|line| line.number == point.number) {
            book.ended(line_of(point))?;
        }
    }
    set_aside(directory, &|number| !has(&points, number))?;
    Ok(Resumed { book, points })
}

/// The runs of an experiment that going on with it would use. Changes nothing.
///
/// # Errors
/// As [`resume`].
pub fn there(directory: &Path, header: &Header, protocol: &dyn AnyOfRuns) -> Result<Vec<RunPoint>> {
    same(directory, &Book::header(directory)?, header)?;
    let read = Book::read(directory)?;
    let shelf = Shelf {
        directory,
        read: &read,
        change: &|_| {},
    };
    Ok(usable(protocol, shelf.runs(protocol).points))
}

/// The runs that whoever goes on can use: those that ended as planned, from the first on where each follows from
/// those before it.
fn usable(protocol: &dyn AnyOfRuns, mut points: Vec<RunPoint>) -> Vec<RunPoint> {
    match protocol.fixed() {
        Some(_) => points.retain(|point| point.seen.is_whole()),
        None => points.truncate(whole(&points)),
    }
    points
}

fn line_of(point: &RunPoint) -> EndedLine<&Coordinates, RunEntry> {
    EndedLine {
        number: point.number,
        at: &point.at,
        replicate: point.replicate,
        seen: RunEntry::of(&point.seen),
    }
}

/// The experiment on disk is the one that is asked for.
pub(crate) fn same(directory: &Path, found: &Header, asked: &Header) -> Result<()> {
    let other_form = found.format_version != FORMAT_VERSION;
    if other_form || found.infermeter_version != asked.infermeter_version {
        let earlier = if other_form {
            "an earlier build of "
        } else {
            ""
        };
        bail!(
            "{} was begun by {earlier}infermeter {}: continue with that one, or start over with --out",
            directory.display(),
            inert(&found.infermeter_version, 40)
        );
    }
    if found.hash == asked.hash {
        return Ok(());
    }
    let differences = other_asked(&found.asked, &asked.asked);
    let named = match differences.is_empty() {
        true => "its settings, or the files that it reads, were different".to_owned(),
        false => differences::named(&differences),
    };
    bail!(
        "--resume: {} holds a different experiment: {named}. Give the same flags as when it was begun, or \
         start over with --out",
        directory.display()
    )
}

/// Where two experiments differ, by key.
fn other_asked(found: &Asked, asked: &Asked) -> Vec<String> {
    let (Asked::Runs(then), Asked::Runs(now)) = (found, asked) else {
        return Vec::new();
    };
    let (plans_then, plans_now) = (then.variants.len(), now.variants.len());
    if plans_then != plans_now {
        return vec![format!("it has {plans_then} plans, not {plans_now}")];
    }
    let whose = [" there", " here"];
    let mut all = differences::of(&then.protocol, &now.protocol, &|_| true, whose);
    for (then, now) in then.variants.iter().zip(&now.variants) {
        for difference in differences::of(then, now, &|_| true, whose) {
            if !all.contains(&difference) {
                all.push(difference);
            }
        }
    }
    all
}

/// The directories of an experiment, with what its ledger says of them.
struct Shelf<'a> {
    directory: &'a Path,
    read: &'a Read<Coordinates, RunEntry>,
    change: &'a dyn Fn(&mut RunManifest),
}

/// The runs that are there, and those that should be.
#[derive(Default)]
struct Found {
    points: Vec<RunPoint>,
    missing: Vec<Missing>,
}

impl Shelf<'_> {
    fn runs(&self, protocol: &dyn AnyOfRuns) -> Found {
        let mut found = Found::default();
        for line in &self.read.ended {
            match self.run(line.number) {
                Ok(seen) => found.points.push(RunPoint {
                    number: line.number,
                    at: line.at,
                    replicate: line.replicate,
                    seen,
                }),
                Err(error) => found.missing.push(Missing {
                    run: line.number,
                    at: Some(line.at),
                    why: format!("its record cannot be read: {error:#}"),
                }),
            }
        }
        self.not_entered(protocol, &mut found);
        found
    }

    /// The runs that were not entered: they may have ended, too.
    fn not_entered(&self, protocol: &dyn AnyOfRuns, found: &mut Found) {
        let fixed = protocol.fixed();
        for number in self.others(fixed.as_ref().map(Vec::len)) {
            let at = match &fixed {
                Some(all) => all.get(number - 1).copied(),
                None => protocol.next_at(&found.points),
            };
            let path = self.path(number);
            let ended = read_manifest(&path).is_ok_and(|m| m.state == RunState::Finished);
            match at.filter(|_| ended).map(|at| (at, self.run(number))) {
                Some((at, Ok(seen))) => found.points.push(RunPoint {
                    number,
                    at,
                    replicate: match &fixed {
                        Some(all) => all[..number - 1].iter().filter(|a| **a == at).count(),
                        None => found.points.iter().filter(|point| point.at == at).count(),
                    },
                    seen,
                }),
                _ => found.missing.push(Missing {
                    run: number,
                    at,
                    why: match Ledger::is_written(self.directory) {
                        true => "it is being measured".to_owned(),
                        false => cut_off(&path),
                    },
                }),
            }
        }
        found.points.sort_by_key(|point| point.number);
    }

    /// Numbers of the runs that have a directory and no entry: those behind the last entry, next to each other, or
    /// any of so many.
    fn others(&self, most: Option<usize>) -> Vec<usize> {
        let entered = |number: &usize| self.read.ended.iter().any(|line| line.number == *number);
        let is_there = |number: &usize| self.path(*number).exists();
        match most {
            Some(most) => (1..=most)
                .filter(|number| !entered(number) && is_there(number))
                .collect(),
            None => {
                let first = self.read.ended.last().map_or(0, |line| line.number) + 1;
                (first..).take_while(is_there).collect()
            }
        }
    }

    fn run(&self, number: usize) -> Result<RunSeen> {
        let path = self.path(number);
        let mut kept = KeptRun::open(&path)?;
        (self.change)(&mut kept.manifest);
        let until = kept.manifest.plan.until;
        Ok(kept.judge(until.as_ref())?.seen(&path, Kept::Whole))
    }

    fn path(&self, number: usize) -> PathBuf {
        self.directory.join(run_name(number))
    }
}

fn cut_off(path: &Path) -> String {
    format!(
        "it was cut off: `infermeter report {}` shows what is left of it",
        path.display()
    )
}
