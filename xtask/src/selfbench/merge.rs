//! The merge benchmark: the records of sixteen ranks, 250,000 rows of 128 chunks each, become one run.
//!
//! `infermeter merge` runs as a process of its own. What it does in turn is seen from outside: the rows are merged when
//! their file has its name, and all that comes behind is judging and sealing. Invariant: every row that was made is in
//! the result, or the command fails.

use super::bench_run::binary;
use super::recorder::{CHUNKS, LATER_NS, SHAPES, shape, shift};
use anyhow::{Context, Result, bail};
use infermeter_core::clock::{Clock, Offset, monotonic_ns};
use infermeter_core::environment::Environment;
use infermeter_core::plan::Plan;
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{
    ClientHealth, ClockOffset, Counted, FORMAT_VERSION, LoadModel, OffsetSource, Progress,
    RankFacts, RunManifest, RunState, ThreadHealth, Window,
};
use infermeter_core::schedule::{Begins, PhaseCounts, ScheduleFacts, Slice};
use infermeter_core::units::Span;
use infermeter_record::{PARQUET_FILE, RecordsWriter, write_manifest};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ranks.
const RANKS: u32 = 16;
/// Rows of each.
const ROWS: u64 = 250_000;
/// How often the process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Runs it once, whatever `repeats` says, and prints a table.
///
/// # Errors
/// When a record cannot be made or merged, and when a row is missing afterwards.
pub fn run(_repeats: usize, directory: &Path) -> Result<()> {
    let begin = monotonic_ns();
    let parts = make(directory)?;
    let made_s = seconds_since(begin);
    let out = directory.join("whole");
    let seen = merge(&parts, &out)?;
    let rows = u64::from(RANKS) * ROWS;
    let found = seen.output["summary"]["requests"]["measured"]["total"].as_u64();
    if found != Some(rows) {
        bail!("{found:?} of {rows} rows are in the result");
    }
    let chunks = rows as f64 * CHUNKS as f64;
    let bytes = fs::metadata(out.join(PARQUET_FILE))?.len() as f64;
    println!(
        "{RANKS} records of {ROWS} rows of {CHUNKS} chunks, made in {made_s:.0} s; one run.\n"
    );
    println!("| figure | value | target |");
    println!("|---|---|---|");
    println!("| rows merged, s | {:.1} | 40 |", seen.merged.seconds);
    println!(
        "| rows/s, chunks/s | {:.0}, {:.0} M | |",
        rows as f64 / seen.merged.seconds,
        chunks / seen.merged.seconds / 1e6
    );
    println!(
        "| peak resident of it, MB | {:.0} | 1000 |",
        seen.merged.peak_mb
    );
    println!(
        "| judged and sealed, s more | {:.1} | |",
        seen.ended.seconds - seen.merged.seconds
    );
    println!("| all, s | {:.1} | |", seen.ended.seconds);
    println!("| peak resident of all, MB | {:.0} | |", seen.ended.peak_mb);
    println!("| the file, bytes/chunk | {:.2} | |", bytes / chunks);
    Ok(())
}

/// The records of all ranks, two at a time.
fn make(directory: &Path) -> Result<Vec<PathBuf>> {
    let slices: Vec<Slice> = Slice::all(RANKS).collect();
    let place = |slice: &Slice| directory.join(format!("rank-{:02}", slice.index()));
    for pair in slices.chunks(2) {
        std::thread::scope(|scope| {
            let started: Vec<_> = pair
                .iter()
                .map(|slice| scope.spawn(move || one(*slice, &place(slice))))
                .collect();
            started.into_iter().try_for_each(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
    }
    Ok(slices.iter().map(place).collect())
}

fn one(slice: Slice, directory: &Path) -> Result<()> {
    fs::create_dir(directory)?;
    let mut shapes: Vec<RequestRecord> = (0..SHAPES).map(shape).collect();
    let mut writer = RecordsWriter::create(directory, &["fixed".to_owned()])?;
    for number in 0..ROWS {
        let id = slice.in_whole(number);
        let record = &mut shapes[(id % SHAPES) as usize];
        record.id = id;
        writer.append(record.clone())?;
        shift(record, LATER_NS);
    }
    writer.finish()?;
    Ok(write_manifest(directory, &manifest(slice))?)
}

/// A manifest that fits the rows: all of them are measured.
fn manifest(slice: Slice) -> RunManifest {
    let end_ns = (u64::from(RANKS) * ROWS).div_ceil(SHAPES) as i64 * LATER_NS;
    let mut plan = Plan::defaults();
    plan.target = "http://server.example:8000".to_owned();
    plan.rate = Some(SHAPES as f64);
    plan.duration = Some(Span::seconds(end_ns / 1_000_000_000));
    RunManifest {
        format_version: FORMAT_VERSION,
        infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: "0".repeat(32),
        state: RunState::Finished,
        plan_hash: "0".repeat(64),
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
            start: Offset::ZERO,
            end: Offset(end_ns),
        }),
        schedule: Some(ScheduleFacts {
            slice,
            sessions: false,
            begins: Begins::Arrivals(PhaseCounts {
                measure: ROWS,
                ..PhaseCounts::default()
            }),
        }),
        progress: Some(Progress {
            scheduled: ROWS,
            ended: Offset(end_ns),
            counted: Some(Counted {
                handed_over: ROWS,
                arrivals_not_reached: 0,
            }),
            ..Progress::default()
        }),
        environment: Environment::default(),
        calibration: None,
        imported: None,
        control_requests: Vec::new(),
        run_findings: Vec::new(),
        client_health: Some(ClientHealth {
            threads: vec![ThreadHealth::default()],
            kernel_stamps: true,
            cores: 1,
            ..ClientHealth::default()
        }),
        clients: Vec::new(),
        rank: Some(rank(slice)),
        evals: Vec::new(),
        solo: None,
        verdict: None,
        findings: Vec::new(),
        summary: None,
        seal: None,
        plan,
    }
}

fn rank(slice: Slice) -> RankFacts {
    RankFacts {
        slice,
        host: "bench".to_owned(),
        machine: None,
        pid: 1,
        arch: std::env::consts::ARCH.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program: None,
        told_by: "flags".to_owned(),
        clock: Some(ClockOffset {
            offset_ns: 0,
            bound_ns: 0,
            by: OffsetSource::SameKernel,
        }),
        start_asked_ns: Some(0),
    }
}

/// What a process had taken at some moment.
#[derive(Clone, Copy)]
struct Taken {
    seconds: f64,
    peak_mb: f64,
}

/// What was seen of a merge.
struct Seen {
    /// When the rows were there.
    merged: Taken,
    /// At its end.
    ended: Taken,
    /// What it printed.
    output: Value,
}

fn merge(parts: &[PathBuf], out: &Path) -> Result<Seen> {
    let begin = monotonic_ns();
    let mut process = Command::new(binary()?)
        .arg("merge")
        .args(parts)
        .arg("--out")
        .arg(out)
        .arg("--json")
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start `merge`")?;
    let printed = process.stdout.take().context("its output")?;
    let reader = std::thread::spawn(move || std::io::read_to_string(printed));
    let watched = watch(&mut process, begin, &out.join(PARQUET_FILE))?;
    let text = reader
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let (Some(merged), ended) = watched else {
        bail!("`merge` left no rows");
    };
    Ok(Seen {
        merged,
        ended,
        output: serde_json::from_str(&text).context("what `merge` printed")?,
    })
}

/// Looks at the process until it ends: when the file was there, and the end.
fn watch(process: &mut Child, begin: i64, file: &Path) -> Result<(Option<Taken>, Taken)> {
    let (mut merged, mut peak_mb) = (None, 0.0);
    loop {
        // VmHWM only grows: the last value seen before the end is the peak but for its last moment.
        peak_mb = peak_mb_of(process.id()).unwrap_or(peak_mb);
        let now = Taken {
            seconds: seconds_since(begin),
            peak_mb,
        };
        if merged.is_none() && file.exists() {
            merged = Some(now);
        }
        if process.try_wait()?.is_some() {
            return Ok((merged, now));
        }
        std::thread::sleep(LOOK);
    }
}

fn peak_mb_of(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

fn seconds_since(begin: i64) -> f64 {
    (monotonic_ns() - begin) as f64 / 1e9
}
