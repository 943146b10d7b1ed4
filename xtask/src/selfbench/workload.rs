//! The workload benchmark: making workload files, and replaying one that is larger than any client's
//! memory should be.
//!
//! The long trace is made here, of Mooncake's shape: 12,031 requests within an hour, 144 million
//! prompt tokens in blocks of 512, 40 % of them in blocks seen before.

use super::bench_run::{bench_run, binary};
use anyhow::{Context, Result, ensure};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::record::Outcome;
use infermeter_core::seed::splitmix64;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Pause between looks at a child's memory.
const LOOK: Duration = Duration::from_millis(20);
/// Rows of the long trace.
const ROWS: u64 = 12_031;
/// Tokens of a block.
const BLOCK: u64 = 512;

/// Makes files, replays the long one, prints tables.
///
/// # Errors
/// When the binary is missing or a command fails.
pub fn run(_repeats: usize, directory: &Path) -> Result<()> {
    println!("| `workload make` of | s | prompt tokens/s | file, MB | peak, MB |");
    println!("|---|---|---|---|---|");
    let chat = ["--workload", "chat", "--requests", "100000"];
    let closed = ["--concurrency", "1", "--warmup", "0"];
    make(
        "100,000 chat prompts, 1 % counted again",
        &[&chat[..], &closed].concat(),
        &directory.join("chat.jsonl"),
    )?;
    let tokenizer = directory.join("tokenizer.json");
    fs::write(&tokenizer, unigram())?;
    let of_file = ["--tokenizer", &tokenizer.display().to_string()].map(str::to_owned);
    let few = ["--workload", "chat", "--requests", "2000"];
    let of_file: Vec<&str> = of_file.iter().map(String::as_str).collect();
    make(
        "2,000 chat prompts under a `tokenizer.json` that merges neighbours: each is encoded",
        &[&few[..], &closed, &of_file].concat(),
        &directory.join("file.jsonl"),
    )?;
    let trace = directory.join("trace.jsonl");
    write_trace(&trace)?;
    let long = directory.join("long.jsonl");
    make(
        "12,031 requests of a trace with hash ids",
        &["--trace", &trace.display().to_string(), "--warmup", "0"],
        &long,
    )?;
    replay(&long, directory)
}

/// Makes one file and prints its row.
fn make(what: &str, flags: &[&str], file: &Path) -> Result<()> {
    let begin = monotonic_ns();
    let mut child = Command::new(binary()?)
        .args(["workload", "make", "--out"])
        .arg(file)
        .args(flags)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start infermeter")?;
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        peak = peak.max(peak_kib(child.id()).unwrap_or(0));
        std::thread::sleep(LOOK);
    }
    let seconds = (monotonic_ns() - begin) as f64 / 1e9;
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "workload make ended with {}",
        output.status
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let tokens = said.split(' ').nth(2).and_then(|n| n.parse::<f64>().ok());
    let tokens = tokens.with_context(|| format!("no number of tokens in `{said}`"))?;
    println!(
        "| {what} | {seconds:.1} | {:.2} M | {:.0} | {:.0} |",
        tokens / seconds / 1e6,
        fs::metadata(file)?.len() as f64 / 1e6,
        peak as f64 / 1e3
    );
    Ok(())
}

/// `VmHWM` of a process, KiB.
pub(super) fn peak_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().split(' ').next()?.parse().ok()
}

/// Replays the long file fifty times as fast and prints what the client needed.
fn replay(file: &Path, directory: &Path) -> Result<()> {
    let file = file.display().to_string();
    let mock = [
        "--preset",
        "fixed",
        "--ttft",
        "20ms",
        "--step",
        "1ms",
        "--max-num-seqs",
        "2000",
    ];
    let load = [
        "--workload-file",
        &file,
        "--time-scale",
        "0.02",
        "--warmup",
        "0",
    ];
    let run = bench_run(&mock, &load, directory)?;
    let health = run.manifest.client_health.unwrap_or_default();
    let late: u64 = health.threads.iter().map(|t| t.bodies_late).sum();
    let lags = run
        .records
        .iter()
        .filter_map(|r| Some(r.send_start?.since(r.intended) as f64 / 1e3));
    let lags: Vec<f64> = lags.collect();
    let completed = run
        .records
        .iter()
        .filter(|r| r.outcome == Outcome::Completed);
    println!("\nThe last file replayed fifty times as fast (72 s):\n");
    println!(
        "| requests | completed | prompt tokens | bodies late | send lag p50, p99, us | peak, MB |"
    );
    println!("|---|---|---|---|---|---|");
    println!(
        "| {} | {} | {:.1} M | {late} | {:.0}, {:.0} | {:.0} |",
        run.records.len(),
        completed.count(),
        run.records
            .iter()
            .map(|r| f64::from(r.requested_prompt_tokens))
            .sum::<f64>()
            / 1e6,
        super::figures::quantile(&lags, 0.5),
        super::figures::quantile(&lags, 0.99),
        health.peak_rss_bytes.unwrap_or(0) as f64 / 1e6
    );
    Ok(())
}

/// Sessions of four turns, each going on from the one before; the first block is everybody's.
fn write_trace(path: &Path) -> Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut fresh = 1;
    let mut history: Vec<u64> = vec![0];
    for row in 0..ROWS {
        if row % 4 == 0 {
            history.truncate(1);
        }
        // 4 to 15 new blocks a turn: 12,000 tokens a request on average.
        let new = 4 + splitmix64(row) % 11;
        history.extend(fresh..fresh + new);
        fresh += new;
        let length = history.len() as u64 * BLOCK - splitmix64(row ^ 1) % BLOCK;
        let line = serde_json::json!({
            "timestamp": row * 3_600_000 / ROWS,
            "input_length": length,
            "output_length": 2 + splitmix64(row ^ 2) % 30,
            "hash_ids": history,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(())
}

/// A vocabulary of whole words in which a word and its full stop are one token.
fn unigram() -> String {
    let words = include_str!("../../../crates/workload/src/words.txt").lines();
    let mut vocab = vec![
        ("<unk>".to_owned(), 0.0),
        (",".to_owned(), -3.0),
        (".".to_owned(), -3.0),
    ];
    let letters = ('a'..='z').chain('A'..='Z').chain(['\u{2581}']);
    vocab.extend(letters.map(|letter| (letter.to_string(), -20.0)));
    for word in words {
        let capital = format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..]);
        vocab.push((format!("\u{2581}{word}"), -8.0));
        vocab.push((format!("\u{2581}{capital}"), -8.0));
        vocab.push((format!("\u{2581}{word}."), -9.0));
    }
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "post_processor": null, "decoder": null,
        "pre_tokenizer": {
            "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always",
            "split": false
        },
        "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": false},
    })
    .to_string()
}
