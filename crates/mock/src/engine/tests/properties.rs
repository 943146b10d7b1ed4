//! Whatever arrives and whatever is given up: conservation, accounting, determinism.

use super::*;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::{option, prop_assert, prop_assert_eq, proptest};
use std::collections::HashMap;

#[derive(Debug, Clone)]
enum Act {
    Arrive(EngineRequest),
    Cancel(u64),
    Wait(i64),
    Step,
    Change(Box<EngineParams>),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let arrival = (0_u32..120, 0_u32..40, 0_u64..4, option::of(0_u32..4));
    let act = prop_oneof![
        4 => arrival.prop_map(|(prompt, output, family, adapter)| {
            Act::Arrive(EngineRequest {
                adapter,
                ..hashed(0, family, prompt, output)
            })
        }),
        1 => (0_u64..60).prop_map(Act::Cancel),
        2 => (0_i64..60).prop_map(Act::Wait),
        3 => Just(Act::Step),
    ];
    proptest::collection::vec(act, 1..80)
}

fn params() -> impl Strategy<Value = EngineParams> {
    let kv = option::of((16_u32..40, any::<bool>()));
    let drafts = option::of(proptest::collection::vec(0.0_f64..=1.0, 1..4));
    let sizes = (1_u32..6, 1_u32..200, option::of(1_u32..8));
    let life = (0_i64..50, 0_i64..40, 0_i64..30);
    let rest = (
        any::<bool>(),
        option::of(1_u32..3),
        0.0_f64..0.5,
        any::<u64>(),
    );
    (kv, drafts, sizes, life, rest).prop_map(
        |(
            kv,
            drafts,
            (seqs, budget, waiting),
            (loading, idle, cold),
            (chunked, lora, sigma, seed),
        )| {
            EngineParams {
                max_num_seqs: seqs,
                max_batched_tokens: budget,
                max_waiting: waiting,
                chunked_prefill: chunked,
                kv: kv.map(|(blocks, prefix_cache)| KvParams {
                    block_size: 10,
                    blocks,
                    prefix_cache,
                }),
                jitter_sigma: sigma,
                speculative: drafts.map(|acceptance| Speculative {
                    acceptance,
                    per_draft_token_ns: 1000,
                }),
                lora: lora.map(|slots| LoraParams {
                    slots,
                    load_ns: 3 * MS,
                }),
                penalties: Penalties {
                    first_request_ns: MS,
                    first_shape_ns: MS,
                },
                life: LifeCycle {
                    loading_ns: loading * MS,
                    idle_to_zero_ns: idle * MS,
                    cold_start_ns: cold * MS,
                },
                seed,
                ..plain()
            }
        },
    )
}

/// Parameters that have a KV cache.
fn params_alike() -> impl Strategy<Value = EngineParams> {
    let blocks = (16_u32..40, any::<bool>());
    (params(), blocks).prop_map(|(params, (blocks, prefix_cache))| EngineParams {
        kv: Some(KvParams {
            block_size: 10,
            blocks,
            prefix_cache,
        }),
        ..params
    })
}

/// What one run left behind.
#[derive(Debug, Default, PartialEq)]
struct Log {
    asked: HashMap<u64, u32>,
    refused: u64,
    cancelled: Vec<u64>,
    emissions: Vec<(i64, Emission)>,
    ends: Vec<i64>,
    events: Vec<EngineEvent>,
    changes: u64,
}

fn step(engine: &mut Engine, now_ns: i64, log: &mut Log) {
    let mut emissions = Vec::new();
    if let Some(report) = engine.step(now_ns, &mut emissions) {
        log.ends.push(report.end_ns);
        let carried = emissions.into_iter().map(|e| (report.end_ns, e));
        log.emissions.extend(carried);
    }
    engine.take_events(&mut log.events);
}

fn play(params: &EngineParams, acts: &[Act]) -> (Engine, Log) {
    let mut engine = Engine::new(params.clone());
    let mut log = Log::default();
    let mut now_ns = 0;
    for (act, id) in acts.iter().zip(0..) {
        match act {
            Act::Arrive(request) => {
                let id = SequenceId(id);
                let request = EngineRequest {
                    id,
                    ..request.clone()
                };
                let wanted = request.output_tokens.max(1);
                match engine.arrive(now_ns, request) {
                    Ok(()) => drop(log.asked.insert(id.0, wanted)),
                    Err(_) => log.refused += 1,
                }
            }
            Act::Cancel(id) if engine.cancel(SequenceId(*id)) => log.cancelled.push(*id),
            Act::Cancel(_) => {}
            Act::Wait(ms) => now_ns += ms * MS,
            Act::Change(params) => {
                log.changes += u64::from(engine.reconfigure(now_ns, (**params).clone()).is_ok())
            }
            Act::Step => {
                now_ns = engine.next_deadline().unwrap_or(now_ns).max(now_ns);
                step(&mut engine, now_ns, &mut log);
            }
        }
    }
    let mut turns = 0;
    while let Some(deadline) = engine.next_deadline() {
        step(&mut engine, deadline.max(now_ns), &mut log);
        turns += 1;
        assert!(turns < 1_000_000, "it does not come to an end");
    }
    (engine, log)
}

proptest! {
    #[test]
    fn every_token_comes_once_in_order_and_every_block_comes_back(
        params in params(),
        acts in acts(),
    ) {
        prop_assert_eq!(params.check(160), Ok(()));
        let (engine, log) = play(&params, &acts);
        let mut got: HashMap<u64, u32> = HashMap::new();
        let mut ended: HashMap<u64, u32> = HashMap::new();
        for (_, emission) in &log.emissions {
            let next = got.entry(emission.id.0).or_default();
            prop_assert_eq!(emission.index, *next);
            prop_assert!(emission.tokens > 0);
            *next += emission.tokens;
            if emission.finish.is_some() {
                *ended.entry(emission.id.0).or_default() += 1;
            }
        }
        for (id, asked) in &log.asked {
            let got = got.get(id).copied().unwrap_or(0);
            if log.cancelled.contains(id) {
                prop_assert!(got < *asked);
                prop_assert_eq!(ended.get(id), None);
            } else {
                prop_assert_eq!(got, *asked);
                prop_assert_eq!(ended.get(id), Some(&1));
            }
        }
        prop_assert!(log.ends.windows(2).all(|pair| pair[0] < pair[1]));
        let (gauges, counters) = (engine.gauges(), engine.counters());
        prop_assert_eq!(gauges.kv_used.value(), 0);
        prop_assert_eq!((gauges.running.value(), gauges.waiting.value()), (0, 0));
        prop_assert!(gauges.kv_used.max() <= u64::from(params.kv.map_or(0, |kv| kv.blocks)));
        prop_assert!(gauges.running.max() <= u64::from(params.max_num_seqs));
        let taken = log.asked.len() as u64;
        prop_assert_eq!(counters.finished + counters.cancelled, taken);
        prop_assert_eq!(counters.refused, log.refused);
        prop_assert_eq!(counters.steps, log.ends.len() as u64);
        let sum: u64 = got.values().map(|tokens| u64::from(*tokens)).sum();
        prop_assert_eq!(counters.generation_tokens, sum);
    }

    #[test]
    fn the_same_acts_give_the_same_run(params in params(), acts in acts()) {
        let (first, log) = play(&params, &acts);
        let (second, again) = play(&params, &acts);
        prop_assert_eq!(log, again);
        prop_assert_eq!(first.gauges(), second.gauges());
        prop_assert_eq!(first.counters(), second.counters());
    }

    #[test]
    fn changes_on_the_way_lose_nothing(
        params in params(),
        acts in acts(),
        changes in proptest::collection::vec((0_usize..80, params_alike()), 1..6),
    ) {
        let mut acts = acts;
        for (at, change) in changes {
            let change = EngineParams { kv: params.kv.and(change.kv), ..change };
            acts.insert(at.min(acts.len()), Act::Change(Box::new(change)));
        }
        let (engine, log) = play(&params, &acts);
        let mut got: HashMap<u64, u32> = HashMap::new();
        for (_, emission) in &log.emissions {
            *got.entry(emission.id.0).or_default() += emission.tokens;
        }
        for (id, asked) in &log.asked {
            if !log.cancelled.contains(id) {
                prop_assert_eq!(got.get(id), Some(asked));
            }
        }
        prop_assert!(log.ends.windows(2).all(|pair| pair[0] < pair[1]));
        let gauges = engine.gauges();
        prop_assert_eq!((gauges.kv_used.value(), gauges.running.value()), (0, 0));
        prop_assert_eq!(gauges.kv_total.value(), u64::from(engine.params().kv.map_or(0, |kv| kv.blocks)));
    }
}
