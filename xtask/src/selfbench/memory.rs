//! The memory benchmark: peak resident memory of the client process, conversion and summary
//! included.

use super::bench_run::bench_run;
use super::figures::median;
use anyhow::Result;
use std::path::Path;

struct Case {
    name: &'static str,
    mock: &'static [&'static str],
    run: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "concurrency 256, 128 tokens, 20 ms steps",
        mock: &["--preset", "fixed", "--ttft", "50ms", "--step", "20ms"],
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
        name: "10,000 open streams, 16 tokens, 1 s steps",
        mock: &[
            "--preset",
            "fixed",
            "--ttft",
            "1s",
            "--step",
            "1s",
            "--max-num-seqs",
            "10000",
        ],
        run: &[
            "--concurrency",
            "10000",
            "--workload",
            "fixed:32,16",
            "--warmup",
            "0",
            "--duration",
            "6s",
        ],
    },
];

/// Runs every case `repeats` times and prints a table.
///
/// # Errors
/// When a run leaves no record.
pub fn run(repeats: usize, directory: &Path) -> Result<()> {
    println!("Peak resident memory of the client process; median of {repeats} runs.\n");
    println!("| load | peak MB | requests | chunks |");
    println!("|---|---|---|---|");
    for case in CASES {
        let mut peaks = Vec::new();
        let (mut requests, mut chunks) = (0, 0);
        for _ in 0..repeats {
            let run = bench_run(case.mock, case.run, directory)?;
            let health = run.manifest.client_health.unwrap_or_default();
            peaks.push(health.peak_rss_bytes.unwrap_or(0) as f64 / 1e6);
            requests = run.records.len();
            chunks = run.records.iter().map(|r| r.chunks.len()).sum();
        }
        println!(
            "| {} | {:.1} | {requests} | {chunks} |",
            case.name,
            median(&peaks)
        );
    }
    Ok(())
}
