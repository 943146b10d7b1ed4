//! Virtual runs: everything is compared, nothing waits.

use super::*;
use crate::engine::{EngineParams, KvParams, Speculative, StepLaw};
use infermeter_core::record::{Outcome, Reason, TokenSource};
use infermeter_core::schedule::Phase;

const MS: i64 = 1_000_000;

fn params() -> EngineParams {
    EngineParams::plain(
        StepLaw::Batched {
            base_ns: 10 * MS,
            per_prefill_token_ns: MS / 10,
            per_sequence_ns: MS,
            per_kv_token_ns: 0.0,
            per_attention_ns: 0.0,
        },
        8,
        1000,
    )
}

fn request(id: u64, prompt_tokens: u32, output_tokens: u32, finish: Finish) -> EngineRequest {
    EngineRequest {
        id: SequenceId(id),
        prompt_tokens,
        output_tokens,
        finish,
        blocks: [].into(),
        adapter: None,
    }
}

fn answers(fleet: &mut Fleet, source: &mut impl Source) -> (Vec<Answered>, RunTotals) {
    let mut all = Vec::new();
    let totals = run(fleet, source, |answered| all.push(answered.clone()));
    (all, totals)
}

#[test]
fn a_result_says_when_everything_happened() {
    let arrivals = [
        (0, request(71, 10, 3, Finish::Length)),
        (5 * MS, request(72, 20, 2, Finish::Length)),
    ];
    let (all, totals) = answers(&mut Fleet::new(params(), 1), &mut Sorted::new(arrivals));
    let second = &all[1];
    assert_eq!(all[0].id, SequenceId(71));
    assert_eq!(second.id, SequenceId(72));
    assert_eq!(second.admitted_ns, Some(12 * MS));
    assert_eq!(second.prefilled_ns, Some(26 * MS));
    assert_eq!(second.ttft_ns(), Some(21 * MS));
    let instants: Vec<_> = second.bursts.iter().map(|burst| burst.at_ns / MS).collect();
    assert_eq!(instants, [26, 38]);
    let expected = RunTotals {
        requests: 2,
        refused: 0,
        tokens: 5,
        steps: 3,
        end_ns: 38 * MS,
    };
    assert_eq!(totals, expected);
}

#[test]
fn a_closed_loop_asks_again_when_it_was_answered() {
    let requests = (0..5).map(|id| request(id, 10, 1, Finish::Length));
    let mut source = ClosedLoop::new(2, 3 * MS, requests);
    let (all, _) = answers(&mut Fleet::new(params(), 1), &mut source);
    let arrivals: Vec<_> = all.iter().map(|a| a.arrived_ns / MS).collect();
    // Steps of one prompt take 12, so 0 ends at 12 and 1 at 24; the users think for 3.
    assert_eq!(arrivals, [0, 0, 15, 27, 39]);
}

#[test]
fn a_full_queue_refuses_and_the_record_says_so() {
    let mut params = params();
    params.max_num_seqs = 1;
    params.max_waiting = Some(1);
    let arrivals = (0..3).map(|id| (0, request(id, 10, 1, Finish::Length)));
    let (all, totals) = answers(&mut Fleet::new(params, 1), &mut Sorted::new(arrivals));
    assert_eq!(totals.refused, 1);
    assert_eq!(all[0].id, SequenceId(2), "refused at once");
    let record = all[0].to_record(0, Phase::Measure);
    assert_eq!(
        (record.outcome, record.status),
        (Outcome::Failed, Some(503))
    );
    assert_eq!(record.error.map(|e| e.reason), Some(Reason::HttpStatus));
}

#[test]
fn records_carry_the_tokens_and_their_instants() {
    let arrivals = [
        (0, request(1, 10, 3, Finish::Stop)),
        (0, request(2, 10, 3, Finish::Length)),
        (0, request(3, 10, 1, Finish::Stop)),
    ];
    let (mut all, _) = answers(
        &mut Fleet::new(params(), 1),
        &mut Sorted::new(arrivals.clone()),
    );
    all.sort_by_key(|answered| answered.id);
    let records = run_to_records(
        &mut Fleet::new(params(), 1),
        &mut Sorted::new(arrivals),
        |_| Phase::Measure,
    );
    // The end token is counted and has no chunk.
    assert_eq!(records[0].chunks.len(), 2);
    assert_eq!(records[0].output_tokens, Some(3));
    assert_eq!(records[0].finish_reason.as_deref(), Some("stop"));
    assert_eq!(records[0].token_source, Some(TokenSource::ContinuousUsage));
    assert!(records[0].closed > records[0].finished);
    assert_eq!(records[1].chunks.len(), 3);
    assert_eq!(records[1].token_source, Some(TokenSource::OnePerChunk));
    assert_eq!(records[1].outcome, Outcome::Completed);
    for (chunk, burst) in records[1].chunks.iter().zip(&all[1].bursts) {
        assert_eq!((chunk.at.0, chunk.tokens), (burst.at_ns, burst.tokens));
        assert_eq!((chunk.seen, chunk.lower), (chunk.at, chunk.at));
    }
    assert_eq!(records[2].outcome, Outcome::Failed);
    assert_eq!(
        records[2].error.as_ref().map(|e| e.reason),
        Some(Reason::NoTokens)
    );
}

#[test]
fn two_runs_of_everything_are_equal() {
    let full = || EngineParams {
        jitter_sigma: 0.2,
        speculative: Some(Speculative {
            acceptance: vec![0.7, 0.5],
            per_draft_token_ns: 1000,
        }),
        kv: Some(KvParams {
            block_size: 16,
            blocks: 200,
            prefix_cache: true,
        }),
        seed: 11,
        ..params()
    };
    let lengths = Lognormal {
        mean: 200.0,
        sigma: 0.8,
    };
    let load = || {
        let mut load = OpenLoop::new(30.0, lengths, lengths, 5);
        load.most = 1500;
        Sorted::new(load.take(500).map(|(at, request)| {
            let family = request.id.0 % 7;
            let blocks: Vec<u64> = (1..=80).map(|block| family * 1000 + block).collect();
            let request = EngineRequest {
                blocks: blocks.into(),
                ..request
            };
            (at, request)
        }))
    };
    let mut fleets = [Fleet::new(full(), 2), Fleet::new(full(), 2)];
    let [first, second] = fleets.each_mut().map(|fleet| answers(fleet, &mut load()));
    assert_eq!(first, second);
    assert_eq!(fleets[0].counters(), fleets[1].counters());
    assert_eq!(fleets[0].gauges(), fleets[1].gauges());
    let counters = fleets[0].counters();
    assert!(counters.preemptions > 0 && counters.prefix_hit_tokens > 0);
    assert!(counters.accepted_tokens > 0 && counters.accepted_tokens < counters.draft_tokens);
    let other = EngineParams { seed: 12, ..full() };
    let (third, _) = answers(&mut Fleet::new(other, 2), &mut load());
    assert_ne!(first.0, third, "the seed matters");
}

#[test]
fn a_fleet_that_scales_itself_is_looked_at_behind_what_it_did() {
    let Ok(crate::engine::Autoscaling::On(rule)) = "4,1,4,1s".parse() else {
        panic!("an autoscaler");
    };
    let scaling = crate::engine::Scaling {
        loading: Some(infermeter_core::units::Span::millis(1_500)),
        autoscale: Some(rule),
    };
    let mut fleet = Fleet::new(params(), 1).scaled(scaling);
    // 16 at once for as long as it takes: four replicas are wanted at the first look.
    let requests = (0..600).map(|id| request(id, 10, 40, Finish::Length));
    let mut source = ClosedLoop::new(16, 0, requests);
    let mut seen = Vec::new();
    let note = |at_ns: i64, fleet: &Fleet| {
        let counts = fleet.replica_counts(at_ns);
        seen.push((at_ns / MS, counts.ready, counts.loading));
    };
    let totals = run_watched(&mut fleet, &mut source, |_| {}, 500 * MS, note);
    let expect = [
        (500, 1, 0),
        (1_000, 1, 3),
        (1_500, 1, 3),
        (2_000, 1, 3),
        (2_500, 4, 0),
    ];
    assert_eq!(seen[..5], expect);
    assert_eq!(totals.requests, 600);
    assert_eq!(fleet.counters().finished, 600);
}
