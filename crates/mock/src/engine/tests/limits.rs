//! What an engine refuses: requests beyond its queue, parameters that cannot run.

use super::*;

#[test]
fn the_queue_has_a_limit_and_those_given_up_do_not_count() {
    let mut engine = Engine::new(EngineParams {
        max_num_seqs: 1,
        max_waiting: Some(2),
        ..plain()
    });
    for id in 1..=3 {
        assert_eq!(
            engine.arrive(0, request(id, 10, 1)),
            Ok(()),
            "one runs, two wait"
        );
    }
    assert_eq!(
        engine.arrive(0, request(4, 10, 1)),
        Err(QueueFull { waiting: 2 })
    );
    engine.cancel(SequenceId(2));
    assert_eq!(engine.arrive(1, request(5, 10, 1)), Ok(()));
    let ids: Vec<_> = run(&mut engine, &[]).iter().map(|t| t.1).collect();
    assert_eq!(ids, [1, 3, 5]);
    assert_eq!(engine.counters().refused, 1);
}

#[test]
fn those_given_up_while_they_wait_take_no_memory() {
    let mut engine = batched(1, 1000);
    let _ = engine.arrive(0, request(0, 10, u32::MAX));
    for id in 1..=10_000 {
        let _ = engine.arrive(1, request(id, 10, 1));
        engine.cancel(SequenceId(id));
    }
    assert!(
        engine.waiting.entries() <= 100,
        "{}",
        engine.waiting.entries()
    );
    assert_eq!(engine.waiting.len(), 0);
}

fn check(params: EngineParams, max_model_len: u32, message: &str) {
    let error = params.check(max_model_len).expect_err(message);
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_cache_smaller_than_one_request_is_refused() {
    assert_eq!(with_kv(10).check(100), Ok(()));
    check(
        with_kv(10),
        101,
        "the KV cache holds 100 tokens (10 blocks of 10), and one request may have 101: set \
         max_model_len to 100 or less, or the KV cache to 11 blocks or more",
    );
}

#[test]
fn counts_that_cannot_be_are_refused() {
    let none = |change: fn(&mut EngineParams)| {
        let mut params = with_kv(10);
        change(&mut params);
        params
    };
    check(plain(), 0, "max_model_len is 0: set it to 1 or more");
    check(
        none(|p| p.max_num_seqs = 0),
        10,
        "max_num_seqs is 0: set it to 1 or more",
    );
    check(
        none(|p| p.max_waiting = Some(0)),
        10,
        "max_waiting is 0: set it to 1 or more",
    );
    check(
        none(|p| {
            p.kv = Some(KvParams {
                block_size: 0,
                blocks: 1,
                prefix_cache: false,
            });
        }),
        10,
        "the KV cache's block size is 0: set it to 1 or more",
    );
    check(
        none(|p| p.life.cold_start_ns = -1),
        10,
        "the cold start's time is -1: set it to 0 or more",
    );
    check(
        none(|p| {
            p.lora = Some(LoraParams {
                slots: 0,
                load_ns: 0,
            });
        }),
        10,
        "the number of LoRA slots is 0: set it to 1 or more",
    );
}

#[test]
fn jitter_and_drafts_have_their_ranges() {
    let jitter = |sigma| EngineParams {
        jitter_sigma: sigma,
        ..plain()
    };
    assert_eq!(jitter(2.0).check(10), Ok(()));
    check(jitter(2.5), 10, "jitter is 2.5: set it to 2 or less");
    check(
        jitter(f64::NAN),
        10,
        "jitter is NaN: set it to a finite number",
    );
    check(jitter(-0.1), 10, "jitter is -0.1: set it to 0 or more");
    let drafts = |acceptance: &[f64]| EngineParams {
        speculative: Some(Speculative {
            acceptance: acceptance.to_vec(),
            per_draft_token_ns: 0,
        }),
        ..plain()
    };
    assert_eq!(drafts(&[1.0, 0.0]).check(10), Ok(()));
    check(
        drafts(&[0.5, 1.1]),
        10,
        "the acceptance at position 2 of the draft is 1.1: set it to a probability between 0 and 1",
    );
    check(
        drafts(&[f64::NAN]),
        10,
        "the acceptance at position 1 of the draft is NaN: set it to a probability between 0 and 1",
    );
    check(
        drafts(&[0.5; 17]),
        10,
        "the draft's number of tokens is 17: set it to 16 or less",
    );
    check(
        drafts(&[]),
        10,
        "the draft's number of tokens is 0: set it to 1 or more",
    );
}

#[test]
fn given_times_go_with_nothing_that_changes_them() {
    let with = |change: fn(&mut EngineParams)| {
        let mut params = fixed(50, 20, 4).params;
        change(&mut params);
        params
    };
    assert_eq!(with(|p| p.life.loading_ns = MS).check(10), Ok(()));
    check(
        with(|p| p.kv = with_kv(10).kv),
        10,
        "a KV cache cannot be set for an engine whose times are given outright: use another one",
    );
    check(
        with(|p| p.jitter_sigma = 0.1),
        10,
        "jitter cannot be set for an engine whose times are given outright: use another one",
    );
}
