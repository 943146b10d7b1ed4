//! The random part of arrivals: gaps in units of the expected gap.
//!
//! It knows neither rates nor time.
//!
//! Invariant: the process is stationary from 0: the first gap is drawn from the equilibrium
//! (residual, stationary excess) distribution, the others have a mean of exactly 1 (Cox, Renewal
//! Theory, 1962, ch. 2 and 4). Same seed, same gaps, up to what the platform's `ln`, `exp` and `pow`
//! do in the last place.

use crate::error::ScheduleError;
use crate::weibull::UnitWeibull;
use infermeter_core::plan::ArrivalKind;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Gamma, Weibull};
use serde::Serialize;

/// Least coefficient of variation: gaps are then equal to a part in a thousand.
const CV_MIN: f64 = 0.001;
/// Greatest one: nearly all arrivals then come at once.
const CV_MAX: f64 = 100.0;

/// Shape of the gaps between arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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
    /// Weibull gaps.
    Weibull {
        /// Coefficient of variation of the gaps, 0.001 to 100.
        cv: f64,
    },
}

impl ArrivalProcess {
    /// The process that a plan's `arrival` and `cv` name.
    ///
    /// # Errors
    /// When `cv` is absent for gamma or Weibull gaps, or given for others.
    pub fn resolve(kind: ArrivalKind, cv: Option<f64>) -> Result<Self, ScheduleError> {
        match (kind, cv) {
            (ArrivalKind::Constant, None) => Ok(Self::Constant),
            (ArrivalKind::Poisson, None) => Ok(Self::Poisson),
            (ArrivalKind::Gamma, Some(cv)) => Ok(Self::Gamma { cv }),
            (ArrivalKind::Weibull, Some(cv)) => Ok(Self::Weibull { cv }),
            (ArrivalKind::Gamma, None) => Err(ScheduleError::CvMissing("gamma")),
            (ArrivalKind::Weibull, None) => Err(ScheduleError::CvMissing("weibull")),
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
    Weibull {
        gap: Weibull<f64>,
        unit: UnitWeibull,
        /// `(length-biased gap / scale)^shape`: its density, x times that of a gap, is a gamma
        /// density in this variable.
        biased_power: Gamma<f64>,
    },
}

impl Gaps {
    fn new(process: ArrivalProcess) -> Result<Self, ScheduleError> {
        match process {
            ArrivalProcess::Constant => Ok(Self::Constant),
            ArrivalProcess::Poisson => Ok(Self::Exponential),
            ArrivalProcess::Gamma { cv } => Self::gamma(cv),
            ArrivalProcess::Weibull { cv } => Self::weibull(cv),
        }
    }

    fn gamma(cv: f64) -> Result<Self, ScheduleError> {
        let cv = check_cv(cv)?;
        let scale = cv * cv;
        let shape = 1.0 / scale;
        let gamma = |shape| Gamma::new(shape, scale).map_err(|_| ScheduleError::Cv(cv));
        Ok(Self::Gamma {
            gap: gamma(shape)?,
            length_biased: gamma(shape + 1.0)?,
        })
    }

    fn weibull(cv: f64) -> Result<Self, ScheduleError> {
        let unit = UnitWeibull::with_cv(check_cv(cv)?);
        let power = Gamma::new(1.0 + 1.0 / unit.shape, 1.0);
        Ok(Self::Weibull {
            gap: Weibull::new(unit.scale, unit.shape).map_err(|_| ScheduleError::Cv(cv))?,
            unit,
            biased_power: power.map_err(|_| ScheduleError::Cv(cv))?,
        })
    }

    fn next(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Exponential => Exp1.sample(rng),
            Self::Gamma { gap, .. } => gap.sample(rng),
            Self::Weibull { gap, .. } => gap.sample(rng),
        }
    }

    /// Time from a random instant to the next arrival: a uniform share of a length-biased gap.
    fn first(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Constant => rng.random::<f64>(),
            Self::Exponential => Exp1.sample(rng),
            Self::Gamma { length_biased, .. } => length_biased.sample(rng) * rng.random::<f64>(),
            Self::Weibull {
                unit, biased_power, ..
            } => {
                let biased = unit.scale * biased_power.sample(rng).powf(1.0 / unit.shape);
                biased * rng.random::<f64>()
            }
        }
    }
}

fn check_cv(cv: f64) -> Result<f64, ScheduleError> {
    if (CV_MIN..=CV_MAX).contains(&cv) {
        Ok(cv)
    } else {
        Err(ScheduleError::Cv(cv))
    }
}

/// The gaps of a process of rate 1, without end.
#[derive(Debug, Clone)]
pub(crate) struct Renewal {
    gaps: Gaps,
    rng: ChaCha8Rng,
    started: bool,
}

impl Renewal {
    /// # Errors
    /// When the coefficient of variation is out of range.
    pub fn new(process: ArrivalProcess, seed: u64) -> Result<Self, ScheduleError> {
        Ok(Self {
            gaps: Gaps::new(process)?,
            rng: ChaCha8Rng::seed_from_u64(seed),
            started: false,
        })
    }

    /// The gap before the next arrival.
    pub fn gap(&mut self) -> f64 {
        if self.started {
            self.gaps.next(&mut self.rng)
        } else {
            self.started = true;
            self.gaps.first(&mut self.rng)
        }
    }
}
