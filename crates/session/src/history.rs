//! A history: what is kept of runs of the same plans over time, in one file of a folder.
//!
//! The runs themselves may be gone. Invariants: nothing that was added is changed or removed; a run is in it once;
//! an Invalid run is kept and never used.

mod beside;
mod entry;

pub use entry::{Entry, Origin, entry};

use anyhow::{Context, Result, bail};
use infermeter_analysis::{SloFigure, Trend, TrendRun, trend};
use infermeter_core::finding::Verdict;
use infermeter_core::run::RunState;
use infermeter_core::slo::Measure;
use infermeter_record::{CheckedLines, DamagedLine, LEDGER_FILE, LinesRead, MANIFEST_FILE};
use std::collections::btree_map::Entry as Place;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The file of a history.
const HISTORY_FILE: &str = "history.jsonl";

/// Version of its entries.
pub const HISTORY_VERSION: u32 = 1;

/// Figures that are looked at where none is asked for.
const LOOKED_AT: [&str; 6] = [
    "ttft.p50",
    "ttft.p99",
    "tpot.p50",
    "e2e.p50",
    "output_throughput",
    "error_rate",
];

/// The folder holds a history.
pub fn is_history(folder: &Path) -> bool {
    folder.join(HISTORY_FILE).is_file()
}

/// What a folder keeps.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Runs of the same work on the same server, in order of time.
    pub plans: Vec<KeptPlan>,
    /// Lines of the file that cannot be believed.
    pub damaged: Vec<DamagedLine>,
}

/// Runs of one plan.
#[derive(Debug, Clone, Default)]
pub struct KeptPlan {
    /// What identifies it.
    pub id: String,
    /// Its runs, the oldest first.
    pub runs: Vec<Entry>,
}

/// What became of a run that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was.
    New,
    /// It is there already.
    Known,
}

impl History {
    /// Reads the history of a folder.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        match CheckedLines::read(&folder.join(HISTORY_FILE))? {
            Some(lines) => Ok(Self::of(&lines)),
            None => bail!(
                "{} holds no history: `infermeter history add {0} RUN` begins one",
                folder.display()
            ),
        }
    }

    fn of(lines: &LinesRead) -> Self {
        let mut history = Self {
            plans: Vec::new(),
            damaged: lines.damaged.clone(),
        };
        let mut plans: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for (line, text) in &lines.entries {
            match Entry::parsed(text) {
                Ok(entry) => plans.entry(entry.series.clone()).or_default().push(entry),
                Err(why) => history.damaged.push(DamagedLine { line: *line, why }),
            }
        }
        history.damaged.sort_by_key(|damaged| damaged.line);
        for (id, mut runs) in plans {
            runs.sort_by(|a, b| (a.begun_ns, &a.run_id).cmp(&(b.begun_ns, &b.run_id)));
            history.plans.push(KeptPlan { id, runs });
        }
        // The one that was measured last comes first.
        history
            .plans
            .sort_by_key(|plan| plan.runs.last().map(|run| std::cmp::Reverse(run.begun_ns)));
        history
    }

    /// All of its runs.
    pub fn runs(&self) -> impl Iterator<Item = &Entry> {
        self.plans.iter().flat_map(|plan| &plan.runs)
    }
}

/// A folder that is a record itself takes no history: the file would be a part of it that nobody knows.
///
/// # Errors
/// Where it holds a run or an experiment.
pub fn takes(folder: &Path) -> Result<()> {
    for (file, what) in [(MANIFEST_FILE, "a run"), (LEDGER_FILE, "an experiment")] {
        if folder.join(file).exists() {
            bail!(
                "{} holds {what}, not a history: name a folder of its own",
                folder.display()
            );
        }
    }
    Ok(())
}

/// Adds runs to the history of a folder, which is made where it is not there. Without any nothing is touched.
///
/// # Errors
/// Where the folder takes none, or the file cannot be written; the runs before that are in it.
pub fn add(folder: &Path, entries: &[Entry]) -> Result<Vec<Added>> {
    takes(folder)?;
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let (mut lines, there) = CheckedLines::open(&folder.join(HISTORY_FILE))?;
    let there = History::of(&there);
    let mut known: BTreeSet<String> = there.runs().flat_map(Entry::marks).collect();
    let mut added = Vec::new();
    for entry in entries {
        let is_known = entry.marks().iter().any(|mark| known.contains(mark));
        added.push(match is_known {
            true => Added::Known,
            false => {
                lines.add(entry)?;
                known.extend(entry.marks());
                Added::New
            }
        });
    }
    Ok(added)
}

/// The figures of a plan that are looked at.
pub fn looked_at(asked: &[Measure]) -> Vec<Measure> {
    match asked.is_empty() {
        true => LOOKED_AT
            .iter()
            .filter_map(|figure| figure.parse().ok())
            .collect(),
        false => asked.to_vec(),
    }
}

impl KeptPlan {
    /// Runs that were measured together are one: the others tell nothing of what changes from day to day. Their
    /// first stands for them, with the medians of the figures.
    pub fn occasions(&self) -> Vec<Occasion<'_>> {
        let mut all: Vec<Occasion<'_>> = Vec::new();
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        for run in &self.runs {
            match known.entry(&run.occasion) {
                Place::Occupied(at) => all[*at.get()].runs.push(run),
                Place::Vacant(new) => {
                    new.insert(all.len());
                    all.push(Occasion { runs: vec![run] });
                }
            }
        }
        all
    }

    /// The figures over time, with what else changed where they did.
    pub fn trend(&self, figures: &[Measure]) -> Trend {
        let occasions = self.occasions();
        let runs: Vec<TrendRun> = occasions.iter().map(Occasion::figures).collect();
        let mut found = trend(&runs, figures);
        for figure in &mut found.figures {
            let used: Vec<usize> = figure.points.iter().map(|point| point.run).collect();
            let starts: Vec<usize> = figure.changes.iter().map(|change| change.at).collect();
            for (index, change) in figure.changes.iter_mut().enumerate() {
                let from = index.checked_sub(1).map_or(0, |before| starts[before]);
                let to = starts.get(index + 1).copied().unwrap_or(usize::MAX);
                let of = |inside: &dyn Fn(usize) -> bool| -> Vec<&Entry> {
                    let runs = used.iter().filter(|run| inside(**run));
                    runs.map(|run| occasions[*run].runs[0]).collect()
                };
                let before = of(&|run| run >= from && run < change.at);
                let behind = of(&|run| run >= change.at && run < to);
                change.beside = beside::of(&before, &behind);
            }
        }
        found
    }
}

/// Runs that were measured together.
#[derive(Debug, Clone)]
pub struct Occasion<'a> {
    /// Those runs, at least one.
    pub runs: Vec<&'a Entry>,
}

impl<'a> Occasion<'a> {
    /// Those that may be used.
    pub fn used(&self) -> Vec<&'a Entry> {
        self.runs
            .iter()
            .filter(|run| run.is_usable())
            .copied()
            .collect()
    }

    fn figures(&self) -> TrendRun {
        let used = self.used();
        let of = match used.is_empty() {
            true => &self.runs,
            false => &used,
        };
        let names: BTreeSet<&String> = of.iter().flat_map(|run| run.figures.keys()).collect();
        let figure = |name: &String| {
            let all: Vec<&SloFigure> = of.iter().filter_map(|run| run.figures.get(name)).collect();
            (name.clone(), together(&all))
        };
        TrendRun {
            used: !used.is_empty(),
            figures: names.into_iter().map(figure).collect(),
        }
    }
}

/// The median over runs, of which a figure among the failures is the greatest; a single one keeps its interval.
fn together(all: &[&SloFigure]) -> SloFigure {
    if let [one] = all {
        return (*one).clone();
    }
    let value = |figure: &&SloFigure| match figure.infinite {
        true => Some(f64::INFINITY),
        false => figure.value,
    };
    let mut values: Vec<f64> = all.iter().filter_map(value).collect();
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    let middle = |at: usize| values.get(at).copied();
    let median = middle(n.saturating_sub(1) / 2)
        .zip(middle(n / 2))
        .map(|(a, b)| 0.5 * (a + b));
    let infinite = median.is_some_and(f64::is_infinite);
    SloFigure {
        value: median.filter(|_| !infinite),
        low: None,
        high: None,
        infinite,
        ..all.first().copied().cloned().unwrap_or_default()
    }
}

/// The beginning of an id, by which it is shown.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

impl Entry {
    /// It may be used: it ended as planned, and its figures can be trusted.
    pub fn is_usable(&self) -> bool {
        self.verdict != Verdict::Invalid && self.state == RunState::Finished
    }

    /// What a run is known by: its id, and the digest of its rows.
    fn marks(&self) -> Vec<String> {
        vec![self.run_id.clone(), self.record.clone()]
    }
}

#[cfg(test)]
mod tests;
