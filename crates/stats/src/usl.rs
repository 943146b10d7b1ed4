//! The Universal Scalability Law (Gunther 1993): throughput of `n` in flight,
//! X(n) = r n / (1 + s (n - 1) + k n (n - 1)).
//!
//! Fitted to mean numbers in flight and throughputs, never to offered rates: those do not saturate.
//! Descriptive. Invariant: neither contention `s` nor coherence `k` is negative.

use crate::error::{StatsError, check_finite};

/// A fitted law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Throughput of one in flight.
    pub rate: f64,
    /// Contention: the share of the work that is serial.
    pub contention: f64,
    /// Coherence: what each pair costs.
    pub coherence: f64,
}

impl Usl {
    /// Least squares of n / X(n), a parabola in n, with errors in proportion to the values.
    ///
    /// # Errors
    /// `TooFew` below three points of different `n`; `LengthMismatch`; `NotFinite`; `Negative` where a value
    /// is not above 0.
    pub fn fit(in_flight: &[f64], throughput: &[f64]) -> Result<Self, StatsError> {
        check(in_flight, throughput)?;
        let points: Vec<Point> = in_flight
            .iter()
            .zip(throughput)
            .map(|(n, x)| Point { n: *n, y: n / x })
            .collect();
        let law = |terms: &[Term]| least_squares(&points, terms).map(Self::of);
        let free = law(&[Term::One, Term::Linear, Term::Pairs]);
        let sound = |law: &Self| law.rate > 0.0 && law.contention >= 0.0 && law.coherence >= 0.0;
        // On the border the other term is left out.
        let candidates = [
            free,
            law(&[Term::One, Term::Linear]),
            law(&[Term::One, Term::Pairs]),
            law(&[Term::One]),
        ];
        let found = candidates.into_iter().flatten().find(sound);
        found.ok_or(StatsError::TooFew {
            needed: 3,
            have: points.len(),
        })
    }

    /// Throughput of `n` in flight.
    #[must_use]
    pub fn at(&self, n: f64) -> f64 {
        self.rate * n / (1.0 + self.contention * (n - 1.0) + self.coherence * n * (n - 1.0))
    }

    /// In flight where the throughput is highest; `None` where it only ever grows.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        let peak = ((1.0 - self.contention) / self.coherence).sqrt();
        (self.coherence > 0.0 && peak.is_finite()).then_some(peak.max(1.0))
    }

    /// The highest throughput, or what it grows towards; `None` where it grows without end.
    #[must_use]
    pub fn limit(&self) -> Option<f64> {
        match self.peak() {
            Some(peak) => Some(self.at(peak)),
            None => (self.contention > 0.0).then(|| self.rate / self.contention),
        }
    }

    fn of(c: [f64; 3]) -> Self {
        // y = (1 + s (n - 1) + k n (n - 1)) / r
        let [one, linear, pairs] = c;
        Self {
            rate: 1.0 / one,
            contention: linear / one,
            coherence: pairs / one,
        }
    }
}

struct Point {
    n: f64,
    y: f64,
}

/// A term of n / X(n).
#[derive(Debug, Clone, Copy)]
enum Term {
    One,
    Linear,
    Pairs,
}

impl Term {
    fn at(self, n: f64) -> f64 {
        match self {
            Self::One => 1.0,
            Self::Linear => n - 1.0,
            Self::Pairs => n * (n - 1.0),
        }
    }
}

/// The coefficients of the three terms; 0 for those left out. `None` where the points do not tell them.
fn least_squares(points: &[Point], terms: &[Term]) -> Option<[f64; 3]> {
    let size = terms.len();
    let mut rows = vec![vec![0.0; size + 1]; size];
    for point in points {
        // Relative errors: every residual is weighed with 1 / y.
        let at = |term: &Term| term.at(point.n) / point.y;
        for (row, left) in rows.iter_mut().zip(terms) {
            for (cell, right) in row.iter_mut().zip(terms) {
                *cell += at(left) * at(right);
            }
            row[size] += at(left);
        }
    }
    let solved = solve(rows)?;
    let mut all = [0.0; 3];
    for (term, value) in terms.iter().zip(solved) {
        all[*term as usize] = value;
    }
    Some(all)
}

/// Gauss with pivots.
fn solve(mut rows: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let size = rows.len();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let scale = rows[column][column];
        if scale.abs() < 1e-12 {
            return None;
        }
        rows[column].iter_mut().for_each(|cell| *cell /= scale);
        let lead = rows[column].clone();
        for (index, row) in rows.iter_mut().enumerate() {
            let by = row[column];
            if index != column {
                row.iter_mut()
                    .zip(&lead)
                    .for_each(|(cell, of)| *cell -= by * of);
            }
        }
    }
    Some(rows.iter().map(|row| row[size]).collect())
}

fn check(in_flight: &[f64], throughput: &[f64]) -> Result<(), StatsError> {
    check_finite(in_flight)?;
    check_finite(throughput)?;
    if in_flight.len() != throughput.len() {
        return Err(StatsError::LengthMismatch {
            values: in_flight.len(),
            times: throughput.len(),
        });
    }
    for values in [in_flight, throughput] {
        if let Some(index) = values.iter().position(|v| *v <= 0.0) {
            let value = values[index];
            return Err(StatsError::Negative { index, value });
        }
    }
    let mut distinct = in_flight.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    match distinct.len() {
        0..3 => Err(StatsError::TooFew {
            needed: 3,
            have: distinct.len(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(law: Usl, ns: &[f64]) -> Usl {
        let xs: Vec<f64> = ns.iter().map(|n| law.at(*n)).collect();
        Usl::fit(ns, &xs).expect("a law")
    }

    fn near(found: f64, expect: f64) {
        assert!(
            (found - expect).abs() <= 1e-6 * expect.abs().max(1e-3),
            "{found} {expect}"
        );
    }

    #[test]
    fn a_law_is_found_again() {
        let law = Usl {
            rate: 12.0,
            contention: 0.03,
            coherence: 0.0004,
        };
        let found = fitted(law, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]);
        near(found.rate, law.rate);
        near(found.contention, law.contention);
        near(found.coherence, law.coherence);
        near(found.peak().expect("a peak"), (0.97_f64 / 0.0004).sqrt());
        near(
            found.limit().expect("a limit"),
            law.at(law.peak().expect("a peak")),
        );
    }

    #[test]
    fn what_is_not_there_is_zero_and_never_negative() {
        let serial = Usl {
            rate: 5.0,
            contention: 0.1,
            coherence: 0.0,
        };
        let found = fitted(serial, &[1.0, 3.0, 9.0, 27.0]);
        assert!(found.coherence.abs() < 1e-9);
        near(serial.limit().expect("a limit"), 50.0);
        assert_eq!(serial.peak(), None);
        // Grows faster than in proportion.
        let found = Usl::fit(&[1.0, 2.0, 4.0], &[1.0, 2.5, 6.0]).expect("a law");
        assert!(
            found.contention >= 0.0 && found.coherence >= 0.0,
            "{found:?}"
        );
        assert_eq!(found.limit(), None);
    }

    #[test]
    fn three_different_numbers_are_needed() {
        assert!(Usl::fit(&[1.0, 1.0, 2.0], &[1.0, 1.0, 2.0]).is_err());
        assert!(Usl::fit(&[0.0, 1.0, 2.0], &[1.0, 1.0, 2.0]).is_err());
        assert!(Usl::fit(&[1.0, 2.0], &[1.0]).is_err());
    }
}
