//! The import benchmark: 9.3 million calls of coding agents, in the form of the Copilot traces of 2026, become
//! rows.
//!
//! The calls are made here: 300,000 sessions of 31 calls, one session a line, in shards that are packed, with
//! tool batches and the lengths of the messages beside each call, as published. Invariant: the number of rows
//! is the number of calls made.

use super::bench_run::binary;
use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use infermeter_core::clock::monotonic_ns;
use infermeter_core::seed::splitmix64;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Sessions, and calls of each.
const SESSIONS: u64 = 300_000;
const CALLS: u64 = 31;
/// Sessions of a shard: one for each day of a month.
const SHARD: u64 = 10_000;
/// Messages whose lengths stand beside a call.
const MESSAGES: u64 = 3;
/// What tools did in a turn.
const TOOLS: &str = r#"{"timestamp":"2026-03-01T00:00:00.000Z","duration_ms":900,"auto_continue":true,"result":"success","request_id":"r","function_calls":[{"name":"grep","status":"success","duration_ms":880},{"name":"read","status":"success","duration_ms":20}]}"#;
/// 2026-03-01, seconds since the Unix epoch.
const BEGINS_S: u64 = 1_772_323_200;
/// Pause between looks at a child's memory.
const LOOK: Duration = Duration::from_millis(20);

/// Makes the log, imports it, prints a row.
///
/// # Errors
/// When the binary is missing or fails, and when rows are missing.
pub fn run(_repeats: usize, directory: &Path) -> Result<()> {
    let logs = directory.join("logs");
    fs::create_dir_all(&logs)?;
    let mut bytes = 0;
    for shard in 0..SESSIONS / SHARD {
        bytes += write_shard(
            &logs.join(format!("2026-03-{:02}.jsonl.gz", shard + 1)),
            shard,
        )?;
    }
    let packed: u64 = fs::read_dir(&logs)?
        .map(|entry| -> Result<u64> { Ok(entry?.metadata()?.len()) })
        .sum::<Result<u64>>()?;
    println!(
        "{} calls in {SESSIONS} sessions: {:.1} GB, {:.1} GB packed\n",
        SESSIONS * CALLS,
        bytes as f64 / 1e9,
        packed as f64 / 1e9
    );
    println!("| rows | s | calls/s | rows, MB | peak, MB |");
    println!("|---|---|---|---|---|");
    let rows = directory.join("rows.jsonl.gz");
    let begin = monotonic_ns();
    let mut child = Command::new(binary()?)
        .args(["workload", "import"])
        .arg(&logs)
        .arg("--out")
        .arg(&rows)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start infermeter")?;
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        peak = peak.max(super::workload::peak_kib(child.id()).unwrap_or(0));
        std::thread::sleep(LOOK);
    }
    let seconds = (monotonic_ns() - begin) as f64 / 1e9;
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "workload import ended with {}",
        output.status
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = said.split(' ').next().map(|count| count.replace(',', ""));
    let count: u64 = count
        .and_then(|count| count.parse().ok())
        .with_context(|| said.clone())?;
    ensure!(count == SESSIONS * CALLS, "{count} rows: {said}");
    println!(
        "| {count} | {seconds:.1} | {:.0} | {:.0} | {:.0} |\n\n{said}",
        count as f64 / seconds,
        fs::metadata(&rows)?.len() as f64 / 1e6,
        peak as f64 * 1_024.0 / 1e6
    );
    Ok(())
}

/// Writes a day of sessions; the bytes before they were packed.
fn write_shard(path: &Path, shard: u64) -> Result<u64> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    let mut out = GzEncoder::new(BufWriter::new(file), Compression::fast());
    let mut bytes = 0;
    for session in shard * SHARD..(shard + 1) * SHARD {
        let line = session_line(session, shard)?;
        bytes += line.len() as u64;
        out.write_all(line.as_bytes())?;
    }
    out.finish()?.flush()?;
    Ok(bytes)
}

/// A session: its prompt grows by what tools and the model say, most of it cached; now and then a sub-agent begins
/// with a prompt of its own while the call before goes on.
fn session_line(session: u64, shard: u64) -> Result<String> {
    let draw =
        |call: u64, what: u64, below: u64| splitmix64(session << 16 ^ call << 8 ^ what) % below;
    let mut at_ms = (BEGINS_S + shard * 86_400) * 1_000 + draw(99, 0, 80_000_000);
    let mut line = String::new();
    write!(
        line,
        r#"{{"session_id":"{:016x}","date":"2026-03-{:02}","turns":["#,
        splitmix64(session),
        shard + 1
    )?;
    let (mut prompt, mut cached) = (14_000 + draw(0, 1, 12_000), 0);
    for call in 0..CALLS {
        let alone = call % 9 == 5;
        let duration = 800 + draw(call, 2, 9_000);
        let completion = 20 + draw(call, 3, 900);
        let (own, hit) = if alone {
            (4_000 + draw(call, 4, 4_000), 0)
        } else {
            (prompt, cached)
        };
        if call % 6 == 0 {
            if call > 0 {
                write!(line, r#"],"tool_batches":[{TOOLS}]}},"#)?;
            }
            write!(line, r#"{{"turn_id":{},"llm_calls":["#, call / 6 + 1)?;
        } else {
            line.push(',');
        }
        let initiator = if call % 6 == 0 { "user" } else { "agent" };
        let (s, ms) = (at_ms / 1_000, at_ms % 1_000);
        write!(
            line,
            r#"{{"message_id":"{:016x}","timestamp":{s}{ms:03},"duration_ms":{duration},"initiator_type":"{initiator}","model":"Model {}","result":"success","status_code":200,"tokens":{{"total":{},"prompt":{own},"completion":{completion},"cached":{hit},"cached_pct":{}}},"message_metadata":["#,
            splitmix64(session ^ call << 40),
            if alone { "B" } else { "A" },
            own + completion,
            hit * 100 / own,
        )?;
        for message in 0..MESSAGES {
            let comma = if message == 0 { "" } else { "," };
            let length = draw(call, 5 + message, 2_000);
            write!(
                line,
                r#"{comma}{{"type":"text","role":"user","sequenceId":{message},"token_len":{length}}}"#
            )?;
        }
        line.push_str("]}");
        if !alone {
            cached = prompt / 128 * 128;
            prompt += completion + 200 + draw(call, 9, 4_000);
        }
        at_ms += if alone {
            duration / 2
        } else {
            duration + draw(call, 10, 20_000)
        };
    }
    writeln!(line, r#"],"tool_batches":[{TOOLS}]}}]}}"#)?;
    Ok(line)
}
