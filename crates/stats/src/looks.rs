//! Looks at growing numbers of replicate runs, planned before the first one.
//!
//! A rule that is looked at again and again stops falsely too often; so the error is spent over the
//! looks (Lan and DeMets 1983), in proportion to the runs seen (the power family of Kim and DeMets
//! 1987 with exponent 1). The looks' errors add up to the whole by Bonferroni's inequality, which
//! holds however the looks depend on each other and needs no joint law; it costs a few per cent of
//! width. Independent runs are the unit, never what is inside them.

use crate::error::{StatsError, check_level};
use crate::interval::Interval;
use crate::runs::{OverRuns, RunFigure, over_runs};
use crate::special::student_two_sided;

/// A plan of looks. Invariant: ascending, the first at two runs or more.
#[derive(Debug, Clone, PartialEq)]
pub struct LookPlan {
    runs: Vec<usize>,
    level: f64,
}

/// What one look found.
#[derive(Debug, Clone, PartialEq)]
pub enum Look {
    /// The interval is narrow enough: stop.
    Reached(OverRuns),
    /// Not yet: run on to the next look.
    Continue {
        /// The figure so far; its interval has the look's own, higher level.
        over: OverRuns,
        /// Runs at the next look.
        next: usize,
    },
    /// The last look, and the interval is not narrow enough.
    NotReached(OverRuns),
}

impl LookPlan {
    /// `looks` looks from `first` runs to `most`, evenly spaced, with joint coverage `level`.
    ///
    /// # Errors
    /// `InvalidLevel`; `TooFew` when `first` is below 2, or `most` leaves no room for the looks.
    pub fn new(first: usize, most: usize, looks: usize, level: f64) -> Result<Self, StatsError> {
        check_level(level)?;
        let needed = 2.max(first) + looks.saturating_sub(1);
        if first < 2 || looks == 0 || most < needed {
            let have = if first < 2 { first } else { most };
            return Err(StatsError::TooFew { needed, have });
        }
        let steps = (looks - 1).max(1);
        let at = |look: usize| first + (most - first) * look / steps;
        let runs = if looks == 1 {
            vec![most]
        } else {
            (0..looks).map(at).collect()
        };
        Ok(Self { runs, level })
    }

    /// Runs at each look, ascending.
    #[must_use]
    pub fn runs(&self) -> &[usize] {
        &self.runs
    }

    /// Nominal coverage of all looks together.
    #[must_use]
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Nominal coverage of the interval at look number `look`, from 0; `None` past the last.
    #[must_use]
    pub(crate) fn level_at(&self, look: usize) -> Option<f64> {
        let most = *self.runs.last()? as f64;
        let before = match look {
            0 => 0,
            look => *self.runs.get(look - 1)?,
        };
        let share = (*self.runs.get(look)? - before) as f64 / most;
        Some(1.0 - (1.0 - self.level) * share)
    }

    /// Looks at the runs so far. `None` where their number is not one of the plan's.
    ///
    /// Narrow enough is a closed interval whose half-width is at most `relative` times the
    /// magnitude of the mean.
    ///
    /// # Errors
    /// Those of [`over_runs`].
    pub fn look(&self, runs: &[RunFigure], relative: f64) -> Result<Option<Look>, StatsError> {
        let Some(look) = self.runs.iter().position(|planned| *planned == runs.len()) else {
            return Ok(None);
        };
        let level = self.level_at(look).unwrap_or(self.level);
        let over = over_runs(runs, level)?;
        let half = relative_half_width(&over.interval, over.mean);
        Ok(Some(match self.runs.get(look + 1) {
            _ if half.is_some_and(|half| half <= relative) => Look::Reached(over),
            Some(&next) => Look::Continue { over, next },
            None => Look::NotReached(over),
        }))
    }

    /// The look at which runs with this coefficient of variation are expected to be narrow enough,
    /// as a number of runs; `None` where not even the last is.
    #[must_use]
    pub fn expected_runs(&self, cv: f64, relative: f64) -> Option<usize> {
        let narrow = |(look, runs): &(usize, &usize)| {
            let n = **runs as f64;
            self.level_at(*look)
                .is_some_and(|level| student_two_sided(level, n - 1.0) * cv / n.sqrt() <= relative)
        };
        let mut looks = self.runs.iter().enumerate();
        looks.find(narrow).map(|(_, runs)| *runs)
    }
}

/// Half the width over the magnitude of `centre`; `None` for an open interval or a centre of 0.
#[must_use]
pub fn relative_half_width(interval: &Interval, centre: f64) -> Option<f64> {
    let half = 0.5 * interval.width()?;
    (centre != 0.0).then(|| half / centre.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(values: &[f64]) -> Vec<RunFigure> {
        let figure = |&value| RunFigure {
            value,
            effective_tail: None,
        };
        values.iter().map(figure).collect()
    }

    #[test]
    fn the_errors_of_the_looks_add_up() {
        let plan = LookPlan::new(3, 12, 4, 0.95).unwrap();
        assert_eq!(plan.runs(), [3, 6, 9, 12]);
        let spent: f64 = (0..4).map(|look| 1.0 - plan.level_at(look).unwrap()).sum();
        assert!((spent - 0.05).abs() < 1e-12);
        assert_eq!(plan.level_at(4), None);
        assert_eq!(LookPlan::new(5, 9, 1, 0.9).unwrap().runs(), [9]);
    }

    #[test]
    fn looks_stop_when_narrow_and_only_when_planned() {
        let plan = LookPlan::new(3, 6, 2, 0.95).unwrap();
        let alike = figures(&[10.0, 10.01, 9.99]);
        let apart = figures(&[5.0, 10.0, 15.0]);
        assert!(matches!(
            plan.look(&alike, 0.05),
            Ok(Some(Look::Reached(_)))
        ));
        let look = plan.look(&apart, 0.05).unwrap();
        assert!(matches!(look, Some(Look::Continue { next: 6, .. })));
        assert_eq!(plan.look(&apart[..2], 0.05), Ok(None));
        let last = plan.look(&[apart.clone(), apart].concat(), 0.05).unwrap();
        assert!(matches!(last, Some(Look::NotReached(_))));
    }

    #[test]
    fn the_expected_number_is_a_look() {
        let plan = LookPlan::new(3, 12, 4, 0.95).unwrap();
        assert_eq!(plan.expected_runs(0.0, 0.1), Some(3));
        // scipy.stats.t.isf(0.00625, 8) = 3.2060.
        assert_eq!(plan.expected_runs(0.093, 0.1), Some(9));
        assert_eq!(plan.expected_runs(0.094, 0.1), Some(12));
        assert_eq!(plan.expected_runs(1.0, 0.1), None);
    }

    #[test]
    fn impossible_plans_are_refused() {
        assert!(LookPlan::new(1, 5, 2, 0.95).is_err());
        assert!(LookPlan::new(3, 3, 2, 0.95).is_err());
        assert!(LookPlan::new(3, 5, 0, 0.95).is_err());
        assert!(LookPlan::new(3, 5, 2, 0.0).is_err());
        let zero = over_runs(&figures(&[0.0, 0.0]), 0.95).unwrap();
        assert_eq!(relative_half_width(&zero.interval, zero.mean), None);
    }
}
