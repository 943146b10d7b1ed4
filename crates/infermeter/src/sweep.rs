//! How the runs of a sweep are shown, as they come and together.

use crate::exit;
use crate::several::{Rendering, Seen, code_of_runs, judged};
use crate::told::ExperimentOutput;
use infermeter_analysis::{CurveAnswer, Gated, SloStatus, all_failed};
use infermeter_core::finding::Verdict;
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_protocol::{Coordinates, Intensity, RunPoint, Sweep};
use infermeter_report::{Axis, Document, SweepView, number, of_sweep, sentence};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Looks whose errors are told one by one.
const TOLD_LOOKS: usize = 5;

/// Levels of load.
pub(crate) struct Swept;

/// A sweep for programs.
pub(crate) type SweepOutput<'a> = ExperimentOutput<'a, SweepFound<'a>, SweepRun>;

/// What a sweep has found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SweepFound<'a> {
    /// The curve of each plan.
    curves: &'a [CurveAnswer],
    /// What was varied, of each plan.
    names: Vec<String>,
    /// The answer of each curve in a sentence; null where no level is known to meet the objectives.
    sentences: Vec<Option<String>>,
}

/// What is said of a run of a sweep.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SweepRun {
    /// Which load, of which plan.
    at: Coordinates,
    /// How many there were at the same coordinates before it.
    replicate: usize,
}

impl Rendering<Sweep> for Swept {
    const FILE: &'static str = "sweep.json";

    fn names(&self, protocol: &Sweep, variants: &[Plan]) -> Vec<String> {
        names(protocol, variants)
    }

    fn finds(&self, protocol: &Sweep) -> Vec<String> {
        let spec = protocol.spec();
        let levels = match protocol.given() {
            Some(_) => "Levels as given, up to the first that the server cannot take".to_owned(),
            None => format!(
                "Levels by doubling past saturation, then refined until the boundary is known within {} %",
                spec.resolution * 100.0
            ),
        };
        let asks = match protocol.has_objectives() {
            true => "meets the objectives",
            false => "the server keeps up with; give --slo for latencies",
        };
        let law = match spec.is_closed() || !protocol.has_objectives() {
            true => "",
            false => {
                " A law over the margins of all runs gives its interval where enough levels lie near it."
            }
        };
        vec![
            format!("{levels}. Finds the highest load that {asks}, between two levels.{law}"),
            looks(protocol),
        ]
    }

    fn lines(&self, protocol: &Sweep, points: &[RunPoint]) -> Vec<String> {
        let last = points.last();
        last.map(|point| line(protocol, point))
            .into_iter()
            .collect()
    }

    fn document(&self, seen: &Seen<'_, Sweep>) -> Document {
        let names = names(seen.protocol, seen.variants);
        of_sweep(&SweepView {
            answer: &seen.answer,
            axis: axis(seen.protocol),
            names: &names,
            runs: judged(seen.points),
        })
    }

    fn json(&self, seen: &Seen<'_, Sweep>, gate: Option<&Gated>) -> Value {
        let axis = axis(seen.protocol);
        let sentences = seen.answer.curves.iter().map(|curve| sentence(curve, axis));
        let found = SweepFound {
            curves: &seen.answer.curves,
            names: names(seen.protocol, seen.variants),
            sentences: sentences.collect(),
        };
        let of_run = |point: &RunPoint| SweepRun {
            at: point.at,
            replicate: point.replicate,
        };
        let output = SweepOutput::of(found, self.word(seen));
        output.over(seen, of_run).json(gate)
    }

    fn word(&self, seen: &Seen<'_, Sweep>) -> String {
        let axis = axis(seen.protocol);
        let said =
            seen.answer.curves.iter().map(|curve| {
                sentence(curve, axis).unwrap_or_else(|| nothing_found(curve).to_owned())
            });
        said.collect::<Vec<_>>().join("\n")
    }

    /// What was found, not how each level went: some are meant to be missed.
    fn code(&self, seen: &Seen<'_, Sweep>, strict: bool) -> u8 {
        let nothing = seen
            .points
            .iter()
            .all(|point| all_failed(&point.seen.summary));
        let cut = seen.points.iter().filter(|point| !point.seen.is_whole());
        let cut: Vec<RunPoint> = cut.cloned().collect();
        let mut codes = vec![code_of_runs(&cut, false)];
        codes.push(if nothing { exit::TARGET } else { exit::OK });
        for curve in &seen.answer.curves {
            codes.push(code_of_curve(curve, strict));
        }
        exit::gravest(&codes)
    }
}

/// What is said where no level is known to be met.
fn nothing_found(curve: &CurveAnswer) -> &'static str {
    match curve.highest.missed {
        Some(_) => "no level meets the objectives",
        None => "undecided at every level",
    }
}

/// One curve alone.
fn code_of_curve(curve: &CurveAnswer, strict: bool) -> u8 {
    let kept = curve.levels.iter().filter(|level| !level.overloaded);
    let verdict = kept
        .map(|level| level.verdict)
        .max()
        .unwrap_or(Verdict::Valid);
    let trusted = match strict {
        true => exit::of_verdict(verdict, true),
        false => exit::OK,
    };
    let found = match (curve.highest.met, curve.highest.missed) {
        (Some(_), _) => exit::OK,
        (None, Some(_)) => exit::MISSED,
        (None, None) => exit::UNDECIDED,
    };
    exit::gravest(&[trusted, found])
}

pub(crate) fn axis(protocol: &Sweep) -> Axis {
    match protocol.spec().is_closed() {
        true => Axis::Concurrency,
        false => Axis::Rate,
    }
}

/// The looks at each level, and what chance of a wrong answer each may spend.
fn looks(protocol: &Sweep) -> String {
    let looks = protocol.looks();
    let told = |index: usize| {
        let error = number::percent(looks.error(index));
        match looks.times(index) {
            1 => error,
            times => format!("{error} ({times} times as long)"),
        }
    };
    let mut each: Vec<String> = (0..looks.most.min(TOLD_LOOKS)).map(told).collect();
    if looks.most > TOLD_LOOKS {
        each.push(format!("... + {}", told(looks.most - 1)));
    }
    if looks.most == 1 {
        return format!(
            "A level is looked at after its run, and decided where intervals lie on one side of the limits; the \
             chance of a wrong answer for one objective is at most {}, on either side.",
            each.concat()
        );
    }
    format!(
        "A level is looked at after each of at most {}, and decided where intervals lie on one side of the limits; \
         the chance of a wrong answer for one objective is at most {}, {} in all, on either side. Levels that are \
         undecided where the answer lies get the later runs.",
        counted(looks.most as u64, "run"),
        each.join(" + "),
        number::percent((0..looks.most).map(|index| looks.error(index)).sum())
    )
}

/// What was varied, of each plan.
pub(crate) fn names(protocol: &Sweep, variants: &[Plan]) -> Vec<String> {
    let mut keys: Vec<&str> = Vec::new();
    for written in &protocol.spec().vary {
        let key = written.split('=').next().unwrap_or(written);
        let key = key.trim().trim_start_matches('-');
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let name = |plan: &Plan| {
        let values = crate::values::map_of(plan);
        let of = |key: &&str| match &values[*key] {
            Value::String(text) => format!("{key}={text}"),
            other => format!("{key}={other}"),
        };
        keys.iter().map(of).collect::<Vec<_>>().join(" ")
    };
    variants.iter().map(name).collect()
}

/// What is said of a run that has ended.
fn line(protocol: &Sweep, point: &RunPoint) -> String {
    let load = match point.at.load {
        Some(load @ (Intensity::Rate(_) | Intensity::Concurrency(_))) => load.to_string(),
        None => String::new(),
    };
    let status = match protocol.status_of(point) {
        SloStatus::Met => "met",
        SloStatus::Missed => "missed",
        SloStatus::Undecided => "undecided",
    };
    format!(
        "Run {}: {load}: {status}; {}",
        point.number,
        infermeter_report::run_figures(&point.seen.summary, point.seen.verdict)
    )
}
