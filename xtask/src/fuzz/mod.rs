//! `cargo xtask fuzz`: everything that reads bytes from outside, given broken ones.
//!
//! Seeds are changed by a small generator that starts from a fixed number, in this process and without
//! knowledge of the code's branches: no compiler, no tool beside cargo, and the same inputs each time.
//! For a search led by coverage see `fuzz/Cargo.toml`, which has the same targets. Invariant: an input
//! that breaks a target is kept as a file, and the task fails.

mod mutate;
mod targets;

use anyhow::{Context, Result, bail};
use infermeter_core::clock::monotonic_ns;
use mutate::Mutator;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use targets::{TARGETS, Target};

/// Seconds for each target where none are given.
const SECONDS: u64 = 3;

/// A single input that takes longer is reported: bytes of a server must not cost that.
const SLOW_NS: i64 = 2_000_000_000;

/// Where inputs that broke something are kept.
const FAILURES: &str = "fuzz/failures";

/// What came of a target.
#[derive(Debug, Default)]
struct Tried {
    runs: u64,
    slowest_ns: i64,
    broken: Option<PathBuf>,
}

/// Runs the targets named, or all.
pub fn run(arguments: &[String]) -> Result<()> {
    let (seconds, targets) = parsed(arguments)?;
    fuzz(seconds, &targets)
}

/// A short run of every target, for continuous integration.
pub fn short() -> Result<()> {
    fuzz(1, &TARGETS.iter().collect::<Vec<_>>())
}

fn parsed(arguments: &[String]) -> Result<(u64, Vec<&'static Target>)> {
    let mut seconds = SECONDS;
    let mut named = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--seconds" {
            let given = rest.next().context("--seconds: a number is needed")?;
            seconds = given
                .parse()
                .with_context(|| format!("--seconds {given}: a whole number is needed"))?;
            continue;
        }
        let target = TARGETS.iter().find(|t| t.name == argument);
        let known = || TARGETS.map(|t| t.name).join(", ");
        named.push(
            target.with_context(|| format!("no target `{argument}`; there are {}", known()))?,
        );
    }
    if named.is_empty() {
        named.extend(&TARGETS);
    }
    Ok((seconds, named))
}

fn fuzz(seconds: u64, targets: &[&Target]) -> Result<()> {
    let mut broken = Vec::new();
    for target in targets {
        let seeds = target.seeds()?;
        let end = monotonic_ns() + seconds as i64 * 1_000_000_000;
        let tried = tried(target, &seeds, &mut |_| monotonic_ns() < end)?;
        let slowest_ms = tried.slowest_ns as f64 / 1e6;
        println!(
            "    {}: {} inputs from {} seeds, {:.0} a second, the slowest {slowest_ms:.1} ms",
            target.name,
            tried.runs,
            seeds.len(),
            tried.runs as f64 / seconds.max(1) as f64
        );
        if let Some(path) = tried.broken {
            broken.push(format!("{}: {}", target.name, path.display()));
        } else if tried.slowest_ns > SLOW_NS {
            broken.push(format!("{}: an input took {slowest_ms:.0} ms", target.name));
        }
    }
    if !broken.is_empty() {
        bail!("{}", broken.join("\n"));
    }
    Ok(())
}

/// Every seed as it is, then changed ones while `goes_on` of their number.
fn tried(
    target: &Target,
    seeds: &[Vec<u8>],
    goes_on: &mut dyn FnMut(u64) -> bool,
) -> Result<Tried> {
    let mut tried = Tried::default();
    let mut mutator = Mutator::of(seeds);
    let mut input = Vec::new();
    while tried.runs < seeds.len() as u64 || goes_on(tried.runs) {
        match seeds.get(tried.runs as usize) {
            Some(seed) => input.clone_from(seed),
            None => mutator.next_into(&mut input),
        }
        let begin = monotonic_ns();
        let held = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        tried.slowest_ns = tried.slowest_ns.max(monotonic_ns() - begin);
        tried.runs += 1;
        if held.is_err() {
            tried.broken = Some(kept(target.name, &input)?);
            break;
        }
    }
    Ok(tried)
}

fn kept(name: &str, input: &[u8]) -> Result<PathBuf> {
    fs::create_dir_all(FAILURES).context(FAILURES)?;
    let path = Path::new(FAILURES).join(format!("{name}-{:08x}", mutate::hash(input) as u32));
    fs::write(&path, input).with_context(|| path.display().to_string())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Changed inputs of each target: a moment of a build with checks for overflow.
    const CHANGED: u64 = 40;

    #[test]
    fn every_target_holds_its_seeds_and_some_changes_of_them() {
        for target in &TARGETS {
            let seeds = target.seeds().expect("seeds");
            assert!(!seeds.is_empty(), "{} has no seed", target.name);
            let most = seeds.len() as u64 + CHANGED;
            let tried = tried(target, &seeds, &mut |runs| runs < most).expect("tried");
            assert!(tried.broken.is_none(), "{}: {tried:?}", target.name);
        }
    }

    #[test]
    fn the_targets_are_those_of_the_search_led_by_coverage() {
        let folder = targets::root().join("fuzz/fuzz_targets");
        let files = fs::read_dir(folder).expect("listed");
        let stem = |file: std::io::Result<fs::DirEntry>| {
            let path = file.expect("an entry").path();
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        };
        let found: BTreeSet<String> = files.map(stem).collect();
        let known = TARGETS.iter().map(|t| t.name.to_owned()).collect();
        assert_eq!(found, known);
    }

    #[test]
    fn arguments_are_seconds_and_targets() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            parsed(&words).map(|(seconds, targets)| (seconds, targets.len()))
        };
        assert_eq!(parse("").expect("all"), (SECONDS, TARGETS.len()));
        assert_eq!(parse("--seconds 9 json http").expect("two"), (9, 2));
        for (line, word) in [
            ("--seconds", "a number"),
            ("--seconds x", "x"),
            ("jsn", "there are http"),
        ] {
            let error = format!("{:#}", parse(line).expect_err("wrong"));
            assert!(error.contains(word), "{error}");
        }
    }
}
