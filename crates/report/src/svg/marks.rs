//! The marks of each series: lines, steps, points, bars, spans, fields of a heat map; their intervals, and
//! instants that are known only to lie between two others.
//!
//! Invariant: an open side of an interval reaches to the edge and ends in an arrow, never in a cap.

use super::Plot;
use super::pen::{Anchor, Area, At, Pen, cut, escaped, px, step, wide};
use crate::chart::{Band, Bar, Bounds, Cells, Field, Known, Marks, Point, Reading, Series, Span};
use std::fmt::Write;

/// Hues, dashes and shapes: series of the same number are told apart by their labels alone.
const STYLES: usize = 6;
/// Steps of a heat map.
pub(super) const SHADES: usize = 6;
/// Points of a line that have a shape each, at most.
const SHAPED: usize = 24;
/// Points on their own that have a shape each, at most; more become dots.
const DOTS: usize = 400;

/// The start of a series' group.
pub(super) fn group(index: usize, series: &Series) -> String {
    let style = index % STYLES;
    let class = series
        .class
        .as_ref()
        .map(|class| format!(" data-class=\"{}\"", escaped(class)));
    format!(
        "g class=\"s h{style} d{style}\"{}",
        class.unwrap_or_default()
    )
}

/// All readings of marks.
pub(crate) fn readings(marks: &Marks) -> Vec<Reading> {
    match marks {
        Marks::Line(points) | Marks::Step(points) | Marks::Points(points) => {
            points.iter().flat_map(|point| [point.x, point.y]).collect()
        }
        Marks::Bars(bars) => bars.iter().map(|bar| bar.y).collect(),
        Marks::Spans(spans) => spans.iter().flat_map(|span| [span.from, span.to]).collect(),
        Marks::Cells(cells) => cells.cells.iter().map(|field| field.value).collect(),
    }
}

/// The least and the greatest; 0 of none.
pub(super) fn ends(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let ends = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| {
        [low.min(x), high.max(x)]
    });
    if ends[0] <= ends[1] { ends } else { [0.0, 0.0] }
}

/// What a series looks like, in the key.
pub(super) fn sample(pen: &mut Pen, series: &Series, index: usize, at: At) {
    let line = format!("{}h22", step('M', at));
    let middle = At {
        x: at.x + 11.0,
        ..at
    };
    match &series.marks {
        Marks::Line(points) => {
            pen.path("line", &line);
            if points.len() <= SHAPED {
                pen.path("dot", &shape(index, middle));
            }
        }
        Marks::Step(_) => pen.path("line", &line),
        Marks::Points(_) => pen.path("dot", &shape(index, middle)),
        Marks::Bars(_) => pen.rect("bar", block(at, 10.0)),
        Marks::Spans(_) => pen.rect("span", block(at, 12.0 * height(index))),
        Marks::Cells(_) => {}
    }
}

fn block(at: At, high: f64) -> Area {
    Area {
        left: at.x + 3.0,
        top: at.y - high / 2.0,
        right: at.x + 19.0,
        bottom: at.y + high / 2.0,
    }
}

/// A shape for each number: circle, square, triangle, diamond, triangle downwards, plus.
fn shape(index: usize, at: At) -> String {
    let from = |x: f64, y: f64| {
        step(
            'M',
            At {
                x: at.x + x,
                y: at.y + y,
            },
        )
    };
    match index % STYLES {
        0 => format!(
            "{}a3.8 3.8 0 1 0 7.6 0a3.8 3.8 0 1 0 -7.6 0z",
            from(-3.8, 0.0)
        ),
        1 => format!("{}h7v7h-7z", from(-3.5, -3.5)),
        2 => format!("{}l4.4 7.6h-8.8z", from(0.0, -4.6)),
        3 => format!("{}l4.6 4.6l-4.6 4.6l-4.6 -4.6z", from(0.0, -4.6)),
        4 => format!("{}l4.4 -7.6h-8.8z", from(0.0, 4.6)),
        _ => format!("{}h3v3h3v3h-3v3h-3v-3h-3v-3h3z", from(-1.5, -4.5)),
    }
}

/// How high spans of a phase are, of a row: what comes later is higher.
fn height(index: usize) -> f64 {
    [0.3, 0.6, 0.9][index % 3]
}

impl Plot<'_> {
    pub(super) fn draw_marks(&self, pen: &mut Pen) {
        let bars = |series: &&Series| matches!(series.marks, Marks::Bars(_));
        let beside = self.chart.series.iter().filter(bars).count();
        let mut nth_bars = 0;
        for (i, series) in self.chart.series.iter().enumerate() {
            pen.open(&group(i, series));
            if let Some(band) = &series.band {
                self.draw_band(pen, band, &series.marks);
            }
            match &series.marks {
                Marks::Line(points) => {
                    pen.path("line", &self.line(points));
                    self.draw_points(pen, points, i, points.len() <= SHAPED);
                }
                Marks::Step(points) => {
                    pen.path("line", &self.steps(points));
                    self.draw_points(pen, points, i, false);
                }
                Marks::Points(points) => self.draw_points(pen, points, i, true),
                Marks::Bars(bars) => {
                    let share = Share {
                        nth: nth_bars,
                        of: beside,
                    };
                    nth_bars += 1;
                    bars.iter().for_each(|bar| self.draw_bar(pen, bar, share));
                }
                Marks::Spans(spans) => {
                    spans.iter().for_each(|span| self.draw_span(pen, span, i));
                }
                Marks::Cells(cells) => self.draw_cells(pen, cells),
            }
            pen.close("g");
        }
    }

    fn at(&self, point: &Point) -> Option<At> {
        Some(At {
            x: self.x(point.x.value)?,
            y: self.y(point.y.value)?,
        })
    }

    fn line(&self, points: &[Point]) -> String {
        let mut d = String::new();
        let mut joined = false;
        for (i, point) in points.iter().enumerate() {
            let Some(at) = self.at(point) else {
                joined = false;
                continue;
            };
            let begins = !joined || point.after_gap;
            d += &step(if begins { 'M' } else { 'L' }, at);
            let alone = points.get(i + 1).is_none_or(|next| next.after_gap);
            if begins && alone {
                // One point between two gaps would not be seen.
                d += "h0.1";
            }
            joined = true;
        }
        d
    }

    fn steps(&self, points: &[Point]) -> String {
        let mut d = String::new();
        let mut joined = false;
        for point in points {
            let Some(at) = self.at(point) else {
                joined = false;
                continue;
            };
            d += &match joined && !point.after_gap {
                true => format!("H{}V{}", px(at.x), px(at.y)),
                false => step('M', at),
            };
            joined = true;
        }
        d
    }

    /// A band, in the pieces between which nothing is known.
    fn draw_band(&self, pen: &mut Pen, band: &Band, marks: &Marks) {
        let steps = matches!(marks, Marks::Step(_));
        let gaps: Vec<f64> = match marks {
            Marks::Line(points) | Marks::Step(points) => {
                let begins = points.iter().filter(|point| point.after_gap);
                begins.map(|point| point.x.value).collect()
            }
            Marks::Points(_) | Marks::Bars(_) | Marks::Spans(_) | Marks::Cells(_) => Vec::new(),
        };
        let edge = |y: Option<f64>, open: f64| y.and_then(|y| self.y(y)).unwrap_or(open);
        let mut pieces: Vec<Vec<[f64; 3]>> = vec![Vec::new()];
        for reach in &band.reaches {
            let Some(x) = self.x(reach.x) else { continue };
            if gaps.contains(&reach.x) {
                pieces.push(Vec::new());
            }
            let low = edge(reach.y.low, self.area.bottom);
            let high = edge(reach.y.high, self.area.top);
            if let Some(piece) = pieces.last_mut() {
                piece.push([x, low, high]);
            }
        }
        let d: String = pieces
            .iter()
            .map(|piece| band_piece(piece, steps))
            .collect();
        if !d.is_empty() {
            pen.path("band", &d);
        }
    }

    fn draw_points(&self, pen: &mut Pen, points: &[Point], index: usize, shaped: bool) {
        let mut dots = String::new();
        let labelled = points
            .iter()
            .filter(|point| !point.label.is_empty())
            .count()
            <= 30;
        for point in points {
            self.draw_known(pen, point);
            let Some(at) = self.at(point) else { continue };
            let only_bounds = matches!(point.y.known, Known::Censored(_))
                || matches!(point.x.known, Known::Censored(_));
            match (shaped && !only_bounds, points.len() <= DOTS) {
                (true, true) => pen.path("dot", &shape(index, at)),
                (true, false) => dots += &format!("{}h0", step('M', at)),
                (false, _) => {}
            }
            if labelled && !point.label.is_empty() {
                let fits = at.x + 8.0 + wide(&point.label) < self.area.right;
                let (anchor, x) = match fits {
                    true => (Anchor::Start, at.x + 7.0),
                    false => (Anchor::End, at.x - 7.0),
                };
                let above = at.y - 18.0 > self.area.top;
                let y = if above { at.y - 6.0 } else { at.y + 15.0 };
                pen.text("halo", At { x, y }, anchor, &point.label);
                pen.text("", At { x, y }, anchor, &point.label);
            }
        }
        if !dots.is_empty() {
            pen.path("dots", &dots);
        }
    }

    /// What is known of a point, in both directions.
    fn draw_known(&self, pen: &mut Pen, point: &Point) {
        if let Some(x) = self.x(point.x.value) {
            let low = |bound: Option<f64>| bound.and_then(|y| self.y(y));
            self.draw_reach(pen, point.y, &|bounds: Bounds| Reach {
                from: At {
                    x,
                    y: low(bounds.low).unwrap_or(self.area.bottom),
                },
                to: At {
                    x,
                    y: low(bounds.high).unwrap_or(self.area.top),
                },
            });
        }
        if let Some(y) = self.y(point.y.value) {
            let low = |bound: Option<f64>| bound.and_then(|x| self.x(x));
            self.draw_reach(pen, point.x, &|bounds: Bounds| Reach {
                from: At {
                    x: low(bounds.low).unwrap_or(self.area.left),
                    y,
                },
                to: At {
                    x: low(bounds.high).unwrap_or(self.area.right),
                    y,
                },
            });
        }
    }

    fn draw_reach(&self, pen: &mut Pen, reading: Reading, reach: &dyn Fn(Bounds) -> Reach) {
        match reading.known {
            Known::Exactly => {}
            Known::Within(bounds) => reach(bounds).draw(pen, bounds),
            Known::Censored(bounds) => {
                let Reach { from, to } = reach(bounds);
                pen.path("censored", &(step('M', from) + &step('L', to)));
            }
        }
    }

    fn draw_bar(&self, pen: &mut Pen, bar: &Bar, share: Share) {
        let (Some(from), Some(to)) = (self.x(bar.x.low), self.x(bar.x.high)) else {
            return;
        };
        let each = (to - from) / share.of as f64;
        let gap = (each * 0.1).min(3.0);
        let left = from + each * share.nth as f64 + gap / 2.0;
        let Some(top) = self.y(bar.y.value) else {
            return;
        };
        let area = Area {
            left,
            right: left + each - gap,
            top,
            bottom: self.y(0.0).unwrap_or(self.area.bottom),
        };
        pen.rect("bar", area);
        let x = (area.left + area.right) / 2.0;
        let low = |bound: Option<f64>| bound.and_then(|y| self.y(y));
        self.draw_reach(pen, bar.y, &|bounds: Bounds| Reach {
            from: At {
                x,
                y: low(bounds.low).unwrap_or(self.area.bottom),
            },
            to: At {
                x,
                y: low(bounds.high).unwrap_or(self.area.top),
            },
        });
    }

    fn draw_span(&self, pen: &mut Pen, span: &Span, index: usize) {
        let row = span.row as f64;
        let (Some(middle), Some(edge)) = (self.y(row), self.y(row - 0.5)) else {
            return;
        };
        let half = (middle - edge).abs() * height(index);
        let (Some(left), Some(right)) = (self.x(span.from.value), self.x(span.to.value)) else {
            return;
        };
        let area = Area {
            left,
            right,
            top: middle - half,
            bottom: middle + half,
        };
        let unsure = |reading: Reading| match reading.known {
            Known::Censored(bounds) => {
                let left = bounds.low.and_then(|x| self.x(x)).unwrap_or(self.area.left);
                let right = bounds
                    .high
                    .and_then(|x| self.x(x))
                    .unwrap_or(self.area.right);
                Some(Area {
                    left,
                    right,
                    ..area
                })
            }
            Known::Exactly | Known::Within(_) => None,
        };
        // What is certain is filled; where an end may lie is an outline.
        let (begin, end) = (unsure(span.from), unsure(span.to));
        let certain = Area {
            left: begin.map_or(area.left, |b| b.right),
            right: end.map_or(area.right, |e| e.left),
            ..area
        };
        if certain.right >= certain.left {
            pen.rect("span", certain);
        }
        for unsure in [begin, end].into_iter().flatten() {
            pen.rect("unsure", unsure);
        }
    }

    fn draw_cells(&self, pen: &mut Pen, cells: &Cells) {
        let values = || cells.cells.iter().map(|field| field.value.value);
        let [low, high] = ends(values());
        let logarithmic = cells.of.scale == crate::chart::Scale::Logarithmic && low > 0.0;
        let shade = |value: f64| {
            let share = match logarithmic {
                true => (value / low).ln() / (high / low).ln(),
                false => (value - low) / (high - low),
            };
            let share = if share.is_finite() { share } else { 0.0 };
            ((share * SHADES as f64) as usize).min(SHADES - 1)
        };
        for field in &cells.cells {
            self.draw_field(
                pen,
                field,
                shade(field.value.value),
                &cells.of.unit.write(field.value.value),
            );
        }
    }

    fn draw_field(&self, pen: &mut Pen, field: &Field, shade: usize, written: &str) {
        let sides = [self.x(field.x.low), self.x(field.x.high)];
        let ends = [self.y(field.y.low), self.y(field.y.high)];
        let ([Some(left), Some(right)], [Some(a), Some(b)]) = (sides, ends) else {
            return;
        };
        let area = Area {
            left: left + 0.5,
            right: right - 0.5,
            top: a.min(b) + 0.5,
            bottom: a.max(b) - 0.5,
        };
        pen.rect(&format!("q{shade}"), area);
        let text = match field.label.is_empty() {
            true => written.to_owned(),
            false => format!("{} {written}", field.label),
        };
        let class = if shade >= SHADES - 2 {
            "on-strong"
        } else {
            "on-faint"
        };
        let at = At {
            x: (area.left + area.right) / 2.0,
            y: (area.top + area.bottom) / 2.0 + 4.0,
        };
        let room = area.right - area.left - 2.0;
        if area.bottom - area.top >= 13.0 && room > 24.0 {
            pen.text(class, at, Anchor::Middle, &cut(&text, room));
        }
    }
}

/// There along the upper ends and back along the lower ones; each place is x, low, high.
fn band_piece(places: &[[f64; 3]], steps: bool) -> String {
    let mut d = String::new();
    for (i, [x, _, high]) in places.iter().enumerate() {
        let at = At { x: *x, y: *high };
        d += &match (i, steps) {
            (0, _) => step('M', at),
            (_, true) => format!("H{}V{}", px(*x), px(*high)),
            (_, false) => step('L', at),
        };
    }
    let mut back = places.iter().rev().peekable();
    if let Some([x, low, _]) = back.peek() {
        d += &step('L', At { x: *x, y: *low });
    }
    while let (Some(_), Some([x, low, _])) = (back.next(), back.peek()) {
        // What holds until the next is left at the x where it begins.
        d += &match steps {
            true => format!("V{}H{}", px(*low), px(*x)),
            false => step('L', At { x: *x, y: *low }),
        };
    }
    if d.is_empty() { d } else { d + "z" }
}

/// Which of several bars at one place.
#[derive(Clone, Copy)]
struct Share {
    nth: usize,
    of: usize,
}

/// From one place to another, along one direction.
struct Reach {
    from: At,
    to: At,
}

impl Reach {
    fn draw(&self, pen: &mut Pen, bounds: Bounds) {
        let Self { from, to } = *self;
        let upright = from.x == to.x;
        let mut d = step('M', from) + &step('L', to);
        for (end, bound) in [(from, bounds.low), (to, bounds.high)] {
            if bound.is_some() {
                let across = if upright {
                    At {
                        x: end.x - 3.0,
                        ..end
                    }
                } else {
                    At {
                        y: end.y - 3.0,
                        ..end
                    }
                };
                let _ = write!(
                    d,
                    "{}{}6",
                    step('M', across),
                    if upright { 'h' } else { 'v' }
                );
            }
        }
        pen.path("whisker", &d);
        for (end, bound, other) in [(from, bounds.low, to), (to, bounds.high, from)] {
            if bound.is_none() {
                let sign = if upright {
                    (end.y - other.y).signum()
                } else {
                    (end.x - other.x).signum()
                };
                let arrow = match upright {
                    true => format!("{}l-3.5 {}h7z", step('M', end), px(-6.0 * sign)),
                    false => format!("{}l{} -3.5v7z", step('M', end), px(-6.0 * sign)),
                };
                pen.path("open", &arrow);
            }
        }
    }
}
