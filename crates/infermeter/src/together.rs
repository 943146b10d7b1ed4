//! What repeated runs say together, on a terminal and as JSON.
//!
//! Invariant: `repeat.json` holds nothing that cannot be computed again from the runs' records.

use crate::exit;
use crate::several::{Rendering, Seen, code_of_runs};
use crate::told::ExperimentOutput;
use infermeter_analysis::{Gated, PrecisionLook};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::seed::Seeds;
use infermeter_protocol::{OfRuns, Repeat, RunPoint, Together};
use infermeter_report::Document;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Runs of one plan.
pub(crate) struct Repeated;

/// Repeated runs for programs.
pub(crate) type RepeatOutput<'a> = ExperimentOutput<'a, RepeatFound<'a>, RepeatRun>;

/// What repeated runs have found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RepeatFound<'a> {
    /// Whether they can be trusted together.
    verdict: Verdict,
    /// What speaks against them.
    findings: &'a [Finding],
    /// The looks at the precision that `--until` asks for; none where it asks for none.
    precision: &'a [PrecisionLook],
    /// Every figure over the runs.
    repeated: &'a infermeter_analysis::Repeated,
}

/// What is said of a repeated run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RepeatRun {
    /// Its seeds.
    seeds: Seeds,
}

impl Rendering<Repeat> for Repeated {
    const FILE: &'static str = "repeat.json";

    fn finds(&self, protocol: &Repeat) -> Vec<String> {
        let Some((until, looks)) = protocol.until() else {
            return Vec::new();
        };
        let looks: Vec<String> = looks.iter().map(usize::to_string).collect();
        vec![format!(
            "{until}: at most {} runs; a look after each while requests are independent, else after {} \
             runs",
            protocol.most(),
            looks.join(", ")
        )]
    }

    /// A line for the run, and one for the look at it.
    fn lines(&self, protocol: &Repeat, points: &[RunPoint]) -> Vec<String> {
        let Some(last) = points.last() else {
            return Vec::new();
        };
        let so_far = protocol.so_far(points);
        let (verdict, most) = (last.seen.verdict, protocol.most());
        let line = infermeter_report::run_line(last.number, most, verdict, &so_far.repeated);
        let look = so_far.looks.last().filter(|_| last.seen.is_whole());
        let look = look.map(|look| format!("  {}", infermeter_report::look_line(look)));
        std::iter::once(line).chain(look).collect()
    }

    fn there(&self, protocol: &Repeat, points: &[RunPoint]) -> String {
        let most = protocol.most();
        let asked = match protocol.until() {
            None => format!("{most} runs were asked for"),
            Some((until, _)) => format!("at most {most} runs were asked for, until {until}"),
        };
        let there = points.len();
        let are = if there == 1 { "is" } else { "are" };
        format!("{asked}; {there} {are} there")
    }

    fn document(&self, seen: &Seen<'_, Repeat>) -> Document {
        let Together {
            repeated,
            looks,
            verdict,
            findings,
        } = &seen.answer;
        infermeter_report::of_repeated(repeated, looks, *verdict, findings)
    }

    fn json(&self, seen: &Seen<'_, Repeat>, gate: Option<&Gated>) -> Value {
        let together = &seen.answer;
        let found = RepeatFound {
            verdict: together.verdict,
            findings: &together.findings,
            precision: &together.looks,
            repeated: &together.repeated,
        };
        let of_run = |point: &RunPoint| RepeatRun {
            seeds: point.seen.place.seeds,
        };
        let output = RepeatOutput::of(found, self.word(seen));
        output.over(seen, of_run).json(gate)
    }

    fn word(&self, seen: &Seen<'_, Repeat>) -> String {
        seen.answer.verdict.as_str().to_owned()
    }

    /// The gravest of the runs' exit codes, and of the verdict on all of them.
    fn code(&self, seen: &Seen<'_, Repeat>, strict: bool) -> u8 {
        let verdict = exit::of_verdict(seen.answer.verdict, strict);
        exit::gravest(&[code_of_runs(seen.points, strict), verdict])
    }
}
