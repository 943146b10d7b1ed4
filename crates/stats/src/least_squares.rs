//! Linear least squares with coefficients that cannot be negative, for a handful of terms.
//!
//! Rows are added one after the other and not kept. Invariant: the answer is that of Lawson and Hanson's
//! problem (Solving Least Squares Problems, 1974, chapter 23): with so few terms, every choice of the ones that
//! are not 0 is tried, so that there is no iteration that could fail.

/// Most terms: the choices that are tried double with each.
const MAX_TERMS: usize = 8;

/// A pivot below this share of its column is taken as none: the terms depend on each other.
const SINGULAR: f64 = 1e-10;

/// Sums over rows of `TERMS` values and an observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeastSquares<const TERMS: usize> {
    xx: [[f64; TERMS]; TERMS],
    xy: [f64; TERMS],
    yy: f64,
    n: usize,
}

impl<const TERMS: usize> Default for LeastSquares<TERMS> {
    fn default() -> Self {
        const { assert!(TERMS > 0 && TERMS <= MAX_TERMS) };
        Self {
            xx: [[0.0; TERMS]; TERMS],
            xy: [0.0; TERMS],
            yy: 0.0,
            n: 0,
        }
    }
}

impl<const TERMS: usize> LeastSquares<TERMS> {
    /// A row: its terms, what was observed, and what it counts.
    pub fn add(&mut self, terms: [f64; TERMS], observed: f64, weight: f64) {
        for (i, x) in terms.iter().enumerate() {
            for (sum, other) in self.xx[i].iter_mut().zip(&terms) {
                *sum += weight * x * other;
            }
            self.xy[i] += weight * x * observed;
        }
        self.yy += weight * observed * observed;
        self.n += 1;
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.n
    }

    /// The coefficients, none negative, whose sum of squares is least; `None` without rows, and where not even
    /// one term says anything. A term that depends on the others is 0.
    pub fn non_negative(&self) -> Option<[f64; TERMS]> {
        let choices = (1_u32..1 << TERMS).filter_map(|choice| self.solve(choice));
        let allowed = choices.filter(|found| found.iter().all(|x| *x >= 0.0));
        allowed.min_by(|a, b| self.squares(a).total_cmp(&self.squares(b)))
    }

    /// The sum of squares that coefficients leave.
    fn squares(&self, coefficients: &[f64; TERMS]) -> f64 {
        let mut sum = self.yy;
        for (i, a) in coefficients.iter().enumerate() {
            sum -= 2.0 * a * self.xy[i];
            for (xx, b) in self.xx[i].iter().zip(coefficients) {
                sum += a * xx * b;
            }
        }
        sum
    }

    /// The terms of a choice by Gaussian elimination with pivots, each column scaled to 1; the others are 0.
    fn solve(&self, choice: u32) -> Option<[f64; TERMS]> {
        let chosen: Vec<usize> = (0..TERMS).filter(|i| choice >> i & 1 == 1).collect();
        let scale = |i: usize| self.xx[i][i].sqrt();
        if self.n == 0 || chosen.iter().any(|i| self.xx[*i][*i] <= 0.0) {
            return None;
        }
        let row = |i: &usize| -> Vec<f64> {
            let left = chosen
                .iter()
                .map(|j| self.xx[*i][*j] / scale(*i) / scale(*j));
            left.chain([self.xy[*i] / scale(*i)]).collect()
        };
        let solved = eliminated(chosen.iter().map(row).collect())?;
        let mut coefficients = [0.0; TERMS];
        for (i, x) in chosen.iter().zip(solved) {
            coefficients[*i] = x / scale(*i);
        }
        Some(coefficients)
    }
}

/// Solves a square system whose right side is the last column.
fn eliminated(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let n = rows.len();
    for at in 0..n {
        let pivot = (at..n).max_by(|a, b| rows[*a][at].abs().total_cmp(&rows[*b][at].abs()))?;
        rows.swap(at, pivot);
        if rows[at][at].abs() < SINGULAR {
            return None;
        }
        let pivot = rows[at].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != at) {
            let factor = row[at] / pivot[at];
            for (value, above) in row.iter_mut().zip(&pivot) {
                *value -= factor * above;
            }
        }
    }
    Some(
        rows.iter()
            .enumerate()
            .map(|(i, row)| row[n] / row[i])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[([f64; 3], f64)]) -> Option<[f64; 3]> {
        let mut sums = LeastSquares::default();
        for (terms, observed) in rows {
            sums.add(*terms, *observed, 1.0);
        }
        assert_eq!(sums.rows(), rows.len());
        sums.non_negative()
    }

    fn check(rows: &[([f64; 3], f64)], expect: [f64; 3]) {
        let found = of(rows).expect("a solution");
        for (found, expect) in found.iter().zip(expect) {
            assert!((found - expect).abs() < 1e-9, "{found} for {expect}");
        }
    }

    #[test]
    fn an_exact_law_is_found() {
        let law = |x: f64, y: f64| ([1.0, x, y], 5.0 + 0.25 * x + 3.0 * y);
        check(
            &[law(1.0, 2.0), law(4.0, 1.0), law(9.0, 7.0), law(2.0, 2.0)],
            [5.0, 0.25, 3.0],
        );
    }

    /// python -c 'from scipy.optimize import nnls; print(nnls([[1,1,4],[1,2,3],[1,3,1],[1,4,0]],[5,4,2,2])[0])'
    #[test]
    fn what_would_be_negative_is_nothing() {
        let rows = [
            ([1.0, 1.0, 4.0], 5.0),
            ([1.0, 2.0, 3.0], 4.0),
            ([1.0, 3.0, 1.0], 2.0),
            ([1.0, 4.0, 0.0], 2.0),
        ];
        check(&rows, GOLDEN);
    }

    const GOLDEN: [f64; 3] = [0.0, 0.425_531_914_893_617, 1.094_926_350_245_499];

    #[test]
    fn terms_that_say_nothing_are_nothing() {
        check(&[([2.0, 0.0, 4.0], 6.0), ([1.0, 0.0, 2.0], 3.0)], {
            let found = of(&[([2.0, 0.0, 4.0], 6.0), ([1.0, 0.0, 2.0], 3.0)]).expect("one");
            assert!(found[1] == 0.0 && (2.0 * found[0] + 4.0 * found[2] - 6.0).abs() < 1e-9);
            found
        });
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[([0.0; 3], 1.0)]), None);
    }

    #[test]
    fn a_row_of_twice_the_weight_is_two() {
        let mut twice = LeastSquares::default();
        let mut weighed = LeastSquares::default();
        for (terms, observed, weight) in [
            ([1.0, 1.0], 2.0, 2.0),
            ([1.0, 3.0], 5.0, 1.0),
            ([1.0, 2.0], 9.0, 1.0),
        ] {
            weighed.add(terms, observed, weight);
            for _ in 0..weight as usize {
                twice.add(terms, observed, 1.0);
            }
        }
        assert_eq!(twice.non_negative(), weighed.non_negative());
    }
}
