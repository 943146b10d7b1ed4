//! What is known of ranks from the place where they met: who was not waited for, and who said why it could not go on.
//!
//! Keeps of that what bears on records that are missing. Invariant: what cannot be read tells nothing, and what is told is
//! inert and short.

use infermeter_core::text::inert;
use infermeter_ranks::meeting::{Gathering, gathering};
use infermeter_ranks::store;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Longest reason that is kept, bytes.
const WHY_BYTES: usize = 300;

/// What is known of ranks that left no record, or not all of one.
#[derive(Debug, Default)]
pub(super) struct Meeting {
    /// Ranks that the launch began without, and why as far as they said it.
    pub(super) without: BTreeMap<u32, Option<String>>,
    /// Ranks that said why they could not go on.
    pub(super) failed: BTreeMap<u32, String>,
}

impl Meeting {
    /// What is in these folders.
    pub(super) fn read(folders: &[PathBuf]) -> Self {
        let mut meeting = Self::default();
        for seen in folders.iter().filter_map(|folder| seen_in(folder)) {
            let short = |why: String| inert(&why, WHY_BYTES);
            let without = seen.without.into_iter();
            let without = without.map(|absent| (absent.index, absent.why.map(short)));
            let failed = seen.failed.into_iter();
            let failed = failed.map(|failure| (failure.index, short(failure.why)));
            meeting.without.extend(without);
            meeting.failed.extend(failed);
        }
        meeting
    }
}

fn seen_in(folder: &Path) -> Option<Gathering> {
    let store = store::folder(folder).ok()?;
    gathering(&*store).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranked::testing::{RUN_ID, launched, left};
    use serde_json::json;
    use std::fs;

    #[test]
    fn a_meeting_tells_who_was_not_waited_for_and_who_failed() {
        let scratch = tempfile::tempdir().expect("a directory");
        let folder = scratch.path().to_owned();
        let told = || Meeting::read(std::slice::from_ref(&folder));
        assert!(told().without.is_empty() && told().failed.is_empty());
        launched(&folder, 5, RUN_ID, "0");
        let without = json!([
            {"index": 3, "came": false},
            {"index": 1, "came": true, "why": "no\u{1b} route"},
        ]);
        let start = json!({"start": {"at_unix_ns": 5, "without": without}});
        let start = json!({"decided_unix_ns": 1, "decision": start});
        left(&folder, "start.json", start);
        let failed = json!({"index": 2, "host": "h", "failed_unix_ns": 7, "why": "a full disk"});
        left(&folder, "failed-00002.json", failed);
        // One that nobody can use spoils nothing of the others.
        fs::write(folder.join("failed-00004.json"), "{").expect("written");
        let told = told();
        assert_eq!(told.without[&3], None);
        assert_eq!(told.without[&1].as_deref(), Some("no\u{fffd} route"));
        assert_eq!(told.failed[&2], "a full disk");
        assert!(told.failed[&4].contains("failed-00004.json"));
        assert!(told.failed[&4].len() <= WHY_BYTES);
    }

    #[test]
    fn a_start_that_did_not_come_about_tells_nothing() {
        let scratch = tempfile::tempdir().expect("a directory");
        launched(scratch.path(), 2, RUN_ID, "0");
        let start = json!({"decided_unix_ns": 1, "decision": {"no_start": {"why": "w"}}});
        left(scratch.path(), "start.json", start);
        let told = Meeting::read(&[scratch.path().to_owned()]);
        assert!(told.without.is_empty());
    }
}
