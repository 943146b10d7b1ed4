//! What is told of each class of requests, as far as there is room: the largest have a table of their own, more of
//! them a row, and of the others it is said how many there are and who has their figures.
//!
//! Invariant: whatever is left out is counted.

use crate::document::{Block, Cell, Column, Section, Table, Tone};
use crate::latency;
use crate::number::time;
use crate::view::View;
use infermeter_analysis::{ClassSummary, Distribution, Percentile, Summary};
use infermeter_core::number::{count, counted};
use infermeter_core::text::inert;
use std::cmp::Reverse;

/// Classes with a table of their own on a terminal, on a page, and in the full view.
const TABLES: [usize; 3] = [6, 24, 100];
/// Classes with a row, behind those: none where a screen is all there is.
const ROWS: [usize; 3] = [0, 200, 1_000];
/// Longest name of a class in a chart, in a list to choose from, and in a row, bytes.
const NAME: usize = 40;

/// Longest name of a class in a heading, bytes.
const HEADING: usize = 200;

/// A class's name in a heading.
pub(crate) fn class_heading(name: &str) -> String {
    inert(name, HEADING)
}

/// A class's name, as far as there is room.
pub(crate) fn class_name(name: &str) -> String {
    inert(name, NAME)
}

/// Classes by what is told of them.
pub(crate) struct ByRoom<'a> {
    /// Those with the most requests, in their own order.
    pub shown: Vec<&'a ClassSummary>,
    /// The others, the largest first.
    pub rest: Vec<&'a ClassSummary>,
}

/// The classes with the most requests, as many as have a table of their own.
pub(crate) fn largest_classes(summary: &Summary, view: View) -> ByRoom<'_> {
    largest(&summary.classes, TABLES[place(view)])
}

/// The `most` classes with the most requests.
pub(crate) fn largest(classes: &[ClassSummary], most: usize) -> ByRoom<'_> {
    let mut by_size: Vec<usize> = (0..classes.len()).collect();
    by_size.sort_by_key(|i| Reverse(classes[*i].measured.total));
    let rest = by_size.split_off(most.min(by_size.len()));
    by_size.sort_unstable();
    let classes = |all: Vec<usize>| all.into_iter().map(|i| &classes[i]).collect();
    ByRoom {
        shown: classes(by_size),
        rest: classes(rest),
    }
}

/// A section a class, and one for those that have none.
pub(crate) fn sections(summary: &Summary, view: View) -> Vec<Section> {
    let ByRoom { shown, rest } = largest_classes(summary, view);
    let tables = shown.into_iter().map(|class| of_class(class, summary));
    tables.chain([further(&rest, summary, view)]).collect()
}

fn place(view: View) -> usize {
    match view {
        View::Summary => 0,
        View::Shared => 1,
        View::Full => 2,
    }
}

fn of_class(class: &ClassSummary, summary: &Summary) -> Section {
    let heading = format!(
        "Class {}: {} of {} completed",
        class_heading(&class.class),
        count(class.measured.completed),
        count(class.measured.total)
    );
    Section::new(heading)
        .with(latency::table(&class.latency, summary))
        .of_class(&class_name(&class.class))
}

/// A row a class, and how many have not even that.
fn further(rest: &[&ClassSummary], summary: &Summary, view: View) -> Section {
    let (rows, left) = rest.split_at(ROWS[place(view)].min(rest.len()));
    let of = |group: &str| ["p50", "p99"].map(|name| Column::right(name).of(group));
    let columns = [
        ["requests", "completed"].map(Column::right),
        of("TTFT"),
        of("E2E"),
    ];
    let mut table = Table::new("class", columns.concat());
    for class in rows {
        table.row(class_name(&class.class), row(class, summary));
    }
    let said = left.first().map(|largest| {
        let more = if rows.is_empty() { "" } else { " more" };
        let many = format!("{}{more}", count(left.len() as u64));
        let most = counted(largest.measured.total, "request");
        let has = match view {
            View::Summary => "--full and --json have them",
            View::Shared | View::Full => "--json has them",
        };
        format!("{many}, of at most {most} each; {has}.")
    });
    Section::new("Further classes")
        .with(table)
        .with(Block::Text(Tone::Plain, said.unwrap_or_default()))
}

fn row(class: &ClassSummary, summary: &Summary) -> Vec<Cell> {
    let latency = &class.latency;
    let origin = summary.headline_origin;
    let all = [latency.ttft.from(origin), latency.e2e.from(origin)];
    let cells = all
        .into_iter()
        .flat_map(|of| [50.0, 99.0].map(|percent| cell(of, percent)));
    let counts = [class.measured.total, class.measured.completed];
    let counts = counts.map(|n| Cell::of(count(n)));
    counts.into_iter().chain(cells).collect()
}

fn cell(of: Option<&Distribution>, percent: f64) -> Cell {
    let figure = Percentile::new(percent).and_then(|p| of?.cell(p));
    match figure.map(|figure| (figure.value, figure.needed)) {
        Some((None, Some(needed))) => Cell::needing(needed),
        Some((value, _)) => Cell::or_dash(value.map(time)),
        None => Cell::noted("-"),
    }
}
