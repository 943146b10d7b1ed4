//! A comparison: what speaks against it, the answers in words, the tests behind them, and every figure side
//! by side.
//!
//! Invariant: nothing about speed stands before the verdict, the treatments and the differences of the
//! set-ups.

mod answered;
mod charts;

use crate::document::{
    Block, Cell, Column, Document, Entries, Judgement, Mark, Section, Table, Tone,
};
use crate::number::{JOIN, money, p_value, percent, signed_percent, significant, spaced};
use infermeter_analysis::{
    Answer, Axis, Better, COMPARE_ALPHA, ComparedChange, ComparedLoad, Comparison, Outlook,
    PairedChange, PilotFigure, Scale, Seen, SideBySide, Turns,
};
use infermeter_core::number::counted;
use infermeter_core::text::listed;

/// What is told of a comparison; `outlook` is its own.
pub fn of_comparison(found: &Comparison, outlook: &[Outlook]) -> Document {
    let told = Told { found, outlook };
    let mut document = Document::titled(told.title());
    document.verdict = Some(Judgement::of(found.verdict, &found.findings));
    document.push(told.fairness());
    let several = found.loads.len() > 1;
    for (i, load) in found.loads.iter().enumerate() {
        document.push(told.answers(load));
        let chart = charts::ratios(&told, load, several.then_some(i + 1));
        document.push(Section::new("").with(chart));
        document.push(told.tests(load));
    }
    for load in &found.loads {
        document.push(told.side_by_side(load));
    }
    document
}

struct Told<'a> {
    found: &'a Comparison,
    outlook: &'a [Outlook],
}

impl Told<'_> {
    fn title(&self) -> String {
        let sides = &self.found.asked.sides;
        match sides.split_first() {
            Some((first, others)) => format!("{} against {first}", listed(others)),
            None => "Nothing is compared".to_owned(),
        }
    }

    fn name(&self, side: usize) -> &str {
        self.found.asked.sides.get(side).map_or("?", String::as_str)
    }

    /// Treatments and set-ups.
    fn fairness(&self) -> Section {
        let mut entries = Entries::default();
        for checked in &self.found.treatments {
            let (mark, word) = match checked.answer {
                Seen::Active => (Mark::Met, "active on its side alone"),
                Seen::Inactive => (Mark::Missed, "not active on its side"),
                Seen::OnBothSides => (Mark::Missed, "active on both sides"),
                Seen::CannotTell => (Mark::Undecided, "cannot tell"),
            };
            let side = self.name(checked.claim.active);
            let text = format!(
                "{word} ({}, {side} against {})",
                checked.evidence,
                self.name(checked.claim.control)
            );
            entries.marked(mark, &checked.treatment.to_string(), text);
        }
        for side in &self.found.setups {
            let (first, other) = (self.name(0), self.name(side.side));
            for difference in side.setup.iter().chain(&side.answers) {
                let text = format!(
                    "{} in {first}, {} in {other}",
                    difference.first, difference.other
                );
                entries.add(difference.name.clone(), text);
            }
        }
        let none = self
            .found
            .setups
            .iter()
            .all(|s| s.setup.is_empty() && s.answers.is_empty());
        if none {
            entries.add("Set-ups", "no difference was declared or discovered");
        }
        for side in &self.found.answered {
            answered::add(&mut entries, side, [self.name(0), self.name(side.side)]);
        }
        Section::new("Fairness").with(entries)
    }

    fn heading(&self, what: &str, load: &ComparedLoad) -> String {
        let rounds = counted(load.rounds as u64, "round");
        format!("{what} at {}, {rounds}", load.load)
    }

    /// The primary family in words.
    fn answers(&self, load: &ComparedLoad) -> Section {
        let mut section = Section::new(self.heading("Answers", load));
        let several = self.found.asked.sides.len() > 2;
        let mut side = None;
        let mut entries = Entries::default();
        for change in load
            .changes
            .iter()
            .filter(|change| change.decision.is_some())
        {
            if several && side != Some(change.side) {
                section.push(std::mem::take(&mut entries));
                section.push(Block::Heading(format!(
                    "{} against {}",
                    self.name(change.side),
                    self.name(0)
                )));
                side = Some(change.side);
            }
            let more = self.more(load, change);
            let names = [self.name(0), self.name(change.side)];
            let text = words(change, names, self.found.asked.margin, more);
            entries.marked(mark(change), &change.axis.to_string(), text);
        }
        section.push(entries);
        section
    }

    fn more(&self, load: &ComparedLoad, change: &ComparedChange) -> Option<&Outlook> {
        let mut outlook = self.outlook.iter();
        outlook.find(|o| o.load == load.load && o.side == change.side && o.axis == change.axis)
    }

    /// The tests of the primary family.
    fn tests(&self, load: &ComparedLoad) -> Section {
        let columns = [
            "adjusted p",
            "signed-rank p",
            "t p",
            "sign flips p",
            "spread",
            "rounds",
        ];
        let columns = [
            vec![Column::left("change")],
            columns.map(Column::right).to_vec(),
        ]
        .concat();
        let mut table = Table::new("", columns);
        for change in load
            .changes
            .iter()
            .filter(|change| change.decision.is_some())
        {
            let Some(found) = &change.change else {
                continue;
            };
            let adjusted = change.decision.and_then(|decision| decision.adjusted_p);
            let cells = vec![
                change_cell(found),
                Cell::or_dash(adjusted.map(p_value)),
                Cell::of(p_value(found.signed_rank_p)),
                Cell::or_dash(found.t_p.map(p_value)),
                Cell::or_dash(found.permutation_p.map(p_value)),
                Cell::or_dash(found.std.map(percent)),
                Cell::of(found.pairs.to_string()),
            ];
            table.row(self.label(change.axis, change.side), cells);
        }
        let family = counted(self.found.family as u64, "test");
        let rule = format!(
            "The exact signed-rank test decides at {COMPARE_ALPHA}, adjusted over {family} (Holm); the other \
             tests are shown. Changes are Hodges and Lehmann's, with 95{JOIN}% intervals; the spread is the \
             standard deviation of a round's log ratio."
        );
        Section::new(self.heading("Tests", load))
            .with(table)
            .with(Block::Text(Tone::Aside, rule))
    }

    fn label(&self, axis: Axis, side: usize) -> String {
        match self.found.asked.sides.len() > 2 {
            true => format!("{axis}, {}", self.name(side)),
            false => axis.to_string(),
        }
    }

    /// Every figure of every side, with its change.
    fn side_by_side(&self, load: &ComparedLoad) -> Section {
        let sides = &self.found.asked.sides;
        let mut columns: Vec<Column> = sides.iter().map(Column::right).collect();
        for other in sides.iter().skip(1) {
            columns.push(match sides.len() > 2 {
                true => Column::left(format!("{other} against {}", sides[0])),
                false => Column::left("change"),
            });
        }
        let mut table = Table::new("", columns);
        for figure in &load.figures {
            table.row(figure_label(figure.axis), self.row(load, figure));
        }
        let said = match self.found.turns {
            Turns::InTurn => {
                "Means over rounds. What is not in the primary family is exploratory: its intervals are not \
                 adjusted, and it decides nothing."
            }
            Turns::Apart => "Means over runs, which were not measured in turn.",
        };
        let said = format!("{said}{}", self.fewer(load));
        Section::new(self.heading("Side by side", load))
            .with(table)
            .with(Block::Text(Tone::Aside, said))
    }

    /// The sides that were not there in every round.
    fn fewer(&self, load: &ComparedLoad) -> String {
        let sides = (1..).zip(&load.shared);
        let fewer = sides.filter(|(_, rounds)| **rounds < load.rounds);
        let named = fewer.map(|(side, rounds)| {
            let rounds = counted(*rounds as u64, "round");
            format!(" {} is there in {rounds} alone.", self.name(side))
        });
        named.collect()
    }

    fn row(&self, load: &ComparedLoad, figure: &SideBySide) -> Vec<Cell> {
        let value = |(side, value): (usize, &Option<f64>)| {
            let needs = figure.needs.get(side).copied().flatten();
            match (value, needs) {
                (None, _) if figure.undeclared.contains(&side) => Cell::noted("unknown"),
                (None, Some(needs)) => Cell::needing(needs),
                (Some(value), _) if value.is_infinite() => Cell::noted("none good"),
                (value, _) => Cell::or_dash(value.map(|value| match figure.axis.scale() {
                    Scale::Ratio if figure.axis.unit() == "$" => money(value),
                    Scale::Ratio => significant(value),
                    Scale::Difference => percent(value),
                })),
            }
        };
        let mut cells: Vec<Cell> = figure.sides.iter().enumerate().map(value).collect();
        for side in 1..figure.sides.len() {
            let change = load
                .changes
                .iter()
                .find(|c| c.side == side && c.axis == figure.axis);
            let change = change.and_then(|change| change.change.as_ref());
            cells.push(change.map_or_else(|| Cell::noted("-"), change_cell));
        }
        cells
    }
}

fn figure_label(axis: Axis) -> String {
    format!("{axis} {}", axis.unit()).trim_end().to_owned()
}

/// `+5.1 % [+4.2 %, +6.0 %]`.
fn change_cell(change: &PairedChange) -> Cell {
    Cell {
        interval: change.low.or(change.high).map(|_| range(change)),
        ..Cell::of(signed_percent(relative(change, change.estimate)))
    }
}

/// A ratio as a change; a difference is one.
fn relative(change: &PairedChange, x: f64) -> f64 {
    match change.scale {
        Scale::Ratio => x - 1.0,
        Scale::Difference => x,
    }
}

fn range(change: &PairedChange) -> String {
    let shown = |bound: Option<f64>, open: &str| {
        bound.map_or_else(|| open.to_owned(), |x| signed_percent(relative(change, x)))
    };
    format!(
        "[{},{JOIN}{}]",
        shown(change.low, "-∞"),
        shown(change.high, "∞")
    )
}

fn mark(change: &ComparedChange) -> Mark {
    match change.decision.map(|decision| decision.answer) {
        Some(Answer::Worse) => Mark::Missed,
        Some(Answer::Undecided | Answer::NotTested) | None => Mark::Undecided,
        Some(
            Answer::Better
            | Answer::BetterWithinMargin
            | Answer::WorseWithinMargin
            | Answer::Equivalent,
        ) => Mark::Met,
    }
}

/// The answer of one figure.
fn words(change: &ComparedChange, names: [&str; 2], margin: f64, more: Option<&Outlook>) -> String {
    let [first, other] = names;
    let Some(answer) = change.decision.map(|decision| decision.answer) else {
        return String::new();
    };
    let better = if change.axis.is_speed() {
        "faster"
    } else {
        "better"
    };
    let worse = if change.axis.is_speed() {
        "slower"
    } else {
        "worse"
    };
    let margin = percent(margin);
    let said = match answer {
        Answer::Better => format!("{other} is {better} than {first}"),
        Answer::Worse => format!("{other} is {worse} than {first}"),
        Answer::BetterWithinMargin => {
            format!("{other} is {better} than {first}, but within the margin of {margin}")
        }
        Answer::WorseWithinMargin => {
            format!("{other} is {worse} than {first}, but within the margin of {margin}")
        }
        Answer::Equivalent => format!("equivalent within {margin}"),
        Answer::Undecided => format!("undecided{}", closing(more)),
        Answer::NotTested => "not tested: too few rounds have it on both sides".to_owned(),
    };
    match &change.change {
        // Without bounds it is a figure of a round or two.
        Some(found) if found.low.or(found.high).is_none() => said,
        Some(found) => {
            let estimate = signed_percent(relative(found, found.estimate));
            format!("{said}: {estimate} {}", range(found))
        }
        None => said,
    }
}

fn closing(more: Option<&Outlook>) -> String {
    match more.map(|outlook| outlook.more_rounds) {
        Some(Some(rounds)) => {
            let rounds = counted(rounds as u64, "more round");
            format!(", about {rounds} would decide")
        }
        Some(None) => ", more than 200 rounds would be needed".to_owned(),
        None => String::new(),
    }
}

/// The answers of one load in a line: `ttft.p50 slower, e2e.mean equivalent`.
pub fn answer_line(found: &Comparison) -> String {
    let of_change = |change: &ComparedChange| {
        let answer = change.decision?.answer;
        let speed = change.axis.is_speed();
        let word = match answer {
            Answer::Better | Answer::BetterWithinMargin if speed => "faster",
            Answer::Worse | Answer::WorseWithinMargin if speed => "slower",
            Answer::Better | Answer::BetterWithinMargin => "better",
            Answer::Worse | Answer::WorseWithinMargin => "worse",
            Answer::Equivalent => "equivalent",
            Answer::Undecided => "undecided",
            Answer::NotTested => "not tested",
        };
        Some(format!("{} {word}", change.axis))
    };
    let changes = found.loads.iter().flat_map(|load| &load.changes);
    changes.filter_map(of_change).collect::<Vec<_>>().join(", ")
}

/// What all rounds can find, from those of the pilot.
pub fn pilot_lines(figures: &[PilotFigure], rounds: usize) -> Vec<String> {
    let of_figure = |figure: &PilotFigure| {
        let less_or_more = match figure.axis.better() {
            Better::Lower => "more",
            Better::Higher => "less",
        };
        let finds = match figure.detectable {
            Some(effect) => format!(
                "{} {less_or_more} is found with a chance of 80{JOIN}%",
                percent(effect)
            ),
            None => "no change can be found".to_owned(),
        };
        spaced(&format!(
            "  {}: {finds} (spread {}, at most {} plausibly)",
            figure.axis,
            percent(figure.std),
            percent(figure.std_upper)
        ))
    };
    let Some(first) = figures.first() else {
        return Vec::new();
    };
    let head = format!(
        "Pilot of {}: what {rounds} rounds can find",
        counted(first.rounds as u64, "round")
    );
    std::iter::once(head)
        .chain(figures.iter().map(of_figure))
        .collect()
}
