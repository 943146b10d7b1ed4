//! A server and its shadow: the answers in words, the tests behind them, both sides beside each other, and what the
//! comparison cannot see.
//!
//! Invariant: a figure stands with its interval, and what was not decided says so.

use crate::document::{
    Block, Cell, Column, Document, Entries, Judgement, Mark, Section, Table, Tone,
};
use crate::number::{JOIN, p_value, percent, signed_percent, significant};
use infermeter_analysis::{
    Answer, COMPARE_ALPHA, PairedChange, Scale, ShadowChange, ShadowComparison, ShadowFigure,
};
use infermeter_core::number::{count, counted};

/// What is told of it.
pub fn of_shadow(found: &ShadowComparison) -> Document {
    let mut document = Document::titled("The shadow against the primary");
    document.verdict = Some(Judgement::of(found.verdict, &found.findings));
    document.answers = vec![shadow_line(found)];
    document.push(answers(found));
    document.push(tests(found));
    document.push(beside(found));
    document.push(pairs(found));
    document
}

/// `300 pairs; ttft: equivalent within 3 % (+0.4 %); tpot: undecided; e2e: the shadow is slower (+12 %)`.
pub fn shadow_line(found: &ShadowComparison) -> String {
    let mut parts = vec![counted(found.pairs, "pair")];
    let asked = found.changes.iter().filter(|change| change.pairs > 0);
    parts.extend(asked.map(|change| {
        let size = change
            .change
            .as_ref()
            .map(|of| format!(" ({})", shown(of, of.estimate)));
        format!(
            "{}: {}{}",
            change.figure.name(),
            words(change, found.margin),
            size.unwrap_or_default()
        )
    }));
    parts.join("; ")
}

fn answers(found: &ShadowComparison) -> Section {
    let mut entries = Entries::default();
    for change in &found.changes {
        let mut text = words(change, found.margin);
        if let Some(of) = &change.change {
            text += &format!(", {}{}", shown(of, of.estimate), interval(of));
        }
        if let (Some(worst), Some(is_so)) = (change.at_most_worse, change.not_worse) {
            let said = match is_so {
                true => "shown not to be worse by more than",
                false => "not shown to be within",
            };
            text += &format!(
                "; {said} {}: at most {} plausible",
                percent(found.margin),
                signed_percent(worst)
            );
        }
        entries.marked(mark(change), change.figure.name(), text);
    }
    Section::new("Answers").with(entries)
}

fn tests(found: &ShadowComparison) -> Section {
    let names = [
        "adjusted p",
        "signed-rank p",
        "t p",
        "sign flips p",
        "blocks",
        "pairs",
    ];
    let columns = [
        vec![Column::left("change")],
        names.map(Column::right).to_vec(),
    ]
    .concat();
    let mut table = Table::new("", columns);
    for change in &found.changes {
        let Some(of) = &change.change else { continue };
        let cells = vec![
            Cell {
                interval: Some(interval(of).trim().to_owned()).filter(|text| !text.is_empty()),
                ..Cell::of(shown(of, of.estimate))
            },
            Cell::or_dash(change.decision.adjusted_p.map(p_value)),
            Cell::of(p_value(of.signed_rank_p)),
            Cell::or_dash(of.t_p.map(p_value)),
            Cell::or_dash(of.permutation_p.map(p_value)),
            Cell::of(of.pairs.to_string()),
            Cell::of(count(change.pairs as u64)),
        ];
        table.row(change.figure.name(), cells);
    }
    let blocks = found.blocks.map_or_else(
        || "There are too few pairs for a test.".to_owned(),
        |blocks| {
            format!(
                "{} of {} each, {}{JOIN}s at the median; rank correlation of neighbours {} at most.",
                counted(blocks.count as u64, "block"),
                counted(blocks.pairs_each as u64, "pair"),
                significant(blocks.seconds),
                blocks.correlation.map_or_else(|| "unknown".to_owned(), significant)
            )
        },
    );
    let looks = match found.looks {
        1 => String::new(),
        looks => {
            format!(" The answer is looked for {looks} times, and the error shared among them.")
        }
    };
    let rule = format!(
        "{blocks} The exact signed-rank test of the blocks' medians decides at {COMPARE_ALPHA}, adjusted over {} \
         tests (Holm); equivalence by two one-sided t tests, of few failures by the exact bound over pairs as well.{looks}",
        ShadowFigure::ALL.len()
    );
    Section::new("Tests")
        .with(table)
        .with(Block::Text(Tone::Aside, rule))
}

fn beside(found: &ShadowComparison) -> Section {
    let columns = ["primary", "shadow"].map(Column::right).to_vec();
    let mut table = Table::new("", columns);
    for change in &found.changes {
        let (label, write): (String, fn(f64) -> String) = match change.figure.scale() {
            Scale::Ratio => (format!("{} p50 ms", change.figure.name()), significant),
            Scale::Difference => (change.figure.name().to_owned(), percent),
        };
        let cells = [change.primary, change.shadow];
        table.row(
            label,
            cells.map(|value| Cell::or_dash(value.map(write))).to_vec(),
        );
    }
    let ends = &found.ends;
    let tokens = [ends.primary_tokens, ends.shadow_tokens];
    table.row("output tokens", tokens.map(|n| Cell::of(count(n))).to_vec());
    let said = "Of the pairs alone. The primary's figures over all requests are in its own run.";
    Section::new("Side by side")
        .with(table)
        .with(Block::Text(Tone::Aside, said.to_owned()))
}

fn pairs(found: &ShadowComparison) -> Section {
    let (ends, answers) = (&found.ends, &found.answers);
    let mut entries = Entries::default();
    entries.add(
        "Completed",
        format!(
            "both {}, the primary alone {}, the shadow alone {}, neither {}",
            count(ends.both_completed),
            count(ends.shadow_failed),
            count(ends.primary_failed),
            count(ends.both_failed)
        ),
    );
    entries.add(
        "Ended by",
        format!(
            "the same reason {}, another {}",
            count(ends.same_finish_reason),
            count(ends.other_finish_reason)
        ),
    );
    entries.add(
        "Answers",
        format!(
            "equal {}, different {} (greedy or seeded); {} drawn at random, which says nothing; {} not known",
            count(answers.equal),
            count(answers.differ),
            count(answers.sampled),
            count(answers.not_known)
        ),
    );
    entries.maybe(
        "Tee delay",
        found.tee_delay.map(|tee| {
            format!(
                "the shadow's send {}{JOIN}µs after the primary's at the median, {}{JOIN}µs at most",
                significant(tee.p50_us),
                significant(tee.max_us)
            )
        }),
    );
    Section::new("Pairs").with(entries)
}

fn words(change: &ShadowChange, margin: f64) -> String {
    let (worse, better) = match change.figure {
        ShadowFigure::Failed => ("fails more", "fails less"),
        ShadowFigure::Ttft | ShadowFigure::Tpot | ShadowFigure::E2e => ("is slower", "is faster"),
    };
    let within = percent(margin);
    match change.decision.answer {
        Answer::Better => format!("the shadow {better}"),
        Answer::Worse => format!("the shadow {worse}"),
        Answer::BetterWithinMargin => format!("the shadow {better}, but within {within}"),
        Answer::WorseWithinMargin => format!("the shadow {worse}, but within {within}"),
        Answer::Equivalent => format!("equivalent within {within}"),
        Answer::Undecided => "undecided".to_owned(),
        Answer::NotTested => "not tested: too few pairs".to_owned(),
    }
}

fn mark(change: &ShadowChange) -> Mark {
    match change.decision.answer {
        Answer::Worse => Mark::Missed,
        Answer::Undecided | Answer::NotTested => Mark::Undecided,
        Answer::Better
        | Answer::BetterWithinMargin
        | Answer::WorseWithinMargin
        | Answer::Equivalent => Mark::Met,
    }
}

/// A ratio as a change; a difference is one.
fn shown(of: &PairedChange, x: f64) -> String {
    signed_percent(match of.scale {
        Scale::Ratio => x - 1.0,
        Scale::Difference => x,
    })
}

/// ` [-0.3 %, +1.2 %]`; empty where so few blocks give none.
fn interval(of: &PairedChange) -> String {
    match (of.low, of.high) {
        (Some(low), Some(high)) => format!(" [{},{JOIN}{}]", shown(of, low), shown(of, high)),
        _ => String::new(),
    }
}
