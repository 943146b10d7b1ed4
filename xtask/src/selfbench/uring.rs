//! The io_uring benchmark: the two ways of receiving against the simulator's truth, in turn.
//!
//! The first two loads keep the client about 90 % busy with 10,000 events a second; the others are
//! those of the truth benchmark. While the client waits for a core that something else uses, both
//! ways are blind: what was written then is left out of the second column of errors, and the
//! run-queue wait stands beside it.

use super::bench_run::bench_run;
use super::figures::{median, quantile};
use super::truth::{CASES, Case, Errors, MOCK, errors};
use anyhow::Result;
use std::path::Path;

/// On average 200 streams of 50/s, 10,000 events/s, each of which keeps the client busy for 88 us
/// and what it costs to receive it. Poisson arrivals: while more than 200 streams are open the
/// client falls behind, and catches up later.
const BUSY: Case = Case {
    name: "Poisson 50/s, 200 tokens, burn 88us",
    run: &[
        "--rate",
        "50",
        "--workload",
        "fixed:64,200",
        "--warmup",
        "5s",
        "--duration",
        "10s",
        "--burn",
        "88us",
    ],
};

/// The same in step: 200 events every 20 ms, which the client has just handled when the next come.
const IN_STEP: Case = Case {
    name: "200 streams x 50/s in step, burn 85us",
    run: &[
        "--concurrency",
        "200",
        "--workload",
        "fixed:64,200",
        "--warmup",
        "1s",
        "--duration",
        "6s",
        "--burn",
        "85us",
    ],
};

/// The ways, as `--io` names them.
const WAYS: [&str; 2] = ["epoll", "uring"];
/// An error that no arrival may have at the median load, microseconds.
const FAR_US: f64 = 1_000.0;

/// Runs every load `repeats` times each way, in turn, and prints a table.
///
/// # Errors
/// When a run leaves no record (where io_uring does not work, say).
pub fn run(repeats: usize, directory: &Path) -> Result<()> {
    println!("Error of chunk instants (kernel stamps, upper end) against the simulator's truth,");
    println!("microseconds, absolute values; median of {repeats} runs, greatest p99 of a run in");
    println!("brackets. The two ways take turns.\n");
    println!(
        "| load | received by | chunk p50 / p99 / max | p99 while not waiting for a core \
              | off by > 1 ms | uncertain > 1 ms | events/s | client busy | run-queue wait | CPU us/token |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for case in [&BUSY, &IN_STEP].into_iter().chain(CASES) {
        let mut runs: [Vec<Errors>; 2] = Default::default();
        for _ in 0..repeats {
            for (way, runs) in WAYS.iter().zip(&mut runs) {
                let arguments = [case.run, &["--io", way]].concat();
                runs.push(errors(&bench_run(MOCK, &arguments, directory)?));
            }
        }
        for (way, runs) in WAYS.iter().zip(&runs) {
            print_row(case.name, way, runs);
        }
    }
    Ok(())
}

fn print_row(name: &str, way: &str, runs: &[Errors]) {
    let over = |f: &dyn Fn(&Errors) -> f64| median(&runs.iter().map(f).collect::<Vec<_>>());
    let p99 = |r: &Errors| quantile(&r.chunk_us, 0.99);
    let undisturbed = |r: &Errors| quantile(&r.chunk_undisturbed_us, 0.99);
    println!(
        "| {name} | {way} | {:.1} / {:.1} ({:.1}) / {:.0} | {:.1} ({:.1}) | {:.3} % | {:.3} % | {:.0} | {:.0} % \
         | {:.2} % | {:.2} |",
        over(&|r| quantile(&r.chunk_us, 0.5)),
        over(&p99),
        runs.iter().map(p99).fold(f64::MIN, f64::max),
        over(&|r| quantile(&r.chunk_us, 1.0)),
        over(&undisturbed),
        runs.iter().map(undisturbed).fold(f64::MIN, f64::max),
        over(&|r| 100.0 * far(&r.chunk_us)),
        over(&|r| 100.0 * r.uncertain_share),
        over(&|r| r.tokens_per_second),
        over(&|r| 100.0 * r.client_busy),
        over(&|r| 100.0 * r.run_queue_wait),
        over(&|r| r.cpu_us_per_token),
    );
}

fn far(errors_us: &[f64]) -> f64 {
    let far = errors_us.iter().filter(|error| **error > FAR_US).count();
    far as f64 / errors_us.len().max(1) as f64
}
