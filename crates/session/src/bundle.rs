//! What of a run or an experiment goes into a bundle: its record, without secrets and, unless they are asked for,
//! without texts.
//!
//! Nothing in the directory is changed. Invariants: a file that is not known by name is left out and named; what
//! is stated of a record whose texts were taken out is what that record gives.

mod texts;

use crate::directories::{is_experiment, names_in, number_of};
use crate::kept_experiment;
use crate::ranked::{RANKS, RENDEZVOUS};
use crate::redact::redact;
use anyhow::{Context, Result, bail};
use infermeter_core::run::RunManifest;
use infermeter_record::{
    About, BundleKind, BundleManifest, LEDGER_FILE, LEFT_OUT_FILE, LeftOut, MANIFEST_FILE, Member,
    NotAsItWas, PARQUET_FILE, RESPONSES_FILE, RecordState, RunDirectory, SERVER_METRICS_FILE,
    SERVER_METRICS_PARQUET, SPANS_FILE, read_manifest, write_bundle, write_manifest,
};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Files of an experiment that hold its answer.
const ANSWERS: [&str; 4] = ["compare.json", "repeat.json", "search.json", "sweep.json"];

/// Longest name of the directory that a bundle unpacks to.
const LONGEST_NAME: usize = 48;

/// Whether texts go into a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// What the server said stays out.
    LeftOut,
    /// They do.
    Kept,
}

/// Writes the bundle of the run or the experiment in `directory`.
///
/// # Errors
/// Where there is none, its record is not complete, or the archive cannot be written.
pub fn bundle(directory: &Path, out: &Path, texts: Texts) -> Result<BundleManifest> {
    let mut gathered = Gathered {
        texts,
        members: Vec::new(),
        changed: Vec::new(),
        left_out: Vec::new(),
        said: Vec::new(),
        scratch: tempfile::tempdir().context("no place for the files that are changed")?,
    };
    let kind = match is_experiment(directory) {
        true => gathered.experiment(directory)?,
        false => gathered.run(directory, "")?,
    };
    gathered.changed.sort();
    gathered.left_out.sort();
    let about = About {
        name: name_of(directory),
        kind,
        texts: texts == Texts::Kept,
        changed: gathered.changed,
        left_out: gathered.left_out,
    };
    Ok(write_bundle(out, about, gathered.members)?)
}

/// The name of a directory, as far as a bundle takes it.
pub fn name_of(directory: &Path) -> String {
    let path = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| match c.is_ascii_alphanumeric() || "-_.".contains(c) {
        true => c,
        false => '-',
    };
    let name: String = name
        .trim_start_matches('.')
        .chars()
        .map(plain)
        .take(LONGEST_NAME)
        .collect();
    match name.is_empty() {
        true => "record".to_owned(),
        false => name,
    }
}

struct Gathered {
    texts: Texts,
    members: Vec<Member>,
    changed: Vec<NotAsItWas>,
    left_out: Vec<NotAsItWas>,
    /// Why parts of an experiment could not be measured: texts that stay out.
    said: Vec<String>,
    /// Where files are that are not those of the directory.
    scratch: TempDir,
}

/// Why a file is left out.
const UNKNOWN: &str = "it is not a part of the record";
const TEXTS: &str = "it holds texts: --texts keeps it";
const OF_RANKS: &str = "what each rank left is in the record of all";
const WHERE_THEY_MET: &str = "it is where the ranks met";
/// What was done to the ledger and the answer of an experiment.
const NOT_MEASURED: &str = "why something could not be measured is left out";

impl Gathered {
    fn experiment(&mut self, directory: &Path) -> Result<BundleKind> {
        // Calibrations have a certificate of their own, and no runs.
        kept_experiment::asked(directory)?;
        if self.texts == Texts::LeftOut {
            self.said = texts::ledger_without(directory, self.scratch.path())?;
        }
        for name in names_in(directory)? {
            let path = directory.join(&name);
            match name.as_str() {
                LEDGER_FILE => {
                    let is_changed = !self.said.is_empty();
                    let path = self.clean(&name, path, is_changed);
                    self.add("", &name, "what was asked for, and which runs ended", path);
                }
                name if ANSWERS.contains(&name) => {
                    let into = self.scratch.path();
                    let is_changed = texts::answer_without(directory, into, name, &self.said)?;
                    let path = self.clean(name, path, is_changed);
                    self.add("", name, "the stated answer over all runs", path);
                }
                _ if number_of(&name).is_some() && path.is_dir() => match unfinished(&path)? {
                    None => drop(self.run(&path, &format!("{name}/"))?),
                    Some(why) => self.leave_out("", &name, why),
                },
                _ => self.leave_out("", &name, UNKNOWN),
            }
        }
        match self
            .members
            .iter()
            .any(|member| member.path.ends_with(MANIFEST_FILE))
        {
            true => Ok(BundleKind::Experiment),
            false => bail!("{} has no run that has ended", directory.display()),
        }
    }

    fn run(&mut self, directory: &Path, place: &str) -> Result<BundleKind> {
        if let Some(why) = unfinished(directory)? {
            bail!(
                "{}: {why}: `infermeter report {0}` completes it",
                directory.display()
            );
        }
        let manifest = read_manifest(directory)?;
        let clean = Clean::of(
            directory,
            &manifest,
            self.texts,
            &self.scratch.path().join(place),
        )?;
        for (name, why) in &clean.changed {
            self.changed.push(NotAsItWas {
                path: format!("{place}{name}"),
                why: (*why).to_owned(),
            });
        }
        for name in names_in(directory)? {
            let path = clean
                .instead_of(&name)
                .unwrap_or_else(|| directory.join(&name));
            match name.as_str() {
                MANIFEST_FILE => self.add(
                    place,
                    &name,
                    "plan, workload, environment, certificate, stated figures",
                    path,
                ),
                PARQUET_FILE => self.add(place, &name, "the rows: one for each request", path),
                SERVER_METRICS_FILE => {
                    self.add(place, &name, "what the server's metrics page said", path)
                }
                SERVER_METRICS_PARQUET => self.add(place, &name, "the same as a table", path),
                SPANS_FILE => self.add(place, &name, "what spans of its requests said", path),
                RESPONSES_FILE if self.texts == Texts::Kept => {
                    self.add(place, &name, "the answers' texts", path)
                }
                RESPONSES_FILE => self.leave_out(place, &name, TEXTS),
                LEFT_OUT_FILE => {}
                RANKS => self.leave_out(place, &name, OF_RANKS),
                RENDEZVOUS => self.leave_out(place, &name, WHERE_THEY_MET),
                _ => self.leave_out(place, &name, UNKNOWN),
            }
        }
        if let Some(path) = clean.instead_of(LEFT_OUT_FILE) {
            self.add(
                place,
                LEFT_OUT_FILE,
                "which files of the seal are not there, or without their texts",
                path,
            );
        }
        Ok(BundleKind::Run)
    }

    /// The file of an experiment that goes in.
    fn clean(&mut self, name: &str, path: PathBuf, is_changed: bool) -> PathBuf {
        if !is_changed {
            return path;
        }
        self.changed.push(NotAsItWas {
            path: name.to_owned(),
            why: NOT_MEASURED.to_owned(),
        });
        self.scratch.path().join(name)
    }

    fn add(&mut self, place: &str, name: &str, holds: &'static str, from: PathBuf) {
        self.members.push(Member {
            path: format!("{place}{name}"),
            holds,
            from,
        });
    }

    fn leave_out(&mut self, place: &str, name: &str, why: &str) {
        self.left_out.push(NotAsItWas {
            path: infermeter_core::text::inert(&format!("{place}{name}"), 200),
            why: why.to_owned(),
        });
    }
}

/// Why a run cannot be bundled, where it cannot.
pub(crate) fn unfinished(directory: &Path) -> Result<Option<&'static str>> {
    let state = RunDirectory::open(directory)?.state()?;
    if state != RecordState::Finished {
        return Ok(Some(match state {
            RecordState::NeedsRecovery => "its record is not complete",
            RecordState::Empty | RecordState::Finished => "it has no record",
        }));
    }
    let stated = read_manifest(directory)?.summary.is_some();
    Ok((!stated).then_some("it states no figures"))
}

/// The files of a run that go into a bundle in another form than they have.
struct Clean {
    /// Where they are.
    folder: PathBuf,
    /// Their names, with what was done.
    changed: Vec<(&'static str, &'static str)>,
    /// There is a list of what the seal will not find.
    lists: bool,
}

impl Clean {
    fn of(directory: &Path, manifest: &RunManifest, texts: Texts, folder: &Path) -> Result<Self> {
        let mut clean = Self {
            folder: folder.to_owned(),
            changed: Vec::new(),
            lists: false,
        };
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let mut left_out = LeftOut::read(directory)?;
        let mut own = manifest.clone();
        own.plan = redact(&manifest.plan);
        let mut changes = Vec::new();
        if own.plan != manifest.plan {
            changes.push("secrets in its plan are hidden");
        }
        if texts == Texts::LeftOut {
            left_out.files.insert(RESPONSES_FILE.to_owned(), None);
            if let Some(digest) = texts::without(directory, folder, manifest)? {
                left_out.files.insert(PARQUET_FILE.to_owned(), Some(digest));
                clean
                    .changed
                    .push((PARQUET_FILE, "texts of errors are left out"));
                changes.push("texts of errors are left out of its figures and findings");
            }
            if texts::hide_said(&mut own) {
                changes.push("what the server said before the load is left out");
            }
        }
        let seal = own.seal.iter().flatten();
        let sealed = |name: &String| seal.clone().any(|(known, _)| known == name);
        left_out.files.retain(|name, _| sealed(name));
        clean.lists = !left_out.files.is_empty();
        if clean.lists {
            left_out.write(folder)?;
        }
        if texts == Texts::LeftOut && !changes.is_empty() {
            texts::restate(directory, folder, &mut own)?;
        }
        if !changes.is_empty() {
            write_manifest(folder, &own)?;
            clean
                .changed
                .extend(changes.into_iter().map(|why| (MANIFEST_FILE, why)));
        }
        Ok(clean)
    }

    fn has(&self, name: &str) -> bool {
        self.changed.iter().any(|(known, _)| *known == name)
    }

    /// The file that goes in under this name, where it is not that of the directory.
    fn instead_of(&self, name: &str) -> Option<PathBuf> {
        let own = self.has(name) || (name == LEFT_OUT_FILE && self.lists);
        own.then(|| self.folder.join(name))
    }
}
