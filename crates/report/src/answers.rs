//! Whether the answers were answers: what was found of them, by load, and what came of questions with known answers.
//!
//! Shows no text. Invariant: a share stands with the answers that it is of.

mod beside;
mod questions;

use crate::document::{Block, Cell, Column, Entries, Section, Table, Tone};
use crate::number::{significant, time};
pub(crate) use beside::parting;
use infermeter_analysis::answers::{AnswersSummary, DoubtCount, LoadLevel};
use infermeter_analysis::{Share, Summary};
use infermeter_core::number::{count, counted};

/// Requests that are named.
const EXAMPLES: usize = 5;

/// The section; empty where no answers were checked.
pub(crate) fn section(summary: &Summary) -> Section {
    let Some(answers) = &summary.answers else {
        return Section::default();
    };
    let mut entries = Entries::default();
    entries.add("Checked", checked(answers));
    entries.maybe("Corrupted", answers.corrupted.as_ref().map(share));
    entries.maybe("Found", found(answers, true));
    entries.maybe("Requests", examples(answers));
    entries.maybe("Also", found(answers, false));
    if answers.equal.answers > 0 {
        entries.add(
            "Equal",
            format!(
                "{} of {} are the answer to another prompt, word for word",
                count(answers.equal.answers),
                count(answers.equal.compared)
            ),
        );
    }
    beside::add_shifts(&mut entries, answers);
    questions::add(&mut entries, answers);
    if let Some(references) = &answers.references {
        beside::add_references(&mut entries, references);
    }
    let mut section = Section::new("Answers, read when the load was over").with(entries);
    if answers.levels.len() > 1 {
        section.push(by_load(answers));
    }
    if summary.goodput.is_some() {
        let text = "Goodput and attainment count sound answers only.".to_owned();
        section.push(Block::Text(Tone::Aside, text));
    }
    section
}

fn checked(answers: &AnswersSummary) -> String {
    let mut text = counted(answers.checked, "answer");
    if answers.unchecked > 0 {
        text += &format!(
            ", {} without a text that could be",
            count(answers.unchecked)
        );
    }
    if answers.judged_in_part > 0 {
        text += &format!(
            "; of {} the beginning alone, as their length was forced",
            count(answers.judged_in_part)
        );
    }
    text
}

/// `3 of 2,000, 0.15 % [0.03 %, 0.44 %]`.
pub(crate) fn share(share: &Share) -> String {
    let percent = |share: f64| format!("{} %", significant(share * 100.0));
    let mut text = format!(
        "{} of {}, {}",
        count(share.count as u64),
        count(share.n as u64),
        percent(share.value)
    );
    if let (Some(low), Some(high)) = (share.low, share.high) {
        text += &format!(" [{}, {}]", percent(low), percent(high));
    }
    text
}

fn found(answers: &AnswersSummary, corrupts: bool) -> Option<String> {
    let one = |found: &DoubtCount| format!("{} {}", count(found.answers), found.doubt);
    let all = answers
        .doubts
        .iter()
        .filter(|found| found.corrupts == corrupts);
    let words: Vec<String> = all.map(one).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Some of those that are corrupted, by number: what they say is shown nowhere.
fn examples(answers: &AnswersSummary) -> Option<String> {
    let corrupting = answers.doubts.iter().filter(|found| found.corrupts);
    let mut all: Vec<_> = corrupting.flat_map(|found| &found.examples).collect();
    all.sort_unstable();
    all.dedup();
    let words: Vec<String> = all.iter().take(EXAMPLES).map(ToString::to_string).collect();
    (!words.is_empty()).then(|| format!("{} for example", words.join(", ")))
}

fn by_load(answers: &AnswersSummary) -> Block {
    let has_canaries = answers.levels.iter().any(|level| level.canaries > 0);
    let has_evals = answers
        .levels
        .iter()
        .any(|level| level.eval_right.is_some());
    let mut columns = vec![
        Column::right("answers"),
        Column::right("corrupted"),
        Column::right("TTFT p50"),
    ];
    columns.extend(has_canaries.then(|| Column::right("canaries right")));
    columns.extend(has_evals.then(|| Column::right("evaluations right")));
    let mut table = Table::new("in flight", columns);
    for level in &answers.levels {
        let mut cells = vec![
            Cell::of(count(level.checked)),
            Cell::of(count(level.corrupted.count as u64)),
            Cell::or_dash(level.ttft_p50_ms.map(time)),
        ];
        cells.extend(has_canaries.then(|| Cell::or_dash(level.right.as_ref().map(of))));
        cells.extend(has_evals.then(|| Cell::or_dash(level.eval_right.as_ref().map(share))));
        table.row(band(level), cells);
    }
    table.into()
}

/// `3 of 40`.
fn of(share: &Share) -> String {
    format!("{} of {}", share.count, share.n)
}

/// `4 to 7` requests in flight.
pub(crate) fn band(level: &LoadLevel) -> String {
    match level.from == level.to {
        true => level.from.to_string(),
        false => format!("{} to {}", level.from, level.to),
    }
}
