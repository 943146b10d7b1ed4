//! The summary benchmark: `report` on a million requests of 128 chunks, exact.
//!
//! The record is that of the recorder benchmark. `report` runs as a process of its own, so that its
//! peak memory is its own. Some percentiles are compared with a full sort made here.

use super::bench_run::binary;
use super::{figures, recorder};
use anyhow::{Context, Result, bail};
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::environment::Environment;
use infermeter_core::plan::Plan;
use infermeter_core::run::{FORMAT_VERSION, LoadModel, Progress, RunManifest, RunState, Window};
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_core::units::Span;
use infermeter_record::{ParquetRecords, write_manifest};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where the window lies, seconds: the record has about 977.
const WINDOW_S: (i64, i64) = (30, 970);

/// Percentiles that are compared.
const PERCENTS: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

/// Runs it once, whatever `repeats` says, and prints a table.
///
/// # Errors
/// When the record cannot be made, or a percentile is not that of the full sort.
pub fn run(_repeats: usize, directory: &Path) -> Result<()> {
    make_record(directory)?;
    let Reported { report, cost } = report(directory, &[])?;
    let page = directory.join("page.html");
    let with_page = self::report(directory, &[&format!("--html={}", page.display())])?.cost;
    println!("`report` on 1,000,000 requests of 128 chunks, one run.\n");
    println!("| figure | value | target |");
    println!("|---|---|---|");
    let (seconds, peak_mb) = (cost.seconds, cost.peak_mb);
    println!("| all metrics, intervals and findings, s | {seconds:.1} | 20 |");
    println!("| peak resident, MB | {peak_mb:.0} | 2000 |");
    println!(
        "| a page adds, s | {:.1} | 4 |",
        with_page.seconds - seconds
    );
    println!(
        "| a page adds, MB resident | {:.0} | 200 |",
        with_page.peak_mb - peak_mb
    );
    println!("| the page, bytes | {} | 1500000 |", page.metadata()?.len());
    println!();
    compare(directory, &report)
}

fn make_record(directory: &Path) -> Result<()> {
    let program = std::env::current_exe().context("the path of this program")?;
    let made = Command::new(program)
        .args(["selfbench", recorder::CHILD])
        .arg(directory)
        .stdout(Stdio::null())
        .status()
        .context("cannot start the process that makes the record")?;
    if !made.success() {
        bail!("the record could not be made");
    }
    Ok(write_manifest(directory, &manifest())?)
}

/// A manifest that fits the record.
fn manifest() -> RunManifest {
    let second = 1_000_000_000;
    let mut plan = Plan::defaults();
    plan.target = "http://server.example:8000".to_owned();
    plan.rate = Some(1_024.0);
    plan.duration = Some(Span::seconds(WINDOW_S.1 - WINDOW_S.0));
    RunManifest {
        format_version: FORMAT_VERSION,
        infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: "0".repeat(32),
        state: RunState::Finished,
        plan_hash: String::new(),
        seeds: plan.seeds(),
        model: "none".to_owned(),
        load_model: LoadModel::OpenLoop,
        rate_asked: plan.rate,
        addresses: Vec::new(),
        classes: vec!["fixed".to_owned()],
        clock: Clock {
            monotonic_origin_ns: 0,
            realtime_origin_ns: 0,
        },
        window: Some(Window {
            start: Offset(WINDOW_S.0 * second),
            end: Offset(WINDOW_S.1 * second),
        }),
        schedule: None,
        progress: Some(Progress {
            scheduled: recorder::RECORDS,
            drain_not_reached: 0,
            drain_without_load: false,
            unfinished_sessions: Vec::new(),
            ended: Offset(980 * second),
            interrupted: false,
            recovered: false,
            counted: None,
        }),
        environment: Environment::default(),
        calibration: None,
        imported: None,
        control_requests: Vec::new(),
        run_findings: Vec::new(),
        client_health: None,
        clients: Vec::new(),
        rank: None,
        evals: Vec::new(),
        solo: None,
        verdict: None,
        findings: Vec::new(),
        summary: None,
        seal: None,
        plan,
    }
}

/// A report as JSON, and what it took.
struct Reported {
    report: Value,
    cost: Cost,
}

/// What a process took.
struct Cost {
    seconds: f64,
    peak_mb: f64,
}

fn report(directory: &Path, more: &[&str]) -> Result<Reported> {
    let begin = infermeter_core::clock::monotonic_ns();
    let mut process = Command::new(binary()?)
        .arg("report")
        .arg(directory)
        .arg("--json")
        .args(more)
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start `report`")?;
    let id = process.id();
    let mut peak_kib = 0;
    let sampler = std::thread::spawn(move || {
        // VmHWM only grows: the last value seen before the end is the peak but for its last moment.
        while let Some(kib) = peak_of(id) {
            peak_kib = kib;
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        peak_kib
    });
    let mut text = String::new();
    if let Some(mut output) = process.stdout.take() {
        std::io::Read::read_to_string(&mut output, &mut text)?;
    }
    process.wait()?;
    let seconds = (infermeter_core::clock::monotonic_ns() - begin) as f64 / 1e9;
    let peak_kib = sampler.join().unwrap_or(0);
    let report = serde_json::from_str(&text).context("what `report` printed")?;
    let peak_mb = peak_kib as f64 * 1024.0 / 1e6;
    Ok(Reported {
        report,
        cost: Cost { seconds, peak_mb },
    })
}

fn peak_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Percentiles of chunk gap and TTFT against a full sort.
fn compare(directory: &Path, report: &Value) -> Result<()> {
    let records = ParquetRecords::open(directory)?;
    let parts = records.scan(
        ChunkFields::default(),
        &|| (Vec::new(), Vec::new()),
        &|(gaps, ttft): &mut (Vec<f64>, Vec<f64>), record| {
            let pairs = record.chunks.windows(2);
            gaps.extend(pairs.map(|p| p[1].at.since(p[0].at) as f64 / 1e6));
            let first = record.chunks.first().map(|c| c.at.since(record.intended));
            ttft.extend(first.map(|ns| ns as f64 / 1e6));
        },
    )?;
    let (mut gaps, mut ttft) = (Vec::new(), Vec::new());
    for (part_gaps, part_ttft) in parts {
        gaps.extend(part_gaps);
        ttft.extend(part_ttft);
    }
    println!("| series | values | percentile | report, ms | full sort, ms |");
    println!("|---|---|---|---|---|");
    let latency = &report["summary"]["latency"];
    let mut equal = true;
    for (name, figures, mut values) in [
        ("chunk gap", &latency["chunk_gap"], gaps),
        ("TTFT", &latency["ttft"]["intended"], ttft),
    ] {
        values.sort_unstable_by(f64::total_cmp);
        for percent in PERCENTS {
            let found = figures["percentiles"][format!("p{percent}")]["value"].as_f64();
            let sorted = figures::of_sorted(&values, percent / 100.0);
            equal &= found == Some(sorted);
            let found = found.map_or("none".to_owned(), |ms| ms.to_string());
            println!(
                "| {name} | {} | p{percent} | {found} | {sorted} |",
                values.len()
            );
        }
    }
    if equal {
        return Ok(());
    }
    bail!("a percentile is not that of the full sort")
}
