//! What repeated runs say together, on a terminal and as JSON.
//!
//! Invariant: `repeat.json` holds nothing that cannot be computed again from the runs' records.

use crate::{exit, output};
use infermeter_core::plan::Plan;
use infermeter_protocol::{Kept, Repeat, RunPoint, Together};
use infermeter_report::{Block, Document, Section, Tone};
use infermeter_session::kept_experiment::Missing;
use serde_json::{Value, json};

/// The runs of an experiment, and what they say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs<'a> {
    /// What decides over them.
    pub protocol: &'a Repeat,
    /// Those that are there.
    pub points: &'a [RunPoint],
    /// Those that are not.
    pub missing: &'a [Missing],
    /// What they say together.
    pub together: &'a Together,
}

impl Runs<'_> {
    /// `repeat.json`; what is missing is named where something is.
    pub fn json(&self) -> Value {
        let about = self.points.iter().map(|point| {
            let seen = &point.seen;
            json!({
                "directory": seen.place.directory,
                "run_id": seen.place.run_id,
                "verdict": seen.verdict,
                "seeds": seen.place.seeds,
                "state": seen.state,
            })
        });
        let mut value = json!({
            "format_version": infermeter_core::run::FORMAT_VERSION,
            "verdict": self.together.verdict,
            "findings": self.together.findings,
            "precision": self.together.looks,
            "repeated": self.together.repeated,
            "runs": about.collect::<Vec<_>>(),
        });
        if !self.missing.is_empty() {
            value["missing"] = json!(self.missing);
        }
        value
    }

    /// The runs, the figures over them, and what is missing.
    pub fn document(&self) -> Document {
        let Together {
            repeated,
            looks,
            verdict,
            findings,
        } = self.together;
        let mut document = infermeter_report::of_repeated(repeated, looks, *verdict, findings);
        let missing = missing_lines(self.protocol, self.points.len(), self.missing);
        let missing = missing
            .into_iter()
            .map(|line| Block::Text(Tone::Plain, line));
        document.push(missing.fold(Section::new("Missing"), Section::with));
        document
    }

    /// A line for each run.
    pub fn each(&self) -> Section {
        let lines = all_run_lines(self.protocol, self.points).into_iter();
        let lines = lines.map(|line| Block::Text(Tone::Plain, line));
        lines.fold(Section::new("Runs"), Section::with)
    }

    /// The gravest of the runs' exit codes, and of the verdict on all of them.
    pub fn code(&self, strict: bool) -> u8 {
        let of = |point: &RunPoint| {
            let seen = &point.seen;
            let code = exit::of_run(seen.state, &seen.summary, seen.verdict, strict);
            match &seen.kept {
                Kept::Whole => code,
                Kept::InPart { .. } => exit::gravest(&[code, exit::INVALID]),
            }
        };
        let mut codes: Vec<u8> = self.points.iter().map(of).collect();
        codes.push(exit::of_verdict(self.together.verdict, strict));
        exit::gravest(&codes)
    }
}

/// A line for the last of these runs, and one for the look at it.
pub(crate) fn run_lines(protocol: &Repeat, points: &[RunPoint]) -> Vec<String> {
    let Some(last) = points.last() else {
        return Vec::new();
    };
    let so_far = protocol.together(points);
    let (verdict, most) = (last.seen.verdict, protocol.most());
    let line = infermeter_report::run_line(last.number, most, verdict, &so_far.repeated);
    let look = so_far.looks.last().filter(|_| last.seen.is_whole());
    let look = look.map(|look| format!("  {}", infermeter_report::look_line(look)));
    std::iter::once(line).chain(look).collect()
}

/// The same for each of these runs.
pub(crate) fn all_run_lines(protocol: &Repeat, points: &[RunPoint]) -> Vec<String> {
    let upto = (1..=points.len()).map(|there| run_lines(protocol, &points[..there]));
    upto.flatten().collect()
}

/// Which runs are missing, where some are, and why.
pub(crate) fn missing_lines(protocol: &Repeat, there: usize, missing: &[Missing]) -> Vec<String> {
    if missing.is_empty() {
        return Vec::new();
    }
    let most = protocol.most();
    let asked = match protocol.until() {
        None => format!("{most} runs were asked for"),
        Some((until, _)) => format!("at most {most} runs were asked for, until {until}"),
    };
    let are = if there == 1 { "is" } else { "are" };
    let lines = missing
        .iter()
        .map(|m| format!("  run {}: {}", m.run, m.why));
    std::iter::once(format!("{asked}; {there} {are} there. Missing:"))
        .chain(lines)
        .collect()
}

/// Says how a run went that has just ended, last of `points`.
pub(crate) fn tell(plan: &Plan, protocol: &Repeat, points: &[RunPoint]) {
    if let Some(RunPoint { number, seen, .. }) = points.last()
        && let Kept::InPart { why } = &seen.kept
    {
        output::note(&format!("run {number}: its record is not complete: {why}"));
    }
    if !plan.quiet {
        let lines = run_lines(protocol, points);
        lines.iter().for_each(|line| output::note(line));
    }
}
