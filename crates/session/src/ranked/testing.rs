//! A place where ranks have met, for tests: its files as ranks leave them.

use super::facts::facts;
use infermeter_core::schedule::Slice;
use infermeter_ranks::meeting::{LAUNCH, results};
use infermeter_ranks::sha256;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// An id of a run, for tests to which it is all one.
pub(crate) const RUN_ID: &str = "00000000000000000000000000000000";

/// A launch of so many ranks was begun in this folder, which is made.
pub(crate) fn launched(place: &Path, of: u32, run_id: &str, plan_hash: &str) {
    let by = facts(Slice::new(0, of).expect("a slice"), "flags", None);
    let launch = json!({
        "launch": {
            "run_id": run_id, "salt": 1, "plan_hash": plan_hash, "version": "1", "started_unix_ns": 1,
        },
        "of": of,
        "token": "0".repeat(32),
        "by": by,
    });
    fs::create_dir_all(place).expect("made");
    left(place, LAUNCH, launch);
}

/// A file was left there.
pub(crate) fn left(place: &Path, name: &str, mut file: Value) {
    file["format_version"] = json!(1);
    fs::write(place.join(name), file.to_string()).expect("written");
}

/// Rank 1 of two has left a record of these files, with their texts.
pub(crate) fn delivered(place: &Path, files: &[(&str, &str)]) {
    let folder = place.join(results(1));
    fs::create_dir_all(&folder).expect("made");
    let files: Vec<Value> = files
        .iter()
        .map(|(name, text)| {
            let path = folder.join(name);
            fs::write(&path, text).expect("written");
            let sha256 = sha256(&path).expect("readable");
            json!({ "name": name, "bytes": text.len(), "sha256": sha256 })
        })
        .collect();
    let done = json!({
        "run_id": RUN_ID, "index": 1, "of": 2, "done_unix_ns": 5, "files": files,
    });
    left(place, "done-00001.json", done);
}
