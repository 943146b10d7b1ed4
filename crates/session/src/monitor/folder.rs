//! The folder of a monitor: its lines, the directories of its runs, and how many of these stay.
//!
//! ```text
//! FOLDER/history.jsonl     the figures of all runs, as `infermeter history` keeps them
//! FOLDER/monitor.jsonl     a line for each instant
//! FOLDER/runs/slot-000001  the records of the last runs
//! ```
//!
//! Measures nothing. Invariants: one process writes at a time; what is removed is a directory of a run that stands
//! here under its number, never the newest, and it has another name before anything of it goes.

use super::line::{MONITOR_VERSION, MonitorLine};
use crate::history;
use anyhow::{Context, Result, bail};
use infermeter_core::text::inert;
use infermeter_record::CheckedLines;
use serde::Deserialize;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// The lines.
pub(super) const MONITOR_FILE: &str = "monitor.jsonl";
/// Who holds its lock writes here.
const LOCK_FILE: &str = "monitor.lock";
/// The directories of runs.
const RUNS: &str = "runs";
/// What the name of one begins with.
const SLOT: &str = "slot-";
/// What the name of one begins with while it is removed.
const GOING: &str = "removed-slot-";

/// How many records of runs stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many at the most; at least one stays.
    pub runs: u64,
    /// So many bytes at the most, as far as that leaves one; absent: any number.
    pub bytes: Option<u64>,
}

/// A folder that is written.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lines: CheckedLines,
    _lock: File,
}

/// A folder, and what it says so far.
pub(super) struct Opened {
    pub folder: Folder,
    /// What earlier monitors have said.
    pub lines: Vec<MonitorLine>,
    /// How many lines cannot be read.
    pub damaged: usize,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pruned {
    /// So many directories.
    pub removed: u64,
    /// What could not be removed, and why.
    pub problems: Vec<String>,
}

/// The directory of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunFolder {
    /// Its number.
    pub slot: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl Folder {
    /// Opens the folder of a monitor, which is made where it is not there.
    ///
    /// # Errors
    /// When another process has it, when it holds a run or an experiment, and when it cannot be written.
    pub fn open(path: &Path) -> Result<Opened> {
        history::takes(path)?;
        let runs = path.join(RUNS);
        fs::create_dir_all(&runs).with_context(|| format!("cannot create {}", runs.display()))?;
        let lock = path.join(LOCK_FILE);
        let mut options = File::options();
        let file = options.create(true).append(true).open(&lock);
        let file = file.with_context(|| format!("cannot open {}", lock.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another monitor writes to {}: end it, or give this one a folder of its own with --out",
                path.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", lock.display()));
            }
        }
        let (lines, read) = CheckedLines::open(&path.join(MONITOR_FILE))?;
        let entries = read.entries.iter();
        let parsed: Vec<MonitorLine> = entries.filter_map(|(_, text)| parsed(text)).collect();
        Ok(Opened {
            damaged: read.damaged.len() + read.entries.len() - parsed.len(),
            folder: Self {
                path: path.to_owned(),
                lines,
                _lock: file,
            },
            lines: parsed,
        })
    }

    /// Where it is; the history is there, too.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the run of an instant.
    pub fn of_run(&self, slot: u64) -> PathBuf {
        self.path.join(RUNS).join(format!("{SLOT}{slot:06}"))
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is left then.
    pub fn add(&mut self, line: &MonitorLine) -> Result<()> {
        Ok(self.lines.add(line)?)
    }

    /// The directories of runs, the oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn runs(&self) -> Result<Vec<RunFolder>> {
        let mut found: Vec<RunFolder> = self
            .directories()?
            .into_iter()
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?;
                let slot = name.strip_prefix(SLOT)?.parse().ok()?;
                Some(RunFolder { slot, path })
            })
            .collect();
        found.sort_by_key(|run| run.slot);
        Ok(found)
    }

    /// Real directories: what a link leads to is not ours.
    fn directories(&self) -> Result<Vec<PathBuf>> {
        let runs = self.path.join(RUNS);
        let listed = fs::read_dir(&runs).with_context(|| format!("cannot list {}", runs.display()));
        let entries = listed?.filter_map(Result::ok);
        let directories = entries.filter(|entry| entry.file_type().is_ok_and(|of| of.is_dir()));
        Ok(directories.map(|entry| entry.path()).collect())
    }

    /// Removes the oldest records until what stays is within the bounds, and what an earlier process left of removing.
    pub fn prune(&self, keep: Keep) -> Pruned {
        let mut pruned = Pruned::default();
        let listed = self
            .directories()
            .and_then(|all| Ok((all, self.runs()?)))
            .map_err(|error| pruned.problems.push(format!("{error:#}")));
        let Ok((all, runs)) = listed else {
            return pruned;
        };
        for path in all.iter().filter(|path| is_going(path)) {
            pruned.remove(path);
        }
        for run in beyond(&runs, keep) {
            let going = run.path.with_file_name(format!("{GOING}{:06}", run.slot));
            match fs::rename(&run.path, &going) {
                Ok(()) => pruned.remove(&going),
                Err(error) => pruned.failed(&run.path, &error),
            }
        }
        pruned
    }
}

impl Pruned {
    fn remove(&mut self, path: &Path) {
        match fs::remove_dir_all(path) {
            Ok(()) => self.removed += 1,
            Err(error) => self.failed(path, &error),
        }
    }

    fn failed(&mut self, path: &Path, error: &std::io::Error) {
        let path = path.display();
        self.problems.push(format!("cannot remove {path}: {error}"));
    }
}

fn is_going(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(GOING))
}

/// The oldest runs, whose going leaves what may stay. Never the newest.
fn beyond(runs: &[RunFolder], keep: Keep) -> &[RunFolder] {
    let most = usize::try_from(keep.runs.max(1)).unwrap_or(usize::MAX);
    let mut first = runs.len().saturating_sub(most);
    if let Some(bytes) = keep.bytes {
        let sizes: Vec<u64> = runs.iter().map(|run| size_of(&run.path)).collect();
        let mut left: u64 = sizes[first..].iter().sum();
        while left > bytes && first + 1 < runs.len() {
            left -= sizes[first];
            first += 1;
        }
    }
    &runs[..first]
}

/// Bytes of the files in a directory of a run, which has no directories below it. What cannot be read has none.
fn size_of(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let sizes = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    sizes.sum()
}

/// A line that this version can read.
fn parsed(text: &str) -> Option<MonitorLine> {
    #[derive(Deserialize)]
    struct Versioned {
        format_version: u64,
    }
    let Versioned { format_version } = serde_json::from_str(text).ok()?;
    let known = format_version <= u64::from(MONITOR_VERSION);
    known.then(|| serde_json::from_str(text).ok()).flatten()
}

/// The folder of a monitor of `target` where none is named: below `runs/`, by the target's name, so that the next
/// monitor of it goes on there.
pub fn default_folder(target: &str) -> PathBuf {
    let bare = target.split_once("://").map_or(target, |(_, rest)| rest);
    let bare = bare.split(['?', '#']).next().unwrap_or_default();
    // User and password are no part of a name.
    let bare = bare.rsplit('@').next().unwrap_or_default();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let name: String = inert(bare, 80).chars().map(plain).collect();
    PathBuf::from(RUNS).join(format!("monitor-{}", name.trim_matches(['-', '.'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(scratch: &Path, runs: &[u64]) -> Folder {
        let opened = Folder::open(scratch).expect("a folder");
        for slot in runs {
            let path = opened.folder.of_run(*slot);
            fs::create_dir(&path).expect("made");
            fs::write(path.join("run.json"), [b' '; 100]).expect("written");
        }
        opened.folder
    }

    fn slots(folder: &Folder) -> Vec<u64> {
        let runs = folder.runs().expect("listed");
        runs.iter().map(|run| run.slot).collect()
    }

    #[test]
    fn the_oldest_records_go_and_nothing_else() {
        let check = |keep: Keep, expect: &[u64], removed: u64| {
            let scratch = tempfile::tempdir().expect("a directory");
            let folder = folder(scratch.path(), &[3, 9, 10, 1_000_000]);
            for other in ["mine", "slot-x", "slot-000001.cut-1"] {
                fs::create_dir(scratch.path().join(RUNS).join(other)).expect("made");
            }
            let elsewhere = tempfile::tempdir().expect("a directory");
            let link = scratch.path().join(RUNS).join("slot-000002");
            std::os::unix::fs::symlink(elsewhere.path(), &link).expect("linked");
            let pruned = folder.prune(keep);
            assert_eq!(slots(&folder), expect, "{keep:?}");
            assert_eq!(
                pruned,
                Pruned {
                    removed,
                    problems: Vec::new()
                }
            );
            assert!(elsewhere.path().exists() && link.exists());
            assert!(scratch.path().join(RUNS).join("slot-000001.cut-1").exists());
        };
        let of = |runs: u64, bytes: Option<u64>| Keep { runs, bytes };
        check(of(4, None), &[3, 9, 10, 1_000_000], 0);
        check(of(2, None), &[10, 1_000_000], 2);
        check(of(0, None), &[1_000_000], 3);
        check(of(9, Some(250)), &[10, 1_000_000], 2);
        check(of(9, Some(1)), &[1_000_000], 3);
        check(of(1, Some(1_000)), &[1_000_000], 3);
    }

    #[test]
    fn what_was_left_of_removing_goes_at_the_next_time() {
        let scratch = tempfile::tempdir().expect("a directory");
        let folder = folder(scratch.path(), &[7]);
        let left = scratch.path().join(RUNS).join("removed-slot-000003");
        fs::create_dir(&left).expect("made");
        let keep = Keep {
            runs: 5,
            bytes: None,
        };
        assert_eq!(folder.prune(keep).removed, 1);
        assert!(!left.exists());
        assert_eq!(slots(&folder), [7]);
    }

    #[test]
    fn a_second_monitor_is_refused_and_a_run_is_no_folder() {
        let scratch = tempfile::tempdir().expect("a directory");
        let first = Folder::open(scratch.path()).expect("a folder");
        let said = Folder::open(scratch.path()).map(|_| ()).expect_err("taken");
        assert!(
            said.to_string().contains("another monitor writes"),
            "{said}"
        );
        drop(first);
        assert!(Folder::open(scratch.path()).is_ok());
        fs::write(scratch.path().join("run.json"), "{}").expect("written");
        assert!(Folder::open(scratch.path()).is_err());
    }

    #[test]
    fn a_target_names_its_folder_without_secrets() {
        let check = |target: &str, expect: &str| {
            assert_eq!(default_folder(target), PathBuf::from(expect), "{target}");
        };
        check("http://localhost:8000", "runs/monitor-localhost-8000");
        check("https://me:pw@host/v1?key=1", "runs/monitor-host-v1");
        check(
            "mock:llama-8b-h100?step=2ms",
            "runs/monitor-mock-llama-8b-h100",
        );
        check("unix:/tmp/../s.sock", "runs/monitor-unix--tmp-..-s.sock");
    }
}
