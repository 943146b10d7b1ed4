//! A monitor: the same small run at fixed instants for as long as it is wanted, each into a history, and what changed.
//!
//! It prints nothing, sends no message and decides no exit code: who calls hears of every instant. Invariants: the
//! figures of a run are in the history before its line says so; a run that failed is a line like any other; nothing
//! grows but the history and the lines; what a kill leaves is readable, and the next monitor of the folder goes on
//! there.

mod folder;
mod line;
mod news;
mod pace;
pub mod webhook;

#[cfg(test)]
mod tests;

use folder::MONITOR_FILE;
pub use folder::{Keep, default_folder};
pub use line::{
    FigureChange, MONITOR_VERSION, MonitorError, MonitorLine, MonitoredRun, News, NewsKind,
    SlotState,
};
pub use pace::{MachinePace, Pace, Waited};

use crate::drive::{Bench, Order};
use crate::failure::Cause;
use crate::history::{self, Entry, History, Origin, looked_at};
use crate::measure::Measure;
use crate::redact::redact_url;
use crate::run_id::timestamp;
use crate::runs::{Into, Runs};
use anyhow::{Error, Result};
use folder::{Folder, Opened};
use infermeter_analysis::{Summary, all_failed, objectives};
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_core::slo::Measure as Figure;
use infermeter_core::text::{inert, inert_lines};
use infermeter_core::units::Span;
use infermeter_protocol::{Coordinates, Kept, RunSeen};
use news::Told;
use pace::{Instant, Instants};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::slice;

/// Longest message of an error, bytes.
const MOST_BYTES: usize = 2_000;

/// What is watched, and how.
#[derive(Debug, Clone)]
pub struct Watch<'a> {
    /// The run.
    pub plan: &'a Plan,
    /// Where everything goes.
    pub folder: &'a Path,
    /// From one instant to the next; more than 0.
    pub every: Span,
    /// So many instants; absent: without end.
    pub runs: Option<u64>,
    /// No instant later than this after the first; absent: without end.
    pub lasting: Option<Span>,
    /// Records that stay.
    pub keep: Keep,
    /// The name of the server, in place of its address.
    pub server: Option<&'a str>,
    /// The figures that are looked at; empty: the usual ones.
    pub figures: &'a [Figure],
    /// The headline of a summary, for the history.
    pub headline: fn(&Summary) -> Value,
}

/// What a monitor has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// Instants at which something was begun.
    pub slots: u64,
    /// Those that were passed over.
    pub skipped: u64,
    /// Runs with answers.
    pub measured: u64,
    /// Instants at which the target could not be used, or no request completed.
    pub down: u64,
    /// Those at which something else kept it from being measured.
    pub failed: u64,
    /// Changes of figures for the worse, and objectives that began to be missed.
    pub regressions: u64,
    /// A signal ended it.
    pub stopped: bool,
}

/// What is to be done after an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onward {
    /// Go on.
    GoOn,
    /// End here.
    End,
}

/// Watches until it was enough, a signal comes, or `tell` ends it. `measure` makes what measures, anew for every
/// instant: a server may have become another one.
///
/// # Errors
/// When the folder cannot be used, and when nothing can be measured at the first instant for a reason that is not the
/// target's: a wrong plan stays wrong.
pub fn watch<M: Measure>(
    asked: &Watch<'_>,
    pace: &mut dyn Pace,
    measure: &mut dyn FnMut() -> M,
    tell: &mut dyn FnMut(&MonitorLine) -> Onward,
) -> Result<Watched> {
    let mut monitor = Monitor::open(asked)?;
    let instants = Instants {
        first_ns: pace.now_ns(),
        every: asked.every,
    };
    let mut instant = instants.first();
    let mut watched = Watched::default();
    loop {
        if asked.is_over(&watched, instant.due_ns - instants.first_ns) {
            return Ok(watched);
        }
        watched.stopped = pace.wait_until(instant.due_ns) == Waited::Stopped;
        if watched.stopped {
            return Ok(watched);
        }
        let Some(line) = monitor.at(instant, pace, measure())? else {
            watched.stopped = true;
            return Ok(watched);
        };
        watched.count(&line);
        let onward = tell(&line);
        if watched.stopped || onward == Onward::End {
            return Ok(watched);
        }
        instant = instants.after(instant.number, pace.now_ns());
    }
}

impl Watch<'_> {
    fn is_over(&self, watched: &Watched, passed_ns: i64) -> bool {
        self.runs.is_some_and(|runs| watched.slots >= runs)
            || self.lasting.is_some_and(|time| passed_ns > time.ns())
    }
}

impl Watched {
    fn count(&mut self, line: &MonitorLine) {
        self.slots += 1;
        self.skipped += line.skipped;
        match line.state {
            SlotState::Measured => self.measured += 1,
            SlotState::Down => self.down += 1,
            SlotState::Failed => self.failed += 1,
            SlotState::Interrupted => self.stopped = true,
        }
        let worse = line.news.iter().filter(|news| news.kind.is_regression());
        self.regressions += worse.count() as u64;
    }
}

/// A monitor between two instants.
struct Monitor<'a> {
    asked: &'a Watch<'a>,
    /// The run, without what says where it goes.
    plan: Plan,
    server: String,
    figures: Vec<Figure>,
    folder: Folder,
    told: Told,
    /// The number of the first instant.
    first_slot: u64,
    /// Directories of runs whose figures are not in the history yet.
    not_entered: Vec<PathBuf>,
    /// Said with the next line.
    problems: Vec<String>,
    /// Nothing has been measured yet.
    is_untried: bool,
}

/// What was seen at an instant, before it is compared with what was before.
struct Seen {
    state: SlotState,
    run: Option<MonitoredRun>,
    error: Option<MonitorError>,
    /// The series of the run in the history.
    series: Option<String>,
}

impl<'a> Monitor<'a> {
    fn open(asked: &'a Watch<'a>) -> Result<Self> {
        let Opened {
            folder,
            lines,
            damaged,
        } = Folder::open(asked.folder)?;
        let last = lines.iter().map(|line| line.slot).max().unwrap_or(0);
        // A run that was cut off, or ended in the instant before its line was written.
        let beyond = folder.runs()?.into_iter().filter(|run| run.slot > last);
        let beyond: Vec<_> = beyond.collect();
        let newest = beyond.last().map_or(last, |run| run.slot);
        let mut problems = Vec::new();
        if damaged > 0 {
            problems.push(format!(
                "{damaged} of the lines in {MONITOR_FILE} cannot be read, and are left as they are"
            ));
        }
        let address = redact_url(&asked.plan.target);
        Ok(Self {
            asked,
            plan: Plan {
                out: None,
                ..asked.plan.clone()
            },
            server: inert(asked.server.unwrap_or(&address), 200),
            figures: looked_at(asked.figures),
            told: Told::of(lines.iter()),
            folder,
            first_slot: newest + 1,
            not_entered: beyond.into_iter().map(|run| run.path).collect(),
            problems,
            is_untried: true,
        })
    }

    /// What becomes of an instant; `None` where a signal came before anything was measured.
    fn at(
        &mut self,
        instant: Instant,
        pace: &dyn Pace,
        measure: impl Measure,
    ) -> Result<Option<MonitorLine>> {
        let slot = self.first_slot + instant.number;
        let late_ns = pace.now_ns() - instant.due_ns;
        let due_ns = pace.unix_ns() - late_ns;
        self.told.begins(due_ns);
        let directory = self.folder.of_run(slot);
        let seen = match self.measured(measure, &directory) {
            Ok(seen) => self.entered(seen, directory),
            Err(error) if Cause::of(&error) == Cause::Interrupted => return Ok(None),
            Err(error) if self.is_untried && Cause::of(&error) != Cause::Target => {
                return Err(error);
            }
            Err(error) => Seen::nothing(&error),
        };
        self.is_untried = false;
        let news = self.news(&seen, due_ns);
        let pruned = self.folder.prune(self.asked.keep);
        self.problems.extend(pruned.problems);
        let mut line = MonitorLine {
            format_version: MONITOR_VERSION,
            slot,
            server: self.server.clone(),
            due_ns,
            due: timestamp(due_ns),
            late_ms: late_ns as f64 / 1e6,
            skipped: instant.skipped,
            state: seen.state,
            run: seen.run,
            error: seen.error,
            news,
            problems: std::mem::take(&mut self.problems),
            removed: pruned.removed,
        };
        if let Err(error) = self.folder.add(&line) {
            line.problems.push(said(&error));
        }
        Ok(Some(line))
    }

    fn measured(&self, measure: impl Measure, directory: &Path) -> Result<RunSeen> {
        let into = Into::Alone(Some(directory.to_owned()));
        let mut runs = Runs::new(measure, slice::from_ref(&self.plan), into);
        runs.measure(Order {
            number: 1,
            at: &Coordinates::default(),
            replicate: 0,
        })
    }

    /// Keeps the figures of a run that left a record.
    fn entered(&mut self, seen: RunSeen, directory: PathBuf) -> Seen {
        if let Kept::InPart { why } = &seen.kept {
            return Seen {
                error: Some(MonitorError {
                    cause: Cause::Invalid,
                    message: inert_lines(why),
                }),
                ..Seen::of(SlotState::Failed)
            };
        }
        let state = match (seen.state, all_failed(&seen.summary)) {
            (RunState::Interrupted | RunState::Running, _) => SlotState::Interrupted,
            (RunState::Finished, true) => SlotState::Down,
            (RunState::Finished, false) => SlotState::Measured,
        };
        self.not_entered.push(directory.clone());
        let mut new = None;
        for path in std::mem::take(&mut self.not_entered) {
            match self.enter(&path) {
                Ok(entry) if path == directory => new = Some(entry),
                Ok(_) => {}
                Err(error) => {
                    self.problems.push(said(&error));
                    // It may have been removed, by its age or by hand.
                    if path.is_dir() {
                        self.not_entered.push(path);
                    }
                }
            }
        }
        let series = new.as_ref().map(|entry| entry.series.clone());
        Seen {
            run: new.map(|entry| self.run(entry, &seen)),
            series,
            ..Seen::of(state)
        }
    }

    fn enter(&self, directory: &Path) -> Result<Entry> {
        let entry = history::entry(
            directory,
            &Origin {
                from: directory,
                occasion: None,
                server: self.asked.server,
                more: self.asked.figures,
                headline: self.asked.headline,
            },
        )?;
        history::add(self.folder.path(), slice::from_ref(&entry))?;
        Ok(entry)
    }

    fn run(&self, entry: Entry, seen: &RunSeen) -> MonitoredRun {
        let names: Vec<String> = self.figures.iter().map(Figure::to_string).collect();
        let usable = entry.is_usable();
        let mut figures = entry.figures;
        figures.retain(|name, _| names.contains(name));
        MonitoredRun {
            run_id: entry.run_id,
            directory: entry.from,
            verdict: entry.verdict,
            usable,
            findings: entry.findings,
            requests: seen.summary.requests.measured.total,
            figures,
            objectives: objectives(&seen.summary),
        }
    }

    /// What has changed with this instant.
    fn news(&mut self, seen: &Seen, due_ns: i64) -> Vec<News> {
        let mut news = Vec::new();
        news.extend(self.told.target(seen.state, due_ns));
        // Where no request completes it is told that it is down, and not once more that objectives are missed.
        let run = seen.run.as_ref().filter(|run| run.usable);
        let answer = run.and_then(|run| run.objectives);
        news.extend(self.told.objectives(answer, due_ns));
        let Some(series) = seen.series.as_ref().filter(|_| run.is_some()) else {
            return news;
        };
        match History::read(self.folder.path()) {
            Ok(history) => {
                let plan = history.plans.iter().find(|plan| plan.id == *series);
                let changes = plan.map(|plan| self.told.changes(plan, &self.figures));
                news.extend(changes.into_iter().flatten());
            }
            Err(error) => self.problems.push(said(&error)),
        }
        news
    }
}

impl Seen {
    fn of(state: SlotState) -> Self {
        Self {
            state,
            run: None,
            error: None,
            series: None,
        }
    }

    /// Nothing was measured.
    fn nothing(error: &Error) -> Self {
        let cause = Cause::of(error);
        Self {
            error: Some(MonitorError {
                cause,
                message: said(error),
            }),
            ..Self::of(match cause {
                Cause::Target => SlotState::Down,
                Cause::Usage | Cause::Invalid | Cause::Interrupted => SlotState::Failed,
            })
        }
    }
}

/// An error in one text, of limited length.
fn said(error: &Error) -> String {
    inert_lines(&limited(&format!("{error:#}")))
}

fn limited(text: &str) -> String {
    match text.char_indices().nth(MOST_BYTES) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
