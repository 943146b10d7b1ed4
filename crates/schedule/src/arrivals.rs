//! Arrival processes: an endless, non-decreasing stream of instants.
//!
//! It knows no phases and no end.
//!
//! Invariant: the stream is stationary from offset 0: the first gap is drawn from the equilibrium
//! (residual) distribution, so that the expected number of arrivals in any interval of length T
//! that is placed without looking at the arrivals is rate x T (Cox, Renewal Theory, 1962, ch. 2
//! and 4). Same seed, same instants; the last nanosecond rests on the platform's `ln`, `exp` and
//! `pow`, which gamma gaps and about 1 % of the exponential ones call.

use crate::error::ScheduleError;
use infermeter_core::clock::Offset;
use infermeter_core::plan::ArrivalKind;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Gamma};

/// Least coefficient of variation: gaps are then equal to a part in a thousand.
const CV_MIN: f64 = 0.001;
/// Greatest one: nearly all arrivals then come at once.
const CV_MAX: f64 = 100.0;

/// Shape of the gaps between arrivals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArrivalProcess {
    /// Equal gaps; the first arrival lies uniformly inside one.
    Constant,
    /// Exponential gaps.
    Poisson,
    /// Gamma gaps.
    Gamma {
        /// Coefficient of variation of the gaps, 0.001 to 100.
        cv: f64,
    },
}

impl ArrivalProcess {
    /// The process that a plan's `arrival` and `cv` name.
    ///
    /// # Errors
    /// When `cv` is absent for gamma gaps, or given for others.
    pub fn resolve(kind: ArrivalKind, cv: Option<f64>) -> Result<Self, ScheduleError> {
        match (kind, cv) {
            (ArrivalKind::Constant, None) => Ok(Self::Constant),
            (ArrivalKind::Poisson, None) => Ok(Self::Poisson),
            (ArrivalKind::Gamma, Some(cv)) => Ok(Self::Gamma { cv }),
            (ArrivalKind::Gamma, None) => Err(ScheduleError::CvMissing),
            (ArrivalKind::Constant | ArrivalKind::Poisson, Some(_)) => Err(ScheduleError::CvUnused),
        }
    }
}

/// Gaps in units of the mean gap.
#[derive(Debug, Clone, Copy)]
enum Gaps {
    Constant,
    Exponential,
    Gamma {
        gap: Gamma<f64>,
        /// Gaps as met by a random instant: longer ones are met more often.
        length_biased: Gamma<f64>,
    },
}

impl Gaps {
    fn new(process: ArrivalProcess) -> Result<Self, ScheduleError> {
        let cv = match process {
            ArrivalProcess::Constant => return Ok(Self::Constant),
            ArrivalProcess::Poisson => return Ok(Self::Exponential),
            ArrivalProcess::Gamma { cv } => cv,
        };
        if !(CV_MIN..=CV_MAX).contains(&cv) {
            return Err(ScheduleError::Cv(cv));
        }
        let scale = cv * cv;
        let shape = 1.0 / scale;
        let gamma = |shape| Gamma::new(shape, scale).map_err(|_| ScheduleError::Cv(cv));
        Ok(Self::Gamma {
            gap: gamma(shape)?,
            length_biased: gamma(shape + 1.0)?,
        })
    }

    fn next(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Exponential => Exp1.sample(rng),
            Self::Gamma { gap, .. } => gap.sample(rng),
        }
    }

    /// Time from a random instant to the next arrival.
    fn first(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Constant => rng.random::<f64>(),
            Self::Exponential => Exp1.sample(rng),
            Self::Gamma { length_biased, .. } => length_biased.sample(rng) * rng.random::<f64>(),
        }
    }
}

/// The instants of an arrival process, without end.
#[derive(Debug, Clone)]
pub struct Arrivals {
    gaps: Gaps,
    rng: ChaCha8Rng,
    mean_gap_ns: f64,
    started: bool,
    whole_ns: i64,
    /// Below 1: what the sum of gaps has beyond `whole_ns`. Keeping it apart keeps the sum exact
    /// to well under a nanosecond over any number of arrivals.
    part_ns: f64,
}

impl Arrivals {
    /// The arrivals of `process` at `rate` requests per second.
    ///
    /// # Errors
    /// When the rate is not above 0 and finite, or the coefficient of variation out of range.
    pub fn new(process: ArrivalProcess, rate: f64, seed: u64) -> Result<Self, ScheduleError> {
        if !(rate.is_finite() && rate > 0.0) {
            return Err(ScheduleError::Rate(rate));
        }
        Ok(Self {
            gaps: Gaps::new(process)?,
            rng: ChaCha8Rng::seed_from_u64(seed),
            mean_gap_ns: 1e9 / rate,
            started: false,
            whole_ns: 0,
            part_ns: 0.0,
        })
    }

    /// The next instant.
    fn advance(&mut self) -> Offset {
        let gap = if self.started {
            self.gaps.next(&mut self.rng)
        } else {
            self.gaps.first(&mut self.rng)
        };
        self.started = true;
        let sum = self.part_ns + gap * self.mean_gap_ns;
        let whole = sum.floor();
        self.part_ns = sum - whole;
        self.whole_ns = self.whole_ns.saturating_add(whole as i64);
        let rounded = self.whole_ns.saturating_add(i64::from(self.part_ns >= 0.5));
        Offset(rounded)
    }
}

impl Iterator for Arrivals {
    type Item = Offset;

    fn next(&mut self) -> Option<Offset> {
        Some(self.advance())
    }
}
