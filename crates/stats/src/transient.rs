//! Whether a start-up outlasts the declared warm-up: MSER-5, confirmed by batch means.
//!
//! An MSER-5 cut alone cuts a third to four fifths of stationary runs falsely. So it must lie past
//! what was declared, before the middle, and what it cuts off must differ from the rest by more
//! than t(0.9995, 9) batch-means standard errors and by more than a tenth.

use crate::error::StatsError;
use crate::level_shift::level_shift;
use crate::mser::{Truncation, mser5};

/// Difference from the rest, relative, below which a start-up does not matter.
pub const TRANSIENT_RELATIVE: f64 = 0.1;

/// The answer about a start-up; positions are bins from the start of the series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Transient {
    /// Nothing speaks for a start-up beyond the declared warm-up.
    Steady,
    /// The start-up lasts until `end`.
    Until {
        /// First bin that belongs to the steady part.
        end: usize,
        /// Level between the warm-up's end and `end`, relative to the rest, less 1.
        relative: f64,
    },
    /// The series cannot answer.
    Undecided(Undecided),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// Too few bins.
    TooFew {
        /// Bins needed.
        needed: usize,
        /// Bins given.
        have: usize,
    },
    /// The best cut lies in the second half: no steady part was seen.
    NoSteadyPart,
}

/// Looks for a start-up in several series of the same equal time bins (a number inside, a
/// delay, a rate, say) of which the first `declared` bins are the warm-up. The largest cut
/// counts.
///
/// # Errors
/// `Empty` without series, or for an empty one; `NotFinite`.
pub fn transient(series: &[&[f64]], declared: usize) -> Result<Transient, StatsError> {
    let mut largest: Option<(usize, &[f64])> = None;
    let mut late = false;
    for bins in series {
        match mser5(bins)? {
            Truncation::Undecided { needed, have } => {
                return Ok(Transient::Undecided(Undecided::TooFew { needed, have }));
            }
            Truncation::Late { .. } => late = true,
            Truncation::At { observations } => {
                if largest.is_none_or(|(cut, _)| observations > cut) {
                    largest = Some((observations, bins));
                }
            }
        }
    }
    match largest {
        Some((cut, bins)) if cut > declared => confirm(bins, declared, cut),
        None if late => Ok(Transient::Undecided(Undecided::NoSteadyPart)),
        None => Err(StatsError::Empty),
        Some(_) => Ok(Transient::Steady),
    }
}

fn confirm(bins: &[f64], declared: usize, cut: usize) -> Result<Transient, StatsError> {
    let shift = level_shift(&bins[declared..cut], &bins[cut..])?;
    let relative = shift.relative.unwrap_or(f64::INFINITY);
    Ok(
        if shift.significant && relative.abs() > TRANSIENT_RELATIVE {
            Transient::Until { end: cut, relative }
        } else {
            Transient::Steady
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(cold: usize, by: f64) -> Vec<f64> {
        let saw = |i: usize| 10.0 + (i * 37 % 11) as f64 * 0.1;
        (0..300)
            .map(|i| saw(i) + if i < cold { by } else { 0.0 })
            .collect()
    }

    #[test]
    fn a_start_up_past_the_warm_up_is_found_where_it_ends() {
        let (flat, cold) = (series(0, 0.0), series(40, 5.0));
        let found = transient(&[&flat, &cold], 10).unwrap();
        let Transient::Until { end, relative } = found else {
            panic!("{found:?}");
        };
        assert_eq!(end, 40);
        assert!((relative - 5.0 / 10.5).abs() < 0.01, "{relative}");
    }

    #[test]
    fn inside_the_warm_up_or_small_is_steady() {
        assert_eq!(transient(&[&series(40, 5.0)], 40), Ok(Transient::Steady));
        assert_eq!(transient(&[&series(40, 0.6)], 10), Ok(Transient::Steady));
        assert_eq!(transient(&[&series(0, 0.0)], 0), Ok(Transient::Steady));
    }

    #[test]
    fn what_cannot_be_answered_is_undecided() {
        let short = transient(&[&[1.0; 99]], 10).unwrap();
        let few = Undecided::TooFew {
            needed: 100,
            have: 99,
        };
        assert_eq!(short, Transient::Undecided(few));
        let late = transient(&[&series(200, 10.0)], 10).unwrap();
        assert_eq!(late, Transient::Undecided(Undecided::NoSteadyPart));
        assert_eq!(transient(&[], 10), Err(StatsError::Empty));
        assert!(transient(&[&[f64::NAN; 200]], 0).is_err());
    }
}
