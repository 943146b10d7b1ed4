//! The records of ranks as one: what each has left behind is completed, and all of it is merged.
//!
//! It measures nothing and waits for nobody. Invariant: a rank whose record cannot be used costs that rank, and is
//! named.

use super::part::RANKS;
use crate::directories::names_in;
use crate::finish::Ended;
use crate::kept::KeptRun;
use crate::merge::merge;
use anyhow::{Result, bail};
use infermeter_record::{MANIFEST_FILE, RecordState, RunDirectory, read_manifest};
use std::path::{Path, PathBuf};

/// Ranks that were put together.
#[derive(Debug)]
pub struct Gathered {
    /// The run that they are together.
    pub ended: Ended,
    /// Ranks of which nothing could be used: which, and why.
    pub unusable: Vec<String>,
}

/// Whether the directory is one of several ranks, merged or not.
pub fn is_of_ranks(directory: &Path) -> bool {
    directory.join(RANKS).is_dir()
}

/// Whether the ranks of a directory have begun to measure: they had agreed on a start, and one of them came to it.
pub fn has_begun(whole: &Path) -> bool {
    let begun = |rank: &PathBuf| {
        let manifest = read_manifest(rank).ok();
        let rank = manifest.and_then(|manifest| manifest.rank);
        rank.is_some_and(|rank| rank.start_asked_ns.is_some())
    };
    rank_directories(whole).is_ok_and(|all| all.iter().any(begun))
}

/// The directories of the ranks that have measured something, in the order of their numbers.
///
/// # Errors
/// When the folder cannot be read.
pub fn rank_directories(whole: &Path) -> Result<Vec<PathBuf>> {
    let ranks = whole.join(RANKS);
    if !ranks.is_dir() {
        return Ok(Vec::new());
    }
    let numbers = names_in(&ranks)?.into_iter();
    let mut numbers: Vec<u32> = numbers.filter_map(|name| name.parse().ok()).collect();
    numbers.sort_unstable();
    let found = numbers
        .into_iter()
        .map(|number| ranks.join(number.to_string()));
    Ok(found
        .filter(|rank| rank.join(MANIFEST_FILE).is_file())
        .collect())
}

/// Completes the records of ranks that were cut off, and merges all into the directory of the whole.
///
/// # Errors
/// When no rank has measured anything, and when the merged record cannot be written.
pub fn gather(whole: &Path) -> Result<Gathered> {
    let all = rank_directories(whole)?;
    let sorted = Sorted::by(all, has_record);
    sorted.refuse_nothing(whole)?;
    let error = match merge(&sorted.usable, whole) {
        Ok(ended) => {
            return Ok(Gathered {
                ended,
                unusable: sorted.unusable,
            });
        }
        Err(error) => error,
    };
    // One of them may be to blame: each is read to its end, which takes as long as merging them.
    let Sorted { usable, unusable } = sorted;
    let before = usable.len();
    let mut again = Sorted::by(usable, is_readable);
    again.unusable.extend(unusable);
    if again.usable.len() == before || again.usable.is_empty() {
        return Err(error);
    }
    Ok(Gathered {
        ended: merge(&again.usable, whole)?,
        unusable: again.unusable,
    })
}

/// Directories of ranks, by whether they can be used.
struct Sorted {
    usable: Vec<PathBuf>,
    /// The others, and why not.
    unusable: Vec<String>,
}

impl Sorted {
    fn by(all: Vec<PathBuf>, look: fn(&Path) -> Result<()>) -> Self {
        let mut sorted = Self {
            usable: Vec::new(),
            unusable: Vec::new(),
        };
        for directory in all {
            match look(&directory) {
                Ok(()) => sorted.usable.push(directory),
                Err(error) => {
                    let of = directory.display();
                    sorted.unusable.push(format!("{of}: {error:#}"));
                }
            }
        }
        sorted
    }

    fn refuse_nothing(&self, whole: &Path) -> Result<()> {
        if !self.usable.is_empty() {
            return Ok(());
        }
        let why = match self.unusable.is_empty() {
            true => String::new(),
            false => format!(": {}", self.unusable.join("; ")),
        };
        bail!(
            "{} holds no rank that has measured anything{why}",
            whole.join(RANKS).display()
        )
    }
}

/// Whether there is a record, by a look at its files.
fn has_record(directory: &Path) -> Result<()> {
    read_manifest(directory)?;
    match RunDirectory::open(directory)?.state()? {
        RecordState::Finished | RecordState::NeedsRecovery => Ok(()),
        RecordState::Empty => bail!("it ended before its first request"),
    }
}

/// Whether its record can be read, once it is completed.
fn is_readable(directory: &Path) -> Result<()> {
    KeptRun::open(directory)?.judge(None).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn ranks_come_in_the_order_of_their_numbers() {
        let scratch = tempfile::tempdir().expect("a directory");
        let whole = scratch.path();
        assert!(!is_of_ranks(whole) && rank_directories(whole).expect("none").is_empty());
        for name in ["10", "9", "0", "notes", "11"] {
            let directory = whole.join(RANKS).join(name);
            fs::create_dir_all(&directory).expect("made");
            if name != "11" {
                fs::write(directory.join(MANIFEST_FILE), "{}").expect("written");
            }
        }
        let found = rank_directories(whole).expect("readable");
        let expect = ["0", "9", "10"].map(|name| whole.join(RANKS).join(name));
        assert_eq!(found, expect);
        assert!(is_of_ranks(whole));
        let error = gather(whole).expect_err("none of them is a run");
        assert!(error.to_string().contains("no rank"), "{error}");
    }
}
