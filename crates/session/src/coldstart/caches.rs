//! The state of caches before a start: what was asked for, what was done for it, and what could not be.
//!
//! It deletes what lies in the directories that were named, and nothing else. Invariants: a directory that holds more
//! than a cache (a root, a home, the current one) is refused before anything is started; a link is removed, never
//! followed; what could not be done is said.

use crate::serve::process::by_command;
use anyhow::{Context, Result, bail};
use infermeter_core::key::ValueKind;
use infermeter_core::key_values;
use infermeter_core::units::Span;
use rustix::fs::{Advice, fadvise, sync};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Most files whose pages are dropped one by one.
const MOST_FILES: usize = 100_000;
/// Time for `--before`.
const BEFORE: Span = Span::seconds(600);
/// What drops the page cache of the whole host.
const DROP: &str = "/proc/sys/vm/drop_caches";

/// What caches are to be like before a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheState {
    /// Nothing of earlier starts is left: neither what was named, nor the page cache.
    Cold,
    /// As an earlier start left them.
    Warm,
    /// As an earlier start left them, but files have to be read from the disk.
    PageCacheDropped,
}

key_values!(ValueKind::OneOf(&["cold", "warm", "page-cache-dropped"]) => CacheState);

/// What is done before each start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caches {
    /// What was asked for; absent: nothing was said.
    pub state: Option<CacheState>,
    /// Directories of caches, whose contents go for a cold start.
    pub directories: Vec<PathBuf>,
    /// Files and directories whose pages are dropped; none: those of the whole host.
    pub files: Vec<PathBuf>,
    /// A command for `sh -c`.
    pub before: Option<String>,
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// In words.
    pub said: Vec<String>,
    /// All that was asked for was done.
    pub enforced: bool,
}

impl Caches {
    /// Refuses directories whose contents nobody wants to lose.
    ///
    /// # Errors
    /// Naming the one.
    pub fn check(&self) -> Result<()> {
        for directory in &self.directories {
            let shown = directory.display();
            let whole = match directory.canonicalize() {
                Ok(whole) => whole,
                // One that is not there yet is as cold as can be.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| format!("--cache-dir {shown}")),
            };
            if !whole.is_dir() {
                bail!("--cache-dir {shown} is not a directory");
            }
            let home = std::env::var_os("HOME").map(PathBuf::from);
            let current = std::env::current_dir().ok();
            let holds = |other: &Option<PathBuf>| {
                let other = other.as_ref().and_then(|other| other.canonicalize().ok());
                other.is_some_and(|other| other.starts_with(&whole))
            };
            if whole.components().count() < 3 || holds(&home) || holds(&current) {
                bail!(
                    "--cache-dir {shown}: its contents are deleted before each start, and it holds more than a cache: name \
                     the cache itself, as in ~/.cache/vllm"
                );
            }
        }
        if !self.directories.is_empty() && self.state != Some(CacheState::Cold) {
            bail!("--cache-dir is emptied for --cache cold alone: give that, too");
        }
        Ok(())
    }

    /// Brings the caches to the state that is asked for, as far as that can be done.
    pub(super) fn enforce(&self) -> Done {
        let mut done = Done {
            said: Vec::new(),
            enforced: true,
        };
        if let Some(before) = &self.before {
            done.note(
                "--before",
                by_command(before, BEFORE).map(|()| "ran".to_owned()),
            );
        }
        match self.state {
            None => done.said.push("caches: as they were found".to_owned()),
            Some(CacheState::Warm) => {
                done.said
                    .push("caches: as the start before left them".to_owned());
            }
            Some(CacheState::PageCacheDropped) => self.drop_pages(&mut done),
            Some(CacheState::Cold) => {
                for directory in &self.directories {
                    let name = directory.display().to_string();
                    done.note(&name, emptied(directory));
                }
                if self.directories.is_empty() && self.before.is_none() {
                    let none = "neither --cache-dir nor --before says what compiled and downloaded files to delete";
                    done.note("caches", Err(none.to_owned()));
                }
                self.drop_pages(&mut done);
            }
        }
        done
    }

    fn drop_pages(&self, done: &mut Done) {
        if self.files.is_empty() {
            // What is dirty cannot be dropped.
            sync();
            let dropped = fs::write(DROP, "3\n");
            let dropped = dropped.map(|()| format!("dropped by {DROP}"));
            let dropped = dropped.map_err(|error| {
                format!(
                    "not dropped: {DROP}: {error} (it takes root; or name files with --cache-file)"
                )
            });
            done.note("page cache", dropped);
            return;
        }
        for file in &self.files {
            let name = format!("pages of {}", file.display());
            done.note(&name, advised(file));
        }
    }
}

impl Done {
    fn note(&mut self, what: &str, came: Result<String, String>) {
        let (said, done) = match came {
            Ok(said) => (said, true),
            Err(why) => (why, false),
        };
        self.said.push(format!("{what}: {said}"));
        self.enforced &= done;
    }
}

/// Empties a directory of a cache.
fn emptied(directory: &Path) -> Result<String, String> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok("not there".to_owned());
        }
        Err(error) => return Err(format!("not emptied: {error}")),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(|error| format!("not emptied: {error}"))?;
        let path = entry.path();
        // Of the link itself, not of what it leads to.
        let is_directory = entry.file_type().is_ok_and(|of| of.is_dir());
        let gone = match is_directory {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        gone.map_err(|error| format!("not emptied: {}: {error}", path.display()))?;
        removed += 1;
    }
    Ok(format!("emptied ({removed} entries)"))
}

/// Tells the kernel that the pages of a file, or of all files below a directory, are not needed. That is advice: pages
/// that a process maps or that are dirty stay.
fn advised(path: &Path) -> Result<String, String> {
    let mut left = vec![path.to_owned()];
    let mut files = 0;
    while let Some(path) = left.pop() {
        let failed = |error: std::io::Error| format!("not dropped: {}: {error}", path.display());
        let meta = fs::metadata(&path).map_err(failed)?;
        if meta.is_dir() {
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                // Links inside may lead anywhere, and in circles; weights of hubs are links to files beside them.
                let of = entry.file_type().map_err(failed)?;
                if of.is_dir() || of.is_file() {
                    left.push(entry.path());
                }
            }
        } else if meta.is_file() {
            let file = File::open(&path).map_err(failed)?;
            fadvise(&file, 0, None, Advice::DontNeed).map_err(|error| failed(error.into()))?;
            files += 1;
            if files >= MOST_FILES {
                return Err(format!("dropped of the first {MOST_FILES} files alone"));
            }
        }
    }
    Ok(format!(
        "the kernel was told to drop those of {files} files"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cold(directory: &Path) -> Caches {
        Caches {
            state: Some(CacheState::Cold),
            directories: vec![directory.to_owned()],
            files: vec![directory.to_owned()],
            before: None,
        }
    }

    #[test]
    fn a_cold_start_finds_nothing_in_the_directories_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let (cache, other) = (
            directory.path().join("cache"),
            directory.path().join("other"),
        );
        fs::create_dir_all(cache.join("deep")).expect("made");
        fs::create_dir_all(&other).expect("made");
        fs::write(cache.join("deep/kernel"), "x").expect("written");
        fs::write(other.join("weights"), "x").expect("written");
        std::os::unix::fs::symlink(&other, cache.join("link")).expect("linked");
        let asked = cold(&cache);
        asked.check().expect("a cache");
        let done = asked.enforce();
        assert!(done.enforced, "{:?}", done.said);
        assert_eq!(fs::read_dir(&cache).expect("there").count(), 0);
        assert!(other.join("weights").is_file(), "behind a link");
        assert!(
            done.said[0].contains("emptied (2 entries)"),
            "{:?}",
            done.said
        );
        fs::remove_dir_all(&cache).expect("removed");
        let again = Caches {
            files: vec![other],
            ..asked
        };
        assert!(again.enforce().enforced);
    }

    #[test]
    fn what_holds_more_than_a_cache_is_refused() {
        let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        for directory in [
            PathBuf::from("/"),
            PathBuf::from("/usr"),
            home,
            PathBuf::from("."),
        ] {
            let error = cold(&directory).check().expect_err("refused").to_string();
            assert!(error.contains("more than a cache"), "{error}");
        }
        let mut warm = cold(Path::new("/nowhere/at/all"));
        warm.check().expect("it is not there");
        warm.state = Some(CacheState::Warm);
        assert!(
            warm.check()
                .expect_err("refused")
                .to_string()
                .contains("--cache cold")
        );
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let mut asked = cold(Path::new("/nowhere/at/all"));
        let done = asked.enforce();
        assert!(!done.enforced);
        assert!(done.said[1].contains("not dropped"), "{:?}", done.said);
        asked.directories.clear();
        asked.files.clear();
        asked.before = Some("exit 3".to_owned());
        asked.state = Some(CacheState::Warm);
        let done = asked.enforce();
        assert!(
            !done.enforced && done.said[0].contains("exit status: 3"),
            "{:?}",
            done.said
        );
    }
}
