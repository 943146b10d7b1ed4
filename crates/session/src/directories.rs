//! Which directories hold runs: one, those of an experiment, or those in a folder.
//!
//! Reads names alone. Invariant: runs come in the order of their names, and what was set aside under another name
//! (`run-03.cut-1`) is none of them.

use anyhow::{Context, Result, bail};
use infermeter_record::{LEDGER_FILE, MANIFEST_FILE};
use std::fs;
use std::path::{Path, PathBuf};

/// The directory holds an experiment, not a run.
pub fn is_experiment(directory: &Path) -> bool {
    directory.join(LEDGER_FILE).exists()
}

/// The number of a run of an experiment, by the name of its directory.
pub(crate) fn number_of(name: &str) -> Option<usize> {
    name.strip_prefix("run-")?.parse().ok()
}

/// Names in a directory, in order.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn names_in(directory: &Path) -> Result<Vec<String>> {
    let cannot = || format!("{} cannot be read", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).with_context(cannot)? {
        let name = entry.with_context(cannot)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The runs at a path: itself, those of an experiment that have a record, or those in a folder.
///
/// # Errors
/// When it cannot be read, or holds no run.
pub fn runs_at(path: &Path) -> Result<Vec<PathBuf>> {
    let experiment = is_experiment(path);
    if !experiment && path.join(MANIFEST_FILE).is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut names = names_in(path)?;
    names.retain(|name| match experiment {
        true => number_of(name).is_some(),
        false => !name.contains(".cut-"),
    });
    let runs = names.into_iter().map(|name| path.join(name));
    let runs: Vec<PathBuf> = runs
        .filter(|run| run.join(MANIFEST_FILE).is_file())
        .collect();
    match (runs.is_empty(), experiment) {
        (false, _) => Ok(runs),
        (true, true) => bail!("{} has no run that has ended", path.display()),
        (true, false) => bail!(
            "{} holds no run: give an experiment, or directories that `run` wrote",
            path.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_and_what_was_set_aside_is_not() {
        let scratch = tempfile::tempdir().expect("a directory");
        let folder = scratch.path();
        let none = runs_at(folder).expect_err("empty").to_string();
        assert!(none.contains("holds no run"), "{none}");
        for name in ["run-02", "run-01", "run-01.cut-1", "notes"] {
            fs::create_dir(folder.join(name)).expect("made");
            if name != "notes" {
                fs::write(folder.join(name).join(MANIFEST_FILE), "{}").expect("written");
            }
        }
        let both = ["run-01", "run-02"].map(|name| folder.join(name));
        assert_eq!(runs_at(folder).expect("a folder of runs"), both);
        assert_eq!(runs_at(&both[0]).expect("a run"), both[..1]);
    }
}
