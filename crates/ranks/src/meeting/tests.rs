//! Ranks that meet, in threads, at a place in memory: how they come together, and how they do not.

mod left;
mod spoilt;

use super::*;
use crate::files::names::{LAUNCH, Of};
use crate::store::fake::Fake;
use crate::testing::join_as;
use infermeter_core::run::OffsetSource;
use proptest::prelude::*;
use std::thread;

fn join(place: &Fake, join: JoinAs) -> Result<Meeting, MeetingError> {
    Meeting::join(Box::new(place.clone()), join)
}

fn joined(place: &Fake, index: u32, of: u32) -> Meeting {
    join(place, join_as(index, of)).expect("it joins")
}

/// What a rank is told that joins with a change.
#[track_caller]
fn refused(place: &Fake, index: u32, of: u32, change: impl FnOnce(&mut JoinAs)) -> String {
    let mut other = join_as(index, of);
    change(&mut other);
    join(place, other).expect_err("refused").to_string()
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}`: {text}");
    }
}

#[test]
fn all_ranks_begin_at_one_instant() {
    let place = Fake::default();
    let starts: Vec<(String, StartAt, Option<ClockOffset>)> = thread::scope(|scope| {
        let ranks: Vec<_> = (0..5)
            .map(|index| {
                let place = &place;
                scope.spawn(move || {
                    let meeting = joined(place, index, 5);
                    let start = meeting.ready().expect("a start");
                    (meeting.launch().run_id.clone(), start, meeting.own_clock())
                })
            })
            .collect();
        ranks
            .into_iter()
            .map(|rank| rank.join().expect("ended"))
            .collect()
    });
    let (run_id, first, clock) = &starts[0];
    assert_eq!(
        (clock.expect("it is the clock").bound_ns, first.own_unix_ns),
        (0, first.asked_unix_ns)
    );
    for (own_run_id, start, clock) in &starts {
        assert_eq!(
            (own_run_id, start.asked_unix_ns),
            (run_id, first.asked_unix_ns)
        );
        let clock = clock.expect("a way is open");
        // All of them have one clock.
        assert!(clock.offset_ns.abs() <= clock.bound_ns, "{clock:?}");
        assert_eq!(start.own_unix_ns - start.asked_unix_ns, clock.offset_ns);
        assert!(start.without.is_empty());
    }
    let names = place.list("").expect("listed");
    for kind in [Of::Rank, Of::Ready] {
        assert!(
            (0..5).all(|index| names.contains(&kind.name(index))),
            "{names:?}"
        );
    }
    assert_eq!(names.len(), 12, "{names:?}");
}

#[test]
fn ranks_meet_in_a_folder_as_well() {
    let scratch = tempfile::tempdir().expect("a directory");
    let place = scratch.path().join("place").display().to_string();
    let starts: Vec<i64> = thread::scope(|scope| {
        let ranks: Vec<_> = (0..4)
            .map(|index| {
                let place = &place;
                scope.spawn(move || {
                    let store = crate::store::open(place).expect("a place");
                    let meeting = Meeting::join(store, join_as(index, 4)).expect("it joins");
                    meeting.ready().expect("a start").asked_unix_ns
                })
            })
            .collect();
        ranks
            .into_iter()
            .map(|rank| rank.join().expect("ended"))
            .collect()
    });
    assert!(starts.iter().all(|start| *start == starts[0]), "{starts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn in_whatever_order_ranks_come_there_is_one_launch_and_each_once(
        order in (1_u32..7).prop_flat_map(|of| Just((0..of).collect::<Vec<u32>>()).prop_shuffle())
    ) {
        let (place, of) = (Fake::default(), order.len() as u32);
        let mut meetings = Vec::new();
        for index in &order {
            meetings.push(joined(&place, *index, of));
            let again = join(&place, join_as(*index, of));
            prop_assert!(matches!(again, Err(MeetingError::Taken { .. })), "{:?}", again.err());
        }
        let expect = format!("run-of-{}", order[0]);
        for meeting in &meetings {
            prop_assert_eq!(&meeting.launch().run_id, &expect);
            prop_assert_eq!(meeting.launch().salt, u64::from(order[0]));
        }
        let ranks = place.list(Of::Rank.prefix()).expect("listed");
        prop_assert_eq!(ranks, (0..of).map(|index| Of::Rank.name(index)).collect::<Vec<_>>());
    }
}

#[test]
fn ranks_that_do_not_come_are_named_and_nobody_begins() {
    let place = Fake::default();
    let hurried = |index: u32| JoinAs {
        timeout: Span(0),
        ..join_as(index, 3)
    };
    let first = join(&place, hurried(0)).expect("it joins");
    let third = joined(&place, 2, 3);
    let error = first.ready().expect_err("nobody else is ready").to_string();
    says(
        &error,
        &[
            "memory: after 0s rank 1 did not come, rank 2 on node-2 came and did not get ready",
            "--without-missing",
            "--rendezvous-timeout",
        ],
    );
    // Who gets ready afterwards is told, and so is who comes.
    let error = third.ready().expect_err("it is given up").to_string();
    says(&error, &["given up", "rank 1 did not come"]);
    let error = refused(&place, 1, 3, |_| {});
    says(&error, &["given up", "rank 1 did not come", " ago"]);
}

#[test]
fn a_rank_whose_first_never_comes_says_so() {
    let place = Fake::default();
    let meeting = join(
        &place,
        JoinAs {
            timeout: Span(0),
            ..join_as(1, 2)
        },
    );
    let error = meeting.expect("it joins").ready().expect_err("no start");
    says(&error.to_string(), &["rank 0 did not come"]);
}

#[test]
fn the_others_begin_without_those_that_do_not_come_if_they_may() {
    let place = Fake::default();
    let first = join(
        &place,
        JoinAs {
            timeout: Span(0),
            missing: Missing::GoOn,
            ..join_as(0, 3)
        },
    );
    let third = joined(&place, 2, 3);
    let start = first.expect("it joins").ready().expect("a start");
    let absent = |index: u32, came: bool| Absent {
        index,
        came,
        why: None,
    };
    assert_eq!(start.without, [absent(1, false), absent(2, true)]);
    // Everybody can know, those that are left out too.
    says(&place.text(START), &["\"without\"", "\"index\": 1"]);
    let error = third.ready().expect_err("too late").to_string();
    says(&error, &["the others began", "without rank 2"]);
    let error = refused(&place, 1, 3, |_| {});
    says(
        &error,
        &[
            "the others began",
            "without rank 1",
            "start all ranks at once",
        ],
    );
}

#[test]
fn who_cannot_go_on_is_not_waited_for() {
    let place = Fake::default();
    let meetings: Vec<Meeting> = (0..3).map(|index| joined(&place, index, 3)).collect();
    meetings[1].failed("no route to \u{1b}host");
    let error = meetings[0].ready().expect_err("no start").to_string();
    assert_eq!(
        error,
        "rank 1 on node-1 cannot go on: no route to \u{fffd}host"
    );
    let error = meetings[2].ready().expect_err("no start").to_string();
    says(&error, &["given up", "rank 1 on node-1 cannot go on"]);
    // With leave to begin without some, the others begin at once.
    let place = Fake::default();
    let first = join(
        &place,
        JoinAs {
            missing: Missing::GoOn,
            ..join_as(0, 2)
        },
    );
    joined(&place, 1, 2).failed("no route to host");
    let start = first.expect("it joins").ready().expect("a start");
    assert_eq!(start.without[0].why.as_deref(), Some("no route to host"));
}

#[test]
fn when_the_first_cannot_go_on_nobody_does() {
    let place = Fake::default();
    let first = joined(&place, 0, 2);
    let second = joined(&place, 1, 2);
    first.failed("its disk is full");
    let error = second.ready().expect_err("no start").to_string();
    says(&error, &["rank 0 on node-0 cannot go on: its disk is full"]);
}

#[test]
fn a_rank_that_measures_something_else_is_refused_and_told_what() {
    let check = |change: &dyn Fn(&mut JoinAs), expect: &[&str]| {
        let place = Fake::default();
        let first = joined(&place, 0, 2);
        let error = refused(&place, 1, 2, |join| change(join));
        says(
            &error,
            &[
                "rank 1 on node-1",
                "rank 0 on node-0",
                "memory",
                "the same command",
            ],
        );
        says(&error, expect);
        // The others hear of it at once.
        let error = first.ready().expect_err("no start").to_string();
        says(&error, &["rank 1 on node-1 cannot go on"]);
        says(&error, expect);
    };
    check(
        &|join| join.plan_hash = "feedbeeffeedbeef".to_owned(),
        &["the plan", "feedbeeffeed here, 0123456789ab there"],
    );
    check(
        &|join| join.facts.version = "1.2.4".to_owned(),
        &["version 1.2.4 here, 1.2.3 there"],
    );
    check(
        &|join| join.facts.program = Some("bb".repeat(32)),
        &["the program", "bbbbbbbbbbbb here"],
    );
    // A program for another processor has other bytes, and one that cannot be read has none.
    for change in [
        &(|join: &mut JoinAs| {
            join.facts.arch = "aarch64".to_owned();
            join.facts.program = Some("bb".repeat(32));
        }) as &dyn Fn(&mut JoinAs),
        &|join: &mut JoinAs| join.facts.program = None,
    ] {
        let place = Fake::default();
        joined(&place, 0, 2);
        let mut other = join_as(1, 2);
        change(&mut other);
        assert!(join(&place, other).is_ok());
    }
    // One of a launch of another size takes a number that nobody waits for.
    let place = Fake::default();
    let first = joined(&place, 0, 2);
    let error = refused(&place, 5, 8, |_| {});
    says(&error, &["number of ranks 8 here, 2 there"]);
    says(
        &first.ready().expect_err("no start").to_string(),
        &["rank 5 on node-5"],
    );
}

#[test]
fn a_second_launch_at_one_place_is_refused_and_told_what_became_of_the_first() {
    let place = Fake::default();
    let first = joined(&place, 0, 1);
    let own_place = "--rendezvous /shared/run-$SLURM_JOB_ID";
    let error = refused(&place, 0, 1, |_| {});
    says(
        &error,
        &[
            "memory",
            "rank 0 is there already",
            "process 100 on node-0",
            "waits for its others",
            own_place,
        ],
    );
    first.ready().expect("alone");
    says(
        &refused(&place, 0, 1, |_| {}),
        &["has not said that it ended", own_place],
    );
    let record = tempfile::tempdir().expect("a directory");
    first.deliver(record.path()).expect("left");
    says(
        &refused(&place, 0, 1, |_| {}),
        &["it has ended and left its record"],
    );

    let place = Fake::default();
    let first = joined(&place, 0, 2);
    first.failed("its disk is full");
    says(
        &refused(&place, 0, 2, |_| {}),
        &["could not go on: its disk is full"],
    );
}

#[test]
fn launches_that_the_launcher_tells_apart_do_not_mix() {
    let place = Fake::default();
    let by_slurm = |index: u32, launch: &str| {
        let mut join = join_as(index, 2);
        join.rank.launch = Some(launch.to_owned());
        (join.rank.told_by, join.facts.told_by) = ("Slurm", "Slurm".to_owned());
        join
    };
    join(&place, by_slurm(0, "17.0")).expect("it joins");
    let error = join(&place, by_slurm(1, "18.0"))
        .expect_err("another job")
        .to_string();
    says(
        &error,
        &[
            "memory is the meeting place of 17.0",
            "this is 18.0",
            "rank 0 on node-0 (process 100)",
        ],
    );
    // It has left nothing that the others would hear of.
    assert_eq!(place.list("failed-").expect("listed"), [""; 0]);
    join(&place, by_slurm(1, "17.0")).expect("the same job");
}

#[test]
fn what_a_later_version_has_left_is_refused_politely() {
    let place = Fake::default();
    place.force(LAUNCH, b"{\"format_version\": 7}");
    says(
        &refused(&place, 0, 2, |_| {}),
        &[
            "memory: launch.json has format version 7",
            "one version for all",
        ],
    );
    let place = Fake::default();
    place.force(LAUNCH, b"garbage");
    says(
        &refused(&place, 0, 2, |_| {}),
        &["launch.json is not what ranks leave there"],
    );
}

#[test]
fn clocks_of_one_kernel_are_one_and_others_are_asked() {
    let on_one = |index: u32| {
        let mut join = join_as(index, 2);
        join.facts.machine = Some("b007".to_owned());
        join
    };
    let with = |joins: [JoinAs; 2]| {
        let place = Fake::default();
        let [first, second] = joins.map(|as_one| join(&place, as_one).expect("it joins"));
        assert_eq!((first.own_clock(), second.own_clock()), (None, None));
        let second = thread::scope(|scope| {
            scope.spawn(|| first.ready().expect("a start"));
            second.ready().expect("a start");
            second
        });
        (
            second.own_clock().expect("known"),
            second.clock_again().expect("known"),
        )
    };
    for clock in <[ClockOffset; 2]>::from(with([on_one(0), on_one(1)])) {
        assert_eq!(
            (clock.offset_ns, clock.bound_ns, clock.by),
            (0, 0, OffsetSource::SameKernel)
        );
    }
    for clock in <[ClockOffset; 2]>::from(with([join_as(0, 2), join_as(1, 2)])) {
        assert!(clock.offset_ns.abs() <= clock.bound_ns, "{clock:?}");
        assert_ne!(clock.by, OffsetSource::SameKernel);
    }
}

#[test]
fn an_address_that_is_not_of_this_host_is_no_place_to_answer_at() {
    let place = Fake::default();
    // Set aside for documentation: nobody has it.
    let error = refused(&place, 0, 2, |join| join.sync = "192.0.2.1:0".parse().ok());
    says(
        &error,
        &["--sync 192.0.2.1:0", "an address of the host of rank 0"],
    );
    says(
        &refused(&place, 1, 2, |_| {}),
        &["given up", "--sync 192.0.2.1:0"],
    );
    // One that came a moment before has the number, and does not hear of it.
    let place = Fake::default();
    let _first = joined(&place, 0, 2);
    let second = Fake {
        unseen: Some(Of::Rank.name(0)),
        ..place.clone()
    };
    says(
        &refused(&second, 0, 2, |join| join.sync = "192.0.2.1:0".parse().ok()),
        &["rank 0 is there already"],
    );
    let names = place.list("").expect("listed");
    assert_eq!(names, [LAUNCH, "rank-00000.json"]);
    // The others do not look at it.
    join(
        &Fake::default(),
        JoinAs {
            sync: "192.0.2.1:0".parse().ok(),
            ..join_as(1, 2)
        },
    )
    .expect("it joins");
}
