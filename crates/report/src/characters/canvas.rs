//! The plot itself: places on a grid of characters, axes with their ticks, marks.
//!
//! Invariant: nothing hides a mark: where those of several series meet, a mark of its own says so. Text is written
//! where nothing but lines stand.

use super::glyphs::Glyphs;
use super::{Charset, cut};
use crate::chart::extent::Extent;
use crate::chart::scale::{Domain, Tick};
use crate::chart::{Across, Band, Bar, Bounds, Chart, Known, Marks, Point, Reading, Series};
use infermeter_core::text::inert;
use unicode_width::UnicodeWidthStr;

/// Lines of the plot.
const HIGH: usize = 12;
/// Least columns of the plot.
const LEAST: usize = 16;
/// Columns of a name at the left, at most.
const LABEL: usize = 12;
/// Points of a line that have a mark each, at most.
const MARKED: usize = 24;
/// Longest text beside a mark, bytes.
const BESIDE: usize = 24;
/// Texts beside marks, at most: more would cover each other.
const MOST_LABELS: usize = 30;

/// A place.
#[derive(Debug, Clone, Copy)]
struct Spot {
    column: usize,
    /// From below, as a share of the height.
    up: f64,
}

/// A grid in the making.
pub(super) struct Canvas<'a> {
    chart: &'a Chart,
    charset: Charset,
    glyphs: &'static Glyphs,
    x: Domain,
    y: Domain,
    /// Columns of the names at the left.
    label: usize,
    /// From above.
    rows: Vec<Vec<char>>,
}

impl<'a> Canvas<'a> {
    /// Everything drawn, `columns` wide with the names at the left.
    pub(super) fn of(chart: &'a Chart, columns: usize, charset: Charset) -> Self {
        let extent = Extent::of(chart);
        let mut y = Domain::of(&chart.y, &extent.y, HIGH / 3);
        for tick in &mut y.ticks {
            tick.text = charset.text(&tick.text);
        }
        let labels = y.ticks.iter().map(|tick| tick.text.width());
        let label = labels.max().unwrap_or(0).min(LABEL);
        let wide = columns.saturating_sub(label + 2).max(LEAST);
        let mut canvas = Self {
            x: Domain::of(&chart.x, &extent.x, wide / 10),
            chart,
            charset,
            glyphs: charset.glyphs(),
            y,
            label,
            rows: vec![vec![' '; wide]; HIGH],
        };
        canvas.draw();
        canvas
    }

    fn wide(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    fn column(&self, x: f64) -> Option<usize> {
        let share = self.x.share(x)?;
        let last = self.wide().saturating_sub(1) as f64;
        (-1e-9..=1.0 + 1e-9)
            .contains(&share)
            .then(|| (share.clamp(0.0, 1.0) * last).round() as usize)
    }

    fn row(up: f64) -> usize {
        ((1.0 - up.clamp(0.0, 1.0)) * (HIGH - 1) as f64).round() as usize
    }

    fn spot(&self, x: f64, y: f64) -> Option<Spot> {
        Some(Spot {
            column: self.column(x)?,
            up: self.y.share(y)?,
        })
    }

    /// Puts a character where nothing stands that weighs more.
    fn put(&mut self, column: usize, row: usize, glyph: char) {
        let faint = [
            ' ',
            self.glyphs.band,
            self.glyphs.rules[0],
            self.glyphs.rules[1],
        ];
        let Some(cell) = self.rows.get_mut(row).and_then(|row| row.get_mut(column)) else {
            return;
        };
        if faint.contains(cell) || (*cell == self.glyphs.line && glyph != self.glyphs.band) {
            *cell = glyph;
        } else if self.glyphs.is_mark(*cell) && self.glyphs.is_mark(glyph) && *cell != glyph {
            *cell = self.glyphs.several;
        }
    }

    /// Puts what weighs more than lines and intervals: a mark, or an arrow, which hides no mark.
    fn put_over(&mut self, column: usize, row: usize, glyph: char) {
        let Some(cell) = self.rows.get_mut(row).and_then(|row| row.get_mut(column)) else {
            return;
        };
        match (self.glyphs.is_mark(*cell), self.glyphs.is_mark(glyph)) {
            (true, true) if *cell != glyph => *cell = self.glyphs.several,
            (true, _) => {}
            (false, _) => *cell = glyph,
        }
    }

    /// Marks of several series meet somewhere.
    pub(super) fn has_several(&self) -> bool {
        let mut cells = self.rows.iter().flatten();
        cells.any(|cell| *cell == self.glyphs.several)
    }

    fn draw(&mut self) {
        let series = &self.chart.series;
        for series in series {
            if let Some(band) = &series.band {
                let steps = matches!(series.marks, Marks::Step(_));
                self.draw_band(band, steps);
            }
        }
        self.draw_rules();
        for (i, series) in series.iter().enumerate() {
            let mark = self.glyphs.mark(i);
            match &series.marks {
                Marks::Line(points) if points.len() <= MARKED => {
                    self.draw_line(points, self.glyphs.line, false);
                }
                Marks::Line(points) => self.draw_line(points, mark, false),
                Marks::Step(points) => self.draw_line(points, mark, true),
                Marks::Bars(bars) => bars.iter().for_each(|bar| self.draw_bar(bar)),
                Marks::Points(_) | Marks::Spans(_) | Marks::Cells(_) => {}
            }
        }
        for series in series {
            self.draw_intervals(&series.marks);
        }
        let pointed = |series: &'a Series| match &series.marks {
            Marks::Line(points) if points.len() <= MARKED => points.as_slice(),
            Marks::Points(points) => points.as_slice(),
            _ => &[],
        };
        for (i, series) in series.iter().enumerate() {
            self.draw_points(pointed(series), i);
        }
        // Behind all marks, which would be written over it.
        for series in series {
            self.write_labels(pointed(series));
        }
    }

    fn draw_rules(&mut self) {
        let [across, upright] = self.glyphs.rules;
        for rule in &self.chart.rules {
            match rule.across {
                Across::Y => {
                    let up = self.y.share(rule.at).filter(|up| (0.0..=1.0).contains(up));
                    if let Some(up) = up {
                        (0..self.wide()).for_each(|column| self.put(column, Self::row(up), across));
                    }
                }
                Across::X => {
                    if let Some(column) = self.column(rule.at) {
                        (0..HIGH).for_each(|row| self.put(column, row, upright));
                    }
                }
            }
        }
    }

    /// A line in its pieces, between which nothing is known.
    fn draw_line(&mut self, points: &[Point], glyph: char, steps: bool) {
        for piece in points.chunk_by(|_, next| !next.after_gap) {
            let spots = piece.iter().filter_map(|p| self.spot(p.x.value, p.y.value));
            let spots: Vec<Spot> = spots.collect();
            let mut before: Option<usize> = None;
            for spot in heights(&spots, steps) {
                let row = Self::row(spot.up);
                let from = before.unwrap_or(row);
                // A steep piece is not torn.
                for between in from.min(row)..=from.max(row) {
                    if between != from || between == row {
                        self.put(spot.column, between, glyph);
                    }
                }
                before = Some(row);
            }
        }
    }

    fn draw_band(&mut self, band: &Band, steps: bool) {
        let edge = |open: f64, of: fn(Bounds) -> Option<f64>| -> Vec<Spot> {
            let reaches = band.reaches.iter();
            let spots = reaches.filter_map(|reach| {
                let up = of(reach.y).and_then(|y| self.y.share(y));
                Some(Spot {
                    column: self.column(reach.x)?,
                    up: up.unwrap_or(open),
                })
            });
            heights(&spots.collect::<Vec<_>>(), steps)
        };
        let (low, high) = (edge(0.0, |b| b.low), edge(1.0, |b| b.high));
        for (low, high) in low.into_iter().zip(high) {
            for row in Self::row(high.up)..=Self::row(low.up) {
                self.put(low.column, row, self.glyphs.band);
            }
        }
    }

    fn draw_bar(&mut self, bar: &Bar) {
        let Some((from, to)) = self.column(bar.x.low).zip(self.column(bar.x.high)) else {
            return;
        };
        let (Some(up), down) = (self.y.share(bar.y.value), self.y.share(0.0)) else {
            return;
        };
        // A column of its own between neighbours, where there is room.
        let to = if to > from + 2 {
            to - 1
        } else {
            to.max(from + 1)
        };
        for column in from..to {
            for row in Self::row(up)..=Self::row(down.unwrap_or(0.0)) {
                if bar.y.value != 0.0 {
                    self.put(column, row, self.glyphs.full);
                }
            }
        }
    }

    fn draw_intervals(&mut self, marks: &Marks) {
        match marks {
            Marks::Line(points) | Marks::Step(points) | Marks::Points(points) => {
                for point in points {
                    self.draw_upright(point.x.value, point.y);
                    self.draw_across(point.x, point.y.value);
                }
            }
            Marks::Bars(bars) => {
                for bar in bars {
                    self.draw_upright((bar.x.low + bar.x.high) / 2.0, bar.y);
                }
            }
            Marks::Spans(_) | Marks::Cells(_) => {}
        }
    }

    fn draw_upright(&mut self, x: f64, y: Reading) {
        let (Some(bounds), Some(column)) = (bounds(y), self.column(x)) else {
            return;
        };
        let [low, high] = self.ends(bounds, |canvas, y| canvas.y.share(y));
        let (top, bottom) = (Self::row(high), Self::row(low));
        (top..=bottom).for_each(|row| self.put(column, row, self.glyphs.upright));
        let [_, _, below, above] = self.glyphs.open;
        if bounds.low.is_none() {
            self.put_over(column, bottom, below);
        }
        if bounds.high.is_none() {
            self.put_over(column, top, above);
        }
    }

    fn draw_across(&mut self, x: Reading, y: f64) {
        let (Some(bounds), Some(up)) = (bounds(x), self.y.share(y)) else {
            return;
        };
        let last = self.wide().saturating_sub(1) as f64;
        let ends = self.ends(bounds, |canvas, x| canvas.x.share(x));
        let [from, to] = ends.map(|share| (share * last).round() as usize);
        let row = Self::row(up);
        (from..=to).for_each(|column| self.put(column, row, self.glyphs.level));
        let [before, behind, ..] = self.glyphs.open;
        if bounds.low.is_none() {
            self.put_over(from, row, before);
        }
        if bounds.high.is_none() {
            self.put_over(to, row, behind);
        }
    }

    /// Both ends as shares; an open one is at the edge.
    fn ends(&self, bounds: Bounds, share: impl Fn(&Self, f64) -> Option<f64>) -> [f64; 2] {
        let low = bounds.low.and_then(|low| share(self, low)).unwrap_or(0.0);
        let high = bounds.high.and_then(|high| share(self, high));
        [low, high.unwrap_or(1.0)].map(|end| end.clamp(0.0, 1.0))
    }

    fn draw_points(&mut self, points: &[Point], series: usize) {
        for point in points {
            if let Some(spot) = self.spot(point.x.value, point.y.value) {
                self.put_over(spot.column, Self::row(spot.up), self.glyphs.mark(series));
            }
        }
    }

    fn write_labels(&mut self, points: &[Point]) {
        let labelled = || points.iter().filter(|point| !point.label.is_empty());
        if labelled().count() > MOST_LABELS {
            return;
        }
        for point in labelled() {
            if let Some(spot) = self.spot(point.x.value, point.y.value) {
                self.write(spot, &self.charset.text(&inert(&point.label, BESIDE)));
            }
        }
    }

    /// A text behind a mark, or before it where there is no room behind.
    fn write(&mut self, spot: Spot, text: &str) {
        let row = Self::row(spot.up);
        let wide = text.chars().count();
        let behind = spot.column + 1;
        let places = [Some(behind), spot.column.checked_sub(wide)];
        let free = [
            ' ',
            self.glyphs.band,
            self.glyphs.line,
            self.glyphs.rules[0],
        ];
        for place in places.into_iter().flatten().filter(|_| wide > 0) {
            let cells = self.rows[row].get_mut(place..place + wide);
            if let Some(cells) = cells.filter(|cells| cells.iter().all(|c| free.contains(c))) {
                cells
                    .iter_mut()
                    .zip(text.chars())
                    .for_each(|(cell, c)| *cell = c);
                return;
            }
        }
    }

    /// Axes around what is drawn.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { glyphs, label, .. } = self;
        let wide = self.wide();
        let title = self.charset.text(&inert(&self.y.title, super::MOST_BYTES));
        let mut lines = vec![cut(&title, wide + label)];
        for (i, row) in self.rows.iter().enumerate() {
            let mut ticks = self.y.ticks.iter();
            let tick =
                ticks.find(|tick| self.y.share(tick.at).is_some_and(|up| Self::row(up) == i));
            let (name, edge) = match tick {
                Some(tick) => (cut(&tick.text, *label), glyphs.ticks[0]),
                None => (String::new(), glyphs.upright),
            };
            let cells: String = row.iter().collect();
            let pad = " ".repeat(label - name.width());
            lines.push(format!("{pad}{name} {edge}{cells}").trim_end().to_owned());
        }
        lines.extend(self.below());
        lines
    }

    /// The axis below, its ticks, and what it counts.
    fn below(&self) -> [String; 3] {
        let wide = self.wide();
        let mut axis = vec![self.glyphs.level; wide];
        let mut names = vec![' '; wide];
        let mut taken = 0;
        for Tick { at, text } in &self.x.ticks {
            let Some(column) = self.column(*at) else {
                continue;
            };
            let text = self.charset.text(text);
            let long = text.chars().count();
            let begin = column
                .saturating_sub(long / 2)
                .min(wide.saturating_sub(long));
            if begin < taken || long > wide {
                continue;
            }
            axis[column] = self.glyphs.ticks[1];
            names[begin..begin + long]
                .iter_mut()
                .zip(text.chars())
                .for_each(|(n, c)| *n = c);
            taken = begin + long + 2;
        }
        let indent = " ".repeat(self.label + 2);
        let axis: String = axis.into_iter().collect();
        let names: String = names.into_iter().collect();
        let title = self.charset.text(&inert(&self.x.title, super::MOST_BYTES));
        let title = cut(&title, wide);
        let before = " ".repeat(wide - title.width());
        [
            format!("{}{}{axis}", " ".repeat(self.label + 1), self.glyphs.corner),
            format!("{indent}{names}").trim_end().to_owned(),
            format!("{indent}{before}{title}"),
        ]
    }
}

/// What is known of a value that is not known as it stands.
fn bounds(reading: Reading) -> Option<Bounds> {
    match reading.known {
        Known::Exactly => None,
        Known::Within(bounds) | Known::Censored(bounds) => Some(bounds),
    }
}

/// How high a line is in each column from its first point to its last.
fn heights(spots: &[Spot], holds: bool) -> Vec<Spot> {
    let mut all = Vec::new();
    for pair in spots.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let long = to.column.saturating_sub(from.column).max(1) as f64;
        all.extend((from.column..to.column).map(|column| {
            let share = (column - from.column) as f64 / long;
            let up = if holds {
                from.up
            } else {
                from.up + share * (to.up - from.up)
            };
            Spot { column, up }
        }));
    }
    all.extend(spots.last());
    all
}
