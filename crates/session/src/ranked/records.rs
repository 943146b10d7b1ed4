//! The records that ranks have left at their meeting place, for rank 0, which merges them.
//!
//! It merges nothing. Invariant: nobody is waited for without an end, and what is missing is named, with the reason.

use super::workers::directory_of;
use anyhow::{Context, Result};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::text::listed;
use infermeter_core::units::Span;
use infermeter_ranks::meeting::{Delivered, Gathering, fetch, gathering};
use infermeter_ranks::store::Store;
use infermeter_record::read_manifest;
use infermeter_sys::signals;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Folder, in the directory of the whole, with what the ranks have agreed on.
pub(crate) const RENDEZVOUS: &str = "rendezvous";

/// Files of a meeting that tell what became of its ranks, by how their names begin.
const TELLING: [&str; 3] = ["launch", "start", "failed-"];

/// First pause between two looks, and the longest: each look at an object store costs something.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// A wait that is told.
const LONG_WAIT_NS: i64 = 1_000_000_000;

/// Ranks that a message names.
const NAMED: usize = 8;

/// Where records are, and where they go.
pub(super) struct Records<'a> {
    /// The meeting place.
    pub store: &'a dyn Store,
    /// The run that they are of.
    pub run_id: &'a str,
    /// The directory of the whole.
    pub whole: &'a Path,
}

impl Records<'_> {
    /// Waits until all ranks of which a record may come have left one, or said that they cannot go on. A signal ends the
    /// wait.
    ///
    /// # Errors
    /// When the place cannot be read.
    pub fn awaited(&self, timeout: Span, tell: &mut dyn FnMut(&str)) -> Result<Gathering> {
        let begun = monotonic_ns();
        let [mut pause, longest] = PAUSES;
        let mut told = false;
        loop {
            let seen = gathering(self.store)?;
            let seen = seen.with_context(|| {
                let place = self.store.describe();
                format!("{place}: what the ranks agreed on is gone: somebody clears the place")
            })?;
            let (waited, awaited) = (monotonic_ns() - begun, seen.awaited());
            if awaited.is_empty() || waited >= timeout.ns() || signals::count() > 0 {
                return Ok(seen);
            }
            if !told && waited >= LONG_WAIT_NS {
                told = true;
                let who = ranks(&awaited);
                tell(&format!(
                    "waiting for the records of {who}, at most {timeout} (--rendezvous-timeout)"
                ));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(longest);
        }
    }

    /// Keeps what the ranks agreed on with the run: who was not there, and who said why.
    ///
    /// # Errors
    /// When it cannot be read, or written.
    pub fn keep_meeting(&self) -> Result<()> {
        let folder = self.whole.join(RENDEZVOUS);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        for prefix in TELLING {
            for name in self.store.list(prefix)? {
                let path = folder.join(&name);
                // They may have met there.
                if path.exists() {
                    continue;
                }
                if let Some(bytes) = self.store.get(&name)? {
                    fs::write(&path, bytes)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                }
            }
        }
        Ok(())
    }

    /// Gets the records that are not here yet. The answer says which could not be had.
    pub fn fetched(&self, delivered: &[Delivered]) -> Vec<String> {
        let get = |one: &Delivered| {
            let into = directory_of(self.whole, one.index);
            // On a file system that ranks share it is where its rank has written it.
            if read_manifest(&into).is_ok_and(|known| known.run_id == self.run_id) {
                return None;
            }
            let got = fetch(self.store, one.index, &into);
            got.err()
                .map(|error| format!("nothing of rank {}: {error}", one.index))
        };
        delivered.iter().filter_map(get).collect()
    }
}

/// Ranks that have left no record, and why.
pub(super) fn gone_missing(seen: &Gathering, timeout: Span) -> Vec<String> {
    let failed = seen.failed.iter().map(|failure| {
        let (rank, host, why) = (failure.index, &failure.host, &failure.why);
        format!("nothing of rank {rank}: on {host} it could not go on: {why}")
    });
    let mut missing: Vec<String> = failed.collect();
    let awaited = seen.awaited();
    if !awaited.is_empty() {
        let who = ranks(&awaited);
        missing.push(format!(
            "no record of {who} came within {timeout} (--rendezvous-timeout)"
        ));
    }
    missing
}

/// `rank 3`; `ranks 1, 2 and 5`.
fn ranks(all: &[u32]) -> String {
    let mut named: Vec<String> = all.iter().take(NAMED).map(u32::to_string).collect();
    match all.len().saturating_sub(NAMED) {
        0 => {}
        more => named.push(format!("{more} more")),
    }
    let noun = if all.len() == 1 { "rank" } else { "ranks" };
    format!("{noun} {}", listed(&named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_ranks::meeting::{Failure, Launch};

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
        assert_eq!(
            gone_missing(&seen, Span::seconds(9)),
            [
                "nothing of rank 1: on node-7 it could not go on: a full disk",
                "no record of ranks 2 and 3 came within 9s (--rendezvous-timeout)"
            ]
        );
        seen.delivered.extend([2, 3].map(delivered));
        assert_eq!(gone_missing(&seen, Span::seconds(9)).len(), 1);
    }

    #[test]
    fn many_ranks_are_counted() {
        let all: Vec<u32> = (0..11).collect();
        assert_eq!(ranks(&all), "ranks 0, 1, 2, 3, 4, 5, 6, 7 and 3 more");
        assert_eq!(ranks(&[4]), "rank 4");
    }
}
