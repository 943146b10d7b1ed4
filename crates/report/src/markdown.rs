//! A document as Markdown, for an issue, a pull request or a page.
//!
//! Invariant: text from outside steers neither Markdown nor the HTML that is made of it.

use crate::characters::{self, Charset};
use crate::chart::{Chart, Size};
use crate::document::{
    Align, Block, Cell, Column, Document, Entry, Found, Item, Judgement, Notes, Row, Table, Tone,
    severity_name,
};
use crate::number::JOIN;
use infermeter_core::text::inert;
use std::fmt::Write;

/// Longest text of one piece, bytes.
const MOST_BYTES: usize = 4_096;
/// Width of charts of characters.
const COLUMNS: usize = 80;

/// Renders a document. Ends with a line break.
pub(crate) fn render(document: &Document) -> String {
    let mut parts = vec![format!("# {}\n", text(&document.title))];
    let answers = document.answers.iter();
    parts.extend(answers.map(|said| format!("**Answer:** {}\n", text(said))));
    if let Some(judgement) = &document.verdict {
        parts.push(judged(judgement));
        parts.push(findings(judgement.weighty()));
    }
    for section in &document.sections {
        let blocks: Vec<String> = section.blocks.iter().map(block).collect();
        let says = blocks.iter().any(|block| !block.is_empty());
        if says && !section.heading.is_empty() {
            parts.push(format!("## {}\n", text(&section.heading)));
        }
        parts.extend(blocks);
    }
    let judgement = document.verdict.iter();
    parts.extend(judgement.map(|judgement| notes(judgement, document.notes)));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn notes(judgement: &Judgement, notes: Notes) -> String {
    let named = judgement.named_notes(|name| format!("`{}`", code(name)));
    match (named.is_empty(), notes) {
        (true, _) => String::new(),
        (false, Notes::Named) => format!("{named}\n"),
        (false, Notes::Told) => format!("## Notes\n\n{}", findings(judgement.notes())),
    }
}

fn judged(judgement: &Judgement) -> String {
    let counts = match judgement.counts() {
        none if none.is_empty() => none,
        counts => format!(" — {counts}"),
    };
    format!("**Verdict: {}**{counts}\n", judgement.verdict.as_str())
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(heading) => format!("### {}\n", text(heading)),
        Block::Entries(entries) => entries.iter().map(entry).collect(),
        Block::Items(items) => items.iter().map(item).collect(),
        Block::Findings(all) => findings(all),
        Block::Table(all) => table(all),
        Block::Chart(all) => chart(all),
        Block::Spark(spark) => {
            let columns = characters::columns(&spark.counts, Charset::Unicode);
            let label = text(&spark.label);
            format!("- **{label}:** `{columns}` {}\n", text(&spark.caption))
        }
        Block::Text(Tone::Aside, said) => format!("*{}*\n", text(said)),
        Block::Text(Tone::Plain | Tone::Good, said) => format!("{}\n", text(said)),
    }
}

fn findings(all: &[Found]) -> String {
    all.iter().map(finding).collect()
}

fn finding(found: &Found) -> String {
    let mut line = format!(
        "- **{}** `{}`: {}",
        severity_name(found.severity),
        code(&found.code),
        text(&found.message)
    );
    if !found.evidence.is_empty() {
        let _ = write!(line, " {}", text(&found.evidence));
    }
    if !found.advice.is_empty() {
        let _ = write!(line, " *{}*", text(&found.advice));
    }
    line + "\n"
}

fn entry(entry: &Entry) -> String {
    let mark = entry
        .mark
        .map_or(String::new(), |mark| format!("{} ", mark.symbol()));
    let mut texts = entry.texts.iter().map(|said| text(said));
    let first = texts.next().unwrap_or_default();
    let mut lines = match entry.label.is_empty() {
        true => format!("- {mark}{first}\n"),
        false => format!("- {mark}**{}:** {first}\n", text(&entry.label)),
    };
    for more in texts {
        let _ = writeln!(lines, "  - {more}");
    }
    lines
}

fn item(item: &Item) -> String {
    let codes: Vec<String> = item
        .codes
        .iter()
        .map(|c| format!("`{}`", code(c)))
        .collect();
    let between = match (item.text.is_empty(), codes.is_empty()) {
        (false, false) => ": ",
        _ => "",
    };
    format!("- {}{between}{}\n", text(&item.text), codes.join(", "))
}

/// A chart that needs no more than characters.
fn chart(chart: &Chart) -> String {
    if chart.size == Size::Large {
        return String::new();
    }
    let drawn = match characters::fields(chart, Charset::Unicode) {
        Some(fields) => table(&fields),
        None => {
            // Nothing ends the fence before its end.
            let lines = characters::lines(chart, COLUMNS, Charset::Unicode);
            format!("```text\n{}\n```\n", lines.join("\n").replace('`', "'"))
        }
    };
    let said: String = chart
        .said
        .iter()
        .map(|said| format!("\n*{}*\n", text(said)))
        .collect();
    format!("### {}\n\n{drawn}{said}", text(&chart.title))
}

/// Columns of bars are left out: their figures stand beside them.
fn table(table: &Table) -> String {
    let shown = table.without_bars();
    let names = shown.iter().map(|i| head(&table.columns[*i]));
    let mut lines = line(&text(&table.corner), names);
    let rules = shown.iter().map(|i| match table.columns[*i].align {
        Align::Left => "---".to_owned(),
        Align::Right => "---:".to_owned(),
    });
    lines += &line("---", rules);
    for Row { label, cells } in &table.rows {
        let cells = shown
            .iter()
            .map(|i| cells.get(*i).map_or_else(String::new, cell));
        lines += &line(&text(label), cells);
    }
    lines
}

fn head(column: &Column) -> String {
    text(&format!("{} {}", column.group, column.name))
        .trim()
        .to_owned()
}

fn cell(cell: &Cell) -> String {
    let shown = cell.shown();
    match cell.around() {
        Some(interval) => text(&format!("{shown} {interval}")),
        None => text(&shown),
    }
}

fn line(first: &str, cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.collect();
    format!("| {first} | {} |\n", cells.join(" | "))
}

/// A name between backticks: nothing in it may end them, or a cell of a table.
fn code(name: &str) -> String {
    inert(name, MOST_BYTES).replace(['`', '|'], "'")
}

/// Text inert and without what would steer Markdown or HTML: names of files and what results say are
/// anybody's. `&`, `<` and `>` become entities, since not every renderer heeds a backslash before them.
/// Intervals stay readable: a bracket before a digit opens no link, as long as none closes before a
/// parenthesis, a bracket or a colon.
fn text(said: &str) -> String {
    let said = inert(said, MOST_BYTES);
    let mut out = String::with_capacity(said.len());
    let mut chars = said.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let steers = match c {
            '|' | '*' | '_' | '`' | '\\' | '~' | '#' | '!' => true,
            '[' => !next.is_some_and(|next| next.is_ascii_digit()),
            ']' => matches!(next, Some('(' | '[' | ':')),
            _ => false,
        };
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            JOIN => out.push(' '),
            c if steers => out.extend(['\\', c]),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_steers_nothing() {
        let hostile = "<script>a</script>&lt; `b` |c| [d](e) ![f](g) [1](h)\n# h\u{202e}";
        let said = text(hostile);
        for steering in ["<", "\n", "\u{202e}", " [d]", " [1](", "![f"] {
            assert!(!said.contains(steering), "{steering} in {said}");
        }
        assert!(said.starts_with("&lt;script&gt;a&lt;/script&gt;&amp;lt; \\`b\\` \\|c\\| \\[d"));
        assert_eq!(text("runs/a-1.json"), "runs/a-1.json");
        assert_eq!(text("41.2 [40.1, 42.3]; more"), "41.2 [40.1, 42.3]; more");
        assert_eq!(code("a`b|c\u{1b}"), "a'b'c\u{fffd}");
    }

    #[test]
    fn columns_of_bars_are_left_out() {
        let mut bars = Table::new("", vec![Column::right("share"), Column::left("")]);
        bars.row("a", vec![Cell::of("50 %"), Cell::bar(0.5)]);
        assert_eq!(table(&bars), "|  | share |\n| --- | ---: |\n| a | 50 % |\n");
    }
}
