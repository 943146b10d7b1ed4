//! The key: what each dash, shape and shade means, with the number of samples behind it.
//!
//! Invariant: whatever is drawn in a way of its own has an entry.

use super::pen::{Anchor, Area, At, Pen, cut, step, wide};
use super::{LINE, MARGIN, Plot, marks};
use crate::chart::{Cells, Chart, Known, Marks, Reading, Series, ShadeKind};
use infermeter_core::number::count;

/// Width of a sample and the gap behind it.
const SAMPLE: f64 = 30.0;
/// Between two entries.
const GAP: f64 = 18.0;

/// An entry.
pub(super) struct Entry {
    sample: Sample,
    text: String,
}

/// What is drawn in front of the text.
enum Sample {
    /// As the series of this index, with its class.
    Series(usize),
    Interval,
    Censored,
    Stall,
    /// From faint to strong.
    Shades,
}

impl Entry {
    fn wide(&self) -> f64 {
        let sample = match self.sample {
            Sample::Shades => 6.0 * 14.0 + 6.0,
            _ => SAMPLE,
        };
        sample + wide(&self.text) + GAP
    }
}

/// A series with its class and its count: `TTFT p99, chat (n 1,234)`.
pub(crate) fn name(series: &Series) -> String {
    let class = series
        .class
        .iter()
        .filter(|class| !series.label.contains(*class));
    let class: String = class.map(|class| format!(", {class}")).collect();
    let n = series
        .n
        .map_or_else(String::new, |n| format!(" (n {})", count(n)));
    format!("{}{class}{n}", series.label)
}

/// The entries, dealt out to lines of `room` pixels.
pub(super) fn lines(chart: &Chart, room: f64) -> Vec<Vec<Entry>> {
    let mut lines: Vec<Vec<Entry>> = Vec::new();
    let mut taken = f64::INFINITY;
    for mut entry in entries(chart) {
        entry.text = cut(&entry.text, room - SAMPLE - GAP);
        if taken + entry.wide() > room + GAP {
            lines.push(Vec::new());
            taken = 0.0;
        }
        taken += entry.wide();
        if let Some(line) = lines.last_mut() {
            line.push(entry);
        }
    }
    lines
}

fn entries(chart: &Chart) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (i, series) in chart.series.iter().enumerate() {
        entries.push(match &series.marks {
            Marks::Cells(cells) => Entry {
                sample: Sample::Shades,
                text: shades(cells),
            },
            _ => Entry {
                sample: Sample::Series(i),
                text: with_band(series),
            },
        });
    }
    let readings = || {
        chart
            .series
            .iter()
            .flat_map(|series| marks::readings(&series.marks))
    };
    let known = |is: fn(&Reading) -> bool| readings().any(|reading| is(&reading));
    let stalls = chart
        .shades
        .iter()
        .filter(|s| s.kind == ShadeKind::Stall)
        .count();
    let more = [
        (
            known(|r| matches!(r.known, Known::Within(_))),
            Sample::Interval,
            "interval".to_owned(),
        ),
        (
            known(|r| matches!(r.known, Known::Censored(_))),
            Sample::Censored,
            "somewhere within".to_owned(),
        ),
        (
            stalls > 0,
            Sample::Stall,
            infermeter_core::number::counted(stalls as u64, "stall"),
        ),
    ];
    let more = more.into_iter().filter(|(is, ..)| *is);
    entries.extend(more.map(|(_, sample, text)| Entry { sample, text }));
    entries
}

fn with_band(series: &Series) -> String {
    match &series.band {
        Some(band) => format!("{}; shaded: {}", name(series), band.label),
        None => name(series),
    }
}

/// `TTFT p99: 41.2 ms to 1.20 s`.
fn shades(cells: &Cells) -> String {
    let values = cells.cells.iter().map(|field| field.value.value);
    let [low, high] = marks::ends(values);
    format!(
        "{}: {} to {}",
        cells.of.label,
        cells.of.unit.write(low),
        cells.of.unit.write(high)
    )
}

impl Plot<'_> {
    pub(super) fn draw_key(&self, pen: &mut Pen) {
        for (i, line) in self.key.iter().enumerate() {
            let y = self.key_top + (i as f64 + 0.5) * LINE;
            let mut x = MARGIN;
            for entry in line {
                self.draw_entry(pen, entry, At { x, y });
                x += entry.wide();
            }
        }
    }

    fn draw_entry(&self, pen: &mut Pen, entry: &Entry, at: At) {
        let mut text = At {
            x: at.x + SAMPLE - 4.0,
            y: at.y + 4.0,
        };
        let middle = At {
            x: at.x + 11.0,
            ..at
        };
        match entry.sample {
            Sample::Series(i) => {
                let series = &self.chart.series[i];
                pen.open(&marks::group(i, series));
                marks::sample(pen, series, i, at);
                pen.text("", text, Anchor::Start, &entry.text);
                pen.close("g");
                return;
            }
            Sample::Interval => {
                let d = step(
                    'M',
                    At {
                        x: middle.x,
                        y: at.y - 6.0,
                    },
                );
                pen.path("whisker", &format!("{d}v12m-3 0h6m0 -12h-6"));
            }
            Sample::Censored => {
                let d = step(
                    'M',
                    At {
                        x: at.x + 3.0,
                        y: at.y,
                    },
                );
                pen.path("censored", &format!("{d}h16"));
            }
            Sample::Stall => {
                let d = step(
                    'M',
                    At {
                        x: middle.x - 4.0,
                        y: at.y - 3.0,
                    },
                );
                pen.path("stall-mark", &format!("{d}h8l-4 6z"));
            }
            Sample::Shades => {
                for shade in 0..marks::SHADES {
                    let left = at.x + shade as f64 * 14.0;
                    let area = Area {
                        left,
                        top: at.y - 6.0,
                        right: left + 14.0,
                        bottom: at.y + 6.0,
                    };
                    pen.rect(&format!("q{shade}"), area);
                }
                text.x = at.x + 6.0 * 14.0 + 6.0;
            }
        }
        pen.text("", text, Anchor::Start, &entry.text);
    }
}
