//! What checking answers costs: the checks themselves on many answers, and the process that measures, with and without them.
//!
//! The checks run behind the load; what they may cost is time at the end. While it runs, texts are kept, and that must not be
//! seen. Invariant: runs with and without take turns, so that a drift of the machine falls on both alike.

use super::bench_run::bench_run;
use super::figures::median;
use super::machine::spread;
use anyhow::{Result, ensure};
use infermeter_answers::{Asked, Said, facts};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::seed::splitmix64;
use infermeter_sys::limits;
use std::path::Path;
use std::thread;

/// Answers, and words of each: a word of the list is a token of a common vocabulary.
const ANSWERS: u64 = 100_000;
const TOKENS: u64 = 300;
/// What they may take on two cores, seconds.
const MOST_S: f64 = 10.0;
/// Pairs of runs.
const PAIRS: usize = 8;

/// Words of one token.
const WORDS: [&str; 32] = [
    "the", "water", "people", "of", "under", "house", "with", "time", "number", "a", "light",
    "because", "between", "for", "small", "year", "that", "through", "river", "and", "change",
    "often", "there", "city", "in", "morning", "large", "have", "around", "story", "work", "is",
];

const MOCK: &[&str] = &["--preset", "fixed", "--ttft", "20ms", "--step", "10ms"];
const LOAD: &[&str] = &[
    "--rate",
    "60",
    "--duration",
    "6s",
    "--warmup",
    "1s",
    "--workload",
    "fixed:64,128",
    "--server-metrics",
    "off",
    "--gpu-metrics",
    "off",
];

/// Runs both parts and prints two tables.
///
/// # Errors
/// When an honest answer is taken for a corrupted one, or a run leaves no record.
pub fn run(repeats: usize, directory: &Path) -> Result<()> {
    checks(repeats)?;
    println!();
    beside(directory)
}

/// The checks of all answers, on one thread and on two.
fn checks(repeats: usize) -> Result<()> {
    let texts: Vec<String> = (0..ANSWERS).map(text).collect();
    let megabytes = texts.iter().map(String::len).sum::<usize>() as f64 / 1e6;
    println!(
        "{ANSWERS} answers of {TOKENS} tokens ({megabytes:.0} MB of text), every check; seconds, median (min..max) of {repeats}."
    );
    println!();
    println!("| threads | s | bound | MB/s |");
    println!("|---|---|---|---|");
    for threads in [1, 2] {
        let mut seconds = Vec::new();
        for _ in 0..repeats {
            let begun = monotonic_ns();
            let corrupted = corrupted(&texts, threads);
            seconds.push((monotonic_ns() - begun) as f64 / 1e9);
            ensure!(
                corrupted == 0,
                "{corrupted} sound answers were taken for corrupted ones"
            );
        }
        let bound = if threads == 2 {
            format!("{MOST_S}")
        } else {
            String::new()
        };
        println!(
            "| {threads} | {} | {bound} | {:.0} |",
            spread(&seconds, 2),
            megabytes / median(&seconds)
        );
    }
    let peak = limits::peak_rss_bytes().unwrap_or(0) as f64 / 1e6;
    println!("\nPeak resident, the texts included: {peak:.0} MB.");
    Ok(())
}

/// Words drawn at random, in sentences.
fn text(number: u64) -> String {
    let mut draw = splitmix64(number);
    let mut text = String::new();
    for place in 0..TOKENS {
        draw = splitmix64(draw);
        text.push_str(WORDS[(draw % WORDS.len() as u64) as usize]);
        text.push_str(if place % 12 == 11 { ". " } else { " " });
    }
    text
}

/// Answers that the checks take for corrupted ones, each thread with its part of them.
fn corrupted(texts: &[String], threads: usize) -> usize {
    let part = |texts: &[String]| {
        let bad = texts.iter().filter(|text| {
            let said = Said {
                content: text,
                first_chunk: Some("the"),
                finish: Some("stop"),
                output_tokens: Some(TOKENS as u32),
                ..Said::default()
            };
            facts(&Asked::default(), &said).doubts.are_corrupt()
        });
        bad.count()
    };
    thread::scope(|scope| {
        let parts = texts.chunks(texts.len().div_ceil(threads));
        let working: Vec<_> = parts
            .map(|texts| scope.spawn(move || part(texts)))
            .collect();
        let counts = working
            .into_iter()
            .map(|thread| thread.join().unwrap_or(texts.len()));
        counts.sum()
    })
}

/// What one run cost.
struct Cost {
    /// CPU time of the workers, as a share of their time, per cent.
    workers: f64,
    /// CPU time of the whole process until the load had ended, seconds.
    process_s: f64,
    /// Peak resident memory, megabytes; the end of the run included.
    peak_mb: f64,
}

/// Runs with and without checks, in turns.
fn beside(directory: &Path) -> Result<()> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let checked = [LOAD, &["--check-answers"]].concat();
    for pair in 0..PAIRS {
        // The first of a pair is the other one each time.
        for second in [false, true] {
            match (pair % 2 == 0) == second {
                true => with.push(cost(&checked, directory)?),
                false => without.push(cost(LOAD, directory)?),
            }
        }
    }
    println!(
        "The measuring process at 60 requests/s of 128 tokens, {PAIRS} runs each way in turns; median (min..max).\n"
    );
    println!("| | without | --check-answers |");
    println!("|---|---|---|");
    let row = |name: &str, of: fn(&Cost) -> f64| {
        let all = |costs: &[Cost]| costs.iter().map(of).collect::<Vec<f64>>();
        println!(
            "| {name} | {} | {} |",
            spread(&all(&without), 2),
            spread(&all(&with), 2)
        );
    };
    row("workers' CPU, % of a core", |cost| cost.workers);
    row("CPU of the process until the load's end, s", |cost| {
        cost.process_s
    });
    row("peak resident, the end of the run included, MB", |cost| {
        cost.peak_mb
    });
    Ok(())
}

fn cost(arguments: &[&str], directory: &Path) -> Result<Cost> {
    let run = bench_run(MOCK, arguments, directory)?;
    let health = run.manifest.client_health.unwrap_or_default();
    let cpu: i64 = health.threads.iter().map(|thread| thread.cpu_ns).sum();
    let wall: i64 = health.threads.iter().map(|thread| thread.wall_ns).sum();
    Ok(Cost {
        workers: 100.0 * cpu as f64 / wall.max(1) as f64,
        process_s: health.process_cpu_ns as f64 / 1e9,
        peak_mb: health.peak_rss_bytes.unwrap_or(0) as f64 / 1e6,
    })
}
