//! A rate profile as a function of time: its integral (the expected number of arrivals) and the
//! inverse of that.
//!
//! It draws no arrivals, and knows nothing of warm-up: time 0 is the start of the profile.
//!
//! Invariant: both functions are non-decreasing and inverse to each other up to the rounding of an
//! instant to whole nanoseconds. They are functions of profile and seed alone; going forward in
//! time is cheap, going back starts over.

use crate::plan::{After, BurstPhases, Level, RateProfile, Stretch};
use crate::seed::splitmix64;
use std::f64::consts::TAU;

/// Keeps the random phases of bursts apart from everything else that the schedule's seed feeds.
const PHASES_TAG: u64 = 0x7068_6173_6573_0000;

/// The integral of a rate over time, and its inverse.
#[derive(Debug, Clone)]
pub struct RateCurve(Shape);

#[derive(Debug, Clone)]
enum Shape {
    /// One lap, then a constant rate.
    Held { lap: Lap, rate: f64 },
    /// The same lap again and again.
    Repeated(Lap),
    /// Two rates in turn, for exponential times.
    Drawn(DrawnBursts),
}

impl RateCurve {
    /// The curve of a profile. `seed` is the schedule's; it matters for random phases only.
    pub fn new(profile: &RateProfile, seed: u64) -> Self {
        let lap = match profile {
            RateProfile::Diurnal {
                low,
                high,
                period,
                phase,
            } => Lap::new([Piece {
                ns: period.ns(),
                rate: Rate::Sine {
                    mean: f64::midpoint(*low, *high),
                    swing: (high - low) / 2.0,
                    phase: phase.as_seconds() / period.as_seconds(),
                },
            }]),
            RateProfile::Bursts {
                on,
                off,
                phases: BurstPhases::Exponential,
            } => return Self(Shape::Drawn(DrawnBursts::new(*on, *off, seed))),
            other => Lap::new(other.stretches().into_iter().map(Piece::from)),
        };
        Self(match (profile.after(), profile.held()) {
            (After::Hold, Some(rate)) => Shape::Held { lap, rate },
            (After::Hold, None) | (After::Repeat, _) => Shape::Repeated(lap),
        })
    }

    /// Arrivals expected from 0 to `at_ns` nanoseconds, the integral of the rate; 0 before 0.
    pub fn expected(&mut self, at_ns: i64) -> f64 {
        let at_ns = at_ns.max(0);
        match &mut self.0 {
            Shape::Held { lap, .. } if at_ns < lap.ns => lap.expected(at_ns),
            Shape::Held { lap, rate } => lap.mass + *rate * seconds(at_ns - lap.ns),
            Shape::Repeated(lap) => {
                let laps = at_ns / lap.ns;
                laps as f64 * lap.mass + lap.expected(at_ns % lap.ns)
            }
            Shape::Drawn(bursts) => {
                bursts.seek_instant(at_ns);
                bursts.base + bursts.lap.expected(at_ns - bursts.start_ns)
            }
        }
    }

    /// The first instant, nanoseconds, at which `expected` arrivals are expected; none where the
    /// rate stays 0 before.
    pub fn instant(&mut self, expected: f64) -> Option<i64> {
        let expected = expected.max(0.0);
        match &mut self.0 {
            Shape::Held { lap, .. } if expected <= lap.mass => Some(lap.instant(expected)),
            Shape::Held { rate, .. } if *rate <= 0.0 => None,
            Shape::Held { lap, rate } => {
                let more = nanoseconds((expected - lap.mass) / *rate);
                Some(lap.ns.saturating_add(more))
            }
            Shape::Repeated(lap) => {
                let laps = (expected / lap.mass).floor();
                let rest = laps.mul_add(-lap.mass, expected);
                let start_ns = (laps as i64).saturating_mul(lap.ns);
                Some(start_ns.saturating_add(lap.instant(rest)))
            }
            Shape::Drawn(bursts) => {
                bursts.seek_expected(expected);
                let within = bursts.lap.instant(expected - bursts.base);
                Some(bursts.start_ns.saturating_add(within))
            }
        }
    }

    /// Mean rate from 0 to `to_ns`, requests per second; absent for no time at all.
    pub fn mean(&mut self, to_ns: i64) -> Option<f64> {
        (to_ns > 0).then(|| self.expected(to_ns) / seconds(to_ns))
    }
}

fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// The nearest whole number of nanoseconds.
fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9).round() as i64
}

/// A stretch of time with a rate that has a formula.
#[derive(Debug, Clone, Copy)]
struct Piece {
    ns: i64,
    rate: Rate,
}

#[derive(Debug, Clone, Copy)]
enum Rate {
    /// Linear from one rate to the other.
    Linear { from: f64, to: f64 },
    /// One cycle of a sinusoid, lowest at phase 0. `phase` is a share of the cycle.
    Sine { mean: f64, swing: f64, phase: f64 },
}

impl From<Stretch> for Piece {
    fn from(stretch: Stretch) -> Self {
        Self {
            ns: stretch.span.ns(),
            rate: Rate::Linear {
                from: stretch.from,
                to: stretch.to,
            },
        }
    }
}

impl Piece {
    /// Arrivals expected in the whole piece.
    fn mass(&self) -> f64 {
        match self.rate {
            Rate::Linear { from, to } => f64::midpoint(from, to) * seconds(self.ns),
            Rate::Sine { mean, .. } => mean * seconds(self.ns),
        }
    }

    /// Arrivals expected in its first `ns` nanoseconds.
    fn expected(&self, ns: i64) -> f64 {
        self.expected_in(seconds(ns))
    }

    fn expected_in(&self, t: f64) -> f64 {
        let length = seconds(self.ns);
        match self.rate {
            Rate::Linear { from, to } => t * (from + (to - from) * t / (2.0 * length)),
            Rate::Sine { mean, swing, phase } => {
                let rise = (TAU * (phase + t / length)).sin() - (TAU * phase).sin();
                mean * t - swing * length / TAU * rise
            }
        }
    }

    /// The first instant, nanoseconds from the piece's start, at which `expected` are expected.
    fn instant(&self, expected: f64) -> i64 {
        let length = seconds(self.ns);
        let t = match self.rate {
            Rate::Linear { from, to } => linear(from, (to - from) / length, expected),
            Rate::Sine { .. } => self.solve(expected, length),
        };
        nanoseconds(t).clamp(0, self.ns)
    }

    /// Newton's method inside a bracket that each step shrinks: where a step would leave it, the
    /// bracket is halved. The rate may be 0 at places, which Newton's method alone does not stand.
    fn solve(&self, expected: f64, length: f64) -> f64 {
        const STEPS: u32 = 200;
        let Rate::Sine { mean, swing, phase } = self.rate else {
            return 0.0;
        };
        let (mut low, mut high) = (0.0, length);
        let mut t = (expected / mean).clamp(low, high);
        for _ in 0..STEPS {
            let excess = self.expected_in(t) - expected;
            if excess >= 0.0 {
                high = t;
            } else {
                low = t;
            }
            let rate = mean - swing * (TAU * (phase + t / length)).cos();
            let newton = t - excess / rate;
            let next = if newton > low && newton < high {
                newton
            } else {
                f64::midpoint(low, high)
            };
            if (next - t).abs() <= f64::EPSILON * length {
                return next;
            }
            t = next;
        }
        t
    }
}

/// Where `from * t + slope * t^2 / 2` reaches `expected`, seconds: the form of the quadratic's root
/// that loses no digits.
fn linear(from: f64, slope: f64, expected: f64) -> f64 {
    if expected <= 0.0 {
        return 0.0;
    }
    let root = (from * from + 2.0 * slope * expected).max(0.0).sqrt();
    2.0 * expected / (from + root)
}

/// Pieces one after the other.
#[derive(Debug, Clone)]
struct Lap {
    pieces: Vec<Piece>,
    /// Start of each piece, nanoseconds, and arrivals expected before it.
    starts: Vec<(i64, f64)>,
    ns: i64,
    mass: f64,
}

impl Lap {
    fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let pieces: Vec<Piece> = pieces.into_iter().collect();
        let mut starts = Vec::with_capacity(pieces.len());
        let (mut ns, mut mass) = (0_i64, 0.0);
        for piece in &pieces {
            starts.push((ns, mass));
            ns = ns.saturating_add(piece.ns);
            mass += piece.mass();
        }
        Self {
            pieces,
            starts,
            ns: ns.max(1),
            mass,
        }
    }

    /// `at_ns` from 0 to the lap's length.
    fn expected(&self, at_ns: i64) -> f64 {
        let next = self.starts.partition_point(|(start, _)| *start <= at_ns);
        let i = next.saturating_sub(1);
        let (Some(piece), Some((start, before))) = (self.pieces.get(i), self.starts.get(i)) else {
            return 0.0;
        };
        before + piece.expected((at_ns - start).min(piece.ns))
    }

    /// `expected` from 0 to the lap's whole.
    fn instant(&self, expected: f64) -> i64 {
        // The last piece that begins below `expected`: pieces without rate are never it.
        let next = self
            .starts
            .partition_point(|(_, before)| *before < expected);
        let i = next.saturating_sub(1);
        let (Some(piece), Some((start, before))) = (self.pieces.get(i), self.starts.get(i)) else {
            return 0;
        };
        start + piece.instant(expected - before)
    }
}

/// Bursts and the time between them, each exponential. The lap under the cursor is one burst and
/// the time after it.
#[derive(Debug, Clone)]
struct DrawnBursts {
    on: Level,
    off: Level,
    key: u64,
    /// Number of the lap.
    at: u64,
    lap: Lap,
    start_ns: i64,
    /// Arrivals expected before `start_ns`, and what rounding has left out of it.
    base: f64,
    base_error: f64,
}

impl DrawnBursts {
    fn new(on: Level, off: Level, seed: u64) -> Self {
        let mut bursts = Self {
            on,
            off,
            key: splitmix64(seed ^ PHASES_TAG),
            at: 0,
            lap: Lap::new([]),
            start_ns: 0,
            base: 0.0,
            base_error: 0.0,
        };
        bursts.rewind();
        bursts
    }

    fn rewind(&mut self) {
        self.at = 0;
        self.lap = self.draw();
        self.start_ns = 0;
        self.base = 0.0;
        self.base_error = 0.0;
    }

    /// Number `n` of the seed's uniform numbers, above 0 and below 1.
    fn uniform(&self, n: u64) -> f64 {
        let bits = splitmix64(self.key.wrapping_add(splitmix64(n))) >> 11;
        (bits as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Lap `at`. The first begins between bursts with the share of time that bursts leave.
    fn draw(&self) -> Lap {
        let drawn = |n: u64, level: &Level| Piece {
            ns: nanoseconds(-self.uniform(n).ln() * level.span.as_seconds()).max(1),
            rate: Rate::Linear {
                from: level.rate,
                to: level.rate,
            },
        };
        let (on_s, off_s) = (self.on.span.as_seconds(), self.off.span.as_seconds());
        let on = drawn(2 * self.at + 1, &self.on);
        let off = drawn(2 * self.at + 2, &self.off);
        if self.at == 0 && self.uniform(0) * (on_s + off_s) >= on_s {
            Lap::new([off])
        } else {
            Lap::new([on, off])
        }
    }

    fn advance(&mut self) {
        self.start_ns = self.start_ns.saturating_add(self.lap.ns);
        // Kahan's sum.
        let term = self.lap.mass - self.base_error;
        let sum = self.base + term;
        self.base_error = (sum - self.base) - term;
        self.base = sum;
        self.at += 1;
        self.lap = self.draw();
    }

    /// Moves to the lap that holds `at_ns`.
    fn seek_instant(&mut self, at_ns: i64) {
        if at_ns < self.start_ns {
            self.rewind();
        }
        while at_ns >= self.start_ns.saturating_add(self.lap.ns) {
            self.advance();
        }
    }

    /// Moves to the lap in which `expected` is reached.
    fn seek_expected(&mut self, expected: f64) {
        if expected <= self.base {
            self.rewind();
        }
        while expected > self.base + self.lap.mass {
            self.advance();
        }
    }
}

#[cfg(test)]
mod tests;
