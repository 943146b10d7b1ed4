//! Blocks run out: who waits, who is preempted, and what it costs.

use super::*;

fn preempted(engine: &mut Engine) -> Vec<(u64, i64)> {
    let all = events(engine).into_iter().filter_map(|event| match event {
        EngineEvent::Preempted { id, at_ns } => Some((id.0, at_ns)),
        EngineEvent::Admitted { .. } | EngineEvent::Prefilled { .. } => None,
    });
    all.collect()
}

#[test]
fn a_request_waits_for_blocks_although_a_slot_is_free() {
    let mut engine = Engine::new(with_kv(5));
    let tokens = run(
        &mut engine,
        &[(0, request(1, 30, 2)), (1, request(2, 30, 1))],
    );
    // Step 1: 10 + 3 + 1 = 14. Step 2: the decode needs a fourth block, 11. Then 14 for the other.
    assert_eq!(tokens, [(14.0, 1, 0), (25.0, 1, 1), (39.0, 2, 0)]);
    assert_eq!(engine.gauges().kv_used.max(), 4);
    assert_eq!(engine.gauges().kv_used.value(), 0);
    assert_eq!(engine.gauges().kv_total.value(), 5);
    assert_eq!(engine.counters().preemptions, 0);
}

#[test]
fn the_youngest_gives_way_resumes_first_and_repeats_nothing() {
    let mut params = with_kv(4);
    params.kv = params.kv.map(|kv| KvParams {
        prefix_cache: false,
        ..kv
    });
    let mut engine = Engine::new(params);
    let tokens = run(
        &mut engine,
        &[
            (0, request(1, 18, 5)),
            (0, request(2, 18, 5)),
            (0, request(3, 18, 1)),
        ],
    );
    assert_eq!(
        tokens,
        [
            // 1 alone: 10 + 1.8 + 1. Then 1 decodes (19 tokens) beside the prefill of 2, and 3
            // finds no block: 10 + 1.8 + 2.
            (12.8, 1, 0),
            (26.6, 1, 1),
            (26.6, 2, 0),
            // Both decode: 12.
            (38.6, 1, 2),
            (38.6, 2, 1),
            // 1 needs a third block for its 21st token: 2 gives both of its own back.
            (49.6, 1, 3),
            // 2 has 20 tokens to compute, needs two blocks and finds one; so has 3, behind it.
            (60.6, 1, 4),
            // 2 computes 20 tokens and 3 its 18: 10 + 3.8 + 2. 2 goes on with its third token.
            (76.4, 2, 2),
            (76.4, 3, 0),
            (87.4, 2, 3),
            (98.4, 2, 4),
        ]
    );
    assert_eq!(preempted(&mut engine), [(2, 38_600_000)]);
    let counters = engine.counters();
    assert_eq!((counters.preemptions, counters.admitted), (1, 3));
    assert_eq!(counters.prefill_tokens, 18 * 3 + 20);
    assert_eq!(counters.generation_tokens, 11);
    assert_eq!(engine.gauges().kv_used.value(), 0);
}

#[test]
fn a_preempted_sequence_finds_those_of_its_blocks_that_nobody_took() {
    let mut engine = Engine::new(with_kv(5));
    let tokens = run(
        &mut engine,
        &[(0, hashed(1, 1, 18, 5)), (0, hashed(2, 2, 28, 5))],
    );
    assert_eq!(
        tokens,
        [
            (12.8, 1, 0),
            // A decode and 28 tokens of 2, which take the last of five blocks: 10 + 2.8 + 2.
            (27.6, 1, 1),
            (27.6, 2, 0),
            (39.6, 1, 2),
            (39.6, 2, 1),
            // 1 needs a third block: 2 gives three back, and its tail is the one taken. In the next
            // step 2 needs two blocks more than it finds for 30 tokens, of which 20 are found:
            // 10 + 1 + 2.
            (50.6, 1, 3),
            (61.6, 1, 4),
            (73.6, 2, 2),
            (84.6, 2, 3),
            (95.6, 2, 4),
        ]
    );
    assert_eq!(preempted(&mut engine), [(2, 39_600_000)]);
    assert_eq!(engine.counters().cached_tokens, 20);
    assert_eq!(
        engine.counters().prefix_hit_tokens,
        0,
        "first admissions only"
    );
}

#[test]
fn a_step_that_preempts_admits_nobody() {
    let mut engine = Engine::new(with_kv(4));
    for (id, prompt) in [(1, 18), (2, 18)] {
        let _ = engine.arrive(0, request(id, prompt, 9));
    }
    let mut emissions = Vec::new();
    for _ in 0..2 {
        let deadline = engine.next_deadline().expect("busy");
        engine.step(deadline, &mut emissions);
    }
    assert_eq!(engine.gauges().running.value(), 2);
    // It would fit into the block that the preemption leaves over, were it the first that waits.
    let _ = engine.arrive(30 * MS, request(3, 5, 1));
    let deadline = engine.next_deadline().expect("busy");
    engine.step(deadline, &mut emissions);
    assert_eq!(preempted(&mut engine), [(2, 38_600_000)]);
    assert_eq!(engine.gauges().running.value(), 1);
    assert_eq!(engine.gauges().waiting.value(), 2);
}

#[test]
fn a_request_larger_than_the_cache_gets_all_of_it_and_ends() {
    let mut engine = Engine::new(with_kv(3));
    let tokens = run(
        &mut engine,
        &[(0, request(1, 50, 20)), (0, request(2, 50, 20))],
    );
    assert_eq!(tokens.len(), 40);
    assert_eq!(engine.gauges().kv_used.max(), 3);
    assert_eq!(engine.gauges().kv_used.value(), 0);
}

#[test]
fn cancelling_gives_blocks_back_at_the_end_of_the_step() {
    let mut engine = Engine::new(with_kv(8));
    let _ = engine.arrive(0, request(1, 50, 20));
    assert_eq!(engine.gauges().kv_used.value(), 5);
    assert!(engine.cancel(SequenceId(1)));
    assert!(!engine.cancel(SequenceId(1)), "it is gone already");
    let mut emissions = Vec::new();
    engine.step(16 * MS, &mut emissions);
    assert!(emissions.is_empty());
    assert_eq!(engine.gauges().kv_used.value(), 0);
    let counters = engine.counters();
    assert_eq!((counters.cancelled, counters.finished), (1, 0));
}
