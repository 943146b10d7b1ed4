//! How a comparison is shown, as its runs come and together.

use crate::exit;
use crate::several::{Rendering, Seen, code_of_runs};
use crate::told::ExperimentOutput;
use infermeter_analysis::{Answer, Comparison, Gated, Outlook, PilotFigure, all_failed};
use infermeter_core::finding::Verdict;
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_core::seed::Seeds;
use infermeter_core::text::listed;
use infermeter_protocol::{Compare, Coordinates, OfRuns, RunPoint};
use infermeter_report::{Document, answer_line, number, of_comparison, pilot_lines, run_figures};
use infermeter_session::kept_experiment::{Missing, setups};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::cell::OnceCell;

/// Sides in turn.
#[derive(Default)]
pub(crate) struct Compared {
    whole: OnceCell<Whole>,
}

/// A comparison with everything there is to say.
pub(crate) struct Whole {
    /// What was found.
    pub found: Comparison,
    /// What would close its open answers.
    pub outlook: Vec<Outlook>,
}

/// A comparison for programs.
pub(crate) type CompareOutput<'a> = ExperimentOutput<'a, CompareFound<'a>, CompareRun>;

/// What a comparison has found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CompareFound<'a> {
    /// Whether it can be trusted.
    verdict: Verdict,
    /// Every change, and what was decided.
    comparison: &'a Comparison,
    /// What would close the answers that are open.
    outlook: &'a [Outlook],
    /// What all rounds can find, by the first of them; none of saved runs.
    pilot: Vec<PilotFigure>,
}

/// What is said of a run of a comparison.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CompareRun {
    /// Its side, from 0.
    side: usize,
    /// Which load, of which side.
    at: Coordinates,
    /// Its round, from 1.
    round: usize,
    /// Its seeds.
    seeds: Seeds,
}

impl Whole {
    /// With what would close its open answers.
    pub fn of(found: Comparison) -> Self {
        Self {
            outlook: found.outlook(),
            found,
        }
    }

    /// For people.
    pub fn document(&self) -> Document {
        of_comparison(&self.found, &self.outlook)
    }

    /// For programs, of runs that are shown elsewhere.
    pub fn json(&self) -> Value {
        CompareOutput::of(self.told(Vec::new()), self.word()).json(None)
    }

    fn told(&self, pilot: Vec<PilotFigure>) -> CompareFound<'_> {
        CompareFound {
            verdict: self.found.verdict,
            comparison: &self.found,
            outlook: &self.outlook,
            pilot,
        }
    }

    fn word(&self) -> String {
        let verdict = self.found.verdict.as_str();
        format!("{verdict}; {}", answer_line(&self.found))
    }

    /// 3 where it is Invalid, 1 where a side is worse than the first by more than the margin, 5 where an
    /// answer is open.
    pub fn code(&self, strict: bool) -> u8 {
        let of_answer = |answer: Answer| match answer {
            Answer::Worse => exit::MISSED,
            Answer::Undecided | Answer::NotTested => exit::UNDECIDED,
            Answer::Better
            | Answer::BetterWithinMargin
            | Answer::WorseWithinMargin
            | Answer::Equivalent => exit::OK,
        };
        let mut codes: Vec<u8> = self.found.answers().map(of_answer).collect();
        codes.push(exit::of_verdict(self.found.verdict, strict));
        exit::gravest(&codes)
    }
}

impl Compared {
    /// With what the runs say of their set-ups, which is in their directories.
    fn whole(&self, seen: &Seen<'_, Compare>) -> &Whole {
        self.whole.get_or_init(|| {
            Whole::of(match setups(seen.points) {
                Some(setups) => seen.protocol.compared(seen.points, &setups),
                None => seen.answer.clone(),
            })
        })
    }
}

impl Rendering<Compare> for Compared {
    const FILE: &'static str = "compare.json";

    fn names(&self, protocol: &Compare, _variants: &[Plan]) -> Vec<String> {
        protocol.asked.sides.clone()
    }

    fn finds(&self, protocol: &Compare) -> Vec<String> {
        let Compare {
            asked,
            rounds,
            loads,
            ..
        } = protocol;
        let figures: Vec<String> = asked.primary.iter().map(ToString::to_string).collect();
        let least = asked.least_rounds(loads.len());
        let mut lines = vec![format!(
            "{} of {}; {} {}, at a margin of {}",
            counted(*rounds as u64, "round"),
            listed(&asked.sides),
            listed(&figures),
            if figures.len() == 1 {
                "decides"
            } else {
                "decide"
            },
            number::percent(asked.margin)
        )];
        if *rounds < least {
            lines.push(format!(
                "{rounds} rounds decide nothing: no rank or permutation test of this family can reach 0.05 \
                 with fewer than {least}. Raise --rounds, or declare fewer figures with --primary"
            ));
        }
        lines.extend(asked.claims.iter().map(|claim| {
            let side = &asked.sides[claim.active];
            format!("Treatment to be seen in {side} alone: {}", claim.treatment)
        }));
        lines
    }

    fn lines(&self, protocol: &Compare, points: &[RunPoint]) -> Vec<String> {
        let Some(last) = points.last() else {
            return Vec::new();
        };
        let side = &protocol.asked.sides[last.at.variant];
        let load = last
            .at
            .load
            .map_or_else(String::new, |load| format!(" at {load}"));
        let figures = run_figures(&last.seen.summary, last.seen.verdict);
        let round = last.replicate + 1;
        let mut lines = vec![format!(
            "Run {}: round {round}, {side}{load}: {figures}",
            last.number
        )];
        let before = protocol.pilot(&points[..points.len() - 1]);
        if before.is_empty() && !OfRuns::ahead(protocol, points).is_empty() {
            lines.extend(pilot_lines(&protocol.pilot(points), protocol.rounds));
        }
        lines
    }

    fn there(&self, protocol: &Compare, points: &[RunPoint]) -> String {
        let whole = protocol.whole(points);
        let are = if whole == 1 { "is" } else { "are" };
        format!("{whole} of {} rounds {are} whole", protocol.rounds)
    }

    /// The rounds, and the side where all are of one.
    fn place(&self, protocol: &Compare, missing: &[Missing]) -> String {
        let round = |missing: &Missing| (missing.run - 1) / protocol.runs_per_round().max(1) + 1;
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else {
            return String::new();
        };
        let side = |missing: &Missing| missing.at.map(|at| at.variant);
        let same = missing.iter().all(|other| side(other) == side(first));
        let side = side(first).filter(|_| same);
        let side = side.and_then(|side| protocol.asked.sides.get(side));
        let side = side.map_or_else(String::new, |side| format!(", {side}"));
        match (round(first), round(last)) {
            (first, last) if first == last => format!(" (round {first}{side})"),
            (first, last) => format!(" (rounds {first} to {last}{side})"),
        }
    }

    fn document(&self, seen: &Seen<'_, Compare>) -> Document {
        self.whole(seen).document()
    }

    fn json(&self, seen: &Seen<'_, Compare>, gate: Option<&Gated>) -> Value {
        let found = self.whole(seen).told(seen.protocol.pilot(seen.points));
        let of_run = |point: &RunPoint| CompareRun {
            side: point.at.variant,
            at: point.at,
            round: point.replicate + 1,
            seeds: point.seen.place.seeds,
        };
        let output = CompareOutput::of(found, self.word(seen));
        output.over(seen, of_run).json(gate)
    }

    fn word(&self, seen: &Seen<'_, Compare>) -> String {
        self.whole(seen).word()
    }

    fn code(&self, seen: &Seen<'_, Compare>, strict: bool) -> u8 {
        let cut = seen.points.iter().filter(|point| !point.seen.is_whole());
        let cut: Vec<RunPoint> = cut.cloned().collect();
        let dead = seen
            .points
            .iter()
            .any(|point| all_failed(&point.seen.summary));
        let reached = if dead { exit::TARGET } else { exit::OK };
        let code = self.whole(seen).code(strict);
        exit::gravest(&[code_of_runs(&cut, false), reached, code])
    }
}
