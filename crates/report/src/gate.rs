//! The document of a gate: what differs before any speed, the criteria side by side, and how each was judged.

mod charts;

use crate::document::{Block, Cell, Column, Document, Entries, Item, Mark, Section, Table, Tone};
use crate::missing;
use crate::number::{JOIN, in_unit, percent, significant, spaced};
use infermeter_analysis::{
    GateAnswer, GateDoubt, GateForm, GateLine, GateRun, Gated, NoFigure, Unlike,
};
use infermeter_core::finding::Verdict;
use infermeter_core::number::counted;
use infermeter_core::text::listed;

/// What is told of a gate.
pub fn of_gate(gated: &Gated) -> Document {
    let mut document = Document::titled(title(gated));
    document.sections = sections(gated);
    document
}

/// The document of what was measured, with the gate that decided over it in front of its figures.
pub fn with_gate(mut document: Document, gated: &Gated) -> Document {
    let mut of_gate = sections(gated);
    for section in &mut of_gate {
        section.heading = match section.heading.is_empty() {
            true => String::new(),
            false => format!("Gate: {}", section.heading),
        };
    }
    let answer = answer_name(gated.gate.answer);
    document.answers.push(format!("the gate says {answer}"));
    document.sections.splice(0..0, of_gate);
    document
}

/// `Gate: pass`.
fn title(gated: &Gated) -> String {
    format!("Gate: {}", answer_name(gated.gate.answer))
}

fn sections(gated: &Gated) -> Vec<Section> {
    let mut document = Document::default();
    document.push(Section::new("Differs before any speed").with(differences(gated)));
    let heading = format!(
        "{} against {} of the baseline",
        counted(gated.candidate.len() as u64, "run"),
        counted(gated.baseline.len() as u64, "run")
    );
    document.push(
        Section::new(heading)
            .with(table(&gated.gate.lines))
            .with(charts::worse_by(&gated.gate.lines)),
    );
    let history = gated.history.clone().unwrap_or_default();
    document.push(Section::new("Baseline").with(Block::Text(Tone::Plain, history)));
    document.push(Section::new("How each was judged").with(judged(&gated.gate.lines)));
    document.push(Section::new("").with(Block::Text(Tone::Aside, runs(gated))));
    document.sections
}

/// A line for each criterion that does not pass.
pub fn gate_lines(gated: &Gated) -> Vec<String> {
    let open = gated
        .gate
        .lines
        .iter()
        .filter(|line| line.answer != GateAnswer::Pass);
    open.map(|line| {
        let said = format!(
            "gate {}: {}: {}",
            answer_name(line.answer),
            label(line),
            why(line)
        );
        spaced(&said)
    })
    .collect()
}

fn answer_name(answer: GateAnswer) -> &'static str {
    match answer {
        GateAnswer::Pass => "pass",
        GateAnswer::Inconclusive => "inconclusive",
        GateAnswer::Fail => "fail",
    }
}

fn mark(answer: GateAnswer) -> Mark {
    match answer {
        GateAnswer::Pass => Mark::Met,
        GateAnswer::Inconclusive => Mark::Undecided,
        GateAnswer::Fail => Mark::Missed,
    }
}

fn differences(gated: &Gated) -> Block {
    let workload = gated.other_workload.iter();
    let workload = workload.map(|how| format!("another workload (--force): {how}"));
    let unlike = gated.unlike.iter().map(|unlike| {
        let write = |x: f64| match unlike.share {
            true => percent(x),
            false => significant(x),
        };
        let Unlike {
            what,
            baseline,
            candidate,
            ..
        } = unlike;
        format!(
            "{what}: {} in the baseline, {} here",
            write(*baseline),
            write(*candidate)
        )
    });
    let alone = gated.alone.iter();
    let alone = alone.map(|what| format!("not judged: {what}"));
    let items = workload.chain(unlike).chain(alone).map(|text| Item {
        text,
        ..Item::default()
    });
    Block::Items(items.collect())
}

fn table(lines: &[GateLine]) -> Table {
    let columns = [
        "baseline",
        "here",
        "worse by",
        "not accepted",
        "noise",
        "power",
    ];
    let columns = [&columns.map(Column::right)[..], &[Column::left("answer")]].concat();
    let mut table = Table::new("", columns);
    for line in lines {
        let figure = |value: Option<f64>, without: Option<NoFigure>| match value {
            Some(value) => Cell::of(in_unit(value, &line.unit)),
            None => without.map_or_else(|| Cell::noted("no run"), missing::cell),
        };
        let share = |share: Option<f64>, otherwise: &str| {
            share.map_or_else(
                || Cell::noted(otherwise),
                |share| Cell::of(change(share, line)),
            )
        };
        let [worse, noise, power] = match line.form {
            GateForm::Level => [Cell::noted("a level"), Cell::noted(""), Cell::noted("")],
            _ => [
                share(line.worse, "unknown"),
                share(line.noise, &too_few(line)),
                line.power
                    .map_or_else(|| Cell::noted("unknown"), |power| Cell::of(percent(power))),
            ],
        };
        let cells = vec![
            figure(line.baseline, line.baseline_without),
            figure(line.candidate, line.candidate_without),
            worse,
            Cell::of(change(line.threshold, line)),
            noise,
            power,
            Cell::of(answer_name(line.answer)),
        ];
        table.row(label(line), cells);
    }
    table
}

/// What the noise between runs takes.
fn too_few(line: &GateLine) -> String {
    match line.form {
        GateForm::PairedRounds => "needs 2 rounds".to_owned(),
        GateForm::PairedLevels => "needs 2 levels".to_owned(),
        GateForm::TwoGroups | GateForm::OneRun | GateForm::Level => "needs 2 runs".to_owned(),
    }
}

/// A change in percent, of a share in percentage points.
fn change(change: f64, line: &GateLine) -> String {
    let points = line.unit.is_empty() && line.form != GateForm::Level;
    let unit = if points { "pp" } else { "%" };
    format!("{}{JOIN}{unit}", significant(change * 100.0))
}

fn judged(lines: &[GateLine]) -> Entries {
    let mut entries = Entries::default();
    for line in lines {
        entries.marked(mark(line.answer), &label(line), why(line));
        if let Some(text) = basis(line) {
            entries.more(text);
        }
    }
    entries
}

/// The answer in words.
fn why(line: &GateLine) -> String {
    let write = |x: Option<f64>, open: &str| x.map_or_else(|| open.to_owned(), |x| change(x, line));
    let subject = match (line.form, line.worse) {
        (GateForm::Level, _) => "the share is",
        (_, Some(worse)) if worse < 0.0 => "better by",
        _ => "worse by",
    };
    let range = format!(
        "{subject} {} [worse by at least {}, at most {}]",
        write(line.worse.map(f64::abs), "an unknown amount"),
        write(line.at_least, "anything"),
        write(line.at_most, "anything")
    );
    let range = match line.form {
        GateForm::Level => range.replace("[worse by at least", "[at least"),
        _ => range,
    };
    match line.doubt {
        Some(GateDoubt::WithoutFigure {
            baseline,
            candidate,
        }) => without(line, baseline, candidate),
        Some(GateDoubt::TooFewRuns { needed }) if is_paired(line) => format!(
            "{} are too few: it needs {}",
            units(line, line.candidate_runs),
            units(line, needed)
        ),
        Some(GateDoubt::TooFewRuns { needed }) => format!(
            "the baseline has {}, and needs {needed} for {} here",
            counted(line.baseline_runs as u64, "run"),
            counted(line.candidate_runs as u64, "run")
        ),
        Some(GateDoubt::LevelsLost { levels }) => format!(
            "{range}, but {} that the baseline holds is too much for the server here",
            counted(levels as u64, "level")
        ),
        Some(GateDoubt::NotTold) => format!("{range}: neither shown nor ruled out"),
        None => range,
    }
}

/// In how many runs a figure is missing, and why.
fn without(line: &GateLine, baseline: usize, candidate: usize) -> String {
    let of = |runs: usize, whose: &str, why: Option<NoFigure>| {
        let why = why.map_or_else(String::new, |why| format!(" ({})", missing::sentence(why)));
        (runs > 0).then(|| format!("{} {whose}{why}", counted(runs as u64, "run")))
    };
    let sides = [
        of(baseline, "of the baseline", line.baseline_without),
        of(candidate, "here", line.candidate_without),
    ];
    let sides: Vec<String> = sides.into_iter().flatten().collect();
    format!("no such figure in {}", listed(&sides))
}

fn is_paired(line: &GateLine) -> bool {
    matches!(line.form, GateForm::PairedRounds | GateForm::PairedLevels)
}

/// What the test counts.
fn unit(line: &GateLine) -> &'static str {
    match line.form {
        GateForm::PairedRounds => "round",
        GateForm::PairedLevels => "level",
        GateForm::TwoGroups | GateForm::OneRun | GateForm::Level => "baseline run",
    }
}

fn units(line: &GateLine, count: usize) -> String {
    counted(count as u64, unit(line))
}

/// The criterion, and which of several groups it is judged on.
fn label(line: &GateLine) -> String {
    match line.of.is_empty() {
        true => line.criterion.clone(),
        false => format!("{}, {}", line.criterion, line.of),
    }
}

/// The form, what it needs, and what it can find.
fn basis(line: &GateLine) -> Option<String> {
    let (before, here) = (line.baseline_runs, line.candidate_runs);
    let form = match line.form {
        GateForm::PairedRounds => {
            let rounds = counted(here as u64, "round");
            format!("{rounds} in turn, exact signed-rank test")
        }
        GateForm::PairedLevels => {
            let levels = counted(here as u64, "level");
            format!("{levels} that both sweeps have, exact signed-rank test")
        }
        GateForm::TwoGroups => {
            format!("two groups of runs, exact rank-sum test: {here} against {before}")
        }
        GateForm::OneRun => {
            let runs = counted(before as u64, "baseline run");
            format!("one run against the prediction interval of {runs}")
        }
        GateForm::Level => {
            return Some("a level, judged on the requests of the runs here".to_owned());
        }
    };
    let p = line.p_adjusted.map(|p| match p < 0.001 {
        true => "; p < 0.001".to_owned(),
        false => format!("; p {}", significant(p)),
    });
    let least = line
        .least_baseline_runs
        .map(|least| format!("; needs at least {}", units(line, least)));
    let power = line.noise.zip(line.power).map(|(noise, power)| {
        format!(
            "; {}s differ by {}, so that a change of {} is found in {} of cases",
            unit(line),
            change(noise, line),
            change(line.threshold, line),
            percent(power)
        )
    });
    let parts = [p, least, power].map(Option::unwrap_or_default);
    Some(form + &parts.concat())
}

/// Verdicts that a reader has to know of.
fn runs(gated: &Gated) -> String {
    let doubtful = |runs: &[GateRun], side: &str| {
        let verdicts = [Verdict::Invalid, Verdict::Questionable].map(|verdict| {
            let n = runs.iter().filter(|run| run.verdict == verdict).count() as u64;
            (n > 0).then(|| format!("{} {}", counted(n, "run"), verdict.as_str()))
        });
        let said: Vec<String> = verdicts.into_iter().flatten().collect();
        match said.is_empty() {
            true => String::new(),
            false => format!("{side}: {}. ", said.join(", ")),
        }
    };
    doubtful(&gated.baseline, "Of the baseline") + &doubtful(&gated.candidate, "Here")
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_analysis::{Gate, SloDoubt, SloFigure};

    fn gated(baseline: &[f64], candidate: &[f64]) -> Gated {
        let runs = |values: &[f64]| {
            let run = |value: &f64| {
                vec![SloFigure {
                    unit: "ms".into(),
                    value: Some(*value),
                    ..SloFigure::default()
                }]
            };
            values.iter().map(run).collect::<Vec<_>>()
        };
        let criteria = ["ttft.p99>+5%".parse().expect("a gate")];
        Gated {
            gate: Gate::of(&criteria, &runs(baseline), &runs(candidate)),
            unlike: Vec::new(),
            other_workload: Vec::new(),
            history: None,
            baseline: Vec::new(),
            candidate: Vec::new(),
            alone: Vec::new(),
            comparison: None,
        }
    }

    #[test]
    fn a_page_has_the_gate_in_front_of_the_figures() {
        let before = [100.0, 101.0, 99.0, 100.5, 98.9, 100.9, 99.6, 100.2];
        let mut document = Document::titled("Run");
        document.push(Section::new("Latency").with(Block::Text(Tone::Plain, "41 ms".to_owned())));
        let document = with_gate(document, &gated(&before, &before.map(|x| x * 1.1)));
        assert_eq!(document.answers, ["the gate says fail"]);
        let headings: Vec<&str> = document.sections.iter().map(|s| &*s.heading).collect();
        let expect = [
            "Gate: 8 runs against 8 runs of the baseline",
            "Gate: How each was judged",
            "Latency",
        ];
        assert_eq!(headings.len(), expect.len(), "{headings:?}");
        assert_eq!(headings[1..], expect[1..]);
        let chart = document.sections[0]
            .blocks
            .iter()
            .find_map(|block| match block {
                Block::Chart(chart) => Some(chart),
                _ => None,
            });
        let chart = chart.expect("a chart");
        // No change, and what is not accepted: the same for all criteria.
        let rules: Vec<f64> = chart.rules.iter().map(|rule| rule.at).collect();
        assert_eq!(rules, [0.0, 0.05]);
    }

    #[test]
    fn what_does_not_pass_is_told_in_a_line() {
        let before = [100.0, 101.0, 99.0, 100.5, 98.9, 100.9, 99.6, 100.2];
        assert_eq!(gate_lines(&gated(&before, &before)), [""; 0]);
        let worse = before.map(|x| x * 1.1);
        let said = gate_lines(&gated(&before, &worse)).concat();
        assert!(
            said.starts_with("gate fail: ttft.p99>+5%: worse by 10.0 % [worse by at least"),
            "{said}"
        );
        let one = gate_lines(&gated(&before, &[120.0])).concat();
        let expect =
            "gate inconclusive: ttft.p99>+5%: the baseline has 8 runs, and needs 19 for 1 run here";
        assert_eq!(one, expect);
    }

    /// A figure that is missing says why, in the table and in the sentence.
    #[test]
    fn a_missing_figure_says_why() {
        let figure = |value: Option<f64>| {
            vec![SloFigure {
                unit: "ms".into(),
                value,
                doubt: value
                    .is_none()
                    .then_some(SloDoubt::TooFew { needed: 1_728 }),
                ..SloFigure::default()
            }]
        };
        let criteria = ["ttft.p99>+5%".parse().expect("a gate")];
        let gate = Gate::of(&criteria, &[figure(Some(90.0))], &[figure(None)]);
        let table = table(&gate.lines);
        let shown: Vec<String> = table.rows[0].cells.iter().map(Cell::shown).collect();
        let expect = [
            "90.0\u{a0}ms",
            "needs 1,728",
            "unknown",
            "5.00\u{a0}%",
            "needs 2 runs",
        ];
        assert_eq!(shown[..5], expect, "{shown:?}");
        assert!(!shown.contains(&"-".to_owned()), "{shown:?}");
        let said = why(&gate.lines[0]);
        let expect = "no such figure in 1 run here (a run needs 1,728 observations for it)";
        assert_eq!(said, expect);
    }
}
