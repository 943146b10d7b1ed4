//! The arrivals of sources: each source's own, and all of them in order of time.
//!
//! It knows no phases; the instant at which the window starts is given.
//!
//! Invariant: before the window a source has the rate of its time 0; a change of process starts a
//! new one that is stationary from there. Arrivals of one instant are in the order of the sources.

use super::rate::{Regime, SourceRate};
use super::{Arrival, Source};
use crate::error::ScheduleError;
use crate::renewal::Renewal;
use infermeter_core::clock::Offset;
use infermeter_core::seed::splitmix64;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The instants of one source. They end where its rate stays 0.
#[derive(Debug, Clone)]
struct SourceArrivals {
    rate: SourceRate,
    /// Start of the window; absent: the warm-up never ends.
    start: Option<Offset>,
    warm_per_ns: f64,
    /// Arrivals expected before the window.
    warm: f64,
    seed: u64,
    regime: usize,
    renewal: Renewal,
    /// Sum of the regime's gaps; the part below 1 apart, so that the sum loses nothing.
    whole: f64,
    part: f64,
    last: Offset,
}

impl SourceArrivals {
    fn new(source: &Source, start: Option<Offset>) -> Result<Self, ScheduleError> {
        // Refused here, so that a later regime cannot fail.
        for window in &source.windows {
            if let Some(process) = window.process {
                Renewal::new(process, 0)?;
            }
        }
        let rate = SourceRate::new(source);
        let warm_per_ns = rate.at_start() / 1e9;
        let start_ns = start.map_or(0, |at| at.0.max(0));
        Ok(Self {
            warm: warm_per_ns * start_ns as f64,
            warm_per_ns,
            start,
            seed: source.seed,
            regime: 0,
            renewal: Renewal::new(rate.regimes()[0].process, source.seed)?,
            rate,
            whole: 0.0,
            part: 0.0,
            last: Offset::ZERO,
        })
    }

    /// The next instant of the regime, whether it still holds then or not.
    fn reached(&mut self, regime: Regime) -> Option<Offset> {
        let sum = self.part + self.renewal.gap();
        self.whole += sum.floor();
        self.part = sum - sum.floor();
        let total = self.whole + self.part;
        if self.regime == 0 && (self.start.is_none() || total < self.warm) {
            let at = total / self.warm_per_ns;
            return at.is_finite().then_some(Offset(at.round() as i64));
        }
        let warm = if self.regime == 0 { self.warm } else { 0.0 };
        // Differences of whole parts first: they are exact.
        let expected = regime.before + ((self.whole - warm) + self.part);
        let at = self.rate.instant(expected)?;
        Some(self.start?.plus(at))
    }

    /// The next regime begins.
    fn change(&mut self) -> Option<()> {
        let next = *self.rate.regimes().get(self.regime + 1)?;
        self.start?;
        self.regime += 1;
        let seed = splitmix64(self.seed.wrapping_add(self.regime as u64));
        self.renewal = Renewal::new(next.process, seed).ok()?;
        (self.whole, self.part) = (0.0, 0.0);
        Some(())
    }
}

impl Iterator for SourceArrivals {
    type Item = Offset;

    fn next(&mut self) -> Option<Offset> {
        loop {
            let regime = self.rate.regimes()[self.regime];
            let next = self.rate.regimes().get(self.regime + 1);
            let end = next.and_then(|next| Some(self.start?.plus(next.from_ns)));
            match self.reached(regime) {
                Some(at) if end.is_none_or(|end| at < end) => {
                    self.last = self.last.max(at);
                    return Some(self.last);
                }
                _ => self.change()?,
            }
        }
    }
}

/// The arrivals of all sources in order.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    sources: Vec<SourceArrivals>,
    next: BinaryHeap<Reverse<Arrival>>,
}

impl Merged {
    /// Their windows start at `start`; absent: the warm-up never ends.
    ///
    /// # Errors
    /// When a coefficient of variation is out of range.
    pub fn new(sources: &[Source], start: Option<Offset>) -> Result<Self, ScheduleError> {
        let sources = sources.iter().map(|s| SourceArrivals::new(s, start));
        let mut merged = Self {
            sources: sources.collect::<Result<_, _>>()?,
            next: BinaryHeap::new(),
        };
        for source in 0..merged.sources.len() {
            merged.draw(source as u32);
        }
        Ok(merged)
    }

    fn draw(&mut self, source: u32) {
        let at = self.sources[source as usize].next();
        self.next.extend(at.map(|at| Reverse((at, source))));
    }
}

impl Iterator for Merged {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let Reverse(arrival) = self.next.pop()?;
        self.draw(arrival.1);
        Some(arrival)
    }
}
