//! A chart as SVG: the only way from a chart to a picture, for pages, files and bitmaps alike.
//!
//! Text stays text. Invariants: every interval and every censored instant that the chart has is drawn; what
//! is told by colour is told by a dash, a shape or a height as well; nothing in a text is markup.

mod frame;
mod key;
mod marks;
mod pen;
pub(crate) mod theme;

pub(crate) use key::name as series_name;
pub(crate) use marks::readings;
pub(crate) use pen::escaped;
pub use theme::Theme;

use crate::chart::extent::Extent;
use crate::chart::rows::{Row, rows};
use crate::chart::scale::Domain;
use crate::chart::{Chart, Marks, Scale};
use pen::{Anchor, Area, At, Pen, cut, px, wide};
use std::fmt::Write;

/// Pixels of a line of text.
const LINE: f64 = 17.0;
/// Height of a plot without rows.
const HEIGHT: f64 = 250.0;
/// Rows of pieces beyond which they are thin.
const MANY_ROWS: usize = 20;
/// Greatest height of rows.
const MOST_ROWS_HIGH: f64 = 560.0;
/// Around everything.
const MARGIN: f64 = 8.0;

/// A picture of its own, title and words below it included, `width` pixels wide.
pub fn picture(chart: &Chart, width: f64, theme: Theme) -> String {
    let mut pen = Pen::default();
    let mut top = MARGIN;
    let title = At {
        x: MARGIN,
        y: top + 14.0,
    };
    pen.text(
        "head",
        title,
        Anchor::Start,
        &cut(&chart.title, (width - 2.0 * MARGIN) / 1.2),
    );
    top += LINE + 8.0;
    let plot = Plot::of(chart, width, top);
    plot.draw(&mut pen, "0");
    let mut bottom = plot.height;
    let said = chart.said_of_picture();
    for line in said.flat_map(|said| wrapped(said, width)) {
        bottom += LINE;
        let at = At {
            x: MARGIN,
            y: bottom - 4.0,
        };
        pen.text("dim", at, Anchor::Start, &line);
    }
    let (wide, high) = (px(width), px(bottom + MARGIN));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" width=\"{wide}\" height=\"{high}\" \
         viewBox=\"0 0 {wide} {high}\" role=\"img\">{}<style>{}</style>\
         <rect class=\"paper\" width=\"{wide}\" height=\"{high}\"/>{}</svg>\n",
        plot.described(),
        theme.rules(),
        pen.out
    )
}

/// A chart as a part of a page, which says title and words and has the rules; `id` is its own there.
pub(crate) fn inline(chart: &Chart, width: f64, id: &str) -> String {
    let plot = Plot::of(chart, width, 0.0);
    let mut pen = Pen::default();
    plot.draw(&mut pen, id);
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"t{id} d{id}\" \
         data-places=\"{}\">{}{}</svg>",
        px(width),
        px(plot.height),
        plot.places(),
        plot.described()
            .replace("<title>", &format!("<title id=\"t{id}\">"))
            .replace("<desc>", &format!("<desc id=\"d{id}\">")),
        pen.out
    )
}

/// The lines of a text below a picture.
fn wrapped(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if wide(line) + wide(word) + 7.0 <= width - 2.0 * MARGIN => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A chart with the places of its axes.
struct Plot<'a> {
    chart: &'a Chart,
    x: Domain,
    y: Domain,
    /// Where the marks are.
    area: Area,
    /// The key, above the marks.
    key: Vec<Vec<key::Entry>>,
    key_top: f64,
    /// Height of the whole.
    height: f64,
    /// Rules that lie too far above the marks to be shown in their place.
    far: Vec<usize>,
}

impl<'a> Plot<'a> {
    fn of(chart: &'a Chart, width: f64, top: f64) -> Self {
        let extent = Extent::of(chart);
        let high = high(chart);
        let y = Domain::of(
            &chart.y,
            &extent.y,
            ((high / 40.0) as usize).max(rows_shown(chart, high)),
        );
        let labels = y
            .ticks
            .iter()
            .map(|tick| wide(&tick.text))
            .fold(0.0, f64::max);
        let labels = match chart.y.scale {
            // Capitals and signs are wider than digits.
            Scale::Categories(_) => labels * 1.15,
            Scale::Linear | Scale::Logarithmic => labels,
        };
        let left = MARGIN + labels.min(width * 0.3) + 8.0;
        let right = width - MARGIN - 10.0;
        let x = Domain::of(&chart.x, &extent.x, x_ticks(chart, right - left));
        let key = key::lines(chart, width - 2.0 * MARGIN);
        let key_top = top + MARGIN;
        let top = key_top + key.len() as f64 * LINE + LINE + 8.0;
        Self {
            chart,
            x,
            y,
            area: Area {
                left,
                top,
                right,
                bottom: top + high,
            },
            key,
            key_top,
            height: top + high + 2.0 * LINE + MARGIN,
            far: extent.far,
        }
    }

    /// Where `value` stands from left to right.
    fn x(&self, value: f64) -> Option<f64> {
        let share = self.x.share(value)?;
        Some(self.area.left + share * (self.area.right - self.area.left))
    }

    /// Where `value` stands from above to below: categories begin above.
    fn y(&self, value: f64) -> Option<f64> {
        let share = self.y.share(value)?;
        let high = self.area.bottom - self.area.top;
        Some(match self.chart.y.scale {
            Scale::Categories(_) => self.area.top + share * high,
            Scale::Linear | Scale::Logarithmic => self.area.bottom - share * high,
        })
    }

    fn draw(&self, pen: &mut Pen, id: &str) {
        self.draw_key(pen);
        self.draw_frame(pen);
        let area = self.area;
        let _ = write!(
            pen.out,
            "<clipPath id=\"k{id}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>",
            px(area.left - 5.0),
            px(area.top - 5.0),
            px(area.right - area.left + 10.0),
            px(area.bottom - area.top + 10.0)
        );
        pen.open(&format!("g clip-path=\"url(#k{id})\""));
        self.draw_marks(pen);
        pen.close("g");
        self.draw_rules(pen);
    }

    /// Where each row of the chart's data stands, `x y` in whole pixels, `-` where it does not.
    fn places(&self) -> String {
        let place = |row: &Row<'_>| {
            let x = row.x.middle().and_then(|x| self.x(x));
            let y = row.y.middle().and_then(|y| self.y(y));
            match x.zip(y) {
                Some((x, y)) => format!("{x:.0} {y:.0}"),
                None => "- -".to_owned(),
            }
        };
        let all: Vec<String> = rows(self.chart).iter().map(place).collect();
        all.join(" ")
    }

    /// What somebody who does not see the chart is told.
    fn described(&self) -> String {
        let chart = self.chart;
        let mut said = Vec::new();
        for (name, axis) in [("Across", &chart.x), ("Up", &chart.y)] {
            let label = if axis.label.is_empty() {
                "categories"
            } else {
                &axis.label
            };
            said.push(format!("{name}: {label}."));
        }
        let all = rows(chart);
        for (i, series) in chart.series.iter().enumerate() {
            let ys = all
                .iter()
                .filter(|row| row.series == i)
                .filter_map(|row| row.y.value);
            let n = ys.clone().count();
            let ends = ys.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], y| {
                [low.min(y), high.max(y)]
            });
            said.push(match (&chart.y.scale, ends) {
                (Scale::Linear | Scale::Logarithmic, [low, high]) if low <= high => format!(
                    "{}: {n} marks from {} to {}.",
                    key::name(series),
                    chart.y.unit.write(low),
                    chart.y.unit.write(high)
                ),
                _ => format!("{}.", key::name(series)),
            });
        }
        said.extend(
            chart
                .rules
                .iter()
                .map(|rule| format!("Line: {}.", rule.label)),
        );
        format!(
            "<title>{}</title><desc>{}</desc>",
            escaped(&chart.title),
            said.iter()
                .map(|part| escaped(part))
                .collect::<Vec<_>>()
                .join(" ")
        )
    }
}

/// How many names of rows there is room for.
fn rows_shown(chart: &Chart, high: f64) -> usize {
    match &chart.y.scale {
        Scale::Categories(names) => names.len().min((high / 14.0) as usize),
        Scale::Linear | Scale::Logarithmic => 4,
    }
}

/// How many ticks there is room for.
fn x_ticks(chart: &Chart, room: f64) -> usize {
    let each = match &chart.x.scale {
        Scale::Categories(names) => {
            let widest = names.iter().map(|name| wide(name)).fold(0.0, f64::max);
            widest.min(120.0) + 10.0
        }
        Scale::Linear => 70.0,
        Scale::Logarithmic => 48.0,
    };
    ((room / each) as usize).max(1)
}

/// How high the marks are.
fn high(chart: &Chart) -> f64 {
    match &chart.y.scale {
        Scale::Categories(names) => {
            let timeline = chart
                .series
                .iter()
                .any(|s| matches!(s.marks, Marks::Spans(_)));
            // Many pieces are a picture of their own, few are read one by one.
            let each = if timeline && names.len() > MANY_ROWS {
                9.0
            } else {
                27.0
            };
            (names.len() as f64 * each).clamp(54.0, MOST_ROWS_HIGH)
        }
        Scale::Linear | Scale::Logarithmic => HEIGHT,
    }
}
