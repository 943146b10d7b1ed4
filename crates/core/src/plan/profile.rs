//! `rate-profile`: the rate of an open loop over time, as a user writes it.
//!
//! It computes nothing beyond figures of one lap; [`crate::rate`] has the rate's integral.
//!
//! Invariant: rates are 0 to 10,000,000 per second and not all 0, pieces last a millisecond at
//! least; what is printed reads back as the same value.

use super::syntax::{Source, SyntaxError, meant, split_name, trimmed};
use crate::units::Span;
use std::fmt;
use std::str::FromStr;

/// Greatest rate, requests per second.
pub const MAX_RATE: f64 = 1e7;

/// Shortest piece of a profile: below it, bursts are what `--arrival gamma` is for.
const MIN_PIECE: Span = Span::millis(1);

/// Longest one: ten years, which can be added up without overflow.
const MAX_PIECE: Span = Span::seconds(3_660 * 86_400);

/// Most pieces of a profile.
const MAX_ITEMS: usize = 10_000;

const NAMES: [&str; 6] = [
    "ramp",
    "steps",
    "points",
    "diurnal",
    "bursts",
    "random-bursts",
];

/// What comes after the last piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The last rate holds.
    Hold,
    /// The profile starts again.
    Repeat,
}

/// A stretch of time in which the rate changes linearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Rate at its start, requests per second.
    pub from: f64,
    /// Rate at its end.
    pub to: f64,
    /// How long it lasts.
    pub span: Span,
}

/// A rate that holds for a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Requests per second.
    pub rate: f64,
    /// How long.
    pub span: Span,
}

/// A rate at an instant; linear between instants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Requests per second.
    pub rate: f64,
    /// From the start of the profile.
    pub at: Span,
}

/// How long the phases of bursts last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BurstPhases {
    /// Exactly as long as given; the first burst starts with the window.
    Fixed,
    /// Exponential with the given means, independent of each other: a Markov-modulated process,
    /// stationary from the window's start.
    Exponential,
}

/// The rate over time. Time 0 is the start of the measured window.
#[derive(Debug, Clone, PartialEq)]
pub enum RateProfile {
    /// `ramp:5..50/60s`: linear stretches, one after the other.
    Ramp {
        /// At least one.
        stretches: Vec<Stretch>,
        /// What follows.
        after: After,
    },
    /// `steps:10/30s,20/30s`: constant rates, one after the other.
    Steps {
        /// At least one.
        steps: Vec<Level>,
        /// What follows.
        after: After,
    },
    /// `points:5@0,50@12h,5@24h`: a table, linear between its points.
    Points {
        /// At least two, the first at 0, ascending.
        points: Vec<Point>,
        /// What follows.
        after: After,
    },
    /// `diurnal:10..50/24h`: a sinusoid that starts at its lowest rate.
    Diurnal {
        /// Lowest rate.
        low: f64,
        /// Highest rate, half a period later.
        high: f64,
        /// One cycle.
        period: Span,
        /// Time since the lowest rate at the start of the window.
        phase: Span,
    },
    /// `bursts:50/5s,5/25s`: two rates in turn.
    Bursts {
        /// The burst.
        on: Level,
        /// Between bursts.
        off: Level,
        /// How long they last.
        phases: BurstPhases,
    },
}

impl RateProfile {
    /// One lap of the profile as linear stretches; none for a sinusoid.
    pub fn stretches(&self) -> Vec<Stretch> {
        let level = |level: &Level| Stretch {
            from: level.rate,
            to: level.rate,
            span: level.span,
        };
        match self {
            Self::Ramp { stretches, .. } => stretches.clone(),
            Self::Steps { steps, .. } => steps.iter().map(level).collect(),
            Self::Points { points, .. } => {
                let between = |pair: &[Point]| Stretch {
                    from: pair[0].rate,
                    to: pair[1].rate,
                    span: Span(pair[1].at.ns() - pair[0].at.ns()),
                };
                points.windows(2).map(between).collect()
            }
            Self::Diurnal { .. } => Vec::new(),
            Self::Bursts { on, off, .. } => vec![level(on), level(off)],
        }
    }

    /// What comes after one lap.
    pub fn after(&self) -> After {
        match self {
            Self::Ramp { after, .. } | Self::Steps { after, .. } | Self::Points { after, .. } => {
                *after
            }
            Self::Diurnal { .. } | Self::Bursts { .. } => After::Repeat,
        }
    }

    /// Length of one lap; of random bursts, its mean.
    pub fn lap(&self) -> Span {
        match self {
            Self::Diurnal { period, .. } => *period,
            _ => Span(self.stretches().iter().map(|s| s.span.ns()).sum()),
        }
    }

    /// Mean rate over one lap, requests per second.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Diurnal { low, high, .. } => f64::midpoint(*low, *high),
            _ => {
                let stretches = self.stretches();
                let weigh = |s: &Stretch| f64::midpoint(s.from, s.to) * s.span.as_seconds();
                stretches.iter().map(weigh).sum::<f64>() / self.lap().as_seconds()
            }
        }
    }

    /// Highest rate, requests per second.
    pub fn peak(&self) -> f64 {
        match self {
            Self::Diurnal { high, .. } => *high,
            _ => {
                let ends = |s: &Stretch| s.from.max(s.to);
                self.stretches().iter().map(ends).fold(0.0, f64::max)
            }
        }
    }

    /// The rate that holds after the last piece; absent where the profile repeats.
    pub fn held(&self) -> Option<f64> {
        match self.after() {
            After::Hold => self.stretches().last().map(|s| s.to),
            After::Repeat => None,
        }
    }

    /// The rate at time 0, requests per second; of random bursts, the mean.
    pub fn first(&self) -> f64 {
        match self {
            Self::Diurnal {
                low,
                high,
                period,
                phase,
            } => {
                let turn = std::f64::consts::TAU * phase.as_seconds() / period.as_seconds();
                low + (high - low) / 2.0 * (1.0 - turn.cos())
            }
            Self::Bursts {
                phases: BurstPhases::Exponential,
                ..
            } => self.mean(),
            _ => self.stretches().first().map_or(0.0, |s| s.from),
        }
    }

    /// The constant rate of the warm-up, requests per second: the first rate of a profile that
    /// holds in the end, the mean of one that repeats or starts at 0.
    pub fn warmup_rate(&self) -> f64 {
        let first = self.stretches().first().map_or(0.0, |s| s.from);
        match self.after() {
            After::Hold if first > 0.0 => first,
            After::Hold | After::Repeat => self.mean(),
        }
    }
}

const RATE: &str = "a rate from 0 to 10,000,000 requests per second is needed";
const TIME: &str = "a time from 1ms to ten years is needed, as in 30s";

/// Reads the parts of one profile.
#[derive(Clone, Copy)]
struct Reader<'a> {
    source: Source<'a>,
    /// How this kind is written.
    example: &'static str,
}

impl<'a> Reader<'a> {
    fn rate(self, part: &'a str) -> Result<f64, SyntaxError> {
        let needed = format!("{RATE}, as in {}", self.example);
        self.source.number(part, 0.0..=MAX_RATE, &needed)
    }

    fn span(self, part: &'a str) -> Result<Span, SyntaxError> {
        let part = trimmed(part);
        let span: Option<Span> = part.parse().ok();
        span.filter(|s| (MIN_PIECE..=MAX_PIECE).contains(s))
            .ok_or_else(|| self.source.error(part, TIME))
    }

    /// The two sides of `separator`.
    fn pair(self, part: &'a str, separator: &str) -> Result<(&'a str, &'a str), SyntaxError> {
        part.split_once(separator).ok_or_else(|| {
            let needed = format!("no `{separator}` here; write {}", self.example);
            self.source.error(trimmed(part), needed)
        })
    }

    fn level(self, part: &'a str) -> Result<Level, SyntaxError> {
        let (rate, span) = self.pair(part, "/")?;
        Ok(Level {
            rate: self.rate(rate)?,
            span: self.span(span)?,
        })
    }

    /// `A..B/T`, or `R/T` for a stretch of one rate.
    fn stretch(self, part: &'a str) -> Result<Stretch, SyntaxError> {
        let (rates, span) = self.pair(part, "/")?;
        let (from, to) = rates.split_once("..").unwrap_or((rates, rates));
        Ok(Stretch {
            from: self.rate(from)?,
            to: self.rate(to)?,
            span: self.span(span)?,
        })
    }

    fn points(self, parts: &[&'a str]) -> Result<Vec<Point>, SyntaxError> {
        let mut points: Vec<Point> = Vec::new();
        for part in parts {
            let (rate, at) = self.pair(part, "@")?;
            let at_text = trimmed(at);
            let at: Option<Span> = at_text.parse().ok();
            let earliest = points
                .last()
                .map_or(Span(0), |p| Span(p.at.ns() + MIN_PIECE.ns()));
            let latest = if points.is_empty() {
                Span(0)
            } else {
                MAX_PIECE
            };
            let at = at.filter(|at| (earliest..=latest).contains(at));
            let needed = "the first point lies at 0, each further one later than the one before, \
                          as in points:5@0,50@12h,5@24h,repeat";
            points.push(Point {
                rate: self.rate(rate)?,
                at: at.ok_or_else(|| self.source.error(at_text, needed))?,
            });
        }
        if points.len() < 2 {
            let needed = "at least two points are needed, as in points:5@0,50@12h,5@24h,repeat";
            return Err(self.source.error(parts.first().unwrap_or(&""), needed));
        }
        Ok(points)
    }

    fn diurnal(self, parts: &[&'a str]) -> Result<RateProfile, SyntaxError> {
        let [part] = parts else {
            let needed = format!("one sinusoid only, as in {}", self.example);
            return Err(self.source.error(parts.get(1).unwrap_or(&""), needed));
        };
        let (rates, time) = self.pair(part, "/")?;
        let (low_text, high) = self.pair(rates, "..")?;
        let (period, phase) = match time.split_once('@') {
            Some((period, phase)) => (period, Some(phase)),
            None => (time, None),
        };
        let (low, high) = (self.rate(low_text)?, self.rate(high)?);
        if low > high {
            let needed = format!("the lower rate comes first, as in {}", self.example);
            return Err(self.source.error(trimmed(rates), needed));
        }
        let period = self.span(period)?;
        let phase = match phase.map(trimmed) {
            None => Span(0),
            Some(text) => {
                let phase: Option<Span> = text.parse().ok();
                phase.filter(|phase| *phase < period).ok_or_else(|| {
                    let needed = "the time since the lowest rate is needed, less than the period";
                    self.source.error(text, needed)
                })?
            }
        };
        Ok(RateProfile::Diurnal {
            low,
            high,
            period,
            phase,
        })
    }

    fn bursts(self, parts: &[&'a str], phases: BurstPhases) -> Result<RateProfile, SyntaxError> {
        let [on, off] = parts else {
            let needed = format!(
                "two phases are needed, the burst and the time between bursts, as in {}",
                self.example
            );
            let at = parts.get(2).or(parts.first()).unwrap_or(&"");
            return Err(self.source.error(trimmed(at), needed));
        };
        Ok(RateProfile::Bursts {
            on: self.level(on)?,
            off: self.level(off)?,
            phases,
        })
    }
}

/// The pieces of `body`, and whether `repeat` follows them.
fn pieces<'a>(source: Source<'a>, body: &'a str) -> Result<(Vec<&'a str>, After), SyntaxError> {
    let mut parts: Vec<&str> = body.split(',').collect();
    let after = match parts.last().map(|last| last.trim()) {
        Some("repeat") if parts.len() > 1 => After::Repeat,
        _ => After::Hold,
    };
    if after == After::Repeat {
        parts.pop();
    }
    if parts.len() > MAX_ITEMS {
        let needed = format!("more than {MAX_ITEMS} pieces");
        return Err(source.error(parts[MAX_ITEMS], needed));
    }
    Ok((parts, after))
}

fn unknown(source: Source<'_>, name: &str) -> SyntaxError {
    let near = meant(name, &NAMES);
    let needed = format!(
        "unknown kind of profile{near} One of ramp:5..50/60s, steps:10/30s,20/30s, \
         points:5@0,50@12h,5@24h,repeat, diurnal:10..50/24h, bursts:50/5s,5/25s, \
         random-bursts:50/5s,5/25s"
    );
    let needed = if near.is_empty() {
        needed.replacen(" One of", ": one of", 1)
    } else {
        needed
    };
    source.error(name, needed)
}

impl FromStr for RateProfile {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let source = Source(text);
        let (name, body) = split_name(text);
        let example = match name {
            "ramp" => "ramp:5..50/60s",
            "steps" => "steps:10/30s,20/30s",
            "points" => "points:5@0,50@12h,5@24h,repeat",
            "diurnal" => "diurnal:10..50/24h",
            "bursts" => "bursts:50/5s,5/25s",
            "random-bursts" => "random-bursts:50/5s,5/25s",
            _ => return Err(unknown(source, name)),
        };
        let Some(body) = body.filter(|body| !body.trim().is_empty()) else {
            let needed = format!("rates are missing; write {example}");
            return Err(source.error(&text[text.len()..], needed));
        };
        let reader = Reader { source, example };
        let (parts, after) = pieces(source, body)?;
        let profile = match name {
            "ramp" => Self::Ramp {
                stretches: each(&parts, |part| reader.stretch(part))?,
                after,
            },
            "steps" => Self::Steps {
                steps: each(&parts, |part| reader.level(part))?,
                after,
            },
            "points" => Self::Points {
                points: reader.points(&parts)?,
                after,
            },
            "diurnal" => reader.diurnal(&parts)?,
            "bursts" => reader.bursts(&parts, BurstPhases::Fixed)?,
            _ => reader.bursts(&parts, BurstPhases::Exponential)?,
        };
        if profile.peak() <= 0.0 {
            return Err(source.error(body, "all rates are 0: one above 0 is needed"));
        }
        Ok(profile)
    }
}

fn each<'a, T>(
    parts: &[&'a str],
    read: impl Fn(&'a str) -> Result<T, SyntaxError>,
) -> Result<Vec<T>, SyntaxError> {
    parts.iter().map(|part| read(part)).collect()
}

impl fmt::Display for RateProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = |level: &Level| format!("{}/{}", level.rate, level.span);
        let (name, parts): (&str, Vec<String>) = match self {
            Self::Ramp { stretches, .. } => {
                let part = |s: &Stretch| format!("{}..{}/{}", s.from, s.to, s.span);
                ("ramp", stretches.iter().map(part).collect())
            }
            Self::Steps { steps, .. } => ("steps", steps.iter().map(level).collect()),
            Self::Points { points, .. } => {
                let part = |p: &Point| format!("{}@{}", p.rate, p.at);
                ("points", points.iter().map(part).collect())
            }
            Self::Diurnal {
                low,
                high,
                period,
                phase,
            } => {
                let phase = match phase.ns() {
                    0 => String::new(),
                    _ => format!("@{phase}"),
                };
                ("diurnal", vec![format!("{low}..{high}/{period}{phase}")])
            }
            Self::Bursts { on, off, phases } => {
                let name = match phases {
                    BurstPhases::Fixed => "bursts",
                    BurstPhases::Exponential => "random-bursts",
                };
                (name, vec![level(on), level(off)])
            }
        };
        write!(f, "{name}:{}", parts.join(","))?;
        match self {
            Self::Ramp { after, .. } | Self::Steps { after, .. } | Self::Points { after, .. }
                if *after == After::Repeat =>
            {
                f.write_str(",repeat")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
