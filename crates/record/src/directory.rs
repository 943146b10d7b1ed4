//! The directory of a run, and what state its record is in.
//!
//! Does not read the files. Invariant: an existing path is never written into by a new run.

use crate::error::RecordError;
use crate::journal::JOURNAL_FILE;
use crate::parquet::PARQUET_FILE;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How far the record of a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// `requests.parquet` is there. A journal beside it is one whose removal was cut short: the
    /// Parquet file has all of it.
    Finished,
    /// Only the journal is there: the run goes on, or it ended without converting it;
    /// [`crate::convert()`] tells the two apart and recovers.
    NeedsRecovery,
    /// Neither is there.
    Empty,
}

/// A directory that holds one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Creates the directory, with its parents. Refuses a path that exists.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(RecordError::io("create", parent))?;
        }
        fs::create_dir(path).map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists => RecordError::DirectoryExists(path.to_owned()),
            _ => RecordError::io("create", path)(cause),
        })?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Opens the directory of an earlier run.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        if path.is_dir() {
            Ok(Self {
                path: path.to_owned(),
            })
        } else {
            Err(RecordError::NotADirectory(path.to_owned()))
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state of its record at this moment.
    pub fn state(&self) -> Result<RecordState, RecordError> {
        let has = |name: &str| {
            let path = self.path.join(name);
            path.try_exists()
                .map_err(RecordError::io("look for", &path))
        };
        Ok(if has(PARQUET_FILE)? {
            RecordState::Finished
        } else if has(JOURNAL_FILE)? {
            RecordState::NeedsRecovery
        } else {
            RecordState::Empty
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_path_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("deep/below/run");
        RunDirectory::create(&path).expect("created with its parents");
        let error = RunDirectory::create(&path).expect_err("it exists");
        assert!(error.to_string().contains("--out"), "{error}");
        let file = path.join("file");
        fs::write(&file, "").expect("written");
        assert!(RunDirectory::create(&file).is_err());
        assert!(RunDirectory::create(&file.join("x")).is_err());
        assert!(RunDirectory::open(&file).is_err());
    }

    #[test]
    fn the_files_tell_the_state() {
        let dir = tempfile::tempdir().expect("a directory");
        let run = RunDirectory::open(dir.path()).expect("opened");
        assert_eq!(run.state().expect("known"), RecordState::Empty);
        fs::write(run.path().join(JOURNAL_FILE), "").expect("written");
        assert_eq!(run.state().expect("known"), RecordState::NeedsRecovery);
        fs::write(run.path().join(PARQUET_FILE), "").expect("written");
        assert_eq!(run.state().expect("known"), RecordState::Finished);
    }
}
