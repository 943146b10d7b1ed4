//! Runs that are not used: their records are kept, out of the way of those that take their places.
//!
//! Invariant: nothing is removed, and nothing is overwritten.

use crate::directories::{names_in, number_of};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Moves the runs of these numbers out of the way of those to come; where they are then.
pub(crate) fn set_aside(directory: &Path, which: &dyn Fn(usize) -> bool) -> Result<Vec<PathBuf>> {
    let names = names_in(directory)?.into_iter();
    let aside = names.filter(|name| number_of(name).is_some_and(which));
    aside.map(|name| one_aside(directory, &name)).collect()
}

/// Moves one out of the way; where it is then.
pub(crate) fn one_aside(directory: &Path, name: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    let mut free = (1..).map(|n| directory.join(format!("{name}.cut-{n}")));
    let aside = free.find(|path| !path.exists()).unwrap_or_default();
    fs::rename(&path, &aside).with_context(|| format!("{} cannot be set aside", path.display()))?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_behind_a_hole_is_set_aside_too() {
        let scratch = tempfile::tempdir().expect("a directory");
        for name in ["run-01", "run-03", "run-03.cut-1", "run-12", "other"] {
            fs::create_dir(scratch.path().join(name)).expect("made");
        }
        set_aside(scratch.path(), &|number| number > 1).expect("moved");
        let entries = fs::read_dir(scratch.path()).expect("listed");
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        let expected = [
            "other",
            "run-01",
            "run-03.cut-1",
            "run-03.cut-2",
            "run-12.cut-1",
        ];
        assert_eq!(names, expected);
    }
}
