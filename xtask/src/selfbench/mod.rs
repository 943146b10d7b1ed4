//! `cargo xtask selfbench`: the figures of docs/performance.md, measured here and now.
//!
//! It judges nothing: a figure stands beside its target, and whoever reads compares. Invariant:
//! every table says what was run on which machine, how often, and how far the runs lay apart.

mod answers;
mod bench_run;
mod engine;
mod expose;
mod figures;
mod import;
mod machine;
mod memory;
mod merge;
mod pacing;
mod proxy;
mod receive;
mod recorder;
mod simulator;
mod startup;
mod summary;
mod truth;
mod uring;
mod waits;
mod workload;

use crate::ci::scratch_directory;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// Runs whose median is printed.
const REPEATS: usize = 5;

/// One benchmark: repeats, a directory for its files.
type Bench = fn(usize, &Path) -> Result<()>;

/// In the order of `all`.
const BENCHES: [(&str, Bench); 16] = [
    ("truth", truth::run),
    ("uring", uring::run),
    ("pacing", pacing::run),
    ("expose", expose::run),
    ("memory", memory::run),
    ("proxy", proxy::run),
    ("receive", receive::run),
    ("recorder", recorder::run),
    ("summary", summary::run),
    ("merge", merge::run),
    ("simulator", simulator::run),
    ("startup", startup::run),
    ("engine", engine::run),
    ("workload", workload::run),
    ("import", import::run),
    ("answers", answers::run),
];

/// Runs the benchmarks named by `arguments`: one, or `all`.
///
/// # Errors
/// When there is no such benchmark, or it could not be carried out.
pub fn run(arguments: &[String]) -> Result<()> {
    let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match names.as_slice() {
        [recorder::CHILD, directory] => recorder::child(Path::new(directory)),
        [proxy::CHILD, upstream] => proxy::child(upstream),
        ["proxy", "--soak", seconds] => {
            one("proxy", |_, directory| proxy::run_soak(seconds, directory))
        }
        [] | ["all"] => BENCHES
            .iter()
            .try_for_each(|(name, bench)| one(name, bench)),
        [name] => match BENCHES.iter().find(|(known, _)| known == name) {
            Some((name, bench)) => one(name, bench),
            None => bail!("unknown benchmark `{name}`: one of all, {}", known()),
        },
        _ => bail!("selfbench takes one name: all, {}", known()),
    }
}

fn known() -> String {
    BENCHES.map(|(name, _)| name).join(", ")
}

/// Runs one benchmark in a directory that is removed afterwards.
fn one(name: &str, bench: impl Fn(usize, &Path) -> Result<()>) -> Result<()> {
    let directory = scratch_directory(name);
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    println!("### {name}\n");
    println!(
        "`cargo xtask selfbench {name}` on {}\n",
        machine::describe()
    );
    let result = bench(REPEATS, &directory);
    println!();
    fs::remove_dir_all(&directory)
        .with_context(|| format!("cannot remove {}", directory.display()))?;
    result.with_context(|| format!("benchmark {name}"))
}
