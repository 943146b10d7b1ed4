//! Replicas that come and go.

use super::*;

/// A fleet whose added replicas load for so many milliseconds.
fn fleet(replicas: u32, loading_ms: i64) -> Fleet {
    Fleet::new(plain(), replicas).scaled(Scaling {
        loading: Some(infermeter_core::units::Span::millis(loading_ms)),
        autoscale: None,
    })
}

fn counts(ready: u32, loading: u32, draining: u32) -> ReplicaCounts {
    ReplicaCounts {
        ready,
        loading,
        draining,
    }
}

/// Completes everything that is due up to `until_ns`.
fn run_to(fleet: &mut Fleet, until_ns: i64) {
    let mut emissions = Vec::new();
    while let Some(due) = fleet.next_deadline().filter(|due| *due <= until_ns) {
        fleet.step(due, &mut emissions);
    }
}

#[test]
fn an_added_replica_takes_requests_once_it_is_loaded() {
    let mut fleet = fleet(1, 50);
    fleet.scale(0, 2).expect("room");
    assert_eq!(fleet.replica_counts(0), counts(1, 1, 0));
    let arrive = |fleet: &mut Fleet, id: u64, at_ms: i64| {
        let arrived = fleet.arrive(at_ms * MS, request(id, 10, 1));
        arrived.expect("room")
    };
    assert_eq!(arrive(&mut fleet, 0, 1), 0);
    assert_eq!(arrive(&mut fleet, 1, 2), 0);
    run_to(&mut fleet, 49 * MS);
    assert_eq!(fleet.replica_counts(50 * MS), counts(2, 0, 0));
    let places = [arrive(&mut fleet, 2, 50), arrive(&mut fleet, 3, 51)];
    assert_eq!(places, [1, 0]);
}

#[test]
fn one_that_drains_ends_what_it_has_and_is_gone() {
    let mut fleet = fleet(2, 0);
    for id in 0..4 {
        fleet.arrive(0, request(id, 10, 3)).expect("room");
    }
    fleet.scale(MS, 1).expect("room");
    assert_eq!(fleet.replica_counts(MS), counts(1, 0, 1));
    assert_eq!(fleet.wanted(), 1);
    // No further request goes there.
    for id in 4..7 {
        assert_eq!(fleet.arrive(2 * MS, request(id, 10, 1)), Ok(0));
    }
    run_to(&mut fleet, 1_000 * MS);
    assert_eq!(fleet.counters().finished, 7, "what it had ended");
    assert_eq!(fleet.replica_counts(1_000 * MS), counts(1, 0, 0));
    // The first was there all the time, the second until its last step: that of 10 prompt tokens and two more.
    let second_ns = fleet.replica_ns(1_000 * MS) - 1_000 * MS;
    assert!((30 * MS..60 * MS).contains(&second_ns), "{second_ns}");
    // An idle one goes at once, and time without it does not count.
    assert_eq!(fleet.replica_ns(2_000 * MS), 2_000 * MS + second_ns);
}

#[test]
fn a_place_is_used_again_and_its_counts_go_on() {
    let mut fleet = fleet(2, 0);
    fleet.arrive(0, request(0, 10, 1)).expect("room");
    fleet.arrive(0, request(1, 10, 1)).expect("room");
    run_to(&mut fleet, 100 * MS);
    fleet.scale(100 * MS, 1).expect("room");
    assert_eq!(fleet.replica_counts(100 * MS), counts(1, 0, 0));
    fleet.scale(200 * MS, 2).expect("room");
    assert_eq!(fleet.replicas().len(), 2, "no place was added");
    assert_eq!(fleet.replicas()[1].counters().finished, 1);
    assert_eq!(fleet.counters().finished, 2);
    assert_eq!(fleet.replica_ns(300 * MS), 300 * MS + 200 * MS);
    // One that still loads is drained before one that serves.
    let mut loading = Fleet::new(plain(), 2).scaled(Scaling {
        loading: Some(infermeter_core::units::Span::seconds(9)),
        autoscale: None,
    });
    loading.scale(MS, 3).expect("room");
    loading.scale(2 * MS, 2).expect("room");
    assert_eq!(loading.replica_counts(2 * MS), counts(2, 0, 0));
}

#[test]
fn there_are_only_so_many_places() {
    let mut fleet = fleet(MAX_REPLICAS, 0);
    for id in 0..u64::from(MAX_REPLICAS) {
        fleet.arrive(0, request(id, 10, 5)).expect("room");
    }
    fleet.scale(MS, 2).expect("room");
    let refused = NoRoom {
        asked: 3,
        draining: MAX_REPLICAS - 2,
    };
    assert_eq!(fleet.scale(MS, 3), Err(refused));
    assert_eq!(fleet.wanted(), 2, "nothing changed");
    // One stays, whatever is asked.
    fleet.scale(MS, 0).expect("room");
    assert_eq!(fleet.wanted(), 1);
}

#[test]
fn an_autoscaler_follows_the_requests_in_flight() {
    let Ok(Autoscaling::On(rule)) = "2,1,4,100ms".parse() else {
        panic!("an autoscaler");
    };
    let mut fleet = Fleet::new(plain(), 1).scaled(Scaling {
        loading: None,
        autoscale: Some(rule),
    });
    assert_eq!(fleet.next_look_ns(), Some(100 * MS));
    for id in 0..6 {
        fleet.arrive(90 * MS, request(id, 10, 20)).expect("room");
    }
    fleet.look(100 * MS);
    assert_eq!(fleet.wanted(), 3, "6 requests, 2 each");
    assert_eq!(fleet.next_look_ns(), Some(200 * MS));
    run_to(&mut fleet, 5_000 * MS);
    fleet.look(5_000 * MS);
    assert_eq!(fleet.replica_counts(5_000 * MS), counts(1, 0, 0));
}
