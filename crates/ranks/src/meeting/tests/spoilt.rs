//! What somebody has left that nobody can use, or that is not true: whom it costs, and what is said of it.

use super::*;
use crate::files::{ReadyFile, written};

/// What rank 0 and rank 1 of two are told when both are ready.
fn both_ready(first: &Meeting, second: &Meeting) -> [Result<StartAt, MeetingError>; 2] {
    thread::scope(|scope| {
        let second = scope.spawn(|| second.ready());
        let first = first.ready();
        [first, second.join().expect("ended")]
    })
}

#[test]
fn what_nobody_has_to_be_ready_for_ends_nothing() {
    let place = Fake::default();
    place.force("ready-00099.json", b"garbage");
    let [first, second] = both_ready(&joined(&place, 0, 2), &joined(&place, 1, 2));
    assert!(first.expect("a start").without.is_empty());
    assert!(second.expect("a start").without.is_empty());
}

#[test]
fn who_leaves_garbage_is_not_ready_and_the_reason_is_named() {
    let first = |place: &Fake, missing: Missing| {
        let hurried = JoinAs {
            timeout: Span(0),
            missing,
            ..join_as(0, 2)
        };
        let meeting = join(place, hurried).expect("it joins");
        joined(place, 1, 2);
        meeting
    };
    let of_another = ReadyFile {
        format_version: FORMAT_VERSION,
        index: 0,
        ready_unix_ns: 1,
        longest_wait_ns: 0,
        clocks: Vec::new(),
    };
    let of_another = written(&of_another).expect("written");
    for (bytes, why) in [
        (
            &b"garbage"[..],
            "ready-00001.json is not what ranks leave there",
        ),
        (&of_another[..], "ready-00001.json is that of rank 0"),
    ] {
        let place = Fake::default();
        place.force("ready-00001.json", bytes);
        let error = first(&place, Missing::End).ready().expect_err("no start");
        says(
            &error.to_string(),
            &["rank 1 on node-1 came and did not get ready", why],
        );
        says(&place.text(START), &["no_start", "ready-00001.json"]);
        let place = Fake::default();
        place.force("ready-00001.json", bytes);
        let start = first(&place, Missing::GoOn).ready().expect("a start");
        says(start.without[0].why.as_deref().expect("a reason"), &[why]);
    }
    // A last word that nobody can read is one.
    let place = Fake::default();
    let meeting = first(&place, Missing::End);
    place.force("failed-00001.json", b"garbage");
    let error = meeting.ready().expect_err("no start").to_string();
    says(
        &error,
        &["rank 1 on a host cannot go on", "failed-00001.json"],
    );
    says(&place.text(START), &["no_start", "failed-00001.json"]);
}

#[test]
fn a_start_that_is_too_far_ahead_is_not_waited_for_and_the_others_hear_of_it() {
    let forged = |ahead_s: i64, lead_s: i64| {
        let second_ns = 1_000_000_000;
        let decided_unix_ns = realtime_ns() + ahead_s * second_ns;
        let start = StartFile {
            format_version: FORMAT_VERSION,
            decided_unix_ns,
            decision: Decision::Start {
                at_unix_ns: decided_unix_ns + lead_s * second_ns,
                without: Vec::new(),
            },
        };
        let place = Fake::default();
        let (_first, second) = (joined(&place, 0, 2), joined(&place, 1, 2));
        place.force(START, &written(&start).expect("written"));
        (place, second.ready().map(|_| ()))
    };
    let (place, start) = forged(86_400, 2);
    let error = start.expect_err("it is not waited for").to_string();
    says(
        &error,
        &[
            "memory: this host's clock is 24 hours behind that of rank 0",
            "forged",
            "begin in 24 hours",
        ],
    );
    says(&place.text("failed-00001.json"), &["24 hours behind"]);
    let (_, start) = forged(0, 86_400);
    says(
        &start.expect_err("no start is").to_string(),
        &["start.json is not what ranks leave there"],
    );
    forged(0, 100).1.expect("it may be as far");
}

#[test]
fn what_is_not_of_rank_0_or_of_another_launch_is_not_held_against() {
    for (change, why) in [
        (["\"index\": 0", "\"index\": 1"], "that of rank 1"),
        (["run-of-0", "run-of-7"], "of run run-of-7"),
    ] {
        let place = Fake::default();
        let (_first, second) = (joined(&place, 0, 2), joined(&place, 1, 2));
        let other = place.text("rank-00000.json").replace(change[0], change[1]);
        place.force("rank-00000.json", other.as_bytes());
        let error = second.ready().expect_err("no start").to_string();
        says(
            &error,
            &["rank-00000.json is not what ranks leave there", why],
        );
    }
}
