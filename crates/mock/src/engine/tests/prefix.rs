//! The prefix cache: what is found, what it saves, what is evicted.

use super::*;

#[test]
fn a_hit_saves_exactly_its_prefill() {
    let mut engine = Engine::new(with_kv(100));
    let tokens = run(
        &mut engine,
        &[(0, hashed(1, 7, 95, 1)), (100, hashed(2, 7, 95, 1))],
    );
    // 10 + 9.5 + 1, then with 90 tokens found 10 + 0.5 + 1.
    assert_eq!(tokens, [(20.5, 1, 0), (111.5, 2, 0)]);
    assert_eq!(cached(&mut engine), [(1, 0), (2, 90)]);
    let counters = engine.counters();
    assert_eq!(counters.prefix_query_tokens, 190);
    assert_eq!(counters.prefix_hit_tokens, 90);
    assert_eq!(counters.prefill_tokens, 100);
}

#[test]
fn a_prompt_found_as_a_whole_computes_its_last_block() {
    let mut engine = Engine::new(with_kv(100));
    run(
        &mut engine,
        &[(0, hashed(1, 7, 90, 1)), (100, hashed(2, 7, 90, 1))],
    );
    assert_eq!(cached(&mut engine), [(1, 0), (2, 80)]);
}

#[test]
fn an_answer_is_found_by_the_next_turn() {
    let mut engine = Engine::new(with_kv(100));
    // 35 + 20 tokens: the last one is never computed, so five blocks are full.
    run(
        &mut engine,
        &[(0, hashed(1, 7, 35, 20)), (900, hashed(2, 7, 75, 1))],
    );
    assert_eq!(cached(&mut engine), [(1, 0), (2, 50)]);
}

#[test]
fn only_the_leading_run_counts() {
    let mut engine = Engine::new(with_kv(100));
    let mut other = hashed(2, 7, 95, 1);
    let mut blocks = other.blocks.to_vec();
    blocks[3] = 99;
    other.blocks = blocks.into();
    run(&mut engine, &[(0, hashed(1, 7, 95, 1)), (100, other)]);
    assert_eq!(cached(&mut engine), [(1, 0), (2, 30)]);
}

#[test]
fn blocks_are_found_from_the_end_of_the_step_that_computes_them() {
    let mut params = with_kv(100);
    params.max_batched_tokens = 50;
    let mut engine = Engine::new(params);
    // Both begin in the same step: the second finds nothing. The third comes after the first chunk.
    run(
        &mut engine,
        &[
            (0, hashed(1, 7, 95, 1)),
            (0, hashed(2, 7, 95, 1)),
            (1, hashed(3, 7, 95, 1)),
        ],
    );
    // Step 1 (16 ms): 50 tokens of 1. Step 2: 45 of 1, 5 of 2, which finds the 50 of step 1.
    // Step 3: 2 and 3; 3 finds the 90 of steps 1 and 2.
    assert_eq!(cached(&mut engine), [(1, 0), (2, 50), (3, 90)]);
}

#[test]
fn shared_blocks_are_held_once() {
    let mut engine = Engine::new(with_kv(100));
    run(&mut engine, &[(0, hashed(1, 7, 95, 1))]);
    let _ = engine.arrive(100 * MS, hashed(2, 7, 95, 10));
    let mut emissions = Vec::new();
    engine.step(112 * MS, &mut emissions);
    let _ = engine.arrive(113 * MS, hashed(3, 7, 95, 10));
    let deadline = engine.next_deadline().expect("busy");
    engine.step(deadline, &mut emissions);
    // Nine blocks shared, one each for the rest.
    assert_eq!(engine.gauges().running.value(), 2);
    assert_eq!(engine.gauges().kv_used.value(), 11);
}

#[test]
fn the_least_recently_used_prefix_is_evicted_from_its_tail() {
    // Ten blocks; each request fills three and a half.
    let mut engine = Engine::new(with_kv(10));
    let arrivals: Vec<_> = [1, 2, 1, 3, 1, 2]
        .into_iter()
        .zip(0..)
        .map(|(family, n)| (n * 100, hashed(n as u64, family, 35, 1)))
        .collect();
    run(&mut engine, &arrivals);
    let found: Vec<_> = cached(&mut engine)
        .iter()
        .map(|(_, tokens)| *tokens)
        .collect();
    // The third visit finds 1 as a whole and takes the ninth block. 3 takes the tenth, the two that
    // hold no full block, and the tail of 2, which was used before 1. 1 is still whole, and takes
    // the next of 2 for its half block. Of 2 the head is left.
    assert_eq!(found, [0, 0, 30, 0, 30, 10]);
}

#[test]
fn without_the_cache_nothing_is_found() {
    let mut params = with_kv(100);
    params.kv = params.kv.map(|kv| KvParams {
        prefix_cache: false,
        ..kv
    });
    let mut engine = Engine::new(params);
    run(
        &mut engine,
        &[(0, hashed(1, 7, 95, 1)), (100, hashed(2, 7, 95, 1))],
    );
    assert_eq!(cached(&mut engine), [(1, 0), (2, 0)]);
    assert_eq!(engine.counters().prefix_query_tokens, 0);
}
