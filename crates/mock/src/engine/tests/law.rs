//! The length of a step: every term, jitter, what is paid once, unchunked prefill.

use super::*;

#[test]
fn cached_tokens_and_attention_have_their_price() {
    let mut params = plain();
    params.law = StepLaw::Batched {
        base_ns: 10 * MS,
        per_prefill_token_ns: MS / 10,
        per_sequence_ns: MS,
        per_kv_token_ns: 10_000.0,
        per_attention_ns: 1_000.0,
    };
    params.max_batched_tokens = 60;
    let mut engine = Engine::new(params);
    let tokens = run(&mut engine, &[(0, request(1, 100, 3))]);
    // Chunk 1: 10 + 6 + 1 and 60 x 59 / 2 pairs: 1.77. Chunk 2: 10 + 4 + 1, 60 cached: 0.6, and
    // 40 x 60 + 40 x 39 / 2 pairs: 3.18. Decodes: 11 + 1.00, 11 + 1.01.
    assert_eq!(tokens, [(37.55, 1, 0), (49.55, 1, 1), (61.56, 1, 2)]);
}

#[test]
fn a_report_says_what_the_step_did() {
    let mut engine = batched(8, 50);
    let _ = engine.arrive(0, request(1, 10, 4));
    let _ = engine.arrive(1, request(2, 98, 1));
    let mut reports = Vec::new();
    while let Some(deadline) = engine.next_deadline() {
        reports.extend(engine.step(deadline, &mut Vec::new()));
    }
    let done: Vec<_> = reports
        .iter()
        .map(|r| (r.prefill_tokens, r.sequences, r.tokens))
        .collect();
    assert_eq!(done, [(10, 1, 1), (49, 2, 1), (49, 2, 2), (0, 1, 1)]);
    assert_eq!(engine.counters().steps, 4);
}

#[test]
fn without_chunks_a_prompt_has_the_step_for_itself_whatever_its_length() {
    let mut engine = Engine::new(EngineParams {
        chunked_prefill: false,
        max_batched_tokens: 100,
        ..plain()
    });
    let tokens = run(
        &mut engine,
        &[
            (0, request(1, 10, 3)),
            (1, request(2, 300, 2)),
            (2, request(3, 60, 1)),
            (3, request(4, 40, 1)),
        ],
    );
    assert_eq!(
        tokens,
        [
            (12.0, 1, 0),
            // 300 tokens exceed the budget alone; 1 waits meanwhile.
            (53.0, 2, 0),
            // 60 and 40 fit together: 10 + 10 + 2.
            (75.0, 3, 0),
            (75.0, 4, 0),
            (87.0, 1, 1),
            (87.0, 2, 1),
            (98.0, 1, 2)
        ]
    );
}

#[test]
fn what_is_paid_once_is_paid_once() {
    let mut engine = Engine::new(EngineParams {
        penalties: Penalties {
            first_request_ns: 1000 * MS,
            first_shape_ns: 100 * MS,
        },
        ..plain()
    });
    let tokens = run(
        &mut engine,
        &[
            (0, request(1, 10, 3)),
            (2000, request(2, 12, 1)),
            (3000, request(3, 20, 1)),
        ],
    );
    assert_eq!(
        tokens,
        [
            // The first step: both. The first decode: its shape (no prefill, one sequence).
            (1112.0, 1, 0),
            (1223.0, 1, 1),
            (1234.0, 1, 2),
            // 12 tokens have the shape of 10 (up to 16), 20 another one.
            (2012.2, 2, 0),
            (3113.0, 3, 0)
        ]
    );
}

#[test]
fn jitter_moves_every_step_by_its_own_factor() {
    let ends = |seed, sigma| {
        let mut engine = Engine::new(EngineParams {
            jitter_sigma: sigma,
            seed,
            ..plain()
        });
        let tokens = run(&mut engine, &[(0, request(1, 10, 2001))]);
        tokens.into_iter().map(|t| t.0).collect::<Vec<_>>()
    };
    let (first, again, other) = (ends(1, 0.1), ends(1, 0.1), ends(2, 0.1));
    assert_eq!(first, again);
    assert_ne!(first, other);
    let gaps: Vec<_> = first.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    // 11 ms with a standard error of 0.2 %.
    assert!((mean / 11.0 - 1.0).abs() < 0.01, "{mean}");
    let mut sorted = gaps.clone();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    assert!(
        sorted.len() > 1990,
        "hardly any two are equal: {}",
        sorted.len()
    );
    assert!((ends(1, 0.0)[2000] - (12.0 + 2000.0 * 11.0)).abs() < 1e-6);
}

#[test]
fn devices_are_busy_for_as_long_as_steps_take() {
    // A prefill of 50 tokens: 10 + 5 + 1 ms, two decodes of 11; then idle, and the same again at 100 ms.
    let mut engine = batched(8, 1000);
    let again = [(0, request(1, 50, 3)), (100, request(2, 50, 3))];
    run(&mut engine, &again);
    let ms = |ms: f64| ms * MS as f64;
    for (at, busy, prompts) in [(200, 76.0, 10.0), (1_000, 76.0, 10.0)] {
        let found = engine.activity(at * MS);
        assert!((found.busy_ns - ms(busy)).abs() < 1.0, "{at}: {found:?}");
        assert!(
            (found.prompts_ns - ms(prompts)).abs() < 1.0,
            "{at}: {found:?}"
        );
    }
    assert_eq!(engine.prompts_share_now(200 * MS), None);
    assert_eq!(fixed(50, 20, 10).activity(MS), Activity::default());
}
