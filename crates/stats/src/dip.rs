//! Hartigan's dip: whether a sample has more than one mode.
//!
//! The dip is the least distance, over all unimodal laws, between their distribution function and
//! the sample's (Hartigan and Hartigan 1985, Annals of Statistics 13(1); their algorithm, AS 217).
//! It knows no shape but "one mode", so a long tail alone is none. Rounded values have modes of
//! their own: give it unrounded ones.

use crate::error::{StatsError, check_finite};

/// sqrt(n) times the dip that 0.1 % of uniform samples exceed, the worst of unimodal laws
/// (`diptest.dipstat(rng.random(n)) * sqrt(n)`, 20,000 samples: 0.698 at n = 200, 0.731 at 1,000,
/// 0.717 at 3,000).
const CRITICAL: f64 = 0.73;

/// The dip of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dip {
    /// The statistic, in `[1 / (2 n), 1 / 4]`.
    pub statistic: f64,
    /// The interval in which the closest unimodal law has its mode.
    pub modal: (f64, f64),
    /// Observations.
    pub n: usize,
}

impl Dip {
    /// Whether one mode is rejected at 0.1 %, were the sample worth `effective_n` independent
    /// observations.
    #[must_use]
    pub(crate) fn rejects_one_mode(&self, effective_n: f64) -> bool {
        self.statistic * effective_n.min(self.n as f64).max(0.0).sqrt() > CRITICAL
    }
}

/// The dip of an ascending sample. O(n).
///
/// # Errors
/// `Empty` or `NotFinite`. The slice must be sorted (asserted in debug builds only).
pub fn dip(sorted: &[f64]) -> Result<Dip, StatsError> {
    check_finite(sorted)?;
    debug_assert!(sorted.is_sorted(), "dip needs an ascending slice");
    let n = sorted.len();
    let mut found = Search::new(sorted);
    if n >= 2 && sorted[0] < sorted[n - 1] {
        found.run();
    }
    Ok(Dip {
        statistic: found.dip / (2.0 * n as f64),
        modal: (sorted[found.low], sorted[found.high]),
        n,
    })
}

/// The search for the modal interval. Distances are in counts, 2 n times those of the statistic.
struct Search<'a> {
    x: &'a [f64],
    /// For each index, the one before it on the greatest convex minorant of what lies below.
    minorant: Vec<usize>,
    /// For each index, the one after it on the least concave majorant of what lies above.
    majorant: Vec<usize>,
    low: usize,
    high: usize,
    dip: f64,
}

/// Where the two curves lie furthest apart: positions in the lists of their knots.
struct Gap {
    distance: f64,
    at_minorant: usize,
    at_majorant: usize,
}

impl<'a> Search<'a> {
    fn new(x: &'a [f64]) -> Self {
        let n = x.len();
        let mut minorant = vec![0; n];
        for j in 1..n {
            minorant[j] = j - 1;
            loop {
                let (near, far) = (minorant[j], minorant[minorant[j]]);
                if near == 0 || steeper(x, near, j, far, near) {
                    break;
                }
                minorant[j] = far;
            }
        }
        let mut majorant = vec![n - 1; n];
        for k in (0..n - 1).rev() {
            majorant[k] = k + 1;
            loop {
                let (near, far) = (majorant[k], majorant[majorant[k]]);
                if near == n - 1 || steeper(x, k, near, near, far) {
                    break;
                }
                majorant[k] = far;
            }
        }
        Self {
            x,
            minorant,
            majorant,
            low: 0,
            high: n - 1,
            dip: 1.0,
        }
    }

    fn run(&mut self) {
        loop {
            let minorant = self.knots(self.high, self.low, &self.minorant);
            let majorant = self.knots(self.low, self.high, &self.majorant);
            let gap = self.gap(&minorant, &majorant);
            if gap.distance < self.dip {
                return;
            }
            let below = self.below(&minorant[gap.at_minorant..]);
            let above = self.above(&majorant[gap.at_majorant..]);
            self.dip = self.dip.max(below).max(above);
            let narrowed = (minorant[gap.at_minorant], majorant[gap.at_majorant]);
            if narrowed == (self.low, self.high) {
                return;
            }
            (self.low, self.high) = narrowed;
        }
    }

    /// The knots of a curve between two indices.
    fn knots(&self, from: usize, to: usize, next: &[usize]) -> Vec<usize> {
        let mut knots = vec![from];
        let mut at = from;
        while at != to {
            at = next[at];
            // A knot may step over the end of the interval only where the interval ends.
            at = if from > to { at.max(to) } else { at.min(to) };
            knots.push(at);
        }
        knots
    }

    /// The largest distance between the two curves over the interval; `minorant` descends,
    /// `majorant` ascends.
    fn gap(&self, minorant: &[usize], majorant: &[usize]) -> Gap {
        let x = self.x;
        let mut gap = Gap {
            distance: 0.0,
            at_minorant: minorant.len() - 1,
            at_majorant: majorant.len() - 1,
        };
        if minorant.len() == 2 && majorant.len() == 2 {
            gap.distance = 1.0;
            return gap;
        }
        let (mut g, mut l) = (minorant.len() - 2, 1);
        loop {
            let (convex, concave) = (minorant[g], majorant[l]);
            if convex > concave {
                let before = minorant[g + 1];
                let slope = (convex - before) as f64 / (x[convex] - x[before]);
                let distance =
                    (concave as f64 - before as f64 + 1.0) - (x[concave] - x[before]) * slope;
                l += 1;
                if distance >= gap.distance {
                    gap = Gap {
                        distance,
                        at_minorant: g + 1,
                        at_majorant: l - 1,
                    };
                }
            } else {
                let before = majorant[l - 1];
                let slope = (concave - before) as f64 / (x[concave] - x[before]);
                let distance =
                    (x[convex] - x[before]) * slope - (convex as f64 - before as f64 - 1.0);
                let here = g;
                g = g.saturating_sub(1);
                if distance >= gap.distance {
                    gap = Gap {
                        distance,
                        at_minorant: here,
                        at_majorant: l,
                    };
                }
            }
            l = l.min(majorant.len() - 1);
            if minorant[g] == majorant[l] {
                return gap;
            }
        }
    }

    /// Largest distance of the sample above its minorant over the knots given (descending).
    fn below(&self, knots: &[usize]) -> f64 {
        let piece = |pair: &[usize]| {
            let (from, to) = (pair[1], pair[0]);
            self.piece(from, to, |at, line| (at - from + 1) as f64 - line)
        };
        knots.windows(2).map(piece).fold(0.0, f64::max)
    }

    /// Largest distance of the sample below its majorant over the knots given (ascending).
    fn above(&self, knots: &[usize]) -> f64 {
        let piece = |pair: &[usize]| {
            let (from, to) = (pair[0], pair[1]);
            self.piece(from, to, |at, line| line - (at as f64 - from as f64 - 1.0))
        };
        knots.windows(2).map(piece).fold(0.0, f64::max)
    }

    /// Largest distance over one straight piece, at least 1.
    fn piece(&self, from: usize, to: usize, distance: impl Fn(usize, f64) -> f64) -> f64 {
        let x = self.x;
        if to - from <= 1 || x[to] == x[from] {
            return 1.0;
        }
        let slope = (to - from) as f64 / (x[to] - x[from]);
        let line = |at: usize| (x[at] - x[from]) * slope;
        (from..=to)
            .map(|at| distance(at, line(at)))
            .fold(1.0, f64::max)
    }
}

/// Whether the count rises faster per unit of value from `a` to `b` than from `c` to `d`, compared
/// without division.
fn steeper(x: &[f64], a: usize, b: usize, c: usize, d: usize) -> bool {
    (x[b] - x[a]) * ((d - c) as f64) < (x[d] - x[c]) * ((b - a) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: u32) -> impl Iterator<Item = f64> {
        let unit = |i: u32| f64::from(i.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
        (1..=n).map(unit)
    }

    fn of(mut values: Vec<f64>) -> Dip {
        values.sort_unstable_by(f64::total_cmp);
        dip(&values).unwrap()
    }

    #[test]
    fn two_modes_are_seen_and_a_long_tail_is_none() {
        let two = of(noise(1_000)
            .enumerate()
            .map(|(i, u)| u + 3.0 * (i % 2) as f64)
            .collect());
        assert!(
            two.rejects_one_mode(1_000.0) && two.statistic > 0.1,
            "{two:?}"
        );
        assert!(!two.rejects_one_mode(10.0));
        let tail = of(noise(1_000).map(|u| -(1.0 - u).ln()).collect());
        assert!(!tail.rejects_one_mode(1_000.0), "{tail:?}");
    }

    #[test]
    fn defined_cases() {
        assert_eq!(dip(&[]), Err(StatsError::Empty));
        assert!(dip(&[1.0, f64::INFINITY]).is_err());
        assert_eq!(dip(&[4.0]).unwrap().statistic, 0.5);
        assert_eq!(dip(&[4.0; 10]).unwrap().statistic, 0.05);
        assert_eq!(dip(&[1.0, 2.0]).unwrap().statistic, 0.25);
        // Two points of equal weight: the greatest dip there is.
        let two = [[0.0; 50], [1.0; 50]].concat();
        assert!((dip(&two).unwrap().statistic - 0.25).abs() < 1e-12);
    }
}
