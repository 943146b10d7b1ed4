//! An axis with its ends and its ticks, and where its values stand between two places.
//!
//! Invariants: ticks are round numbers of the axis' own unit, written by `number`; what cannot stand on an
//! axis (below 0 on a logarithmic one) has no place.

use super::{Axis, Scale, Unit};
use crate::number::{
    TimeUnit, figure, percent, signed_percent, significant, spaced, span, stepped, time,
};

/// Powers of ten, twice and five times as much: the ends of logarithmic axes.
const ROUND: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// A written value of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    /// The value.
    pub at: f64,
    /// As it is written.
    pub text: String,
}

/// An axis with its ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Domain {
    /// What is written at the axis: what it counts, and in which unit.
    pub title: String,
    /// Its ticks, ascending.
    pub ticks: Vec<Tick>,
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
    logarithmic: bool,
}

impl Domain {
    /// The axis over `values` and what it has to hold; about `most` ticks.
    pub(crate) fn of(axis: &Axis, values: &[f64], most: usize) -> Self {
        let all = values.iter().chain(&axis.holds).copied();
        match &axis.scale {
            Scale::Categories(names) => categories(axis, names, most),
            Scale::Linear => linear(axis, ends(all.filter(|x| x.is_finite())), most),
            Scale::Logarithmic => {
                let above_0 = all.filter(|x| x.is_finite() && *x > 0.0);
                logarithmic(axis, ends(above_0), most)
            }
        }
    }

    /// Where `value` stands between the ends, from 0 to 1.
    pub(crate) fn share(&self, value: f64) -> Option<f64> {
        let share = match self.logarithmic {
            true if value <= 0.0 => return None,
            true => (value / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        share.is_finite().then_some(share)
    }
}

fn ends(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    values.fold(None, |ends, x| match ends {
        None => Some([x, x]),
        Some([low, high]) => Some([low.min(x), high.max(x)]),
    })
}

fn categories(axis: &Axis, names: &[String], most: usize) -> Domain {
    let each = names.len().div_ceil(most.max(1)).max(1);
    let ticks = names.iter().enumerate().step_by(each);
    Domain {
        title: axis.label.clone(),
        ticks: ticks
            .map(|(i, name)| Tick {
                at: i as f64,
                text: name.clone(),
            })
            .collect(),
        low: -0.5,
        high: names.len().max(1) as f64 - 0.5,
        logarithmic: false,
    }
}

/// The unit that the ticks of a linear axis are in.
struct Measure {
    name: String,
    /// How many of it one of the axis' own unit is.
    factor: f64,
    /// What stands behind each number.
    behind: &'static str,
}

impl Measure {
    fn of(unit: &Unit, most: f64) -> Self {
        let plain = |name: &str, factor| Self {
            name: name.to_owned(),
            factor,
            behind: "",
        };
        match unit {
            Unit::Number | Unit::Count => plain("", 1.0),
            Unit::Of(what) => plain(what, 1.0),
            Unit::Milliseconds => {
                let unit = TimeUnit::fitting(most);
                plain(unit.symbol(), unit.per_ms())
            }
            Unit::Seconds => match most {
                s if s >= 10_800.0 => plain("h", 1.0 / 3_600.0),
                s if s >= 300.0 => plain("min", 1.0 / 60.0),
                s if s >= 1.0 || s == 0.0 => plain("s", 1.0),
                _ => plain("ms", 1e3),
            },
            Unit::Share | Unit::Change => Self {
                name: String::new(),
                factor: 100.0,
                behind: " %",
            },
        }
    }
}

fn linear(axis: &Axis, ends: Option<[f64; 2]>, most: usize) -> Domain {
    let [mut low, mut high] = ends.unwrap_or([0.0, 1.0]);
    if low == high {
        let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
        (low, high) = (if low == 0.0 { 0.0 } else { low - room }, high + room);
    }
    let measure = Measure::of(&axis.unit, low.abs().max(high.abs()));
    let step = step((high - low) * measure.factor, most);
    let step = if axis.unit == Unit::Count {
        step.max(1.0)
    } else {
        step
    };
    // A step's worth of rounding errors makes no further tick.
    let first = (low * measure.factor / step + 1e-9).floor();
    let last = (high * measure.factor / step - 1e-9).ceil();
    // Times that several charts share end where the run does.
    let whole = axis.unit != Unit::Seconds;
    let zero = if axis.unit == Unit::Change {
        100.0
    } else {
        0.0
    };
    let write = |x: f64| {
        let signed = axis.unit == Unit::Change && x - zero > step / 2.0;
        let sign = if signed { "+" } else { "" };
        format!("{sign}{}{}", stepped(x - zero, step), measure.behind)
    };
    let ticks = (first as i64..=last as i64).map(|i| {
        let scaled = i as f64 * step;
        Tick {
            at: scaled / measure.factor,
            text: write(scaled),
        }
    });
    let (low, high) = match whole {
        true => (first * step / measure.factor, last * step / measure.factor),
        false => (low, high),
    };
    let room = (high - low) * 1e-6;
    Domain {
        title: titled(&axis.label, &measure.name),
        ticks: ticks
            .filter(|tick| tick.at >= low - room && tick.at <= high + room)
            .collect(),
        low,
        high,
        logarithmic: false,
    }
}

fn titled(label: &str, unit: &str) -> String {
    match unit.is_empty() || label == unit {
        true => label.to_owned(),
        false => format!("{label} ({unit})"),
    }
}

/// A round step of which about `most` make `range`.
fn step(range: f64, most: usize) -> f64 {
    let rough = range / most.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let round = ROUND.into_iter().find(|r| r * power >= rough * 0.999);
    round.unwrap_or(10.0) * power
}

fn logarithmic(axis: &Axis, ends: Option<[f64; 2]>, most: usize) -> Domain {
    let [low, high] = ends.unwrap_or([1.0, 10.0]);
    let (low, mut high) = (round_down(low), round_up(high));
    if high <= low {
        high = low * 10.0;
    }
    let mut all = Vec::new();
    let mut decade = 10f64.powf((low * 1.001).log10().floor());
    while decade <= high * 1.001 {
        all.extend(ROUND[..3].iter().map(|r| r * decade));
        decade *= 10.0;
    }
    all.retain(|x| *x >= low * 0.999 && *x <= high * 1.001);
    let tens = |x: &f64| (x.log10() - x.log10().round()).abs() < 1e-6;
    if all.len() > most {
        all.retain(tens);
    }
    let each = all.len().div_ceil(most.max(1)).max(1);
    let ticks = all.into_iter().step_by(each).map(|at| Tick {
        at,
        text: on_log(&axis.unit, at),
    });
    let unit = match &axis.unit {
        Unit::Of(what) => what.as_str(),
        _ => "",
    };
    Domain {
        title: titled(&axis.label, unit),
        ticks: ticks.collect(),
        low,
        high,
        logarithmic: true,
    }
}

fn round_down(x: f64) -> f64 {
    let power = 10f64.powf(x.log10().floor());
    let below = ROUND.into_iter().rev().find(|r| r * power <= x * 1.0001);
    below.unwrap_or(1.0) * power
}

fn round_up(x: f64) -> f64 {
    let power = 10f64.powf(x.log10().floor());
    let above = ROUND.into_iter().find(|r| r * power >= x * 0.9999);
    above.unwrap_or(10.0) * power
}

/// A round number with its unit: `5 ms`, `0.2`, `20 %`.
fn on_log(unit: &Unit, at: f64) -> String {
    let round = |x: f64| stepped(x, x);
    match unit {
        Unit::Number | Unit::Count | Unit::Of(_) => round(at),
        Unit::Milliseconds => {
            let unit = TimeUnit::fitting(if at < 1_000.0 { at } else { at * 10.0 });
            format!("{} {}", round(at * unit.per_ms()), unit.symbol())
        }
        Unit::Seconds => spaced(&span(at)),
        Unit::Share => format!("{} %", round(at * 100.0)),
        Unit::Change => spaced(&signed_percent(at - 1.0)),
    }
}

impl Unit {
    /// A value with its unit: `41.2 ms`, `98.1 %`, `1,204 tokens/s`.
    pub(crate) fn write(&self, value: f64) -> String {
        spaced(&match self {
            Self::Number | Self::Count => figure(value),
            Self::Of(what) if value.fract() == 0.0 => format!("{} {what}", figure(value)),
            Self::Of(what) => format!("{} {what}", significant(value)),
            Self::Milliseconds => time(value),
            Self::Seconds => span(value),
            Self::Share => percent(value),
            Self::Change => signed_percent(value - 1.0),
        })
    }

    /// The unit of values as they are kept, for a table of data; may be empty.
    pub(crate) fn kept(&self) -> &str {
        match self {
            Self::Number | Self::Count => "",
            Self::Of(what) => what,
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Share => "share of 1",
            Self::Change => "ratio",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(axis: &Axis, values: &[f64], most: usize, expect: &[&str]) {
        let domain = Domain::of(axis, values, most);
        let texts: Vec<&str> = domain.ticks.iter().map(|t| t.text.as_str()).collect();
        assert_eq!(texts, expect, "{domain:?}");
    }

    #[test]
    fn ticks_are_round_and_in_a_unit_that_fits() {
        let ms = |values: &[f64], expect: &[&str]| {
            let axis = Axis::linear("TTFT", Unit::Milliseconds).holding(0.0);
            check(&axis, values, 5, expect);
        };
        ms(&[41.0, 93.0], &["0", "20", "40", "60", "80", "100"]);
        ms(&[0.2, 0.41], &["0", "100", "200", "300", "400", "500"]);
        ms(&[41_000.0], &["0", "10", "20", "30", "40", "50"]);
        let share = Axis::linear("met", Unit::Share).holding(0.0).holding(1.0);
        check(
            &share,
            &[],
            5,
            &["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"],
        );
        let change = Axis::linear("", Unit::Change).holding(1.0);
        check(&change, &[0.9, 1.2], 4, &["-10 %", "0 %", "+10 %", "+20 %"]);
        check(
            &Axis::linear("n", Unit::Number),
            &[7.0, 7.0],
            2,
            &["6", "7", "8"],
        );
    }

    #[test]
    fn what_is_counted_is_whole() {
        let axis = Axis::linear("instances", Unit::Count).holding(0.0);
        check(&axis, &[2.0], 8, &["0", "1", "2"]);
        check(&axis, &[90.0], 5, &["0", "20", "40", "60", "80", "100"]);
    }

    #[test]
    fn times_end_where_they_do() {
        let axis = Axis::linear("time", Unit::Seconds);
        check(&axis, &[3.0, 127.0], 5, &["50", "100"]);
        assert_eq!(Domain::of(&axis, &[0.0, 1_200.0], 5).title, "time (min)");
        assert_eq!(Domain::of(&axis, &[3.0, 127.0], 5).high, 127.0);
    }

    #[test]
    fn a_logarithmic_axis_has_round_ends_and_no_place_for_0() {
        let axis = Axis::logarithmic("TTFT", Unit::Milliseconds);
        check(
            &axis,
            &[0.0, 3.0, 40.0],
            8,
            &["2 ms", "5 ms", "10 ms", "20 ms", "50 ms"],
        );
        check(
            &axis,
            &[0.3, 4_000.0],
            5,
            &["1 ms", "10 ms", "100 ms", "1 s"],
        );
        let domain = Domain::of(&axis, &[1.0, 100.0], 5);
        assert_eq!((domain.share(0.0), domain.share(10.0)), (None, Some(0.5)));
    }

    #[test]
    fn names_are_thinned_out_where_there_are_too_many() {
        let names = (0..10).map(|i| i.to_string()).collect();
        check(
            &Axis::categories("request", names),
            &[],
            4,
            &["0", "3", "6", "9"],
        );
    }
}
