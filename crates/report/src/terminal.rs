//! A document on a terminal: the verdict in a line, errors and warnings, then the sections, then the
//! notes, a blank line between them.
//!
//! Invariant: no line is wider than the screen unless a single word is; nothing from outside steers
//! the terminal.

mod lines;
mod table;

use crate::characters;
use crate::chart::{Chart, Size};
use crate::document::{
    Block, Document, Entry, Found, Item, Judgement, Mark, Notes, Section, Spark, Tone,
    severity_name,
};
use crate::screen::{Role, Screen};
use infermeter_core::finding::{Severity, Verdict};
use lines::{Hanging, paragraph, plain, width};

/// Columns in front of a text behind its label.
const TEXT: usize = 16;
/// Columns in front of a chart.
const CHART: usize = 2;
/// Columns in front of a verdict or an answer.
const VERDICT: usize = 9;
/// Columns in front of a finding's text.
const FINDING: usize = 11;

/// Renders a document. Ends with a line break.
pub(crate) fn render(document: &Document, screen: Screen) -> String {
    let mut parts = vec![opening(document, screen)];
    for section in &document.sections {
        let lines = section_lines(section, screen);
        match parts.last_mut() {
            // A section without a heading goes on with what stands above it.
            Some(above) if section.heading.is_empty() => above.extend(lines),
            _ => parts.push(lines),
        }
    }
    let judgement = document.verdict.iter();
    parts.extend(judgement.map(|judgement| notes(judgement, document.notes, screen)));
    parts.retain(|lines| !lines.is_empty());
    let parts: Vec<String> = parts.iter().map(|lines| lines.join("\n") + "\n").collect();
    parts.join("\n")
}

/// The answers, the verdict and what weighs; the title where there is none of these.
fn opening(document: &Document, screen: Screen) -> Vec<String> {
    let answers = document.answers.iter();
    let mut lines: Vec<String> = answers.flat_map(|said| answer(said, screen)).collect();
    if let Some(judgement) = &document.verdict {
        lines.extend(judged(judgement, screen));
    }
    match lines.is_empty() {
        true => heading(&document.title, screen),
        false => lines,
    }
}

fn answer(said: &str, screen: Screen) -> Vec<String> {
    let hanging = Hanging {
        head: "Answer:",
        head_role: Some(Role::Heading),
        indent: VERDICT,
        role: None,
    };
    hanging.lines(said, screen)
}

fn heading(text: &str, screen: Screen) -> Vec<String> {
    paragraph(text, 0, Some(Role::Heading), screen)
}

/// `Verdict: Questionable — 2 warnings, 3 notes`, and below it what weighs.
fn judged(judgement: &Judgement, screen: Screen) -> Vec<String> {
    let role = match judgement.verdict {
        Verdict::Valid => Role::Good,
        Verdict::Questionable => Role::Doubtful,
        Verdict::Invalid => Role::Bad,
    };
    let word = judgement.verdict.as_str();
    let counts = match judgement.counts() {
        none if none.is_empty() => none,
        counts => format!(" — {counts}"),
    };
    let hanging = Hanging {
        head: "Verdict:",
        head_role: Some(Role::Heading),
        indent: VERDICT,
        role: None,
    };
    let mut lines = hanging.lines(&format!("{word}{counts}"), screen);
    if let Some(first) = lines.first_mut() {
        *first = first.replacen(word, &screen.paint(role, word), 1);
    }
    lines.extend(findings(judgement.weighty(), screen));
    lines
}

fn notes(judgement: &Judgement, notes: Notes, screen: Screen) -> Vec<String> {
    match notes {
        Notes::Named => paragraph(&judgement.named_notes(str::to_owned), 0, None, screen),
        Notes::Told if judgement.notes().is_empty() => Vec::new(),
        Notes::Told => {
            let mut lines = heading("Notes", screen);
            lines.extend(findings(judgement.notes(), screen));
            lines
        }
    }
}

fn findings(all: &[Found], screen: Screen) -> Vec<String> {
    all.iter()
        .flat_map(|found| finding(found, screen))
        .collect()
}

fn finding(found: &Found, screen: Screen) -> Vec<String> {
    let role = match found.severity {
        Severity::Error => Role::Bad,
        Severity::Warning => Role::Doubtful,
        Severity::Note => Role::Aside,
    };
    let head = Hanging {
        head: &format!("  {}", severity_name(found.severity)),
        head_role: Some(role),
        indent: FINDING,
        role: None,
    };
    let mut lines = head.lines(&format!("{}: {}", found.code, found.message), screen);
    lines.extend(paragraph(
        &found.evidence,
        FINDING,
        Some(Role::Aside),
        screen,
    ));
    if !found.advice.is_empty() {
        let arrow = Hanging {
            head: &format!("{}→", " ".repeat(FINDING)),
            head_role: None,
            indent: FINDING + 2,
            role: None,
        };
        lines.extend(arrow.lines(&found.advice, screen));
    }
    lines
}

fn section_lines(section: &Section, screen: Screen) -> Vec<String> {
    let blocks = section.blocks.iter();
    let said: Vec<String> = blocks.flat_map(|b| block_lines(b, screen)).collect();
    match said.is_empty() {
        true => said,
        false => [heading(&section.heading, screen), said].concat(),
    }
}

fn block_lines(block: &Block, screen: Screen) -> Vec<String> {
    match block {
        Block::Heading(text) => paragraph(text, 2, None, screen),
        Block::Entries(entries) => entry_lines(entries, screen),
        Block::Items(items) => items
            .iter()
            .flat_map(|item| item_lines(item, screen))
            .collect(),
        Block::Findings(all) => findings(all, screen),
        Block::Table(table) => table::lines(table, screen),
        Block::Chart(chart) => chart_lines(chart, screen),
        Block::Spark(spark) => spark_lines(spark, screen),
        Block::Text(tone, text) => {
            let role = match tone {
                Tone::Plain => None,
                Tone::Good => Some(Role::Good),
                Tone::Aside => Some(Role::Aside),
            };
            paragraph(text, 2, role, screen)
        }
    }
}

/// A chart that needs no more than characters, with what is said below it.
fn chart_lines(chart: &Chart, screen: Screen) -> Vec<String> {
    if chart.size == Size::Large {
        return Vec::new();
    }
    let mut lines = paragraph(&chart.title, CHART, None, screen);
    match characters::fields(chart, screen.charset) {
        Some(table) => lines.extend(table::lines(&table, screen)),
        None => {
            let drawn = characters::lines(chart, screen.columns() - CHART, screen.charset);
            lines.extend(
                drawn
                    .iter()
                    .map(|line| format!("{}{line}", " ".repeat(CHART))),
            );
        }
    }
    let said = chart.said.iter();
    lines.extend(said.flat_map(|said| paragraph(said, CHART, Some(Role::Aside), screen)));
    lines
}

/// `  label         text`, wrapped under itself; a block whose labels are longer is wider throughout.
fn entry_lines(entries: &[Entry], screen: Screen) -> Vec<String> {
    let label = |entry: &Entry| {
        let mark = entry
            .mark
            .map_or(String::new(), |mark| format!("{} ", mark.symbol()));
        format!("  {mark}{}", plain(&entry.label))
    };
    let widest = entries.iter().map(|entry| width(&label(entry)) + 2);
    let room = screen.columns() * 2 / 5;
    let indent = widest.filter(|wide| *wide <= room).fold(TEXT, usize::max);
    let mut lines = Vec::new();
    for entry in entries {
        let head = label(entry);
        for (i, text) in entry.texts.iter().enumerate() {
            let hanging = Hanging {
                head: if i == 0 { &head } else { "" },
                head_role: None,
                indent,
                role: None,
            };
            let mut said = hanging.lines(text, screen);
            if let (0, Some(mark), Some(first)) = (i, entry.mark, said.first_mut()) {
                let role = match mark {
                    Mark::Met => Role::Good,
                    Mark::Missed | Mark::Undecided => Role::Bad,
                    Mark::Doubtful => Role::Doubtful,
                    Mark::Void => Role::Aside,
                };
                *first = first.replacen(mark.symbol(), &screen.paint(role, mark.symbol()), 1);
            }
            lines.extend(said);
        }
    }
    lines
}

/// Text behind two columns, its further lines behind four.
fn item_lines(item: &Item, screen: Screen) -> Vec<String> {
    let codes = item.codes.join(", ");
    let text = match (item.text.is_empty(), codes.is_empty()) {
        (false, false) => format!("{}: {codes}", item.text),
        _ => format!("{}{codes}", item.text),
    };
    let hanging = lines::wrap(&text, screen.prose() - 4);
    let hang = |(i, line): (usize, &String)| {
        let indent = if i == 0 { 2 } else { 4 };
        let indent = indent.min(screen.prose().saturating_sub(width(line)));
        format!("{}{line}", " ".repeat(indent))
    };
    hanging.iter().enumerate().map(hang).collect()
}

/// The columns as far as there is room: where there is too little, neighbours are added up.
fn spark_lines(spark: &Spark, screen: Screen) -> Vec<String> {
    let room = (screen.columns() - TEXT).max(1);
    let each = spark.counts.len().div_ceil(room).max(1);
    let counts: Vec<u64> = spark
        .counts
        .chunks(each)
        .map(|part| part.iter().sum())
        .collect();
    let hanging = Hanging {
        head: &format!("  {}", plain(&spark.label)),
        head_role: None,
        indent: TEXT,
        role: None,
    };
    // Empty parts are blanks, at which no line may end.
    let columns =
        characters::columns(&counts, screen.charset).replace(' ', &crate::number::JOIN.to_string());
    let mut lines = hanging.lines(&columns, screen);
    lines.extend(paragraph(&spark.caption, TEXT, None, screen));
    lines
}
