//! `cargo xtask smoke`: the README's first command, shortened, has to work as it stands there.
//!
//! Judges no figure. Invariant: the directory it wrote is gone afterwards when all went well, and
//! named in the error when not.

use crate::ci::{cargo_program, scratch_directory};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a run leaves in its directory.
const FILES: [&str; 2] = ["run.json", "requests.parquet"];

/// Exit code of an Invalid measurement.
const INVALID: i32 = 3;

/// Runs it. A busy machine can make one run Invalid, which is the instrument's work well done; a
/// second one in a row is an error here.
pub fn run() -> Result<()> {
    let directory = scratch_directory("smoke");
    for last in [false, true] {
        match measure(&directory)? {
            0 => break,
            INVALID if !last => {
                println!("    the run was Invalid (exit 3): once more");
                fs::remove_dir_all(&directory)
                    .with_context(|| format!("cannot remove {}", directory.display()))?;
            }
            code => bail!(
                "the run ended with exit code {code}, its record is in {}",
                directory.display()
            ),
        }
    }
    check_files(&directory)?;
    fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))
}

fn measure(directory: &Path) -> Result<i32> {
    const ARGUMENTS: &str =
        "run --release -- run mock:llama-8b-h100 --rate 10 --duration 3s --warmup 1s --out";
    println!("    cargo {ARGUMENTS} {}", directory.display());
    let status = Command::new(cargo_program())
        .args(ARGUMENTS.split(' '))
        .arg(directory)
        .status()
        .context("cannot start cargo")?;
    match status.code() {
        Some(code) => Ok(code),
        None => bail!("the run was killed: {status}"),
    }
}

fn check_files(directory: &Path) -> Result<()> {
    for name in FILES {
        let path = directory.join(name);
        let length = fs::metadata(&path)
            .with_context(|| format!("the run left no {}", path.display()))?
            .len();
        if length == 0 {
            bail!("the run left an empty {}", path.display());
        }
    }
    let manifest = fs::read(directory.join(FILES[0]))?;
    let manifest: serde_json::Value =
        serde_json::from_slice(&manifest).context("run.json is not JSON")?;
    match manifest.get("state").and_then(serde_json::Value::as_str) {
        Some("finished") => Ok(()),
        other => bail!("run.json: state is {other:?}, not \"finished\""),
    }
}
