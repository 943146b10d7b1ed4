//! `cargo xtask coverage`: how often intervals hold the truth and checks fire falsely, by
//! simulation with fixed seeds. docs/src/statistics.md keeps the figures.
//!
//! Invariant: a figure depends on its table and scale alone, not on threads or machines.

mod clean;
mod compare;
mod correlated;
mod engine;
mod gate;
mod lockstep;
mod means;
mod one_run;
mod percentile;
mod planted;
mod random;
mod repeated;
mod replicate;
mod search;
mod search_load;
mod search_truth;
mod server;
mod steady;
mod stopping;
mod sweep;
mod table;
mod tokens;
mod trend;

use anyhow::{Result, bail};
use table::Table;

/// How many repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// A twentieth of them: to see that everything works.
    Quick,
    /// Those of the documentation.
    Full,
}

impl Scale {
    /// Repetitions at this scale.
    pub fn of(self, full: u64) -> u64 {
        match self {
            Self::Quick => full.div_ceil(20),
            Self::Full => full,
        }
    }

    /// Runs that a truth comes from at this scale.
    pub fn of_truth(self, full: u64) -> u64 {
        match self {
            Self::Quick => full.div_ceil(5),
            Self::Full => full,
        }
    }
}

/// Rows of one subject.
type Subject = fn(Scale, &mut Table) -> Result<()>;

/// In the order of printing.
const SUBJECTS: [(&str, Subject); 18] = [
    ("percentile", percentile::run),
    ("one-run", one_run::run),
    ("repeated", repeated::run),
    ("lockstep", lockstep::run),
    ("tokens", tokens::run),
    ("means", means::run),
    ("correlated", correlated::run),
    ("clean", clean::run),
    ("planted", planted::run),
    ("steady", steady::run),
    ("stopping", stopping::run),
    ("gate", gate::run),
    ("trend", trend::run),
    ("sweep", sweep::run),
    ("search-truth", search_truth::run),
    ("search", search::run),
    ("compare", compare::run),
    ("compare-engine", compare::engine),
];

/// Runs what `arguments` name: `quick`, `full` (the default), or a subject, at full scale unless
/// `quick` follows.
///
/// # Errors
/// For unknown names, and when a full run misses a target.
pub fn run(arguments: &[String]) -> Result<()> {
    let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (scale, names) = match names.as_slice() {
        [rest @ .., "quick"] => (Scale::Quick, rest),
        [rest @ .., "full"] => (Scale::Full, rest),
        rest => (Scale::Full, rest),
    };
    let subjects: Vec<_> = match names {
        [] => SUBJECTS.to_vec(),
        [name] => SUBJECTS
            .into_iter()
            .filter(|(known, _)| known == name)
            .collect(),
        _ => bail!("coverage takes one subject and a scale"),
    };
    if subjects.is_empty() {
        let known = SUBJECTS.map(|(name, _)| name).join(", ");
        bail!(
            "unknown subject `{}`: quick, full, or one of {known}",
            names.join(" ")
        );
    }
    let mut table = Table::new();
    for (_, subject) in subjects {
        subject(scale, &mut table)?;
    }
    let missed = table.missed();
    if scale == Scale::Full && !missed.is_empty() {
        bail!("targets missed: {}", missed.join("; "));
    }
    Ok(())
}
