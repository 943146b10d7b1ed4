//! `cargo xtask treatments`: comparisons over sockets in which the treatment is off on both sides, or on.
//!
//! Needs a built `infermeter`. What is looked at is what the server's counters say, which no busy machine changes.
//! Invariant: a treatment that is off is named in every trial, and one that is on in none.

use crate::ci::scratch_directory;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Trials of each case where nothing is said.
const TRIALS: u64 = 20;

/// Prompts that a cache could answer, and nothing else worth measuring.
const LOAD: &str = "--prefix shared:1/160 --workload fixed:200,8 --rate 20 --requests 12 --warmup 0 --rounds 1 \
    --threads 1 --quiet";

const TREATMENT: &str = "prefix_cache_hit_rate>0.3";

/// Tries as often as is asked: `[--trials N] PROGRAM`.
pub fn run(arguments: &[String]) -> Result<()> {
    let (trials, program) = match arguments {
        [flag, trials, program] if flag == "--trials" => (trials.parse()?, program),
        [program] => (TRIALS, program),
        _ => bail!(
            "cargo xtask treatments [--trials N] PROGRAM: the infermeter that compares, as in target/debug/infermeter"
        ),
    };
    let scratch = scratch_directory("treatments");
    fs::create_dir_all(&scratch)?;
    for (other, expect) in [("false", "inactive"), ("true", "active")] {
        for trial in 1..=trials {
            let directory = scratch.join(format!("{expect}-{trial}"));
            let found = compared(Path::new(program), other, trial, &directory)?;
            ensure!(
                found == expect,
                "trial {trial}: the treatment is {expect}, and the comparison says {found}: {}",
                directory.display()
            );
        }
        println!("prefix cache {other} on side B: {trials} of {trials} comparisons say {expect}");
    }
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))
}

/// What one comparison says of the treatment.
fn compared(program: &Path, other: &str, seed: u64, directory: &Path) -> Result<String> {
    let side =
        |on: &str| format!("mock:llama-8b-h100?prefix-cache={on}&prompt-tokens-details=true");
    let said = Command::new(program)
        .args(["compare", &side("false"), &side(other)])
        .args(LOAD.split_whitespace())
        .args([
            "--treatment",
            TREATMENT,
            "--seed",
            &seed.to_string(),
            "--out",
        ])
        .arg(directory)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let path = directory.join("compare.json");
    let kept = fs::read(&path).with_context(|| {
        let error = String::from_utf8_lossy(&said.stderr).into_owned();
        format!("no {}: {error}", path.display())
    })?;
    let kept: Value = serde_json::from_slice(&kept)?;
    let answer = &kept["comparison"]["treatments"][0]["answer"];
    Ok(answer.as_str().unwrap_or("nothing").to_owned())
}
