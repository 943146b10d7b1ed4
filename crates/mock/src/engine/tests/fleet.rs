//! Several engines behind one port.

use super::*;

#[test]
fn requests_go_round_and_each_replica_has_its_own_steps() {
    let mut fleet = Fleet::new(plain(), 3);
    let replicas: Vec<_> = (0..5)
        .map(|id| {
            fleet
                .arrive(id as i64 * MS, request(id, 10, 1))
                .expect("room")
        })
        .collect();
    assert_eq!(replicas, [0, 1, 2, 0, 1]);
    assert_eq!(fleet.gauges().running.value(), 3);
    assert_eq!(fleet.gauges().waiting.value(), 2);
    let (mut ends, mut emissions) = (Vec::new(), Vec::new());
    while let Some(deadline) = fleet.next_deadline() {
        emissions.clear();
        let report = fleet.step(deadline, &mut emissions).expect("due");
        ends.push((report.end_ns / MS, report.replica, emissions[0].id.0));
    }
    assert_eq!(
        ends,
        [(12, 0, 0), (13, 1, 1), (14, 2, 2), (24, 0, 3), (25, 1, 4)]
    );
    assert_eq!(fleet.counters().finished, 5);
    assert_eq!(fleet.gauges().running.max(), 3, "of all together");
    let mut events = Vec::new();
    fleet.take_events(&mut events);
    let admitted = events.iter().filter_map(|event| match event {
        EngineEvent::Admitted { id, replica, .. } => Some((id.0, *replica)),
        EngineEvent::Prefilled { .. } | EngineEvent::Preempted { .. } => None,
    });
    assert!(
        admitted.clone().count() == 5 && admitted.clone().all(|(id, r)| id % 3 == u64::from(r))
    );
}

#[test]
fn a_sequence_is_cancelled_wherever_it_is() {
    let mut fleet = Fleet::new(plain(), 2);
    for id in 0..4 {
        let _ = fleet.arrive(0, request(id, 10, 1));
    }
    assert!(fleet.cancel(SequenceId(1)) && fleet.cancel(SequenceId(2)));
    assert!(!fleet.cancel(SequenceId(9)));
    let mut emissions = Vec::new();
    while let Some(deadline) = fleet.next_deadline() {
        fleet.step(deadline, &mut emissions);
    }
    let mut ids: Vec<_> = emissions.iter().map(|e| e.id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [0, 3]);
    assert_eq!(fleet.counters().cancelled, 2);
}

#[test]
fn replicas_have_seeds_of_their_own_and_the_first_has_the_fleets() {
    let jittery = EngineParams {
        jitter_sigma: 0.3,
        seed: 5,
        ..plain()
    };
    let mut fleet = Fleet::new(jittery.clone(), 2);
    let mut alone = Engine::new(jittery);
    for id in 0..2 {
        let _ = fleet.arrive(0, request(id, 10, 1));
    }
    let _ = alone.arrive(0, request(0, 10, 1));
    let [first, second] = fleet.replicas() else {
        panic!("two replicas");
    };
    assert_eq!(first.next_deadline(), alone.next_deadline());
    assert_ne!(first.next_deadline(), second.next_deadline());
}

#[test]
fn a_fleet_is_as_ready_as_its_best_replica() {
    let mut fleet = Fleet::starting(
        EngineParams {
            life: LifeCycle {
                loading_ns: 0,
                idle_to_zero_ns: 100 * MS,
                cold_start_ns: 50 * MS,
            },
            ..plain()
        },
        2,
        0,
    );
    let _ = fleet.arrive(80 * MS, request(1, 10, 9));
    assert_eq!(fleet.state(120 * MS), EngineState::Ready);
    assert_eq!(fleet.replicas()[1].state(120 * MS), EngineState::Asleep);
}

#[test]
fn the_least_loaded_replica_is_chosen_and_equals_take_turns() {
    let mut fleet = Fleet::new(plain(), 3).balanced(Balance::LeastLoaded);
    let mut arrive = |id: u64, tokens: u32| fleet.arrive(0, request(id, 10, tokens)).expect("room");
    let first: Vec<u32> = [(0, 9), (1, 1), (2, 1), (3, 9)]
        .map(|(id, n)| arrive(id, n))
        .to_vec();
    assert_eq!(first, [0, 1, 2, 0]);
    let mut emissions = Vec::new();
    let due = fleet.next_deadline().expect("a step");
    // Replicas 1 and 2 are done with one token each, replica 0 has two requests left.
    for _ in 0..3 {
        fleet.step(due, &mut emissions).expect("due");
    }
    let mut arrive = |id: u64| fleet.arrive(due, request(id, 10, 1)).expect("room");
    assert_eq!([4, 5, 6].map(&mut arrive), [1, 2, 1]);
}
