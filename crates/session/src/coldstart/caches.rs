//! The state of caches before a start: what was asked for, what was done for it, and what could not be.
//!
//! It deletes what lies in the directories that were named, and nothing else. Invariants: a directory that holds more
//! than a cache (a root, a home, a directory of the system, the current one, that of the starts) is refused before
//! anything is started, and again before each time that it is emptied; a link inside is removed, never followed; what
//! could not be done is said.

use crate::serve::process::by_command;
use anyhow::{Result, bail};
use infermeter_analysis::cold_start::ColdRepeat;
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
/// Every user of the host, with its home.
const USERS: &str = "/etc/passwd";
/// Directories of the system whose direct children are no caches either: `/var/cache` is everybody's.
const SHARED: [&str; 8] = [
    "/usr", "/var", "/opt", "/home", "/run", "/dev", "/mnt", "/media",
];
/// Those that hold no cache at any depth.
const SYSTEM: [&str; 12] = [
    "/bin",
    "/sbin",
    "/boot",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/sys",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
];

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
    /// The directory of the starts, which is no cache.
    pub starts: PathBuf,
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
            self.cache_at(directory)?;
        }
        if !self.directories.is_empty() && self.state != Some(CacheState::Cold) {
            bail!("--cache-dir is emptied for --cache cold alone: give that, too");
        }
        Ok(())
    }

    /// Where a directory is that holds a cache and nothing else.
    ///
    /// # Errors
    /// Where it holds more, and where it is no directory.
    fn cache_at(&self, directory: &Path) -> Result<PathBuf> {
        let shown = directory.display();
        // One that is not there yet is as cold as can be.
        let whole = whole(directory);
        let mut held = homes(&fs::read_to_string(USERS).unwrap_or_default());
        held.extend(std::env::var_os("HOME").map(PathBuf::from));
        held.extend(std::env::current_dir().ok());
        let held: Vec<PathBuf> = held
            .iter()
            .filter_map(|of| of.canonicalize().ok())
            .collect();
        let starts = match self.starts.as_os_str().is_empty() {
            true => None,
            false => Some(self::whole(&self.starts)),
        };
        let of_starts =
            starts.is_some_and(|starts| starts.starts_with(&whole) || whole.starts_with(&starts));
        if is_of_the_system(&whole) || of_starts || held.iter().any(|of| of.starts_with(&whole)) {
            bail!(
                "--cache-dir {shown}: its contents are deleted before each start, and it holds more than a cache: name \
                 the cache itself, as in ~/.cache/vllm"
            );
        }
        if whole.exists() && !whole.is_dir() {
            bail!("--cache-dir {shown} is not a directory");
        }
        Ok(whole)
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
                    // A link may lead elsewhere by now, and --before may have made one.
                    let cache = self.cache_at(directory).map_err(|error| error.to_string());
                    done.note(&name, cache.and_then(|cache| emptied(&cache)));
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

    /// Notes where no start before this one has got to its end, and should have warmed what this one finds.
    pub(super) fn note_warmth(&self, repeat: &mut ColdRepeat, before: &[ColdRepeat]) {
        let is_warm = match self.state {
            Some(CacheState::Warm | CacheState::PageCacheDropped) => {
                !repeat.is_counted() || before.iter().any(|one| one.failed.is_none())
            }
            Some(CacheState::Cold) | None => true,
        };
        if !is_warm {
            repeat.enforced = false;
            let why = "caches: not warmed up, since no start before got to its end";
            repeat.caches.push(why.to_owned());
        }
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

/// A path without links; what is not there yet is where it would be.
fn whole(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = absolute.ancestors().find_map(|above| {
        let found = above.canonicalize().ok()?;
        let rest = absolute.strip_prefix(above).ok()?;
        // Joining nothing would end it with a slash.
        Some(match rest.as_os_str().is_empty() {
            true => found,
            false => found.join(rest),
        })
    });
    there.unwrap_or(absolute)
}

/// The homes that a list of users names: the sixth field of each line.
fn homes(users: &str) -> Vec<PathBuf> {
    let homes = users.lines().filter_map(|line| line.split(':').nth(5));
    homes
        .filter(|home| home.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

/// A tree at the root, or one of the system's.
fn is_of_the_system(whole: &Path) -> bool {
    // The root itself is one component.
    whole.components().count() < 3
        || SYSTEM.iter().any(|tree| whole.starts_with(tree))
        || SHARED
            .iter()
            .any(|tree| whole.parent() == Some(Path::new(tree)))
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
            ..Caches::default()
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
    fn homes_and_trees_of_the_system_are_no_caches() {
        let users = "root:x:0:0:root:/root:/bin/sh\nme:x:7:7:,,,:/srv/people/me:/bin/sh\nbroken\n";
        assert_eq!(
            homes(users),
            [PathBuf::from("/root"), PathBuf::from("/srv/people/me")]
        );
        for path in [
            "/",
            "/srv",
            "/usr/share",
            "/var/lib",
            concat!("/ho", "me/me"),
            "/etc/a/b/c",
            "/run/user",
            "/usr/lib/x/y",
        ] {
            assert!(is_of_the_system(Path::new(path)), "{path}");
        }
        for path in [
            concat!("/ro", "ot/.triton"),
            "/var/cache/vllm",
            "/tmp/cache",
            "/dev/shm/x",
        ] {
            assert!(!is_of_the_system(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn the_starts_are_no_cache_and_a_link_is_looked_at_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let starts = directory.path().join("runs/cold");
        fs::create_dir_all(&starts).expect("made");
        let refused = |cache: &Path| {
            let mut asked = cold(cache);
            asked.starts.clone_from(&starts);
            let error = asked.check().expect_err("refused").to_string();
            assert!(error.contains("more than a cache"), "{error}");
        };
        refused(&starts);
        refused(&directory.path().join("runs"));
        refused(&starts.join("start-001"));
        fs::remove_dir(&starts).expect("not there yet");
        refused(&starts);
        let (cache, behind) = (directory.path().join("cache"), starts.join("start-001"));
        fs::create_dir_all(&behind).expect("made");
        fs::write(behind.join("server.log"), "x").expect("written");
        let mut asked = cold(&cache);
        asked.starts.clone_from(&starts);
        asked.check().expect("it is not there yet");
        std::os::unix::fs::symlink(&starts, &cache).expect("linked");
        let done = asked.enforce();
        assert!(!done.enforced && done.said[0].contains("more than a cache"));
        assert!(behind.join("server.log").is_file());
    }

    #[test]
    fn starts_behind_a_failed_warm_up_are_not_as_they_were_asked_for() {
        use super::super::empty;
        let mut failed = empty(0);
        failed.failed = Some("it ended".to_owned());
        let noted = |state: CacheState, before: &[ColdRepeat]| {
            let mut repeat = empty(2);
            let caches = Caches {
                state: Some(state),
                ..Caches::default()
            };
            caches.note_warmth(&mut repeat, before);
            !repeat.enforced && repeat.caches[0].contains("not warmed up")
        };
        assert!(noted(CacheState::Warm, std::slice::from_ref(&failed)));
        assert!(noted(
            CacheState::PageCacheDropped,
            std::slice::from_ref(&failed)
        ));
        assert!(!noted(CacheState::Cold, std::slice::from_ref(&failed)));
        assert!(!noted(CacheState::Warm, &[failed, empty(1)]));
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
