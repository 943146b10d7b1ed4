//! Other parameters for a running engine.

use super::*;

#[test]
fn new_parameters_count_from_the_next_step_on() {
    let mut engine = Engine::new(plain());
    let _ = engine.arrive(0, request(1, 10, 3));
    let slower = EngineParams {
        law: StepLaw::Batched {
            base_ns: 100 * MS,
            per_prefill_token_ns: 0,
            per_sequence_ns: 0,
            per_kv_token_ns: 0.0,
            per_attention_ns: 0.0,
        },
        ..plain()
    };
    assert_eq!(engine.reconfigure(5 * MS, slower), Ok(()));
    let tokens = run(&mut engine, &[]);
    assert_eq!(tokens, [(12.0, 1, 0), (112.0, 1, 1), (212.0, 1, 2)]);
}

#[test]
fn fewer_slots_leave_those_who_run_alone() {
    let mut engine = Engine::new(plain());
    for id in 1..=4 {
        let _ = engine.arrive(0, request(id, 10, 3));
    }
    engine.step(12 * MS, &mut Vec::new());
    assert_eq!(engine.gauges().running.value(), 4);
    let _ = engine.arrive(13 * MS, request(5, 10, 1));
    let one = EngineParams {
        max_num_seqs: 1,
        ..plain()
    };
    assert_eq!(engine.reconfigure(14 * MS, one), Ok(()));
    let tokens = run(&mut engine, &[]);
    let of_5 = tokens.iter().position(|t| t.1 == 5).expect("it comes");
    assert_eq!(of_5, tokens.len() - 1, "last: {tokens:?}");
}

#[test]
fn a_cache_shrinks_down_to_what_is_used_and_grows_again() {
    let mut engine = Engine::new(with_kv(100));
    run(&mut engine, &[(0, hashed(1, 1, 95, 1))]);
    let _ = engine.arrive(100 * MS, request(2, 50, 2));
    assert_eq!(
        engine.reconfigure(101 * MS, with_kv(4)),
        Err(ParamsError::KvInUse { used: 5, blocks: 4 })
    );
    assert_eq!(engine.gauges().kv_total.value(), 100, "nothing has changed");
    assert_eq!(engine.reconfigure(102 * MS, with_kv(6)), Ok(()));
    assert_eq!(engine.gauges().kv_total.value(), 6);
    let _ = engine.arrive(103 * MS, request(3, 20, 1));
    assert_eq!(run(&mut engine, &[]).len(), 3);
    assert_eq!(engine.gauges().kv_used.max(), 10);
    assert_eq!(engine.reconfigure(900 * MS, with_kv(50)), Ok(()));
    assert_eq!(engine.gauges().kv_total.value(), 50);
    assert_eq!(run(&mut engine, &[(1000, request(4, 450, 1))]).len(), 1);
}

#[test]
fn what_a_running_engine_cannot_change_is_refused() {
    let mut engine = Engine::new(with_kv(100));
    let mut refused = |params: EngineParams| {
        let error = engine.reconfigure(0, params).expect_err("refused");
        error.to_string()
    };
    assert_eq!(
        refused(fixed(1, 1, 1).params),
        "the kind of the step law cannot change while the engine runs: start another one"
    );
    assert_eq!(
        refused(plain()),
        "whether there is a KV cache cannot change while the engine runs: start another one"
    );
    let mut blocks = with_kv(100);
    blocks.kv = blocks.kv.map(|kv| KvParams {
        block_size: 16,
        ..kv
    });
    assert_eq!(
        refused(blocks),
        "the KV cache's block size cannot change while the engine runs: start another one"
    );
    let mut none = with_kv(100);
    none.max_num_seqs = 0;
    assert_eq!(refused(none), "max_num_seqs is 0: set it to 1 or more");
}

#[test]
fn adapters_in_use_count_when_a_limit_appears() {
    let adapted = |id, adapter| EngineRequest {
        adapter: Some(adapter),
        ..request(id, 10, 3)
    };
    let mut engine = Engine::new(plain());
    let _ = engine.arrive(0, adapted(1, 5));
    let limited = EngineParams {
        lora: Some(LoraParams {
            slots: 1,
            load_ns: 0,
        }),
        ..plain()
    };
    assert_eq!(engine.reconfigure(MS, limited), Ok(()));
    let tokens = run(&mut engine, &[(2, adapted(2, 6))]);
    let order: Vec<_> = tokens.iter().map(|t| t.1).collect();
    assert_eq!(order, [1, 1, 1, 2, 2, 2]);
    assert_eq!(run(&mut engine, &[(900, adapted(3, 7))]).len(), 3);
}

#[test]
fn a_fleet_changes_as_a_whole_or_not_at_all() {
    let mut fleet = Fleet::new(with_kv(100), 2);
    let _ = fleet.arrive(0, request(1, 10, 1));
    let _ = fleet.arrive(0, request(2, 50, 1));
    assert!(
        fleet.reconfigure(MS, with_kv(3)).is_err(),
        "the second one uses five"
    );
    assert_eq!(fleet.gauges().kv_total.value(), 200);
    assert_eq!(fleet.reconfigure(MS, with_kv(8)), Ok(()));
    assert_eq!(fleet.gauges().kv_total.value(), 16);
}
