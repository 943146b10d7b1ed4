//! The records that ranks have left at their meeting place, for rank 0, which merges them.
//!
//! It merges nothing. Invariant: nobody is waited for without an end, and what is missing is named, with the reason;
//! nothing that lies at the place keeps the records that are here from being merged.

use super::folders::{RENDEZVOUS, directory_of};
use anyhow::{Context, Result};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::text;
use infermeter_core::units::Span;
use infermeter_ranks::meeting::{Delivered, Gathering, TELLING, fetch, gathering};
use infermeter_ranks::store::Store;
use infermeter_record::{MANIFEST_FILE, read_manifest};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// First pause between two looks, and the longest: each look at an object store costs something.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// A wait that is told.
const LONG_WAIT_NS: i64 = 1_000_000_000;

/// Where records are, and where they go.
pub(super) struct Records<'a> {
    /// The meeting place.
    pub store: &'a dyn Store,
    /// The run that they are of.
    pub run_id: &'a str,
    /// The directory of the whole.
    pub whole: &'a Path,
    /// How many signals have come.
    pub signals: &'a dyn Fn() -> u32,
}

/// What ended a wait before all had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutShort {
    /// It had lasted as long as it may.
    Time(Span),
    /// A signal came.
    Signal,
}

/// What is there after a wait.
#[derive(Debug)]
pub(super) struct Waited {
    /// How far the launch has come.
    pub seen: Gathering,
    /// What ended the wait where not all had come by then.
    pub cut_short: Option<CutShort>,
}

impl Records<'_> {
    /// Waits until all ranks of which a record may come have left one, or said that they cannot go on. A signal ends the
    /// wait; one that came before it has ended the load, and the others still leave what they measured until then.
    ///
    /// # Errors
    /// When the place cannot be read.
    pub fn awaited(&self, timeout: Span, tell: &mut dyn FnMut(&str)) -> Result<Waited> {
        let (begun, signals) = (monotonic_ns(), (self.signals)());
        let [mut pause, longest] = PAUSES;
        let mut told = false;
        loop {
            let seen = gathering(self.store)?;
            let seen = seen.with_context(|| {
                let place = self.store.describe();
                format!("{place}: what the ranks agreed on is gone: somebody clears the place")
            })?;
            let (waited, awaited) = (monotonic_ns() - begun, seen.awaited());
            let cut_short = match (self.signals)() > signals {
                true => Some(CutShort::Signal),
                false => (waited >= timeout.ns()).then_some(CutShort::Time(timeout)),
            };
            if awaited.is_empty() || cut_short.is_some() {
                return Ok(Waited { seen, cut_short });
            }
            if !told && waited >= LONG_WAIT_NS {
                told = true;
                let who = text::ranks(&awaited);
                tell(&format!(
                    "waiting for the records of {who}, at most {timeout} (--rendezvous-timeout); Ctrl-C merges what is there"
                ));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(longest);
        }
    }

    /// Keeps what the ranks agreed on with the run: who was not there, and who said why. The answer says what could not be
    /// kept.
    pub fn keep_meeting(&self) -> Vec<String> {
        let folder = self.whole.join(RENDEZVOUS);
        let made = fs::create_dir_all(&folder);
        if let Err(error) = made {
            return vec![format!("cannot create {}: {error}", folder.display())];
        }
        let mut notes = Vec::new();
        for prefix in TELLING {
            match self.store.list(prefix) {
                Ok(names) => {
                    let kept = names.iter().map(|name| self.keep(name, &folder));
                    notes.extend(kept.filter_map(Result::err).map(not_kept));
                }
                Err(error) => notes.push(not_kept(error.into())),
            }
        }
        notes
    }

    /// Keeps one file of the meeting.
    fn keep(&self, name: &str, folder: &Path) -> Result<()> {
        let path = folder.join(name);
        // They may have met there.
        if path.exists() {
            return Ok(());
        }
        match self.store.get(name)? {
            Some(bytes) => {
                fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
            }
            None => Ok(()),
        }
    }

    /// Gets the records that are not here yet. The answer says which could not be had.
    pub fn fetched(&self, delivered: &[Delivered]) -> Vec<String> {
        let get = |one: &Delivered| {
            let into = directory_of(self.whole, one.index);
            // On a file system that ranks share it is where its rank has written it.
            if read_manifest(&into).is_ok_and(|known| known.run_id == self.run_id) {
                return None;
            }
            let before = Before::of(&into);
            let got = fetch(self.store, one.index, &into);
            got.err().map(|error| {
                before.restore(&into);
                format!("nothing of rank {}: {error}", one.index)
            })
        };
        delivered.iter().filter_map(get).collect()
    }
}

fn not_kept(error: anyhow::Error) -> String {
    format!("a file of the ranks' meeting is not kept with the run: {error:#}")
}

/// What was in a directory before a record was to come there.
enum Before {
    /// It was not there.
    Nothing,
    /// Something that is no record.
    NoRecord,
    /// A record.
    Record,
}

impl Before {
    fn of(directory: &Path) -> Self {
        match (directory.exists(), directory.join(MANIFEST_FILE).exists()) {
            (false, _) => Self::Nothing,
            (true, false) => Self::NoRecord,
            (true, true) => Self::Record,
        }
    }

    /// Sees to it that half a record is none, since what is called missing must not be merged.
    fn restore(self, directory: &Path) {
        let _ = match self {
            Self::Nothing => fs::remove_dir_all(directory),
            Self::NoRecord => fs::remove_file(directory.join(MANIFEST_FILE)),
            Self::Record => Ok(()),
        };
    }
}

impl Waited {
    /// Ranks that have left no record, and why.
    pub fn missing(&self) -> Vec<String> {
        let failed = self.seen.failed.iter().map(|failure| {
            let (rank, host, why) = (failure.index, &failure.host, &failure.why);
            format!("nothing of rank {rank}: on {host} it could not go on: {why}")
        });
        let awaited = self.seen.awaited();
        let who = text::ranks(&awaited);
        let cut_short = self.cut_short.filter(|_| !awaited.is_empty());
        let late = cut_short.map(|cut_short| match cut_short {
            CutShort::Time(timeout) => {
                format!("no record of {who} came within {timeout} (--rendezvous-timeout)")
            }
            CutShort::Signal => format!("no record of {who} came before a signal ended the wait"),
        });
        failed.chain(late).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranked::testing::{RUN_ID, delivered, launched, left};
    use infermeter_ranks::meeting::{Failure, Launch};
    use infermeter_ranks::store;
    use serde_json::json;
    use std::cell::Cell;
    use std::path::PathBuf;
    use tempfile::TempDir;

    fn seen(of: u32) -> Gathering {
        Gathering {
            launch: Launch {
                run_id: "0".repeat(32),
                salt: 1,
                plan_hash: "0".repeat(64),
                version: "1".to_owned(),
                started_unix_ns: 0,
            },
            of,
            without: Vec::new(),
            given_up: None,
            delivered: Vec::new(),
            failed: Vec::new(),
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_reason() {
        let mut seen = seen(4);
        seen.failed.push(Failure {
            index: 1,
            host: "node-7".to_owned(),
            why: "a full disk".to_owned(),
        });
        let delivered = |index| Delivered {
            index,
            of: 4,
            files: Vec::new(),
            clock_at_end: None,
        };
        seen.delivered = vec![delivered(0)];
        let mut waited = Waited {
            seen,
            cut_short: Some(CutShort::Time(Span::seconds(9))),
        };
        assert_eq!(
            waited.missing(),
            [
                "nothing of rank 1: on node-7 it could not go on: a full disk",
                "no record of ranks 2 and 3 came within 9s (--rendezvous-timeout)"
            ]
        );
        waited.cut_short = Some(CutShort::Signal);
        assert_eq!(
            waited.missing()[1],
            "no record of ranks 2 and 3 came before a signal ended the wait"
        );
        waited.seen.delivered.extend([2, 3].map(delivered));
        assert_eq!(waited.missing().len(), 1);
    }

    /// A place where two ranks have met, and the directory of the whole.
    struct Met {
        scratch: TempDir,
    }

    impl Met {
        fn new() -> Self {
            let scratch = tempfile::tempdir().expect("a directory");
            let met = Self { scratch };
            launched(&met.place(), 2, RUN_ID, "0");
            met
        }

        fn place(&self) -> PathBuf {
            self.scratch.path().join("place")
        }

        fn whole(&self) -> PathBuf {
            self.scratch.path().join("whole")
        }

        fn with<T>(&self, signals: &dyn Fn() -> u32, act: impl FnOnce(&Records<'_>) -> T) -> T {
            let store = store::folder(&self.place()).expect("a folder");
            act(&Records {
                store: &*store,
                run_id: RUN_ID,
                whole: &self.whole(),
                signals,
            })
        }
    }

    #[test]
    fn the_signal_that_ended_the_load_does_not_end_the_wait() {
        let met = Met::new();
        let awaited = |signals: &dyn Fn() -> u32, timeout: Span| {
            let waited = met.with(signals, |records| records.awaited(timeout, &mut |_| {}));
            waited.expect("readable").cut_short
        };
        let none = Span::seconds(0);
        assert_eq!(awaited(&|| 1, none), Some(CutShort::Time(none)));
        // One more comes meanwhile.
        let came = Cell::new(0);
        let one_more = || {
            came.set(came.get() + 1);
            came.get()
        };
        assert_eq!(
            awaited(&one_more, Span::seconds(600)),
            Some(CutShort::Signal)
        );
    }

    #[test]
    fn what_lies_at_the_place_keeps_nothing_from_being_merged() {
        let met = Met::new();
        let failed = json!({"index": 1, "host": "h", "failed_unix_ns": 7, "why": "a full disk"});
        left(&met.place(), "failed-00001.json", failed);
        let large = vec![b' '; 5 << 20];
        fs::write(met.place().join("failed-00000.json"), large).expect("written");
        fs::create_dir(met.place().join("start.json")).expect("made");
        let notes = met.with(&|| 0, |records| records.keep_meeting());
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("failed-00000.json"), "{notes:?}");
        let kept = met.whole().join(RENDEZVOUS);
        assert!(kept.join("launch.json").is_file() && kept.join("failed-00001.json").is_file());
        assert!(!kept.join("failed-00000.json").exists());
    }

    #[test]
    fn half_a_record_is_none() {
        let met = Met::new();
        delivered(
            &met.place(),
            &[("run.json", "{}"), ("spans.jsonl", "whole")],
        );
        let fetched = |met: &Met| {
            met.with(&|| 0, |records| {
                let seen = gathering(records.store).expect("readable");
                records.fetched(&seen.expect("a launch").delivered)
            })
        };
        let spans = met.place().join("result-00001").join("spans.jsonl");
        fs::write(&spans, "other").expect("written");
        let rank = directory_of(&met.whole(), 1);
        let notes = fetched(&met);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].starts_with("nothing of rank 1: "), "{notes:?}");
        assert!(!rank.exists(), "what was made is gone");
        // What was there before stays, and is no record.
        fs::create_dir_all(&rank).expect("made");
        fs::write(rank.join("notes"), "own").expect("written");
        assert_eq!(fetched(&met).len(), 1);
        assert!(rank.join("notes").is_file() && !rank.join(MANIFEST_FILE).exists());
        fs::write(&spans, "whole").expect("written");
        assert_eq!(fetched(&met), [""; 0]);
        assert!(rank.join(MANIFEST_FILE).is_file() && rank.join("spans.jsonl").is_file());
    }
}
