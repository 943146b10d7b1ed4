//! The data behind a chart, one row a mark, in the order in which they are drawn; and the same as CSV.
//!
//! Invariants: values are as kept, without unit, to seven digits; a text cannot become a formula of a
//! spreadsheet.

use super::{Axis, Band, Bounds, Chart, Known, Marks, Point, Range, Reading, Scale};
use infermeter_core::text::csv_field;
use std::collections::BTreeSet;

/// Longest text of a field, bytes.
const MOST_BYTES: usize = 200;

/// A mark.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row<'a> {
    /// The index of its series.
    pub series: usize,
    kind: &'static str,
    /// Where it stands from left to right.
    pub x: Side,
    /// Where it stands from below to above.
    pub y: Side,
    value: Side,
    n: Option<u64>,
    label: &'a str,
}

/// A mark along one axis.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Side {
    /// Its value.
    pub value: Option<f64>,
    bounds: Bounds,
    censored: bool,
}

impl Side {
    fn of(reading: Reading) -> Self {
        Self {
            value: Some(reading.value),
            bounds: reading.bounds().unwrap_or_default(),
            censored: matches!(reading.known, Known::Censored(_)),
        }
    }

    fn over(range: Range) -> Self {
        let bounds = Bounds {
            low: Some(range.low),
            high: Some(range.high),
        };
        Self {
            bounds,
            ..Self::default()
        }
    }

    /// What an axis has to hold of it.
    pub(crate) fn ends(&self) -> impl Iterator<Item = f64> + use<> {
        [self.value, self.bounds.low, self.bounds.high]
            .into_iter()
            .flatten()
    }

    /// The middle of what it covers.
    pub(crate) fn middle(&self) -> Option<f64> {
        let middle = || Some((self.bounds.low? + self.bounds.high?) / 2.0);
        self.value.or_else(middle)
    }
}

/// Every mark of a chart.
pub(crate) fn rows(chart: &Chart) -> Vec<Row<'_>> {
    let series = chart.series.iter().enumerate();
    series
        .flat_map(|(i, series)| {
            let mut rows = of_marks(&series.marks);
            rows.extend(series.band.iter().flat_map(of_band));
            for row in &mut rows {
                row.series = i;
            }
            rows
        })
        .collect()
}

fn of_marks(marks: &Marks) -> Vec<Row<'_>> {
    match marks {
        Marks::Line(points) | Marks::Step(points) | Marks::Points(points) => {
            points.iter().map(of_point).collect()
        }
        Marks::Bars(bars) => {
            let row = |bar: &super::Bar| Row {
                kind: "bar",
                x: Side::over(bar.x),
                y: Side::of(bar.y),
                n: bar.n,
                ..Row::default()
            };
            bars.iter().map(row).collect()
        }
        Marks::Spans(spans) => spans.iter().map(of_span).collect(),
        Marks::Cells(cells) => {
            let row = |field: &'_ super::Field| (field.x, field.y, field.value, field.n);
            let rows = cells.cells.iter().map(|field| {
                let (x, y, value, n) = row(field);
                Row {
                    kind: "cell",
                    x: Side::over(x),
                    y: Side::over(y),
                    value: Side::of(value),
                    n,
                    label: &field.label,
                    ..Row::default()
                }
            });
            rows.collect()
        }
    }
}

fn of_point(point: &Point) -> Row<'_> {
    Row {
        kind: "point",
        x: Side::of(point.x),
        y: Side::of(point.y),
        n: point.n,
        label: &point.label,
        ..Row::default()
    }
}

/// From its begin to its end; of a censored end, the latest one.
fn of_span(span: &super::Span) -> Row<'static> {
    let censored = |reading: Reading| matches!(reading.known, Known::Censored(_));
    let latest = span.to.bounds().and_then(|bounds| bounds.high);
    Row {
        kind: "span",
        x: Side {
            censored: censored(span.from) || censored(span.to),
            ..Side::over(Range::new(span.from.value, latest.unwrap_or(span.to.value)))
        },
        y: Side::of(Reading::exact(span.row as f64)),
        ..Row::default()
    }
}

fn of_band(band: &Band) -> impl Iterator<Item = Row<'_>> {
    band.reaches.iter().map(|reach| Row {
        kind: "band",
        x: Side::of(Reading::exact(reach.x)),
        y: Side {
            bounds: reach.y,
            ..Side::default()
        },
        label: &band.label,
        ..Row::default()
    })
}

/// The rows as CSV with a header, lines ended by a line feed. Columns without a value are left out.
pub(crate) fn csv(chart: &Chart) -> String {
    let table: Vec<Vec<String>> = rows(chart).iter().map(|row| fields(chart, row)).collect();
    let heads = heads(chart);
    let used: BTreeSet<usize> = (0..heads.len())
        .filter(|i| table.iter().any(|row| !row[*i].is_empty()))
        .collect();
    let line = |fields: &Vec<String>| {
        let kept = used.iter().map(|i| fields[*i].as_str());
        kept.collect::<Vec<_>>().join(",") + "\n"
    };
    std::iter::once(&heads).chain(&table).map(line).collect()
}

fn heads(chart: &Chart) -> Vec<String> {
    let mut heads = ["series", "class", "mark"].map(str::to_owned).to_vec();
    let value = chart.series.iter().find_map(|series| match &series.marks {
        Marks::Cells(cells) => Some(&cells.of),
        _ => None,
    });
    for axis in [Some(&chart.x), Some(&chart.y), value] {
        let name = axis.map_or_else(String::new, named);
        heads.push(field(&name));
        heads.push(field(&format!("{name} low")));
        heads.push(field(&format!("{name} high")));
    }
    heads.extend(["censored", "n", "label"].map(str::to_owned));
    heads
}

fn named(axis: &Axis) -> String {
    match axis.unit.kept() {
        unit if unit.is_empty() || unit == axis.label => axis.label.clone(),
        unit => format!("{} ({unit})", axis.label),
    }
}

fn fields(chart: &Chart, row: &Row<'_>) -> Vec<String> {
    let series = &chart.series[row.series];
    let mut fields = vec![
        field(&series.label),
        field(series.class.as_deref().unwrap_or("")),
        row.kind.to_owned(),
    ];
    for (axis, side) in [(&chart.x, row.x), (&chart.y, row.y)] {
        fields.extend(side_fields(axis, side));
    }
    fields.extend(side_fields(&Axis::default(), row.value));
    let censored = row.x.censored || row.y.censored || row.value.censored;
    fields.push(if censored { "yes" } else { "" }.to_owned());
    fields.push(row.n.map_or_else(String::new, |n| n.to_string()));
    fields.push(field(row.label));
    fields
}

/// Value, lower and upper end; a category by its name.
fn side_fields(axis: &Axis, side: Side) -> [String; 3] {
    if let (Scale::Categories(names), Some(middle)) = (&axis.scale, side.middle()) {
        let name = names.get(middle.round() as usize);
        return [
            field(name.map_or("", String::as_str)),
            String::new(),
            String::new(),
        ];
    }
    [side.value, side.bounds.low, side.bounds.high].map(|x| x.map_or_else(String::new, number))
}

/// Seven digits, as few as say the same: `0.0412`, `1234567`.
fn number(x: f64) -> String {
    if !x.is_finite() {
        return String::new();
    }
    let decimals = (6.0 - x.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{x:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    match text {
        "-0" => "0",
        text => text,
    }
    .to_owned()
}

fn field(text: &str) -> String {
    csv_field(text, MOST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::super::{Reach, Series, Unit};
    use super::*;

    #[test]
    fn rows_are_csv_and_no_formula() {
        let x = Axis::linear("rate", Unit::Of("requests/s".to_owned()));
        let mut chart = Chart::new(
            "curve",
            "Curve",
            x,
            Axis::linear("TTFT", Unit::Milliseconds),
        );
        let mut point = Point::of(
            Reading::exact(2.0),
            Reading::estimate(41.234_567_891, Some(40.0), None),
        );
        point.n = Some(12);
        chart.series.push(Series {
            label: "=SUM(A1),\"x\"\n".to_owned(),
            marks: Marks::Line(vec![point]),
            band: Some(Band {
                label: "band".to_owned(),
                reaches: vec![Reach {
                    x: 2.0,
                    y: Bounds {
                        low: Some(0.0),
                        high: None,
                    },
                }],
            }),
            ..Series::default()
        });
        let expect = "series,mark,rate (requests/s),TTFT (ms),TTFT (ms) low,n,label\n\
            \"'=SUM(A1),\"\"x\"\" \",point,2,41.23457,40,12,\n\
            \"'=SUM(A1),\"\"x\"\" \",band,2,,0,,band\n";
        assert_eq!(csv(&chart), expect);
    }

    #[test]
    fn numbers_have_seven_digits() {
        let written = [0.0, 0.041_2, 1_234_567.8, -2.5, f64::NAN].map(number);
        assert_eq!(written, ["0", "0.0412", "1234568", "-2.5", ""]);
    }
}
