//! Records that ranks leave, and those that somebody has changed.

use super::*;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use tempfile::TempDir;

/// Two ranks, of which the second has left a record.
struct Left {
    place: Fake,
    first: Meeting,
    second: Meeting,
    scratch: TempDir,
}

impl Left {
    fn new() -> Self {
        let place = Fake::default();
        let (first, second) = (joined(&place, 0, 2), joined(&place, 1, 2));
        let scratch = tempfile::tempdir().expect("a directory");
        let left = Self {
            place,
            first,
            second,
            scratch,
        };
        let record = left.path("record");
        fs::create_dir_all(record.join("sub")).expect("made");
        fs::write(record.join("run.json"), "{}").expect("written");
        fs::write(record.join("sub/requests.parquet"), "rows").expect("written");
        fs::write(record.join(".lock"), "").expect("written");
        left.second.deliver(&record).expect("left");
        left
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn seen(&self) -> Gathering {
        gathering(&self.place).expect("readable").expect("a launch")
    }

    /// What is said to who fetches it.
    fn refused(&self, into: &str) -> String {
        fetch(&self.place, 1, &self.path(into))
            .expect_err("refused")
            .to_string()
    }
}

#[test]
fn a_record_comes_back_as_it_was_left() {
    let left = Left::new();
    let there = left.seen().delivered;
    assert_eq!(there.len(), 1);
    assert_eq!((there[0].index, there[0].of), (1, 2));
    let names: Vec<&str> = there[0]
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["run.json", "sub/requests.parquet"]);
    let into = left.path("deep/into");
    // Once more does no harm.
    for _ in 0..2 {
        fetch(&left.place, 1, &into).expect("it comes");
        assert_eq!(fs::read(into.join("run.json")).expect("there"), b"{}");
        assert_eq!(
            fs::read(into.join("sub/requests.parquet")).expect("there"),
            b"rows"
        );
        assert_eq!(fs::read_dir(&into).expect("there").count(), 2);
    }
    left.second
        .deliver(&left.path("record"))
        .expect("left once more");
    fs::write(left.path("record/run.json"), "{ }").expect("written");
    let error = left
        .second
        .deliver(&left.path("record"))
        .expect_err("another one")
        .to_string();
    says(&error, &["rank 1", "other files were left there before"]);
}

#[test]
fn what_is_not_as_it_was_left_gets_no_name() {
    let left = Left::new();
    left.place.force("result-00001/run.json", b"{]");
    says(
        &left.refused("into"),
        &["the record of rank 1 in memory", "run.json has other bytes"],
    );
    left.place.force("result-00001/run.json", b"{");
    says(&left.refused("into"), &["run.json has 1 bytes and not 2"]);
    left.place
        .force("result-00001/run.json", b"{                 }");
    says(&left.refused("into"), &["more than 2 bytes"]);
    left.place.remove("result-00001/run.json").expect("removed");
    says(
        &left.refused("into"),
        &["result-00001/run.json is not in memory"],
    );
    assert_eq!(fs::read_dir(left.path("into")).expect("made").count(), 0);
    // A mark that leads elsewhere.
    let mark = left
        .place
        .text("done-00001.json")
        .replace("run.json", "../run.json");
    left.place.force("done-00001.json", mark.as_bytes());
    says(&left.refused("into"), &["`../run.json`"]);
    // It costs this rank, and no other.
    let seen = left.seen();
    assert_eq!((seen.delivered.len(), seen.failed[0].index), (0, 1));
    says(&seen.failed[0].why, &["cannot be used", "`../run.json`"]);
    assert_eq!(seen.awaited(), [0]);
    let mark = mark
        .replace("../run.json", "run.json")
        .replace("\"index\": 1", "\"index\": 0");
    left.place.force("done-00001.json", mark.as_bytes());
    says(&left.refused("into"), &["its mark is that of rank 0"]);
    says(&left.seen().failed[0].why, &["that of rank 0"]);
}

#[test]
fn a_record_of_another_run_is_refused() {
    let left = Left::new();
    let other = left
        .place
        .text("done-00001.json")
        .replace("run-of-0", "run-of-7");
    left.place.force("done-00001.json", other.as_bytes());
    says(
        &left.refused("into"),
        &[
            "the record of rank 1 in memory",
            "its mark is of run run-of-7, and the launch there is run run-of-0",
        ],
    );
    assert!(!left.path("into").exists());
    let seen = left.seen();
    assert_eq!((seen.delivered.len(), seen.failed[0].index), (0, 1));
    says(&seen.failed[0].why, &["it is of run run-of-7"]);
    left.place.remove(LAUNCH).expect("removed");
    says(&left.refused("into"), &["launch.json is gone"]);
}

#[test]
fn a_place_that_stumbles_ends_neither_delivery_nor_collection() {
    let left = Left::new();
    let record = left.path("record");
    left.place.stumbles.store(true, Ordering::Relaxed);
    left.first.deliver(&record).expect("left");
    let seen = left.seen();
    assert_eq!((seen.delivered.len(), seen.awaited().len()), (2, 0));
    let into = left.path("into");
    fetch(&left.place, 0, &into).expect("it comes");
    assert_eq!(fs::read(into.join("run.json")).expect("there"), b"{}");
    // A folder and a file: nothing of the attempts that failed.
    assert_eq!(fs::read_dir(&into).expect("there").count(), 2);
}

#[test]
fn what_was_there_before_is_left_alone() {
    let left = Left::new();
    let into = left.path("into");
    fs::create_dir(&into).expect("made");
    fs::write(into.join("run.json"), "mine").expect("written");
    says(&left.refused("into"), &["run.json", "another directory"]);
    assert_eq!(fs::read(into.join("run.json")).expect("there"), b"mine");
    let error = fetch(&left.place, 0, &into).expect_err("none").to_string();
    says(&error, &["rank 0 has left no record in memory"]);
}

#[test]
fn who_collects_knows_whom_to_wait_for() {
    let nowhere = Fake::default();
    assert_eq!(gathering(&nowhere).expect("readable"), None);
    let left = Left::new();
    let before = left.seen();
    assert_eq!((before.of, before.launch.run_id.as_str()), (2, "run-of-0"));
    assert_eq!((before.awaited(), before.given_up), (vec![0], None));
    // Who has left a record has ended, whatever it said afterwards.
    left.second.failed("nothing is left to do");
    left.first.failed("its disk is full");
    let after = left.seen();
    assert_eq!(after.awaited(), [0; 0]);
    assert_eq!(after.failed.len(), 1);
    assert_eq!(
        (after.failed[0].index, after.failed[0].why.as_str()),
        (0, "its disk is full")
    );
    assert_eq!(
        after.given_up.as_deref(),
        Some("rank 0 on node-0 cannot go on: its disk is full")
    );

    let place = Fake::default();
    let first = join(
        &place,
        JoinAs {
            timeout: Span(0),
            missing: Missing::GoOn,
            ..join_as(0, 3)
        },
    );
    first.expect("it joins").ready().expect("a start");
    let seen = gathering(&place).expect("readable").expect("a launch");
    assert_eq!(seen.without.len(), 2);
    assert_eq!(seen.awaited(), [0]);
}
