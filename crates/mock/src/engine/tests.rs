//! Virtual time: every instant below is exact.

mod drafts;
mod fleet;
mod kv;
mod law;
mod life;
mod limits;
mod lora;
mod prefix;
mod properties;
mod reconfigure;
mod scaling;

use super::*;

const MS: i64 = 1_000_000;

impl Engine {
    /// Other parameters for this engine alone, as a fleet of one has them.
    fn reconfigure(&mut self, now_ns: i64, params: EngineParams) -> Result<(), ParamsError> {
        self.check_change(&params)?;
        self.take_over(now_ns, params);
        Ok(())
    }
}

fn request(id: u64, prompt_tokens: u32, output_tokens: u32) -> EngineRequest {
    EngineRequest {
        id: SequenceId(id),
        prompt_tokens,
        output_tokens,
        finish: Finish::Length,
        blocks: [].into(),
        adapter: None,
    }
}

fn fixed(ttft_ms: i64, step_ms: i64, max_num_seqs: u32) -> Engine {
    Engine::new(EngineParams::plain(
        StepLaw::Fixed {
            ttft_ns: ttft_ms * MS,
            step_ns: step_ms * MS,
        },
        max_num_seqs,
        u32::MAX,
    ))
}

fn batched(max_num_seqs: u32, max_batched_tokens: u32) -> Engine {
    Engine::new(EngineParams::plain(
        StepLaw::Batched {
            base_ns: 10 * MS,
            per_prefill_token_ns: MS / 10,
            per_sequence_ns: MS,
            per_kv_token_ns: 0.0,
            per_attention_ns: 0.0,
        },
        max_num_seqs,
        max_batched_tokens,
    ))
}

/// The parameters of [`batched`] with 8 slots: 10 ms, 0.1 ms a prompt token, 1 ms a sequence.
fn plain() -> EngineParams {
    batched(8, 1000).params
}

/// The same with a KV cache of blocks of 10 tokens.
fn with_kv(blocks: u32) -> EngineParams {
    EngineParams {
        kv: Some(KvParams {
            block_size: 10,
            blocks,
            prefix_cache: true,
        }),
        ..plain()
    }
}

/// A request whose blocks of 10 have hashes of their own `family`.
fn hashed(id: u64, family: u64, prompt_tokens: u32, output_tokens: u32) -> EngineRequest {
    let blocks = (prompt_tokens + output_tokens) / 10;
    EngineRequest {
        blocks: (0..u64::from(blocks)).map(|n| family << 32 | n).collect(),
        ..request(id, prompt_tokens, output_tokens)
    }
}

fn events(engine: &mut Engine) -> Vec<EngineEvent> {
    let mut events = Vec::new();
    engine.take_events(&mut events);
    events
}

/// Tokens found in the cache, by sequence, in order of admission.
fn cached(engine: &mut Engine) -> Vec<(u64, u32)> {
    let admitted = events(engine).into_iter().filter_map(|event| match event {
        EngineEvent::Admitted {
            id, cached_tokens, ..
        } => Some((id.0, cached_tokens)),
        EngineEvent::Prefilled { .. } | EngineEvent::Preempted { .. } => None,
    });
    admitted.collect()
}

/// Runs until idle, arrivals (instants in ms) merged in; tokens as (ms, id, index).
fn run(engine: &mut Engine, arrivals: &[(i64, EngineRequest)]) -> Vec<(f64, u64, u32)> {
    let mut tokens = Vec::new();
    let mut arrivals = arrivals.iter().peekable();
    let mut emissions = Vec::new();
    loop {
        let deadline = engine.next_deadline();
        match arrivals.peek() {
            Some((at, request)) if deadline.is_none_or(|d| at * MS <= d) => {
                let _ = engine.arrive(at * MS, request.clone());
                arrivals.next();
            }
            _ => {
                let Some(deadline) = deadline else {
                    return tokens;
                };
                emissions.clear();
                let Some(report) = engine.step(deadline, &mut emissions) else {
                    assert!(emissions.is_empty(), "it has only become ready");
                    continue;
                };
                assert_eq!(report.end_ns, deadline);
                let sum: u32 = emissions.iter().map(|e| e.tokens).sum();
                assert_eq!(report.tokens, sum);
                let ms = deadline as f64 / MS as f64;
                tokens.extend(emissions.iter().map(|e| (ms, e.id.0, e.index)));
            }
        }
    }
}

#[test]
fn fixed_first_token_is_at_the_first_boundary_past_the_ttft() {
    let mut engine = fixed(50, 20, 10);
    let tokens = run(
        &mut engine,
        &[(3, request(1, 9, 3)), (10, request(2, 9, 2))],
    );
    // 3 + 50 = 53 -> 60; 10 + 50 = 60 lies on a boundary.
    assert_eq!(
        tokens,
        [
            (60.0, 1, 0),
            (60.0, 2, 0),
            (80.0, 1, 1),
            (80.0, 2, 1),
            (100.0, 1, 2)
        ]
    );
    assert_eq!(engine.next_deadline(), None);
}

#[test]
fn fixed_streams_share_their_boundaries() {
    let mut engine = fixed(50, 20, 1000);
    let arrivals: Vec<_> = (0..100).map(|i| (i, request(i as u64, 1, 5))).collect();
    for (ms, id, index) in run(&mut engine, &arrivals) {
        let first = ((id as i64 + 50) as f64 / 20.0).ceil() * 20.0;
        assert_eq!(ms, first + f64::from(index) * 20.0);
    }
}

#[test]
fn fixed_waits_for_a_slot_first_come_first_served() {
    let mut engine = fixed(50, 20, 1);
    let tokens = run(
        &mut engine,
        &[
            (0, request(1, 1, 1)),
            (1, request(2, 1, 1)),
            (2, request(3, 1, 1)),
        ],
    );
    // Each is admitted at the boundary that frees the slot: 60, then 60 + 50 = 110 -> 120, 180.
    assert_eq!(tokens, [(60.0, 1, 0), (120.0, 2, 0), (180.0, 3, 0)]);
    assert_eq!(engine.gauges().running.max(), 1);
    assert_eq!(engine.gauges().waiting.max(), 2);
}

#[test]
fn fixed_newcomer_brings_a_far_step_forward_only_to_its_own_boundary() {
    let mut engine = fixed(50, 20, 10);
    let _ = engine.arrive(30 * MS, request(1, 1, 1));
    assert_eq!(engine.next_deadline(), Some(80 * MS));
    // Stamps of different sockets may come out of order.
    let _ = engine.arrive(5 * MS, request(2, 1, 1));
    assert_eq!(engine.next_deadline(), Some(60 * MS));
    let mut emissions = Vec::new();
    engine.step(60 * MS, &mut emissions);
    assert_eq!(emissions.len(), 1);
    assert_eq!(engine.next_deadline(), Some(80 * MS));
}

#[test]
fn null_answers_at_the_arrival() {
    let preset = crate::Preset::parse("null").expect("a preset");
    let mut engine = Engine::new(preset.engine.clone());
    let mut emissions = Vec::new();
    let _ = engine.arrive(12_345, request(7, 1, 1));
    assert_eq!(engine.next_deadline(), Some(12_345));
    assert!(engine.step(12_345, &mut emissions).is_some());
    assert_eq!(emissions[0].finish, Some(Finish::Length));
}

#[test]
fn batched_step_costs_base_prefill_and_sequences() {
    let mut engine = batched(8, 1000);
    let tokens = run(&mut engine, &[(0, request(1, 100, 3))]);
    // 10 + 100 x 0.1 + 1 = 21, then decodes of 10 + 1.
    assert_eq!(tokens, [(21.0, 1, 0), (32.0, 1, 1), (43.0, 1, 2)]);
}

#[test]
fn batched_arrival_joins_the_next_step_and_lengthens_it() {
    let mut engine = batched(8, 1000);
    let tokens = run(
        &mut engine,
        &[(0, request(1, 10, 3)), (5, request(2, 20, 2))],
    );
    // Step 1 ends at 12 (10 + 1 + 1). Step 2: 10 + 2 + 2 = 14 -> 26, both. Step 3: 12 -> 38.
    assert_eq!(
        tokens,
        [
            (12.0, 1, 0),
            (26.0, 1, 1),
            (26.0, 2, 0),
            (38.0, 1, 2),
            (38.0, 2, 1)
        ]
    );
}

#[test]
fn batched_prefill_is_chunked_by_the_token_budget_and_decodes_come_first() {
    let mut engine = batched(8, 50);
    let tokens = run(
        &mut engine,
        &[(0, request(1, 10, 4)), (1, request(2, 98, 1))],
    );
    // Step 1: 12. Steps 2 and 3 carry one decode and 49 prompt tokens: 10 + 4.9 + 2 = 16.9.
    assert_eq!(
        tokens,
        [
            (12.0, 1, 0),
            (28.9, 1, 1),
            (45.8, 1, 2),
            (45.8, 2, 0),
            (56.8, 1, 3)
        ]
    );
}

#[test]
fn batched_respects_max_num_seqs_and_order() {
    let mut engine = batched(2, 1000);
    let arrivals: Vec<_> = (0..6).map(|i| (0, request(i, 10, 2))).collect();
    let tokens = run(&mut engine, &arrivals);
    let firsts: Vec<_> = tokens.iter().filter(|t| t.2 == 0).map(|t| t.1).collect();
    assert_eq!(firsts, [0, 1, 2, 3, 4, 5]);
    assert_eq!(engine.gauges().running.max(), 2);
    let burst = tokens.iter().filter(|t| t.0 == tokens[1].0).count();
    assert_eq!(burst, 2, "both tokens of a step at its end: {tokens:?}");
}

#[test]
fn a_late_caller_does_not_shift_the_steps() {
    let mut engine = batched(8, 1000);
    let _ = engine.arrive(0, request(1, 100, 3));
    let mut emissions = Vec::new();
    assert_eq!(engine.step(20 * MS, &mut emissions), None);
    let ends: Vec<_> = [25, 70, 71]
        .map(|now| engine.step(now * MS, &mut emissions).expect("due").end_ns)
        .into();
    assert_eq!(ends, [21 * MS, 32 * MS, 43 * MS]);
    // What arrived after a step's start does not take part in it, even when both are seen late.
    let _ = engine.arrive(50 * MS, request(2, 10, 2));
    let _ = engine.arrive(51 * MS, request(3, 10, 1));
    emissions.clear();
    engine.step(200 * MS, &mut emissions);
    assert_eq!(emissions.len(), 1);
    assert_eq!(emissions[0].id, SequenceId(2));
}

#[test]
fn a_hopelessly_late_caller_loses_the_time() {
    for (mut engine, next_ms) in [(batched(8, 1000), 1011), (fixed(20, 20, 8), 1020)] {
        let _ = engine.arrive(0, request(1, 90, 5));
        assert_eq!(engine.next_deadline(), Some(20 * MS));
        let mut emissions = Vec::new();
        engine.step(1000 * MS, &mut emissions);
        assert_eq!(engine.next_deadline(), Some(next_ms * MS));
        assert_eq!(engine.lost_ns(), 980 * MS);
    }
}

#[test]
fn a_request_that_came_after_a_late_step_is_not_forgotten() {
    let mut engine = batched(8, 1000);
    let _ = engine.arrive(0, request(1, 10, 1));
    for (at, id) in [(25, 2), (27, 3)] {
        let _ = engine.arrive(at * MS, request(id, 10, 1));
    }
    engine.cancel(SequenceId(2));
    let mut emissions = Vec::new();
    engine.step(30 * MS, &mut emissions);
    assert_eq!(engine.next_deadline(), Some((27 + 12) * MS));
}

#[test]
fn a_cancelled_sequence_is_silent_and_frees_its_slot() {
    for mut engine in [batched(1, 1000), fixed(50, 20, 1)] {
        for id in 1..=3 {
            let _ = engine.arrive(0, request(id, 10, 100));
        }
        engine.cancel(SequenceId(1));
        engine.cancel(SequenceId(2));
        let mut emissions = Vec::new();
        for _ in 0..3 {
            let now = engine.next_deadline().expect("request 3 lives");
            engine.step(now, &mut emissions);
        }
        assert!(!emissions.is_empty());
        assert!(emissions.iter().all(|e| e.id == SequenceId(3)));
    }
}

#[test]
fn an_engine_whose_last_sequence_is_cancelled_goes_idle() {
    let mut engine = batched(4, 1000);
    let _ = engine.arrive(0, request(1, 10, 100));
    engine.cancel(SequenceId(1));
    let mut emissions = Vec::new();
    engine.step(100 * MS, &mut emissions);
    assert!(emissions.is_empty());
    assert_eq!(engine.next_deadline(), None);
    assert_eq!(engine.gauges().running.value(), 0);
}

#[test]
fn the_stop_token_is_the_last_and_marked() {
    let mut engine = fixed(0, 1, 4);
    let _ = engine.arrive(
        0,
        EngineRequest {
            finish: Finish::Stop,
            ..request(1, 1, 2)
        },
    );
    let mut emissions = Vec::new();
    while let Some(deadline) = engine.next_deadline() {
        engine.step(deadline, &mut emissions);
    }
    let ends: Vec<_> = emissions.iter().map(|e| e.finish).collect();
    assert_eq!(ends, [None, Some(Finish::Stop)]);
}

#[test]
fn the_same_arrivals_give_the_same_tokens_and_every_token_once() {
    let arrivals: Vec<_> = (0..200_u64)
        .map(|i| {
            let draw = infermeter_core::seed::splitmix64(i);
            let at = (i * 7 + draw % 5) as i64;
            (
                at,
                request(i, (draw >> 8) as u32 % 3000, 1 + (draw >> 40) as u32 % 30),
            )
        })
        .collect();
    let first = run(&mut batched(16, 512), &arrivals);
    let second = run(&mut batched(16, 512), &arrivals);
    assert_eq!(first, second);
    let asked: u32 = arrivals.iter().map(|(_, r)| r.output_tokens).sum();
    assert_eq!(first.len() as u32, asked);
    assert!(first.windows(2).all(|pair| pair[0].0 <= pair[1].0));
}
