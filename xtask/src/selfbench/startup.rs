//! The startup benchmark: how long until `--help` has answered and until the first request leaves,
//! and how large the binary is.
//!
//! The first request goes to a simulator that is already running, in closed loop without warm-up, so
//! that nothing but infermeter's own preparation lies before it: plan, vocabulary, prompts, probes,
//! connections.

use super::bench_run::binary;
use super::machine::spread;
use anyhow::{Context, Result, ensure};
use infermeter_core::clock::{monotonic_ns, realtime_ns};
use infermeter_mock::{Config, Preset, spawn_in_thread};
use infermeter_record::{read_manifest, read_records};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// `--help` is short enough for more runs.
const HELP_RUNS: usize = 20;

/// Measures and prints a table.
///
/// # Errors
/// When the binary is missing or a run fails.
pub fn run(repeats: usize, directory: &Path) -> Result<()> {
    let binary = binary()?;
    let bytes = fs::metadata(&binary)?.len();
    help_ms(&binary)?;
    let mut help = Vec::new();
    for _ in 0..HELP_RUNS {
        help.push(help_ms(&binary)?);
    }
    let preset = Preset::parse("null").context("the preset `null`")?;
    let mock = spawn_in_thread(Config::new(preset))?;
    let mut first = Vec::new();
    for n in 0..repeats {
        let out = directory.join(n.to_string());
        first.push(first_request_ms(&binary, &mock.base_url(), &out)?);
    }
    mock.stop()?;
    println!("Median (min..max).\n");
    println!("| figure | value | runs | target |");
    println!("|---|---|---|---|");
    println!(
        "| `infermeter --help`, ms | {} | {HELP_RUNS} | 20 |",
        spread(&help, 1)
    );
    println!(
        "| start to first request, built-in vocabulary, ms | {} | {repeats} | 700 |",
        spread(&first, 0)
    );
    println!(
        "| release binary, MB | {:.1} | 1 | 20 |",
        bytes as f64 / 1e6
    );
    Ok(())
}

fn help_ms(binary: &Path) -> Result<f64> {
    let begin = monotonic_ns();
    let status = Command::new(binary)
        .arg("--help")
        .stdout(Stdio::null())
        .status()
        .context("cannot start infermeter")?;
    let ns = monotonic_ns() - begin;
    ensure!(status.success(), "--help ended with {status}");
    Ok(ns as f64 / 1e6)
}

/// From just before the process is started to its first `send_start`.
fn first_request_ms(binary: &Path, url: &str, out: &Path) -> Result<f64> {
    let begin = realtime_ns();
    let output = Command::new(binary)
        .args([
            "run",
            url,
            "--concurrency",
            "1",
            "--requests",
            "20",
            "--warmup",
            "0",
        ])
        .args(["--workload", "chat", "--quiet", "--out"])
        .arg(out)
        .output()
        .context("cannot start infermeter")?;
    // Whatever the verdict on so short a run, its record says when the first request left.
    let manifest = read_manifest(out)
        .with_context(|| format!("no run: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
    let records = read_records(out)?;
    let sent = records.iter().filter_map(|record| record.send_start).min();
    let sent = sent.context("the run sent nothing")?;
    Ok((manifest.clock.realtime_origin_ns + sent.0 - begin) as f64 / 1e6)
}
