//! Looks at a level of load: how long each run is, and which chance of a wrong answer it may spend.
//!
//! Fixed before the first run. The first runs of a level are as long as the plan says; each further one is twice as
//! long as the one before, up to eight times. A run that comes later is judged alone: what an earlier one left open
//! is not in it. The chances of a wrong answer add up over the looks, however these depend on each other
//! (Bonferroni), so the whole is shared by the lengths: little is spent on a short run, which decides only what is
//! far from its limit. Invariant: the shares add up to 1, and none depends on anything measured.

use crate::CONFIDENCE;
use infermeter_stats::student_two_sided;

/// No run is longer than so many times the first.
const MOST_TIMES: u32 = 8;

/// The looks at a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelLooks {
    /// Runs of the plan's length, at least 1.
    pub replicates: usize,
    /// Runs in all, at most; not below `replicates`.
    pub most: usize,
}

/// The chance of a wrong answer that a look may spend on one objective, on one side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LookError {
    /// To say that it is met.
    pub(crate) met: f64,
    /// To say that one of several is missed.
    pub(crate) missed: f64,
}

/// How many times as wide as a 95 % interval one is that is wrong on one side with so small a chance.
pub(crate) fn widening(error: f64) -> f64 {
    let quantile = |error: f64| student_two_sided(1.0 - 2.0 * error, f64::INFINITY);
    quantile(error) / quantile(0.5 * (1.0 - CONFIDENCE))
}

impl LevelLooks {
    /// One run, as long as the plan says.
    #[cfg(test)]
    pub(crate) const ONE: Self = Self {
        replicates: 1,
        most: 1,
    };

    /// How many times as long as the plan says the run number `index` is, from 0.
    pub fn times(&self, index: usize) -> u32 {
        let doublings = (index + 1).saturating_sub(self.replicates);
        1 << doublings.min(MOST_TIMES.ilog2() as usize)
    }

    /// The chance of a wrong answer on one side of one objective's limit that the run number `index` may spend.
    pub fn error(&self, index: usize) -> f64 {
        let all: u32 = (0..self.most.max(1)).map(|index| self.times(index)).sum();
        0.5 * (1.0 - CONFIDENCE) * f64::from(self.times(index)) / f64::from(all)
    }

    /// What the run number `index` may spend with so many objectives. A level meets its objectives only if all are
    /// met, so that needs no correction; one of several is enough to miss.
    pub(crate) fn errors(&self, index: usize, objectives: usize) -> LookError {
        let error = self.error(index);
        LookError {
            met: error,
            missed: error / objectives.max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_double_behind_the_replicates() {
        let times = |replicates: usize, most: usize| -> Vec<u32> {
            let looks = LevelLooks { replicates, most };
            (0..most).map(|index| looks.times(index)).collect()
        };
        assert_eq!(times(1, 6), [1, 2, 4, 8, 8, 8]);
        assert_eq!(times(3, 5), [1, 1, 1, 2, 4]);
        assert_eq!(times(1, 99)[98], 8);
    }

    #[test]
    fn the_errors_add_up_to_that_of_one_interval() {
        for (replicates, most) in [(1, 1), (1, 3), (3, 5), (4, 4)] {
            let looks = LevelLooks { replicates, most };
            let sum: f64 = (0..most).map(|index| looks.error(index)).sum();
            assert!((sum - 0.025).abs() < 1e-12, "{looks:?}: {sum}");
        }
        let one = LevelLooks::ONE.errors(0, 1);
        assert!((widening(one.met) - 1.0).abs() < 1e-12 && one.met == one.missed);
        let looks = LevelLooks {
            replicates: 1,
            most: 3,
        };
        // Python: isf = lambda p: -NormalDist().inv_cdf(p); isf(0.025 / 7) / isf(0.025), isf(0.025 * 4 / 14) / isf(0.025).
        let (first, last) = (looks.errors(0, 1).met, looks.errors(2, 2).missed);
        assert!((widening(first) - 1.372_53).abs() < 1e-5, "{first}");
        assert!((widening(last) - 1.250_02).abs() < 1e-5, "{last}");
    }
}
