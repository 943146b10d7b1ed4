//! What lies where in the directory of a run that several ranks measure: their records, and where they met.
//!
//! Judges no record. Invariant: the directory of a rank has the rank's number for a name, so that whatever else lies
//! beside it is none.

use crate::directories::names_in;
use anyhow::Result;
use infermeter_record::{JournalReader, MANIFEST_FILE, RecordState, RunDirectory, read_manifest};
use std::fs;
use std::path::{Path, PathBuf};

/// Folder, in the directory of the whole, with the directories of its ranks.
pub(crate) const RANKS: &str = "ranks";

/// Folder beside it with what the ranks have agreed on.
pub(crate) const RENDEZVOUS: &str = "rendezvous";

/// The directory of a rank in that of the whole.
pub fn directory_of(whole: &Path, index: u32) -> PathBuf {
    whole.join(RANKS).join(index.to_string())
}

/// The directory of the whole, of which `directory` is that of a rank: earlier runs lie beside that one.
pub(crate) fn whole_of(directory: &Path) -> &Path {
    let ranks = directory.parent().filter(|parent| parent.ends_with(RANKS));
    ranks.and_then(Path::parent).unwrap_or(directory)
}

/// Whether the directory is one of several ranks, merged or not.
pub fn is_of_ranks(directory: &Path) -> bool {
    directory.join(RANKS).is_dir()
}

/// The directories of the ranks that have measured something, in the order of their numbers.
///
/// # Errors
/// When the folder cannot be read.
pub fn rank_directories(whole: &Path) -> Result<Vec<PathBuf>> {
    let mut all = numbered(&whole.join(RANKS))?;
    all.retain(|rank| rank.join(MANIFEST_FILE).is_file());
    Ok(all)
}

/// The same of the folder in which these lie; of any other there are none.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn ranks_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let whole = folder.parent().filter(|_| folder.ends_with(RANKS));
    whole.map_or_else(|| Ok(Vec::new()), rank_directories)
}

/// The folder of ranks that a path is, or lies in, whether there is something at the path or not.
pub(crate) fn folder_around(path: &Path) -> Option<PathBuf> {
    let whole_path = std::path::absolute(path).ok()?;
    // What does not exist lies where the nearest of the folders around it does.
    let mut around = whole_path.ancestors();
    let there = around.find_map(|path| fs::canonicalize(path).ok())?;
    let holds_ranks = |folder: &&Path| ranks_in(folder).is_ok_and(|all| !all.is_empty());
    there.ancestors().find(holds_ranks).map(Path::to_owned)
}

/// Whether the ranks of a directory have begun to measure: one of them came to the start that they had agreed on, or has
/// rows.
pub fn has_begun(whole: &Path) -> bool {
    let came_to_start = |rank: &Path| {
        let manifest = read_manifest(rank).ok();
        let facts = manifest.and_then(|manifest| manifest.rank);
        facts.is_some_and(|facts| facts.start_asked_ns.is_some())
    };
    let begun = |rank: &PathBuf| came_to_start(rank) || has_rows(rank);
    numbered(&whole.join(RANKS)).is_ok_and(|all| all.iter().any(begun))
}

/// Whether a rank has written of a request. (That it has begun its `run.json` may not say: a full disk takes rows of a
/// journal that has room, and no new file.) What cannot be read to its end counts: nobody knows what is in it.
fn has_rows(rank: &Path) -> bool {
    let state = RunDirectory::open(rank).and_then(|directory| directory.state());
    match state {
        Ok(RecordState::Finished) => true,
        Ok(RecordState::NeedsRecovery) => {
            let journal = JournalReader::open(rank);
            journal.is_ok_and(|mut journal| !matches!(journal.next_batch(), Ok(None)))
        }
        Ok(RecordState::Empty) | Err(_) => false,
    }
}

/// Directories of ranks in this folder, whatever is in them, in the order of their numbers.
fn numbered(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let names = names_in(folder)?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    let paths = numbers.iter().map(|number| folder.join(number.to_string()));
    Ok(paths.collect())
}

fn number_of(name: &str) -> Option<u32> {
    let number: u32 = name.parse().ok()?;
    // Every number has one name.
    (number.to_string() == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranked::gather;
    use infermeter_core::clock::Offset;
    use infermeter_core::record::RequestRecord;
    use infermeter_core::schedule::Phase;
    use infermeter_record::{JOURNAL_FILE, JournalWriter, PARQUET_FILE};

    #[test]
    fn ranks_come_in_the_order_of_their_numbers() {
        let scratch = tempfile::tempdir().expect("a directory");
        let whole = scratch.path();
        assert!(!is_of_ranks(whole) && rank_directories(whole).expect("none").is_empty());
        for name in ["10", "9", "0", "notes", "11", "+12", "013"] {
            let directory = whole.join(RANKS).join(name);
            fs::create_dir_all(&directory).expect("made");
            if name != "11" {
                fs::write(directory.join(MANIFEST_FILE), "{}").expect("written");
            }
        }
        let found = rank_directories(whole).expect("readable");
        let expect = ["0", "9", "10"].map(|name| whole.join(RANKS).join(name));
        assert_eq!(found, expect);
        assert_eq!(ranks_in(&whole.join(RANKS)).expect("readable"), expect);
        assert!(is_of_ranks(whole) && ranks_in(whole).expect("another").is_empty());
        let error = gather(whole).expect_err("none of them is a run");
        assert!(error.to_string().contains("no rank"), "{error}");
    }

    #[test]
    fn what_would_lie_among_ranks_is_known() {
        let scratch = tempfile::tempdir().expect("a directory");
        let whole = fs::canonicalize(scratch.path()).expect("there");
        let ranks = whole.join(RANKS);
        // One that is called so, and holds none.
        fs::create_dir_all(ranks.join("notes")).expect("made");
        assert_eq!(folder_around(&ranks.join("new")), None);
        fs::create_dir_all(ranks.join("0")).expect("made");
        fs::write(ranks.join("0").join(MANIFEST_FILE), "{}").expect("written");
        for inside in ["", "new", "0/deep/new", "0"] {
            let found = folder_around(&ranks.join(inside));
            assert_eq!(found.as_ref(), Some(&ranks), "{inside}");
        }
        for outside in ["", "new", "ranks-of-two/3"] {
            assert_eq!(folder_around(&whole.join(outside)), None, "{outside}");
        }
    }

    #[test]
    fn rows_are_a_beginning_whatever_run_json_says() {
        let scratch = tempfile::tempdir().expect("a directory");
        let whole = scratch.path();
        assert!(!has_begun(whole));
        let rank = directory_of(whole, 1);
        fs::create_dir_all(&rank).expect("made");
        let mut journal = JournalWriter::create(&rank).expect("created");
        // A rank that is ready has a journal, and nothing in it.
        assert!(!has_begun(whole));
        let record = RequestRecord::unsent(0, 0, Phase::Measure, Offset::ZERO, 1, 1);
        journal.append(&record).expect("appended");
        journal.flush().expect("flushed");
        assert!(has_begun(whole), "no run.json is needed for that");
        drop(journal);
        fs::remove_file(rank.join(JOURNAL_FILE)).expect("removed");
        assert!(!has_begun(whole));
        fs::write(rank.join(PARQUET_FILE), "").expect("written");
        assert!(has_begun(whole));
    }

    #[test]
    fn earlier_runs_lie_beside_the_whole() {
        let check = |directory: &str, expect: &str| {
            assert_eq!(whole_of(Path::new(directory)), Path::new(expect));
        };
        check("runs/a/ranks/3", "runs/a");
        check("runs/a", "runs/a");
        check("ranks", "ranks");
        check("ranks/3", "");
    }
}
