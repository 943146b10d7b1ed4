//! Files of a meeting as they are written, as they may be, and as they must not be.

use super::*;
use crate::testing::{PLAN, facts};
use infermeter_core::run::{ClockOffset, OffsetSource};
use serde_json::{Value, json};

const NOW: i64 = 1_796_000_000_000_000_000;

fn launch() -> LaunchFile {
    LaunchFile {
        format_version: FORMAT_VERSION,
        launch: Launch {
            run_id: "ab".repeat(16),
            salt: u64::MAX,
            plan_hash: PLAN.to_owned(),
            version: "1.2.3".to_owned(),
            started_unix_ns: NOW,
        },
        of: 8,
        token: "0f".repeat(16),
        job: Some("17.0".to_owned()),
        by: facts(3, 8),
    }
}

fn rank() -> RankFile {
    RankFile {
        format_version: FORMAT_VERSION,
        facts: facts(0, 8),
        plan_hash: PLAN.to_owned(),
        run_id: "run".to_owned(),
        joined_unix_ns: NOW,
        clock: Some(KeptClock {
            read_unix_ns: NOW,
            discipline: Some(KeptDiscipline { bound_ns: 9 }),
            store: Some(KeptStore {
                offset_ns: -7,
                bound_ns: 9,
            }),
            answers_at: "10.0.0.7:9".parse().ok(),
        }),
    }
}

fn ready() -> ReadyFile {
    ReadyFile {
        format_version: FORMAT_VERSION,
        index: 3,
        ready_unix_ns: NOW,
        longest_wait_ns: 5,
        clocks: vec![ClockOffset {
            offset_ns: -5,
            bound_ns: 9,
            by: OffsetSource::Ping,
        }],
    }
}

fn start(decision: Decision) -> StartFile {
    StartFile {
        format_version: FORMAT_VERSION,
        decided_unix_ns: NOW,
        decision,
    }
}

fn done(name: &str) -> DoneFile {
    DoneFile {
        format_version: FORMAT_VERSION,
        run_id: "run".to_owned(),
        index: 3,
        of: 8,
        done_unix_ns: NOW,
        files: vec![DeliveredFile {
            name: name.to_owned(),
            bytes: 5,
            sha256: "ab".repeat(32),
        }],
        clock_at_end: None,
    }
}

#[track_caller]
fn round<T: Kept + PartialEq + std::fmt::Debug>(file: &T) {
    let bytes = written(file).expect("written");
    assert_eq!(read::<T>("f.json", &bytes).as_ref(), Ok(file));
}

#[test]
fn files_are_read_as_they_were_written() {
    round(&launch());
    round(&rank());
    round(&ready());
    round(&start(Decision::NoStart {
        why: "rank 1 did not come".to_owned(),
    }));
    round(&start(Decision::Start {
        at_unix_ns: NOW + 2,
        without: vec![Absent {
            index: 3,
            came: true,
            why: None,
        }],
    }));
    round(&FailedFile {
        format_version: FORMAT_VERSION,
        index: 3,
        host: "node-3".to_owned(),
        failed_unix_ns: NOW,
        why: "no route to host".to_owned(),
    });
    round(&done("run.json"));
}

#[test]
fn a_start_looks_so() {
    let file = start(Decision::Start {
        at_unix_ns: NOW,
        without: Vec::new(),
    });
    let text: Value = serde_json::from_slice(&written(&file).expect("written")).expect("JSON");
    let expect = json!({
        "format_version": 1,
        "decided_unix_ns": NOW,
        "decision": {"start": {"at_unix_ns": NOW, "without": []}},
    });
    assert_eq!(text, expect);
}

/// Changes a file as JSON, and what is said of it then.
#[track_caller]
fn refused<T: Kept + std::fmt::Debug>(file: &T, change: impl FnOnce(&mut Value), expect: &str) {
    let mut value: Value = serde_json::from_slice(&written(file).expect("written")).expect("JSON");
    change(&mut value);
    let error = read::<T>("f.json", value.to_string().as_bytes()).expect_err("refused");
    assert!(error.to_string().contains(expect), "{error}");
}

#[test]
fn a_later_format_is_refused_by_its_version() {
    let later = |value: &mut Value| *value = json!({"format_version": 2, "nothing": "known"});
    refused(&launch(), later, "format version 2");
    refused(&launch(), later, "use one version for all");
    refused(
        &launch(),
        |value| value["format_version"] = json!(0),
        "no format version 0",
    );
    refused(
        &launch(),
        |value| *value = json!([1, 2]),
        "f.json is not what ranks leave there",
    );
    for bytes in [&b""[..], b"{", b"\xff", b"null"] {
        assert!(read::<LaunchFile>("f.json", bytes).is_err());
    }
    // What a later version adds to this format does no harm.
    let mut value: Value =
        serde_json::from_slice(&written(&launch()).expect("written")).expect("JSON");
    value["more"] = json!("known later");
    assert_eq!(read("f.json", value.to_string().as_bytes()), Ok(launch()));
}

#[test]
fn what_is_not_true_of_itself_is_refused() {
    refused(&launch(), |value| value["of"] = json!(0), "no rank 0 of 0");
    refused(
        &launch(),
        |value| value["of"] = json!(100_001),
        "no rank 0 of 100001",
    );
    refused(&launch(), |value| value["token"] = json!("xyz"), "`token`");
    refused(
        &launch(),
        |value| value["launch"]["run_id"] = json!("../up"),
        "`run_id`",
    );
    refused(
        &launch(),
        |value| value["launch"]["run_id"] = json!(""),
        "`run_id`",
    );
    refused(
        &launch(),
        |value| value["launch"]["plan_hash"] = json!("a".repeat(200)),
        "`plan_hash`",
    );
    refused(
        &launch(),
        |value| value["launch"]["started_unix_ns"] = json!(-1),
        "`started_unix_ns`",
    );
    refused(
        &launch(),
        |value| value["by"]["slice"]["index"] = json!(8),
        "no slice 8 of 8",
    );
    refused(
        &rank(),
        |value| value["clock"]["store"]["offset_ns"] = json!(i64::MIN),
        "`offset_ns`",
    );
    refused(
        &rank(),
        |value| value["clock"]["discipline"]["bound_ns"] = json!(-1),
        "`bound_ns`",
    );
    refused(
        &ready(),
        |value| value["longest_wait_ns"] = json!(-1),
        "`longest_wait_ns`",
    );
    // A name would have to be looked up, and nobody knows how long that takes.
    for other in ["node-0:9", "9", "", "10.0.0.7:99999"] {
        refused(
            &rank(),
            |value| value["clock"]["answers_at"] = json!(other),
            "socket address",
        );
    }
    let clock = json!({"offset_ns": 0, "bound_ns": 0, "by": "ping"});
    refused(
        &ready(),
        |value| value["clocks"] = json!(vec![clock; 17]),
        "`clocks`",
    );
    refused(
        &done("run.json"),
        |value| value["index"] = json!(8),
        "no rank 8 of 8",
    );
}

#[test]
fn a_start_is_soon_after_its_decision() {
    let at = |at_unix_ns: i64| {
        start(Decision::Start {
            at_unix_ns,
            without: Vec::new(),
        })
    };
    round(&at(NOW));
    round(&at(NOW + MOST_LEAD_NS));
    // The last of them is in the year 2199.
    for ns in [NOW - 1, NOW + MOST_LEAD_NS + 1, 7_258_118_300_000_000_000] {
        refused(&at(ns), |_| {}, "not within 120 s after `decided_unix_ns`");
    }
}

#[test]
fn a_record_names_only_files_below_its_own_folder_and_each_once() {
    for name in ["../run.json", "/etc/passwd", "a/../../b", ".hidden"] {
        refused(&done(name), |_| {}, "is not made of letters");
    }
    refused(
        &done("run.json"),
        |value| {
            let file = value["files"][0].clone();
            value["files"] = json!([file.clone(), file]);
        },
        "`run.json` is in it twice",
    );
    refused(
        &done("run.json"),
        |value| value["files"][0]["sha256"] = json!("AB".repeat(32)),
        "SHA-256",
    );
    refused(
        &done("run.json"),
        |value| value["files"][0]["bytes"] = json!(1_u64 << 41),
        "more than",
    );
    refused(
        &done("run.json"),
        |value| {
            let file =
                |n: usize| json!({"name": format!("f{n}"), "bytes": 0, "sha256": "ab".repeat(32)});
            value["files"] = json!((0..1_001).map(file).collect::<Vec<Value>>());
        },
        "more than 1000",
    );
}

#[test]
fn text_of_others_steers_nothing_and_has_an_end() {
    let file = FailedFile {
        format_version: FORMAT_VERSION,
        index: 3,
        host: "a\u{1b}[2J".to_owned(),
        failed_unix_ns: NOW,
        why: "x\n".repeat(5_000),
    };
    let bytes = written(&file).expect("written");
    let read: FailedFile = read("f.json", &bytes).expect("read");
    assert_eq!(read.host, "a\u{fffd}[2J");
    assert!(read.why.len() <= 2_000 && !read.why.contains('\n'));
}
