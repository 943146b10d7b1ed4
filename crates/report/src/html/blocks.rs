//! The blocks of a document as elements of a page.
//!
//! Invariant: a column of bars is left out, since its figures stand beside it.

use super::list;
use crate::characters::{self, Charset};
use crate::chart::Chart;
use crate::chart::rows::csv;
use crate::document::{Align, Block, Cell, Entry, Found, Grade, Item, Mark, Table, Tone};
use crate::svg::{escaped, inline};
use std::fmt::Write;

/// Widths of a chart: on a screen, and on a phone.
const WIDTHS: [(&str, f64); 2] = [("wide", 860.0), ("narrow", 390.0)];

/// What is counted over a page.
#[derive(Debug, Default)]
pub(super) struct Page {
    charts: usize,
}

impl Page {
    /// A block below the section's heading, which names a table that has no name of its own.
    pub(super) fn block(&mut self, block: &Block, heading: &str) -> String {
        match block {
            Block::Heading(text) => format!("<h3>{}</h3>\n", escaped(text)),
            Block::Entries(all) if all.iter().any(|entry| entry.mark.is_some()) => {
                marked(all, heading)
            }
            Block::Entries(all) => {
                format!("<dl>\n{}</dl>\n", all.iter().map(entry).collect::<String>())
            }
            Block::Items(items) => {
                format!(
                    "<ul>\n{}</ul>\n",
                    items.iter().map(item).collect::<String>()
                )
            }
            Block::Findings(all) => list(&all.iter().collect::<Vec<&Found>>()),
            Block::Table(all) => table(all, heading),
            Block::Spark(spark) => format!(
                "<p><strong>{}</strong> <span class=\"spark\" aria-hidden=\"true\">{}</span> {}</p>\n",
                escaped(&spark.label),
                characters::columns(&spark.counts, Charset::Unicode),
                escaped(&spark.caption)
            ),
            Block::Text(tone, said) => {
                let class = match tone {
                    Tone::Plain => "",
                    Tone::Good => " class=\"good\"",
                    Tone::Aside => " class=\"dim\"",
                };
                format!("<p{class}>{}</p>\n", escaped(said))
            }
            Block::Chart(chart) => self.chart(chart),
        }
    }

    fn chart(&mut self, chart: &Chart) -> String {
        self.charts += 1;
        let number = self.charts;
        let title = escaped(&chart.title);
        let classed = chart.series.iter().any(|series| series.class.is_some());
        let class = if classed {
            "chart-of classed"
        } else {
            "chart-of"
        };
        let slug = escaped(&chart.slug);
        let mut out = format!("<figure class=\"{class}\" id=\"chart-{slug}\">\n<h3>{title}</h3>\n");
        let _ = writeln!(
            out,
            "<div class=\"plot\" tabindex=\"0\" role=\"group\" aria-label=\"{title}: arrow keys read the values\">"
        );
        for (class, width) in WIDTHS {
            let svg = inline(chart, width, &format!("{number}{}", &class[..1]));
            let _ = writeln!(out, "<div class=\"{class}\">{svg}</div>");
        }
        out += "</div>\n<figcaption>\n";
        for said in chart.said_of_picture() {
            let _ = writeln!(out, "<p class=\"dim\">{}</p>", escaped(said));
        }
        let _ = writeln!(
            out,
            "<p class=\"data\"><a download=\"{slug}.csv\" href=\"data:text/csv;charset=utf-8,{}\">Data of this chart \
             (CSV)</a></p>\n</figcaption>\n</figure>",
            in_address(&csv(chart))
        );
        out
    }
}

/// Bytes as they may stand in an address and in an attribute.
fn in_address(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b','
            | b'.'
            | b'-'
            | b'_'
            | b'/'
            | b'('
            | b')' => {
                out.push(char::from(byte));
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

fn entry(entry: &Entry) -> String {
    let texts: String = entry
        .texts
        .iter()
        .map(|text| format!("<p>{}</p>", escaped(text)))
        .collect();
    format!(
        "<div><dt>{}</dt><dd>{texts}</dd></div>\n",
        escaped(&entry.label)
    )
}

/// What was asked for, whether it is so, and what was found, as a table.
fn marked(all: &[Entry], heading: &str) -> String {
    let row = |entry: &Entry| {
        let (class, word) = match entry.mark {
            Some(Mark::Met) => ("good", "✓ met"),
            Some(Mark::Missed) => ("bad", "✗ missed"),
            Some(Mark::Undecided) => ("dim", "? undecided"),
            Some(Mark::Doubtful) => ("doubtful", "! doubtful"),
            Some(Mark::Void) => ("dim", "· not asked"),
            None => ("", ""),
        };
        let texts: Vec<String> = entry.texts.iter().map(|text| escaped(text)).collect();
        format!(
            "<tr><th scope=\"row\">{}</th><td class=\"{class}\">{word}</td><td>{}</td></tr>\n",
            escaped(&entry.label),
            texts.join("<br>")
        )
    };
    let rows: String = all.iter().map(row).collect();
    scrolled(
        heading,
        &format!(
            "<table>\n<thead><tr><th scope=\"col\">Asked</th><th scope=\"col\">Answer</th>\
             <th scope=\"col\">Found</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
        ),
    )
}

fn item(item: &Item) -> String {
    let codes: Vec<String> = item
        .codes
        .iter()
        .map(|code| format!("<code>{}</code>", escaped(code)))
        .collect();
    let between = match (item.text.is_empty(), codes.is_empty()) {
        (false, false) => ": ",
        _ => "",
    };
    format!(
        "<li>{}{between}{}</li>\n",
        escaped(&item.text),
        codes.join(", ")
    )
}

/// Something wide: it moves under its own edge, by keys as well.
fn scrolled(name: &str, inside: &str) -> String {
    let name = match name.is_empty() {
        true => "Table".to_owned(),
        false => escaped(name),
    };
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{name}\">\n{inside}\n</div>\n"
    )
}

fn table(table: &Table, heading: &str) -> String {
    let shown = table.without_bars();
    let rows = table.rows.iter().map(|row| {
        let cells = shown.iter().map(|i| {
            let align = table.columns[*i].align;
            row.cells
                .get(*i)
                .map_or_else(|| "<td></td>".to_owned(), |c| cell(c, align))
        });
        let cells: String = cells.collect();
        format!(
            "<tr><th scope=\"row\">{}</th>{cells}</tr>\n",
            escaped(&row.label)
        )
    });
    let rows: String = rows.collect();
    scrolled(
        heading,
        &format!(
            "<table class=\"sortable\">\n<thead>\n{}</thead>\n<tbody>\n{rows}</tbody>\n</table>",
            heads(table, &shown)
        ),
    )
}

/// The names of the columns, with those of their groups above them.
fn heads(table: &Table, shown: &[usize]) -> String {
    let columns = || shown.iter().map(|i| &table.columns[*i]);
    let mut out = String::new();
    if columns().any(|column| !column.group.is_empty()) {
        out += "<tr><td></td>";
        let mut groups: Vec<(&str, usize)> = Vec::new();
        for column in columns() {
            match groups.last_mut() {
                Some((name, n)) if *name == column.group => *n += 1,
                _ => groups.push((&column.group, 1)),
            }
        }
        for (name, n) in groups {
            out += &match name.is_empty() {
                true => format!("<td colspan=\"{n}\"></td>"),
                false => format!(
                    "<th scope=\"colgroup\" colspan=\"{n}\">{}</th>",
                    escaped(name)
                ),
            };
        }
        out += "</tr>\n";
    }
    out += "<tr>";
    out += &head(&table.corner, Align::Left);
    for column in columns() {
        out += &head(&column.name, column.align);
    }
    out + "</tr>\n"
}

/// A cell above a column; one that names nothing is no heading.
fn head(name: &str, align: Align) -> String {
    match name.is_empty() {
        true => "<td></td>".to_owned(),
        false => format!(
            "<th scope=\"col\"{}>{}</th>",
            class(align, false),
            escaped(name)
        ),
    }
}

fn class(align: Align, faint: bool) -> &'static str {
    match (align, faint) {
        (Align::Left, false) => "",
        (Align::Left, true) => " class=\"dim\"",
        (Align::Right, false) => " class=\"r\"",
        (Align::Right, true) => " class=\"r dim\"",
    }
}

fn cell(cell: &Cell, align: Align) -> String {
    let interval = cell.around().into_iter();
    let interval: String = interval
        .map(|text| format!(" <span class=\"interval\">{}</span>", escaped(text)))
        .collect();
    let faint = cell.grade == Grade::Unsupported;
    format!(
        "<td{}>{}{interval}</td>",
        class(align, faint),
        escaped(&cell.shown())
    )
}
