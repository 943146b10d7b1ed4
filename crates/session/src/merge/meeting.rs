//! What is known of ranks from the place where they met: who was not waited for, and who said why it could not go on.
//!
//! Reads files of that place as they lie in a folder, and of them what bears on records that are missing. Invariant: what
//! cannot be read tells nothing, and what is told is inert.

use infermeter_core::text::inert;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// When all began, or why they did not.
const START: &str = "start.json";
/// How the name of the file begins in which a rank says why it cannot go on.
const FAILED: &str = "failed-";
/// Longest such file.
const MOST_BYTES: u64 = 4 << 20;
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

#[derive(Deserialize)]
struct Start {
    decision: Decision,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Start { without: Vec<Absent> },
    NoStart {},
}

#[derive(Deserialize)]
struct Absent {
    index: u32,
    #[serde(default)]
    why: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    index: u32,
    why: String,
}

impl Meeting {
    /// What is in these folders.
    pub(super) fn read(folders: &[PathBuf]) -> Self {
        let mut meeting = Self::default();
        for folder in folders {
            if let Some(Start {
                decision: Decision::Start { without },
            }) = read(&folder.join(START))
            {
                let told = without.into_iter().map(|absent| {
                    let why = absent.why.map(|why| inert(&why, WHY_BYTES));
                    (absent.index, why)
                });
                meeting.without.extend(told);
            }
            meeting.failed.extend(failed(folder));
        }
        meeting
    }
}

fn failed(folder: &Path) -> BTreeMap<u32, String> {
    let names = crate::directories::names_in(folder).unwrap_or_default();
    let files = names.iter().filter(|name| name.starts_with(FAILED));
    let told = files.filter_map(|name| read::<Failed>(&folder.join(name)));
    told.map(|failed| (failed.index, inert(&failed.why, WHY_BYTES)))
        .collect()
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_meeting_tells_who_was_not_waited_for_and_who_failed() {
        let scratch = tempfile::tempdir().expect("a directory");
        let folder = scratch.path().to_owned();
        let told = || Meeting::read(std::slice::from_ref(&folder));
        assert!(told().without.is_empty() && told().failed.is_empty());
        let start = r#"{"format_version":1,"decided_unix_ns":1,"decision":{"start":
            {"at_unix_ns":5,"without":[{"index":3,"came":false},{"index":1,"came":true,"why":"no\u001b route"}]}}}"#;
        fs::write(folder.join(START), start).expect("written");
        let failed =
            r#"{"format_version":1,"index":2,"host":"h","failed_unix_ns":7,"why":"a full disk"}"#;
        fs::write(folder.join("failed-00002.json"), failed).expect("written");
        fs::write(folder.join("failed-00004.json"), "{").expect("written");
        let told = told();
        assert_eq!(told.without[&3], None);
        assert_eq!(told.without[&1].as_deref(), Some("no\u{fffd} route"));
        assert_eq!(told.failed.len(), 1);
        assert_eq!(told.failed[&2], "a full disk");
    }

    #[test]
    fn a_start_that_did_not_come_about_tells_nothing() {
        let scratch = tempfile::tempdir().expect("a directory");
        let start =
            r#"{"format_version":1,"decided_unix_ns":1,"decision":{"no_start":{"why":"w"}}}"#;
        fs::write(scratch.path().join(START), start).expect("written");
        let told = Meeting::read(&[scratch.path().to_owned()]);
        assert!(told.without.is_empty());
    }
}
