//! A chart as a few lines of characters, from the same data as its picture: for terminals and for Markdown.
//!
//! Invariants: no line is wider than asked for; series differ by the form of their mark, not by colour, and where they
//! are too many for that, the key says so; every interval is drawn, and an open side ends in an arrow, unless a mark
//! stands there.

mod canvas;
mod fields;
mod glyphs;
mod sparks;

pub(crate) use fields::fields;
pub use glyphs::Charset;
pub(crate) use sparks::{bar, columns};

use crate::chart::{Across, Chart, Known, Marks, Series};
use crate::svg::{readings, series_name};
use canvas::Canvas;
use glyphs::Glyphs;
use infermeter_core::text::inert;
use unicode_width::UnicodeWidthStr;

/// Columns beyond which a plot says no more.
const WIDEST: usize = 100;
/// Longest text of one piece, bytes.
const MOST_BYTES: usize = 200;

/// The plot and its key, `columns` wide at most; of charts whose axes are numbers.
pub(crate) fn lines(chart: &Chart, columns: usize, charset: Charset) -> Vec<String> {
    let columns = columns.min(WIDEST);
    let canvas = Canvas::of(chart, columns, charset);
    let mut entries = key(chart, charset);
    if canvas.has_several() {
        entries.push(format!(
            "{} several marks in one place",
            charset.glyphs().several
        ));
    }
    let mut lines = canvas.lines();
    lines.extend(in_lines(&entries, columns, charset));
    lines
}

/// What the marks are.
fn key(chart: &Chart, charset: Charset) -> Vec<String> {
    let glyphs = charset.glyphs();
    let series = chart.series.iter().enumerate();
    let mut entries: Vec<String> = series
        .map(|(i, series)| {
            let mark = match series.marks {
                Marks::Bars(_) => glyphs.full,
                _ => glyphs.mark(i),
            };
            format!("{mark} {}", named(series, glyphs.band))
        })
        .collect();
    if chart.series.len() > Glyphs::APART {
        let nth = Glyphs::APART + 1;
        entries.push(format!("from series {nth} on, marks are repeated"));
    }
    let mut all = chart.series.iter().flat_map(|s| readings(&s.marks));
    if all.any(|reading| matches!(reading.known, Known::Within(_))) {
        entries.push(format!("{} interval", glyphs.upright));
    }
    let [across, upright] = glyphs.rules;
    entries.extend(chart.rules.iter().map(|rule| match rule.across {
        Across::X => format!("{upright} {}", rule.label),
        Across::Y => format!("{across} {}", rule.label),
    }));
    entries
}

/// In as many lines as it takes.
fn in_lines(entries: &[String], columns: usize, charset: Charset) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for entry in entries {
        let entry = cut(&charset.text(&inert(entry, MOST_BYTES)), columns);
        match lines.last_mut() {
            Some(line) if line.width() + 3 + entry.width() <= columns => {
                line.push_str("   ");
                line.push_str(&entry);
            }
            _ => lines.push(entry),
        }
    }
    lines
}

/// A series, its count, and what its band is.
fn named(series: &Series, band: char) -> String {
    match &series.band {
        Some(covers) => format!("{}; {band} {}", series_name(series), covers.label),
        None => series_name(series),
    }
}

/// `text`, as far as there is room.
fn cut(text: &str, columns: usize) -> String {
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if short.width() > columns {
            short.pop();
            break;
        }
    }
    short
}

#[cfg(test)]
mod tests;
