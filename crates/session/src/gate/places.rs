//! What the paths of a gate stand for: directories of runs and of experiments.
//!
//! Reads names, and lists of them. Invariant: a path that stands for nothing is an error that names it.

use crate::directories::{is_experiment, runs_at};
use anyhow::{Context, Result, bail};
use infermeter_core::text::inert;
use std::fs;
use std::path::{Path, PathBuf};

/// Most directories that a list may name.
const MOST_LISTED: usize = 1_000;

/// Files of a run's or an experiment's directory that stand for it.
const OWN: [&str; 5] = [
    "run.json",
    "repeat.json",
    "compare.json",
    "sweep.json",
    "search.json",
];

/// The directory that a file of its own stands for; any other path as it is.
pub(super) fn around(path: &Path) -> &Path {
    let is_own = OWN
        .iter()
        .any(|own| path.file_name().is_some_and(|name| name == *own));
    match path.parent().filter(|_| is_own && !path.is_dir()) {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// The directories of runs and experiments that a path stands for.
pub(super) fn directories(path: &Path) -> Result<Vec<PathBuf>> {
    let found = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !found.is_dir() {
        return listed(path);
    }
    if is_run(path) {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut inside: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let entry = entry?.path();
        if entry.is_dir() && is_run(&entry) {
            inside.push(entry);
        }
    }
    inside.sort();
    match inside.is_empty() {
        true => bail!(
            "{} holds neither a run nor an experiment, nor a directory of these",
            path.display()
        ),
        false => Ok(inside),
    }
}

fn is_run(path: &Path) -> bool {
    is_experiment(path) || path.join("run.json").exists()
}

/// A file lists directories, a line each.
fn listed(path: &Path) -> Result<Vec<PathBuf>> {
    let around = path.parent().unwrap_or(Path::new("."));
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().map(str::trim);
    let named: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    if named.is_empty() || named.len() > MOST_LISTED {
        bail!(
            "{} has to list 1 to {MOST_LISTED} directories of runs, a line each",
            path.display()
        );
    }
    let mut all = Vec::new();
    for line in named {
        let directory = around.join(line);
        if !is_run(&directory) {
            bail!(
                "{}: `{}` is neither a run nor an experiment",
                path.display(),
                inert(line, 200)
            );
        }
        all.push(directory);
    }
    Ok(all)
}

/// The directory of a run, or of an experiment's first.
pub(super) fn first_run(directory: &Path) -> Option<PathBuf> {
    if !is_experiment(directory) {
        return Some(directory.to_owned());
    }
    runs_at(directory).ok()?.into_iter().next()
}
