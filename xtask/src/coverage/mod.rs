//! `cargo xtask coverage`: how often intervals hold the truth and checks fire falsely, by
//! simulation with fixed seeds. docs/src/statistics.md keeps the figures, docs/src/answers.md those of cheats.
//!
//! Invariant: a figure depends on its table and scale alone, not on threads or machines.

mod cheats;
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
mod scale;
mod search;
mod search_load;
mod search_truth;
mod server;
mod spoken_run;
mod steady;
mod stopping;
mod sweep;
mod table;
mod tokens;
mod trend;
mod watched;

use anyhow::{Result, bail};
use table::Table;

/// How many repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// A twentieth of them: to see that everything works.
    Quick,
    /// Those of the documentation.
    Full,
    /// So many in each row.
    Times(u64),
}

impl Scale {
    /// Repetitions at this scale.
    pub fn of(self, full: u64) -> u64 {
        match self {
            Self::Quick => full.div_ceil(20),
            Self::Full => full,
            Self::Times(times) => times,
        }
    }

    /// Runs that a truth comes from at this scale.
    pub fn of_truth(self, full: u64) -> u64 {
        match self {
            Self::Quick => full.div_ceil(5),
            Self::Full | Self::Times(_) => full,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        match word {
            "quick" => Some(Self::Quick),
            "full" => Some(Self::Full),
            times => times.parse().ok().map(Self::Times),
        }
    }
}

/// Rows of one subject.
type Subject = fn(Scale, &mut Table) -> Result<()>;

/// In the order of printing.
const SUBJECTS: [(&str, Subject); 21] = [
    ("percentile", percentile::run),
    ("one-run", one_run::run),
    ("repeated", repeated::run),
    ("lockstep", lockstep::run),
    ("tokens", tokens::run),
    ("means", means::run),
    ("correlated", correlated::run),
    ("clean", clean::run),
    ("planted", planted::run),
    ("cheats", cheats::run),
    ("steady", steady::run),
    ("stopping", stopping::run),
    ("gate", gate::run),
    ("trend", trend::run),
    ("watched", watched::run),
    ("sweep", sweep::run),
    ("search-truth", search_truth::run),
    ("search", search::run),
    ("compare", compare::run),
    ("compare-engine", compare::engine),
    // Behind the others: it prints tables of its own.
    ("scale", scale::run),
];

/// Runs what `arguments` name: a subject or none for all, a scale (`quick`, `full`, which is the default, or how
/// many repetitions), and words that the names of rows hold, in this order. Sweeps, searches, engines and cheats know
/// their rows before they measure them; the others measure all.
///
/// # Errors
/// For unknown names, and when a run that is not quick misses a target.
pub fn run(arguments: &[String]) -> Result<()> {
    let mut words = arguments.iter().map(String::as_str).peekable();
    let name = words.next_if(|word| Scale::parse(word).is_none());
    let scale = words.next_if(|word| Scale::parse(word).is_some());
    let scale = scale.and_then(Scale::parse).unwrap_or(Scale::Full);
    let subjects: Vec<_> = SUBJECTS
        .into_iter()
        .filter(|(known, _)| name.is_none_or(|name| name == *known))
        .collect();
    if subjects.is_empty() {
        let known = SUBJECTS.map(|(name, _)| name).join(", ");
        bail!(
            "unknown subject `{}`: quick, full, a number, or one of {known}",
            name.unwrap_or_default()
        );
    }
    let mut table = Table::new(words.map(str::to_owned).collect());
    for (_, subject) in subjects {
        subject(scale, &mut table)?;
    }
    let missed = table.missed();
    if scale != Scale::Quick && !missed.is_empty() {
        bail!("targets missed: {}", missed.join("; "));
    }
    Ok(())
}
