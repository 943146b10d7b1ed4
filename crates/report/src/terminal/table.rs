//! A table on a terminal. The rule, in this order, until it fits:
//!
//! 1. a row is a line, each value with its interval behind it;
//! 2. the intervals stand on a line of their own below their values;
//! 3. columns that may go do, in their order, and a line below the table names them;
//! 4. the columns are dealt out to several tables under each other, each with the rows' labels;
//!    a group of columns stays together where it fits at all.
//!
//! Invariant: no line is broken inside a row, and no column is left out in silence. A label that takes
//! more than a third of the screen has a line of its own above its cells.

use super::lines::{padded, paragraph, plain, width, wrap};
use crate::characters;
use crate::document::{Align, Cell, Column, Row, Table};
use crate::screen::{Role, Screen};

/// Columns in front of a table.
const INDENT: usize = 2;
/// Columns between two columns.
const GAP: usize = 2;

/// The lines of a table.
pub(super) fn lines(table: &Table, screen: Screen) -> Vec<String> {
    let one = Laid::of(table, Intervals::Beside, screen);
    if one.fits(0..table.columns.len()) {
        return one.panel(0..table.columns.len());
    }
    let Fitted { table, gone } = fitted(table, screen);
    let two = Laid::of(&table, Intervals::Below, screen);
    let panels = two.panels();
    let mut lines = Vec::new();
    for (i, panel) in panels.into_iter().enumerate() {
        if i > 0 {
            lines.push(String::new());
        }
        lines.extend(two.panel(panel));
    }
    if !gone.is_empty() {
        let gone = format!(
            "No room for {}: a wider terminal has it all.",
            gone.join(", ")
        );
        lines.extend(paragraph(&gone, INDENT, Some(Role::Aside), screen));
    }
    lines
}

/// A table without the columns that had to go, and their names.
struct Fitted {
    table: Table,
    gone: Vec<String>,
}

fn fitted(table: &Table, screen: Screen) -> Fitted {
    let mut fitted = Fitted {
        table: table.clone(),
        gone: Vec::new(),
    };
    loop {
        let columns = &fitted.table.columns;
        if Laid::of(&fitted.table, Intervals::Below, screen).fits(0..columns.len()) {
            return fitted;
        }
        let may_go = (0..columns.len()).filter_map(|at| Some((columns[at].goes?, at)));
        let Some((_, at)) = may_go.min() else {
            return fitted;
        };
        fitted.gone.push(fitted.table.columns.remove(at).name);
        for row in &mut fitted.table.rows {
            row.cells.remove(at);
        }
    }
}

/// Cells of a whole bar: two columns of bars beside their figures fit a screen of 60 columns.
fn bar_cells(screen: Screen) -> usize {
    match screen.columns() {
        0..80 => 8,
        80..100 => 16,
        _ => 24,
    }
}

/// Where the intervals stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intervals {
    Beside,
    Below,
}

/// A table with the widths of its columns.
struct Laid<'a> {
    table: &'a Table,
    screen: Screen,
    intervals: Intervals,
    /// Columns of the labels.
    label: usize,
    /// Columns of each column.
    widths: Vec<usize>,
}

impl<'a> Laid<'a> {
    fn of(table: &'a Table, intervals: Intervals, screen: Screen) -> Self {
        let labels = table.rows.iter().map(|row| width(&plain(&row.label)));
        let most = (screen.columns() / 3).max(width(&table.corner));
        let fitting = labels.filter(|label| *label <= most).max().unwrap_or(0);
        let mut laid = Self {
            table,
            screen,
            intervals,
            label: fitting.max(width(&table.corner)),
            widths: Vec::new(),
        };
        laid.widths = (0..table.columns.len()).map(|i| laid.width_of(i)).collect();
        laid
    }

    fn width_of(&self, index: usize) -> usize {
        let name = width(&plain(&self.table.columns[index].name));
        let cells = self
            .table
            .rows
            .iter()
            .filter_map(|row| row.cells.get(index));
        let written = cells.flat_map(|cell| [self.first(cell), self.second(cell)]);
        written.map(|text| width(&text)).fold(name, usize::max)
    }

    /// What stands on a row's first line.
    fn first(&self, cell: &Cell) -> String {
        if let Some(share) = cell.bar {
            return characters::bar(share, bar_cells(self.screen), self.screen.charset);
        }
        let shown = cell.shown();
        match (cell.around(), self.intervals) {
            (Some(interval), Intervals::Beside) => plain(&format!("{shown} {interval}")),
            _ => plain(&shown),
        }
    }

    /// What stands below it.
    fn second(&self, cell: &Cell) -> String {
        match (cell.around(), self.intervals) {
            (Some(interval), Intervals::Below) => plain(interval),
            _ => String::new(),
        }
    }

    /// Columns that the labels and these columns take.
    fn total(&self, columns: std::ops::Range<usize>) -> usize {
        let all: usize = self.widths[columns].iter().map(|w| GAP + w).sum();
        INDENT + self.label + all
    }

    fn fits(&self, columns: std::ops::Range<usize>) -> bool {
        self.total(columns) <= self.screen.columns()
    }

    /// The columns, dealt out so that each part fits; one column alone may not.
    fn panels(&self) -> Vec<std::ops::Range<usize>> {
        let mut panels = Vec::new();
        let mut start = 0;
        let n = self.table.columns.len();
        while start < n {
            let mut end = start + 1;
            while end < n && self.fits(start..end + 1) {
                end += 1;
            }
            if let Some(border) = self.border_before(start, end) {
                end = border;
            }
            panels.push(start..end);
            start = end;
        }
        panels
    }

    /// Where the group that a cut at `end` would tear begins, if it does not begin the part.
    fn border_before(&self, start: usize, end: usize) -> Option<usize> {
        let columns = &self.table.columns;
        let group = &columns.get(end)?.group;
        let torn = !group.is_empty() && columns[end - 1].group == *group;
        let begin = (start..end).rev().find(|i| columns[*i].group != *group)? + 1;
        (torn && begin > start).then_some(begin)
    }

    /// One part: the heads and every row.
    fn panel(&self, columns: std::ops::Range<usize>) -> Vec<String> {
        let mut lines = self.heads(columns.clone());
        if !self.fits(columns.clone()) {
            // One column, too wide for its labels: its texts are wrapped under them.
            for row in &self.table.rows {
                lines.extend(self.stacked(row, columns.clone()));
            }
            return lines;
        }
        for row in &self.table.rows {
            lines.extend(self.row(row, columns.clone()));
        }
        lines
    }

    fn heads(&self, columns: std::ops::Range<usize>) -> Vec<String> {
        let heads = &self.table.columns[columns.clone()];
        let mut lines = Vec::new();
        if heads.iter().any(|column| !column.group.is_empty()) {
            let name = |(i, column): (usize, &Column)| {
                let begins = i == 0 || heads[i - 1].group != column.group;
                if begins {
                    column.group.clone()
                } else {
                    String::new()
                }
            };
            let names: Vec<String> = heads.iter().enumerate().map(name).collect();
            lines.push(self.line("", &names, columns.clone()));
        }
        let names: Vec<String> = heads.iter().map(|column| column.name.clone()).collect();
        lines.push(self.line(&self.table.corner, &names, columns));
        lines.retain(|line| !line.is_empty());
        lines
            .iter()
            .map(|line| self.screen.paint(Role::Aside, line))
            .collect()
    }

    fn row(&self, row: &Row, columns: std::ops::Range<usize>) -> Vec<String> {
        let cells = &row.cells[columns.clone()];
        let label = plain(&row.label);
        let mut lines = Vec::new();
        let beside = width(&label) <= self.label;
        if !beside {
            lines.extend(paragraph(&label, INDENT, None, self.screen));
        }
        let label = if beside { label.as_str() } else { "" };
        let values: Vec<String> = cells.iter().map(|cell| self.first(cell)).collect();
        lines.push(self.line(label, &values, columns.clone()));
        let below: Vec<String> = cells.iter().map(|cell| self.second(cell)).collect();
        if below.iter().any(|text| !text.is_empty()) {
            let below = self.line("", &below, columns);
            lines.push(self.screen.paint(Role::Aside, &below));
        }
        lines
    }

    fn stacked(&self, row: &Row, columns: std::ops::Range<usize>) -> Vec<String> {
        let mut lines = paragraph(&row.label, INDENT, None, self.screen);
        let indent = INDENT + GAP;
        for cell in &row.cells[columns] {
            for text in [self.first(cell), self.second(cell)] {
                let room = self.screen.columns().saturating_sub(indent);
                let wrapped = wrap(&text, room);
                lines.extend(
                    wrapped
                        .iter()
                        .map(|line| format!("{}{line}", " ".repeat(indent))),
                );
            }
        }
        lines
    }

    /// `  label  cell  cell`.
    fn line(&self, label: &str, cells: &[String], columns: std::ops::Range<usize>) -> String {
        let mut text = format!("{}{}", " ".repeat(INDENT), padded(label, self.label));
        for (cell, index) in cells.iter().zip(columns) {
            let wide = self.widths[index];
            let cell = plain(cell);
            text += &" ".repeat(GAP);
            match self.table.columns[index].align {
                Align::Left => text += &padded(&cell, wide),
                Align::Right => {
                    text += &" ".repeat(wide.saturating_sub(width(&cell)));
                    text += &cell;
                }
            }
        }
        text.trim_end().to_owned()
    }
}
