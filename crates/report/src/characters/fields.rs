//! A heat map as a table: each field has its value in words, and a shade in front of it.

use super::Charset;
use crate::chart::{Axis, Cells, Chart, Field, Marks, Range, Scale};
use crate::document::{Cell, Column, Table};

/// The heat map of a chart; `None` of one that has none.
pub(crate) fn fields(chart: &Chart, charset: Charset) -> Option<Table> {
    let cells = chart.series.iter().find_map(|series| match &series.marks {
        Marks::Cells(cells) => Some(cells),
        _ => None,
    })?;
    let (columns, rows) = (names(&chart.x), names(&chart.y));
    let shades = Shades::of(cells);
    let named = columns.iter().map(Column::right).collect();
    let mut table = Table::new(&*chart.x.label, named);
    for (row, name) in rows.iter().enumerate() {
        let at = |column: usize| {
            let mut fields = cells.cells.iter();
            let found = fields.find(|f| is_at(f.x, column) && is_at(f.y, row));
            let shade = |field| shades.of_field(field, charset);
            Cell::or_dash(found.map(|field| charset.text(&written(field, cells, shade(field)))))
        };
        table.row(&**name, (0..columns.len()).map(at).collect());
    }
    Some(table)
}

fn names(axis: &Axis) -> &[String] {
    match &axis.scale {
        Scale::Categories(names) => names,
        Scale::Linear | Scale::Logarithmic => &[],
    }
}

fn is_at(range: Range, index: usize) -> bool {
    range == Range::of_category(index)
}

/// `▓✓ 41.2 ms`.
fn written(field: &Field, cells: &Cells, shade: char) -> String {
    let value = cells.of.unit.write(field.value.value);
    match field.label.is_empty() {
        true => format!("{shade} {value}"),
        false => format!("{shade}{} {value}", field.label),
    }
}

/// The values that shades stand for.
struct Shades {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Shades {
    fn of(cells: &Cells) -> Self {
        let values = || cells.cells.iter().map(|field| field.value.value);
        let low = values().fold(f64::INFINITY, f64::min);
        Self {
            low,
            high: values().fold(f64::NEG_INFINITY, f64::max),
            logarithmic: cells.of.scale == Scale::Logarithmic && low > 0.0,
        }
    }

    fn of_field(&self, field: &Field, charset: Charset) -> char {
        let value = field.value.value;
        let Self { low, high, .. } = self;
        let share = match self.logarithmic {
            true => (value / low).ln() / (high / low).ln(),
            false => (value - low) / (high - low),
        };
        let shades = charset.glyphs().shades;
        // Of equal values none is stronger.
        let share = if share.is_finite() { share } else { 0.0 };
        shades[(share * (shades.len() - 1) as f64).round() as usize]
    }
}
