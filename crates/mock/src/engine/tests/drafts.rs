//! Speculative decoding: tokens per step, budget, time.

use super::*;

fn speculating(acceptance: &[f64]) -> EngineParams {
    EngineParams {
        speculative: Some(Speculative {
            acceptance: acceptance.to_vec(),
            per_draft_token_ns: MS / 2,
        }),
        ..plain()
    }
}

/// (ms, first index, tokens) of every emission of one request.
fn bursts(params: EngineParams, request: EngineRequest) -> (Vec<(f64, u32, u32)>, EngineCounters) {
    let mut engine = Engine::new(params);
    let _ = engine.arrive(0, request);
    let (mut all, mut emissions) = (Vec::new(), Vec::new());
    while let Some(deadline) = engine.next_deadline() {
        emissions.clear();
        engine.step(deadline, &mut emissions);
        let ms = deadline as f64 / MS as f64;
        all.extend(emissions.iter().map(|e| (ms, e.index, e.tokens)));
    }
    (all, *engine.counters())
}

#[test]
fn certain_acceptance_gives_the_whole_draft_and_one_more() {
    let (all, counters) = bursts(speculating(&[1.0, 1.0, 1.0]), request(1, 10, 10));
    // The prefill gives one token. A step with a draft of three: 10 + 1 + 1.5.
    assert_eq!(
        all,
        [(12.0, 0, 1), (24.5, 1, 4), (37.0, 5, 4), (49.5, 9, 1)]
    );
    assert_eq!((counters.drafts, counters.draft_tokens), (3, 9));
    assert_eq!(counters.accepted_tokens, 9, "behind the end as well");
    assert_eq!(counters.accepted_per_position[..4], [3, 3, 3, 0]);
    assert_eq!(counters.generation_tokens, 10);
}

#[test]
fn hopeless_drafts_give_one_token_a_step_and_cost_their_time() {
    let (all, counters) = bursts(speculating(&[0.0, 1.0]), request(1, 10, 3));
    assert_eq!(all, [(12.0, 0, 1), (24.0, 1, 1), (36.0, 2, 1)]);
    assert_eq!((counters.draft_tokens, counters.accepted_tokens), (4, 0));
}

#[test]
fn the_mean_number_of_tokens_is_the_sum_of_the_products() {
    let (all, counters) = bursts(speculating(&[0.8, 0.6, 0.5]), request(1, 10, 60_001));
    // 1 + 0.8 + 0.48 + 0.24; the standard error over 23,800 steps is below 0.008.
    let mean = 60_000.0 / (all.len() - 1) as f64;
    assert!((mean - 2.52).abs() < 0.03, "{mean}");
    assert_eq!(counters.drafts, all.len() as u64 - 1);
    let sum: u64 = counters.accepted_per_position.iter().sum();
    assert_eq!(sum, counters.accepted_tokens);
}

#[test]
fn drafts_take_their_share_of_the_budget() {
    let mut params = speculating(&[1.0, 1.0, 1.0]);
    params.max_batched_tokens = 6;
    let mut engine = Engine::new(params);
    for id in [1, 2] {
        let _ = engine.arrive(0, request(id, 1, 100));
    }
    let mut emissions = Vec::new();
    for _ in 0..3 {
        emissions.clear();
        let deadline = engine.next_deadline().expect("busy");
        engine.step(deadline, &mut emissions);
    }
    // Four tokens of the first, and the second's draft is cut to one.
    let tokens: Vec<_> = emissions.iter().map(|e| (e.id.0, e.tokens)).collect();
    assert_eq!(tokens, [(1, 4), (2, 2)]);
}

#[test]
fn a_draft_needs_no_blocks_behind_the_end_of_the_answer() {
    let params = EngineParams {
        kv: with_kv(2).kv,
        ..speculating(&[1.0; 16])
    };
    assert_eq!(params.check(20), Ok(()));
    let (all, _) = bursts(params, request(1, 10, 10));
    assert_eq!(all.iter().map(|burst| burst.2).sum::<u32>(), 10);
}

#[test]
fn a_preempted_sequence_gets_the_same_tokens_in_the_same_portions() {
    let portions = |blocks| {
        let params = EngineParams {
            kv: with_kv(blocks).kv,
            ..speculating(&[0.5, 0.5])
        };
        let mut engine = Engine::new(params);
        for id in 1..=3 {
            let _ = engine.arrive(0, request(id, 20, 40));
        }
        let (mut all, mut emissions) = (Vec::new(), Vec::new());
        while let Some(deadline) = engine.next_deadline() {
            emissions.clear();
            engine.step(deadline, &mut emissions);
            all.extend(emissions.iter().map(|e| (e.id, e.index, e.tokens)));
        }
        (all, engine.counters().preemptions)
    };
    let (free, none) = portions(100);
    let (tight, some) = portions(9);
    assert_eq!(none, 0);
    assert!(some > 0);
    for (all, id) in [
        (&free, 1),
        (&free, 2),
        (&tight, 1),
        (&tight, 2),
        (&tight, 3),
    ] {
        let mut next = 0;
        for (_, index, tokens) in all.iter().filter(|(of, ..)| of.0 == id) {
            assert_eq!(*index, next);
            next += tokens;
        }
        assert_eq!(next, 40);
    }
}
