//! The recorder benchmark: a million records of 128 chunks through the journal into the Parquet
//! file, as fast as they go. Memory is the peak of a process of its own.
//!
//! One run only: it takes half a minute or so and writes about two gigabytes, which are removed.
//! The recorder's thread and its channel are left out; records are handed to the journal as that
//! thread hands them over, with a flush every half a second.

use anyhow::{Context, Result, bail};
use infermeter_core::clock::{Offset, monotonic_ns, process_cpu_ns};
use infermeter_core::record::{Chunk, ChunkKind, Outcome, RequestRecord, StampSource, TokenSource};
use infermeter_core::schedule::Phase;
use infermeter_core::seed::splitmix64;
use infermeter_record::{JOURNAL_FILE, JournalWriter, LeftOpen, PARQUET_FILE, convert};
use infermeter_sys::limits;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Hidden argument of the process that is measured.
pub const CHILD: &str = "recorder-child";

/// Records written.
pub const RECORDS: u64 = 1_000_000;
/// Chunks of each.
pub(super) const CHUNKS: usize = 128;
/// Records of different shape; they come again with other ids and instants.
pub(super) const SHAPES: u64 = 1024;
/// So much later comes the next record of one shape, nanoseconds.
pub(super) const LATER_NS: i64 = 1_000_000_000;
/// As often as the runner's recorder flushes.
const FLUSH_NS: i64 = 500_000_000;

/// Runs it once, whatever `repeats` says, and prints a table.
///
/// # Errors
/// When the child fails: a full disk, say.
pub fn run(_repeats: usize, directory: &Path) -> Result<()> {
    let program = std::env::current_exe().context("the path of this program")?;
    let output = Command::new(program)
        .args(["selfbench", CHILD])
        .arg(directory)
        .output()
        .context("cannot start the measured process")?;
    if !output.status.success() {
        bail!(
            "it failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let figures: Value = serde_json::from_slice(&output.stdout).context("its figures")?;
    let of = |key: &str| figures[key].as_f64().unwrap_or(f64::NAN);
    let chunks = RECORDS as f64 * CHUNKS as f64;
    println!("{RECORDS} records of {CHUNKS} chunks, one run.\n");
    println!("| figure | value | target |");
    println!("|---|---|---|");
    let journal_s = of("journal_s");
    println!("| journal, chunks/s | {:.0} | 200000 |", chunks / journal_s);
    println!(
        "| journal, s (CPU s) | {journal_s:.1} ({:.1}) | |",
        of("journal_cpu_s")
    );
    println!(
        "| conversion, s (CPU s) | {:.1} ({:.1}) | |",
        of("convert_s"),
        of("convert_cpu_s")
    );
    println!(
        "| peak resident after the journal, MB | {:.0} | |",
        of("journal_peak_mb")
    );
    println!("| peak resident, MB | {:.0} | 1000 |", of("peak_mb"));
    println!(
        "| journal, bytes/chunk | {:.2} | |",
        of("journal_bytes") / chunks
    );
    println!(
        "| requests.parquet, bytes/chunk | {:.2} | |",
        of("parquet_bytes") / chunks
    );
    Ok(())
}

/// The measured process: prints its figures as JSON.
///
/// # Errors
/// When the record cannot be written or converted.
pub fn child(directory: &Path) -> Result<()> {
    let mut shapes: Vec<RequestRecord> = (0..SHAPES).map(shape).collect();
    let begin = Moment::now();
    write_journal(directory, &mut shapes)?;
    let written = Moment::now();
    let journal_peak = peak_mb()?;
    let journal_bytes = fs::metadata(directory.join(JOURNAL_FILE))?.len();
    let converted = convert(
        directory,
        &["fixed".to_owned()],
        LeftOpen::LeftOut,
        &mut |_| {},
    )?;
    let end = Moment::now();
    if converted.records != RECORDS {
        bail!("{} of {RECORDS} records came back", converted.records);
    }
    let figures = json!({
        "journal_s": written.wall_s - begin.wall_s,
        "journal_cpu_s": written.cpu_s - begin.cpu_s,
        "journal_peak_mb": journal_peak,
        "journal_bytes": journal_bytes,
        "convert_s": end.wall_s - written.wall_s,
        "convert_cpu_s": end.cpu_s - written.cpu_s,
        "parquet_bytes": fs::metadata(directory.join(PARQUET_FILE))?.len(),
        "peak_mb": peak_mb()?,
    });
    println!("{figures}");
    Ok(())
}

/// Wall and CPU time of the process.
struct Moment {
    wall_s: f64,
    cpu_s: f64,
}

impl Moment {
    fn now() -> Self {
        Self {
            wall_s: monotonic_ns() as f64 / 1e9,
            cpu_s: process_cpu_ns() as f64 / 1e9,
        }
    }
}

fn peak_mb() -> Result<f64> {
    let bytes = limits::peak_rss_bytes().context("/proc/self/status has no VmHWM")?;
    Ok(bytes as f64 / 1e6)
}

fn write_journal(directory: &Path, shapes: &mut [RequestRecord]) -> Result<()> {
    let mut journal = JournalWriter::create(directory)?;
    let mut flushed = monotonic_ns();
    for id in 0..RECORDS {
        let record = &mut shapes[(id % SHAPES) as usize];
        record.id = id;
        journal.append(record)?;
        let now = monotonic_ns();
        if now - flushed >= FLUSH_NS {
            journal.flush()?;
            flushed = now;
        }
        // The next record of this shape comes later.
        shift(record, LATER_NS);
    }
    Ok(journal.flush()?)
}

/// A completed answer, a chunk about every 20 ms, as client and server would leave it.
pub(super) fn shape(id: u64) -> RequestRecord {
    let intended = Offset(id as i64 * 1_000_000);
    let mut record = RequestRecord::unsent(id, 0, Phase::Measure, intended, 500, CHUNKS as u32);
    let start = intended.plus(80_000);
    record.send_start = Some(start);
    record.sent = Some(start.plus(15_000));
    let mut at = start.plus(50_000_000);
    record.first_byte = Some(at);
    record.first_byte_seen = Some(at.plus(40_000));
    for i in 0..CHUNKS {
        let noise = splitmix64(id << 20 | i as u64);
        at = at.plus(19_500_000 + (noise % 1_000_000) as i64);
        let censored = noise.is_multiple_of(64);
        record.chunks.push(Chunk {
            at,
            seen: at.plus(10_000 + (noise >> 20) as i64 % 90_000),
            lower: if censored { at.plus(-300_000) } else { at },
            tokens: 1,
            read: i as u32 + 1,
            kind: ChunkKind::Text,
        });
    }
    record.finished = Some(at);
    record.closed = Some(at.plus(100_000));
    record.outcome = Outcome::Completed;
    record.status = Some(200);
    record.finish_reason = Some("length".to_owned());
    record.prompt_tokens = Some(511);
    record.output_tokens = Some(CHUNKS as u32);
    record.token_source = Some(TokenSource::OnePerChunk);
    record.connection = Some(id as u32 % 256);
    record.new_connection = Some(false);
    record.attempts = 1;
    record.stamp_source = Some(StampSource::Kernel);
    record
}

/// Moves every instant of a record.
pub(super) fn shift(record: &mut RequestRecord, ns: i64) {
    record.intended = record.intended.plus(ns);
    for instant in [
        &mut record.send_start,
        &mut record.sent,
        &mut record.first_byte,
        &mut record.first_byte_seen,
        &mut record.finished,
        &mut record.closed,
    ] {
        *instant = instant.map(|at| at.plus(ns));
    }
    for chunk in &mut record.chunks {
        chunk.at = chunk.at.plus(ns);
        chunk.seen = chunk.seen.plus(ns);
        chunk.lower = chunk.lower.plus(ns);
    }
}
