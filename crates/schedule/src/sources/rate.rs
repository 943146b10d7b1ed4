//! The rate of one source over time: its profile, except in windows that have a rate of their own;
//! as an integral and the inverse of that.
//!
//! It draws no arrivals.
//!
//! Invariant: both functions are non-decreasing and inverse to each other up to the rounding of an
//! instant to whole nanoseconds. Time 0 is the start of the measured window.

use super::Source;
use crate::renewal::ArrivalProcess;
use infermeter_core::rate::RateCurve;
use infermeter_core::units::Span;

/// A stretch of time in which either the profile or one rate holds.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from_ns: i64,
    /// Arrivals expected before it, of the source and of its profile alone.
    before: f64,
    profile_before: f64,
    /// Requests per second; absent: the profile's.
    rate: Option<f64>,
}

/// A time in which one process makes the gaps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Regime {
    pub from_ns: i64,
    /// Arrivals expected before it.
    pub before: f64,
    pub process: ArrivalProcess,
}

/// The integral of a source's rate, and its inverse.
#[derive(Debug, Clone)]
pub(super) struct SourceRate {
    curve: RateCurve,
    factor: f64,
    at_start: f64,
    stretches: Vec<Stretch>,
    regimes: Vec<Regime>,
}

impl SourceRate {
    pub fn new(source: &Source) -> Self {
        let mut rate = Self {
            curve: RateCurve::new(&source.rate, source.seed),
            factor: source.factor,
            at_start: source.factor * source.rate.first(),
            stretches: Vec::new(),
            regimes: Vec::new(),
        };
        rate.add(Span(0), None, source.process);
        for window in &source.windows {
            let own = window.rate.map(|rate| rate * source.factor);
            if window.from == Span(0) {
                rate.at_start = own.unwrap_or(rate.at_start);
            }
            rate.add(window.from, own, window.process.unwrap_or(source.process));
            rate.add(window.to, None, source.process);
        }
        rate
    }

    /// From here on, `own` or the profile's rate holds. A stretch without length is replaced.
    fn add(&mut self, from: Span, own: Option<f64>, process: ArrivalProcess) {
        let before = self.expected(from.ns());
        let replaced = |start: i64| start >= from.ns();
        self.stretches.retain(|s| !replaced(s.from_ns));
        self.regimes.retain(|r| !replaced(r.from_ns));
        self.stretches.push(Stretch {
            from_ns: from.ns(),
            before,
            profile_before: self.factor * self.curve.expected(from.ns()),
            rate: own,
        });
        if self.regimes.last().map(|r| r.process) != Some(process) {
            self.regimes.push(Regime {
                from_ns: from.ns(),
                before,
                process,
            });
        }
    }

    /// Arrivals expected from 0 to `at_ns` nanoseconds.
    pub fn expected(&mut self, at_ns: i64) -> f64 {
        let next = self.stretches.partition_point(|s| s.from_ns <= at_ns);
        let Some(stretch) = next.checked_sub(1).map(|i| self.stretches[i]) else {
            return 0.0;
        };
        let within = match stretch.rate {
            Some(rate) => rate * Span(at_ns - stretch.from_ns).as_seconds(),
            None => self.factor * self.curve.expected(at_ns) - stretch.profile_before,
        };
        stretch.before + within
    }

    /// The first instant, nanoseconds, at which `expected` arrivals are expected; none where the
    /// rate stays 0 before.
    pub fn instant(&mut self, expected: f64) -> Option<i64> {
        let next = self.stretches.partition_point(|s| s.before < expected);
        let stretch = self.stretches.get(next.saturating_sub(1)).copied()?;
        let more = expected - stretch.before;
        match stretch.rate {
            Some(rate) if rate > 0.0 => {
                let ns = (more / rate * 1e9).round() as i64;
                Some(stretch.from_ns.saturating_add(ns))
            }
            Some(_) => Some(stretch.from_ns),
            None => {
                let of_curve = (stretch.profile_before + more) / self.factor;
                let at = self.curve.instant(of_curve)?;
                Some(at.max(stretch.from_ns))
            }
        }
    }

    /// The rate at time 0, requests per second: that of the warm-up.
    pub(crate) fn at_start(&self) -> f64 {
        self.at_start
    }

    /// The processes in order of time; at least one.
    pub(crate) fn regimes(&self) -> &[Regime] {
        &self.regimes
    }
}
