//! Loading, idling to zero, cold starts.

use super::*;

fn living(life: LifeCycle) -> EngineParams {
    EngineParams { life, ..plain() }
}

const LOADING: LifeCycle = LifeCycle {
    loading_ns: 100 * MS,
    idle_to_zero_ns: 0,
    cold_start_ns: 0,
};

const TO_ZERO: LifeCycle = LifeCycle {
    loading_ns: 0,
    idle_to_zero_ns: 1000 * MS,
    cold_start_ns: 500 * MS,
};

#[test]
fn requests_wait_for_a_loading_engine_and_start_together() {
    let mut engine = Engine::starting(living(LOADING), 50 * MS);
    assert_eq!(engine.state(149 * MS), EngineState::Loading);
    assert_eq!(engine.state(150 * MS), EngineState::Ready);
    let tokens = run(
        &mut engine,
        &[
            (60, request(1, 10, 1)),
            (149, request(2, 10, 1)),
            (151, request(3, 10, 1)),
        ],
    );
    // 150 + 10 + 2 + 2, then 12.
    assert_eq!(tokens, [(164.0, 1, 0), (164.0, 2, 0), (176.0, 3, 0)]);
}

#[test]
fn a_fixed_engine_loads_too() {
    let mut params = fixed(50, 20, 4).params;
    params.life = LOADING;
    let tokens = run(&mut Engine::new(params), &[(3, request(1, 1, 1))]);
    // 100 + 50, the first boundary.
    assert_eq!(tokens, [(160.0, 1, 0)]);
}

#[test]
fn an_idle_engine_goes_away_and_the_next_request_pays_and_warms_again() {
    let mut params = living(TO_ZERO);
    params.kv = with_kv(100).kv;
    params.penalties.first_request_ns = 7 * MS;
    let mut engine = Engine::new(params);
    let tokens = run(
        &mut engine,
        &[
            (0, hashed(1, 1, 35, 1)),
            (1020, hashed(2, 1, 35, 1)),
            (2100, hashed(3, 1, 35, 1)),
        ],
    );
    assert_eq!(
        tokens,
        [
            // 10 + 3.5 + 1 + 7.
            (21.5, 1, 0),
            // 998.5 ms idle: it is still there, and 30 tokens are found. Ends at 1031.5.
            (1031.5, 2, 0),
            // 1068.5 ms idle: 500 to start, the cache is empty, the penalty comes again.
            (2621.5, 3, 0)
        ]
    );
    assert_eq!(cached(&mut engine), [(1, 0), (2, 30), (3, 0)]);
    assert_eq!(engine.counters().cold_starts, 1);
}

#[test]
fn its_state_says_whether_it_is_there() {
    let mut engine = Engine::new(living(TO_ZERO));
    assert_eq!(engine.state(999 * MS), EngineState::Ready);
    assert_eq!(engine.state(1000 * MS), EngineState::Asleep);
    let _ = engine.arrive(2000 * MS, request(1, 10, 1));
    assert_eq!(engine.state(2400 * MS), EngineState::Waking);
    assert_eq!(engine.next_deadline(), Some(2500 * MS));
    assert_eq!(
        engine.step(2500 * MS, &mut Vec::new()),
        None,
        "it is ready, no step is done"
    );
    assert_eq!(engine.next_deadline(), Some(2512 * MS));
    assert_eq!(engine.state(2600 * MS), EngineState::Ready);
    assert!(engine.step(2512 * MS, &mut Vec::new()).is_some());
    assert_eq!(engine.state(3511 * MS), EngineState::Ready);
    assert_eq!(engine.state(3512 * MS), EngineState::Asleep);
}

#[test]
fn a_request_given_up_while_the_engine_wakes_leaves_it_idle() {
    let mut engine = Engine::new(living(TO_ZERO));
    let _ = engine.arrive(2000 * MS, request(1, 10, 1));
    engine.cancel(SequenceId(1));
    assert_eq!(engine.step(2500 * MS, &mut Vec::new()), None);
    assert_eq!(engine.next_deadline(), None);
    // Awake since 2500, so not away at 3000.
    assert_eq!(
        run(&mut engine, &[(3000, request(2, 10, 1))]),
        [(3012.0, 2, 0)]
    );
    assert_eq!(engine.counters().cold_starts, 1);
}

#[test]
fn a_late_caller_does_not_hide_a_cold_start() {
    let mut life = TO_ZERO;
    life.idle_to_zero_ns = 20 * MS;
    let mut engine = Engine::new(living(life));
    let _ = engine.arrive(0, request(1, 10, 1));
    // The step ended at 12, the engine went away at 32; both are seen at 60.
    let _ = engine.arrive(50 * MS, request(2, 10, 1));
    let mut emissions = Vec::new();
    engine.step(60 * MS, &mut emissions);
    assert_eq!(engine.next_deadline(), Some(550 * MS));
    assert_eq!(engine.counters().cold_starts, 1);
}

#[test]
fn a_fixed_engine_idles_to_zero_too() {
    let mut params = fixed(0, 20, 4).params;
    params.life = TO_ZERO;
    let tokens = run(
        &mut Engine::new(params),
        &[
            (0, request(1, 1, 1)),
            (900, request(2, 1, 1)),
            (2000, request(3, 1, 1)),
        ],
    );
    assert_eq!(tokens, [(0.0, 1, 0), (900.0, 2, 0), (2500.0, 3, 0)]);
}

#[test]
fn first_steps_are_slow_and_so_are_those_of_a_new_life() {
    let mut params = living(TO_ZERO);
    params.warm_up = WarmUp {
        factor: 3.0,
        decay_ns: 100 * MS,
    };
    let plain = run(
        &mut Engine::new(living(TO_ZERO)),
        &[(0, request(1, 10, 1)), (2100, request(2, 10, 1))],
    );
    let slow = run(
        &mut Engine::new(params.clone()),
        &[(0, request(1, 10, 1)), (2100, request(2, 10, 1))],
    );
    // The first step of a life is three times as long.
    assert_eq!(slow[0].0, 3.0 * plain[0].0);
    let born = 2100.0 + 500.0;
    assert_eq!(slow[1].0 - born, 3.0 * (plain[1].0 - born));
    assert!((params.warm_up.at(100 * MS) - (1.0 + 2.0 / std::f64::consts::E)).abs() < 1e-12);
    assert_eq!(params.warm_up.at(i64::MAX), 1.0);
}
