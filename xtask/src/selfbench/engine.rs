//! The engine benchmark: how fast the simulator's engine runs in virtual time, and the curve of the
//! preset that follows published figures, beside them.
//!
//! No sockets, no second process. Requests are made before the clock starts. Invariant: everything
//! but the wall times is the same on every machine.

use super::figures::quantile;
use super::machine::spread;
use anyhow::{Context, Result};
use infermeter_core::clock::{monotonic_ns, thread_cpu_ns};
use infermeter_core::seed::splitmix64;
use infermeter_mock::Preset;
use infermeter_mock::engine::{
    EngineParams, EngineRequest, Finish, Fleet, KvParams, SequenceId, Speculative,
};
use infermeter_mock::virtual_time::{
    Answered, ClosedLoop, Lognormal, OpenLoop, RunTotals, Sorted, run as run_virtually,
};
use std::path::Path;

/// Users of the closed loops.
const USERS: u32 = 256;

/// Requests of the closed loops.
const REQUESTS: u64 = 40_000;

/// Tokens at the beginning of a prompt that a family of requests shares.
const SHARED: u32 = 512;

const BLOCK_SIZE: u32 = 16;

const SECOND_NS: i64 = 1_000_000_000;

/// The published load's preset.
const FOLLOWED: &str = "llama-70b-8xh100";

/// Measures and prints two tables.
///
/// # Errors
/// When a preset is missing.
pub fn run(repeats: usize, _directory: &Path) -> Result<()> {
    println!("Million simulated tokens per second of CPU (one thread), {USERS} users in closed");
    println!("loop, about 200 tokens an answer; median (min..max) of {repeats} runs.\n");
    println!("| engine | million tokens/CPU s | tokens/step | target |");
    println!("|---|---|---|---|");
    for (name, params, requests) in engines()? {
        print_speed(name, &params, &requests, repeats);
    }
    hour(repeats)?;
    curve()
}

fn engines() -> Result<Vec<(&'static str, EngineParams, Vec<EngineRequest>)>> {
    let preset = Preset::parse("llama-8b-h100")?.engine;
    let blocks = preset.kv.context("the preset has a KV cache")?.blocks;
    let without = EngineParams {
        kv: None,
        ..preset.clone()
    };
    let short = EngineParams {
        kv: Some(KvParams {
            block_size: BLOCK_SIZE,
            blocks: blocks / 4,
            prefix_cache: true,
        }),
        ..preset.clone()
    };
    let speculating = EngineParams {
        speculative: Some(Speculative {
            acceptance: vec![0.8, 0.6, 0.4],
            per_draft_token_ns: 0,
        }),
        ..preset.clone()
    };
    Ok(vec![
        ("batched", without, requests(None)),
        ("KV cache", preset.clone(), requests(None)),
        ("KV and prefix cache", preset, requests(Some(64))),
        (
            "the same with a quarter of the blocks",
            short,
            requests(Some(64)),
        ),
        (
            "KV and prefix cache, drafts of three",
            speculating,
            requests(Some(64)),
        ),
    ])
}

/// Prompts near 700 tokens. With families, those of one family share their first [`SHARED`] tokens.
fn requests(families: Option<u64>) -> Vec<EngineRequest> {
    let lengths = |mean| Lognormal { mean, sigma: 0.8 };
    OpenLoop::new(1.0, lengths(200.0), lengths(200.0), 7)
        .take(REQUESTS as usize)
        .map(|(_, request)| {
            let prompt_tokens = request.prompt_tokens + SHARED;
            let blocks = match families {
                Some(families) => hashes(&request, prompt_tokens, families),
                None => [].into(),
            };
            EngineRequest {
                prompt_tokens,
                blocks,
                ..request
            }
        })
        .collect()
}

fn hashes(request: &EngineRequest, prompt_tokens: u32, families: u64) -> std::sync::Arc<[u64]> {
    let id = request.id.0;
    let blocks = (prompt_tokens + request.output_tokens) / BLOCK_SIZE;
    let hash = |n: u32| {
        let owner = if n < SHARED / BLOCK_SIZE {
            id % families
        } else {
            !id
        };
        splitmix64(splitmix64(owner) ^ u64::from(n))
    };
    (0..blocks).map(hash).collect()
}

fn print_speed(name: &str, params: &EngineParams, requests: &[EngineRequest], repeats: usize) {
    let mut speeds = Vec::new();
    let mut totals = RunTotals::default();
    for _ in 0..repeats {
        let mut fleet = Fleet::new(params.clone(), 1);
        let mut source = ClosedLoop::new(USERS, 0, requests.iter().cloned());
        let begin = thread_cpu_ns();
        totals = run_virtually(&mut fleet, &mut source, |_| {});
        let cpu_ns = thread_cpu_ns() - begin;
        speeds.push(totals.tokens as f64 / cpu_ns as f64 * 1e3);
    }
    let per_step = totals.tokens as f64 / totals.steps as f64;
    println!("| {name} | {} | {per_step:.0} | 5 |", spread(&speeds, 1));
}

/// An hour of Poisson arrivals at 20/s.
fn hour(repeats: usize) -> Result<()> {
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    let mut totals = RunTotals::default();
    for _ in 0..repeats {
        let mut fleet = Fleet::new(Preset::parse(FOLLOWED)?.engine, 1);
        let (begin, begin_cpu) = (monotonic_ns(), thread_cpu_ns());
        totals = run_virtually(&mut fleet, &mut published_load(20.0, 3600), |_| {});
        cpus.push((thread_cpu_ns() - begin_cpu) as f64 / 1e9);
        walls.push((monotonic_ns() - begin) as f64 / 1e9);
    }
    println!(
        "\nAn hour of `{FOLLOWED}` at 20 requests/s ({} requests, {:.1} million tokens, {} steps) \
         takes {} s, {} s of CPU.\n",
        totals.requests,
        totals.tokens as f64 / 1e6,
        totals.steps,
        spread(&walls, 2),
        spread(&cpus, 2)
    );
    Ok(())
}

/// The load of the published figures: lognormal lengths with means of 220 and 160 tokens.
fn published_load(rate: f64, seconds: i64) -> Sorted<impl Iterator<Item = (i64, EngineRequest)>> {
    let lengths = |mean| Lognormal { mean, sigma: 0.8 };
    let load = OpenLoop::new(rate, lengths(220.0), lengths(160.0), 1);
    Sorted::new(load.take_while(move |(at_ns, _)| *at_ns < seconds * SECOND_NS))
}

/// Warm-up and window of a point of the curve, seconds.
const WINDOW: (i64, i64) = (60, 660);

fn curve() -> Result<()> {
    let seconds = WINDOW.1 - WINDOW.0;
    println!(
        "`{FOLLOWED}` under Poisson arrivals, means of 220 and 160 tokens, {seconds} s each:\n"
    );
    println!(
        "| requests/s | TTFT p50 / p99, ms | ms per token p50 | tokens/s | running | published |"
    );
    println!("|---|---|---|---|---|---|");
    for rate in [5, 10, 15, 20, 25, 30, 35, 40] {
        let mut fleet = Fleet::new(Preset::parse(FOLLOWED)?.engine, 1);
        let mut point = Point::default();
        let mut source = published_load(f64::from(rate), WINDOW.1);
        run_virtually(&mut fleet, &mut source, |answered| point.add(answered));
        println!(
            "| {rate} | {:.0} / {:.0} | {:.1} | {:.0} | {} | {} |",
            quantile(&point.ttft_ms, 0.5),
            quantile(&point.ttft_ms, 0.99),
            quantile(&point.per_token_ms, 0.5),
            point.tokens as f64 / seconds as f64,
            fleet.gauges().running.max(),
            match rate {
                20 => "92 / 180 ms, 3,200 tokens/s",
                25 => "p99 below 500 ms",
                35 => "p99 above 500 ms",
                _ => "",
            }
        );
    }
    single_steps()
}

/// What the window saw.
#[derive(Default)]
struct Point {
    ttft_ms: Vec<f64>,
    per_token_ms: Vec<f64>,
    tokens: u64,
}

impl Point {
    fn add(&mut self, answered: &Answered) {
        let window = WINDOW.0 * SECOND_NS..WINDOW.1 * SECOND_NS;
        let bursts = answered.bursts.iter();
        let inside = bursts.filter(|burst| window.contains(&burst.at_ns));
        self.tokens += inside.map(|burst| u64::from(burst.tokens)).sum::<u64>();
        if !window.contains(&answered.arrived_ns) {
            return;
        }
        self.ttft_ms
            .extend(answered.ttft_ns().map(|ns| ns as f64 / 1e6));
        if let (Some(first), true) = (answered.bursts.first(), answered.bursts.len() > 1) {
            let ns = answered.ended_ns() - first.at_ns;
            let gaps = (answered.bursts.len() - 1) as f64;
            self.per_token_ms.push(ns as f64 / gaps / 1e6);
        }
    }
}

/// A decode step of a full batch, as published.
fn single_steps() -> Result<()> {
    println!("\n| batch | decode step, ms | tokens/s | published |");
    println!("|---|---|---|---|");
    for (batch, published) in [(128_u32, "44 ms, 2,900/s"), (512, "83 ms, 6,200/s")] {
        let mut fleet = Fleet::new(Preset::parse(FOLLOWED)?.engine, 1);
        let requests = (0..u64::from(batch)).map(|id| EngineRequest {
            id: SequenceId(id),
            prompt_tokens: 220,
            output_tokens: 160,
            finish: Finish::Length,
            blocks: [].into(),
            adapter: None,
        });
        let mut gaps = Vec::new();
        run_virtually(
            &mut fleet,
            &mut Sorted::new(requests.map(|request| (0, request))),
            |answered| {
                let pairs = answered.bursts.windows(2).skip(40).take(80);
                gaps.extend(pairs.map(|pair| (pair[1].at_ns - pair[0].at_ns) as f64 / 1e6));
            },
        );
        let step_ms = quantile(&gaps, 0.5);
        let tokens_per_s = f64::from(batch) / step_ms * 1e3;
        println!("| {batch} | {step_ms:.1} | {tokens_per_s:.0} | {published} |");
    }
    Ok(())
}
