//! The truth benchmark: what the client reports against what the simulator did.
//!
//! TTFT error is (first chunk - send_start) - (first write - arrival); chunk error is the chunk's
//! instant - its write. Both by kernel and by program stamps, censored chunks included.

use super::bench_run::{BenchRun, bench_run};
use super::figures::{median, quantile};
use super::waits::Waits;
use anyhow::Result;
use infermeter_core::record::RequestRecord;
use infermeter_mock::truth::TruthRequest;
use std::collections::HashMap;
use std::path::Path;

/// One load of the benchmark.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) run: &'static [&'static str],
}

/// `fixed`: true TTFT 50 to 70 ms, synchronised steps of 20 ms.
pub(super) const MOCK: &[&str] = &["--preset", "fixed", "--ttft", "50ms", "--step", "20ms"];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "100 streams x 50/s, burn 100us",
        run: &[
            "--concurrency",
            "100",
            "--workload",
            "fixed:64,200",
            "--warmup",
            "1s",
            "--duration",
            "6s",
            "--burn",
            "100us",
        ],
    },
    Case {
        name: "concurrency 64, 128 tokens",
        run: &[
            "--concurrency",
            "64",
            "--workload",
            "fixed:64,128",
            "--warmup",
            "1s",
            "--duration",
            "6s",
        ],
    },
    Case {
        name: "concurrency 256, 128 tokens",
        run: &[
            "--concurrency",
            "256",
            "--workload",
            "fixed:64,128",
            "--warmup",
            "1s",
            "--duration",
            "6s",
        ],
    },
    Case {
        name: "Poisson 20/s, 64 tokens",
        run: &[
            "--rate",
            "20",
            "--workload",
            "fixed:64,64",
            "--warmup",
            "1s",
            "--duration",
            "6s",
        ],
    },
];

/// Figures of one run.
#[derive(Debug, Clone, Default)]
pub(super) struct Errors {
    ttft_us: Vec<f64>,
    ttft_program_us: Vec<f64>,
    pub(super) chunk_us: Vec<f64>,
    /// Of those, the ones written while the client did not wait for a core.
    pub(super) chunk_undisturbed_us: Vec<f64>,
    chunk_program_us: Vec<f64>,
    pub(super) uncertain_share: f64,
    pub(super) cpu_us_per_token: f64,
    pub(super) client_busy: f64,
    /// Of the time, the worst thread was runnable and not running.
    pub(super) run_queue_wait: f64,
    /// Tokens per second of wall time.
    pub(super) tokens_per_second: f64,
    in_flight: f64,
    peak_mb: f64,
    tokens: u64,
}

/// Runs every case `repeats` times and prints a table.
///
/// # Errors
/// When a run leaves no record, or a row cannot be joined to the truth.
pub fn run(repeats: usize, directory: &Path) -> Result<()> {
    println!("Errors against the simulator's truth, microseconds, absolute values; median of");
    println!("{repeats} runs (greatest p99 of a run in brackets).\n");
    println!(
        "| load | TTFT p50 / p99 | chunk p50 / p99 / max | program stamps: TTFT p99, chunk p99 \
              | uncertain > 1 ms | CPU us/token | client busy | in flight | peak MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for case in CASES {
        let mut runs = Vec::new();
        for _ in 0..repeats {
            runs.push(errors(&bench_run(MOCK, case.run, directory)?));
        }
        print_row(case.name, &runs);
    }
    Ok(())
}

fn print_row(name: &str, runs: &[Errors]) {
    let over = |f: &dyn Fn(&Errors) -> f64| median(&runs.iter().map(f).collect::<Vec<_>>());
    let most = |f: &dyn Fn(&Errors) -> f64| runs.iter().map(f).fold(f64::MIN, f64::max);
    println!(
        "| {name} | {:.0} / {:.0} ({:.0}) | {:.0} / {:.0} ({:.0}) / {:.0} | {:.0}, {:.0} | {:.2} % \
         | {:.2} | {:.0} % | {:.0} | {:.0} |",
        over(&|r| quantile(&r.ttft_us, 0.5)),
        over(&|r| quantile(&r.ttft_us, 0.99)),
        most(&|r| quantile(&r.ttft_us, 0.99)),
        over(&|r| quantile(&r.chunk_us, 0.5)),
        over(&|r| quantile(&r.chunk_us, 0.99)),
        most(&|r| quantile(&r.chunk_us, 0.99)),
        over(&|r| quantile(&r.chunk_us, 1.0)),
        over(&|r| quantile(&r.ttft_program_us, 0.99)),
        over(&|r| quantile(&r.chunk_program_us, 0.99)),
        over(&|r| 100.0 * r.uncertain_share),
        over(&|r| r.cpu_us_per_token),
        over(&|r| 100.0 * r.client_busy),
        over(&|r| r.in_flight),
        over(&|r| r.peak_mb),
    );
}

pub(super) fn errors(run: &BenchRun) -> Errors {
    let origin = run.manifest.clock.monotonic_origin_ns;
    let truth: HashMap<&str, &TruthRequest> = run
        .truth
        .requests
        .iter()
        .map(|r| (r.request_id.as_str(), r))
        .collect();
    let mut errors = Errors::default();
    let mut uncertain = 0_u64;
    for record in &run.records {
        errors.tokens += record.chunks.len() as u64;
        let id = format!("{}-{}", run.manifest.run_id, record.id);
        let Some(true_request) = truth.get(id.as_str()) else {
            continue;
        };
        add_errors(&mut errors, record, true_request, origin, &run.waits);
        uncertain += record
            .chunks
            .iter()
            .filter(|c| c.at.since(c.lower) > 1_000_000)
            .count() as u64;
    }
    errors.uncertain_share = uncertain as f64 / errors.tokens.max(1) as f64;
    if let Some(health) = &run.manifest.client_health {
        errors.cpu_us_per_token = health.process_cpu_ns as f64 / 1e3 / errors.tokens.max(1) as f64;
        let busiest = health
            .threads
            .iter()
            .map(|t| t.cpu_ns as f64 / t.wall_ns.max(1) as f64);
        errors.client_busy = busiest.fold(0.0, f64::max);
        let waits = health.threads.iter();
        errors.run_queue_wait = waits
            .filter_map(|t| Some(t.run_queue_wait_ns? as f64 / t.wall_ns.max(1) as f64))
            .fold(0.0, f64::max);
        let wall = health.threads.iter().map(|t| t.wall_ns).max();
        errors.tokens_per_second = errors.tokens as f64 / (wall.unwrap_or(0).max(1) as f64 / 1e9);
        errors.peak_mb = health.peak_rss_bytes.unwrap_or(0) as f64 / 1e6;
    }
    errors.in_flight = in_flight(run);
    errors
}

fn add_errors(
    errors: &mut Errors,
    record: &RequestRecord,
    truth: &TruthRequest,
    origin: i64,
    waits: &Waits,
) {
    let us = |ns: i64| (ns as f64 / 1e3).abs();
    if let (Some(first), Some(sent), Some(write)) = (
        record.chunks.first(),
        record.send_start,
        truth.tokens_ns.first(),
    ) {
        let true_ttft = write - truth.arrival_ns;
        errors.ttft_us.push(us(first.at.since(sent) - true_ttft));
        errors
            .ttft_program_us
            .push(us(first.seen.since(sent) - true_ttft));
    }
    for (chunk, write) in record.chunks.iter().zip(&truth.tokens_ns) {
        let error = us(chunk.at.0 + origin - write);
        errors.chunk_us.push(error);
        if !waits.contain(*write) {
            errors.chunk_undisturbed_us.push(error);
        }
        errors
            .chunk_program_us
            .push(us(chunk.seen.0 + origin - write));
    }
}

/// Requests in flight at the server by its own log: time average between arrival and last write,
/// over the client's window.
fn in_flight(run: &BenchRun) -> f64 {
    let Some(window) = run.manifest.window else {
        return f64::NAN;
    };
    let origin = run.manifest.clock.monotonic_origin_ns;
    let (start, end) = (window.start.0 + origin, window.end.0 + origin);
    let resident: i64 = run
        .truth
        .requests
        .iter()
        .filter_map(|r| Some((r.arrival_ns.max(start), (*r.tokens_ns.last()?).min(end))))
        .map(|(from, to)| (to - from).max(0))
        .sum();
    resident as f64 / (end - start) as f64
}
