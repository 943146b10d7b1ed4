//! How many things were inside at once, over a window, from when each came and went.
//!
//! Little's law inside a window is algebra, not statistics: the time average of the number inside
//! times the window is the sum of the residences, each clipped to the window. Two ways to the same
//! number test whoever keeps the record; a foreign gauge of the number inside is another matter.

use std::ops::Range;

use crate::error::StatsError;

/// Time average of the number inside, by both ways.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residence {
    /// Integral of the number inside over the window, by sweeping over arrivals and departures,
    /// divided by the window.
    pub by_number: f64,
    /// Sum of the residences clipped to the window, divided by the window.
    pub by_residence: f64,
    /// Most inside at once within the window.
    pub most: usize,
    /// Residences that reach into the window.
    pub n: usize,
}

impl Residence {
    /// How far the two ways lie apart, relative to the larger: 0 but for rounding.
    #[must_use]
    pub fn residual(&self) -> f64 {
        relative_difference(self.by_number, self.by_residence)
    }
}

/// |a - b| over the larger magnitude; 0 where both are 0.
#[must_use]
pub fn relative_difference(a: f64, b: f64) -> f64 {
    let scale = a.abs().max(b.abs());
    if scale == 0.0 {
        0.0
    } else {
        (a - b).abs() / scale
    }
}

/// The time average over `window` of how many of `stays` (from arrival, up to departure) are
/// inside. Stays that end before they begin count as empty. O(n log n).
///
/// # Errors
/// `InvalidDivision` for an empty window.
pub fn residence(stays: &[Range<i64>], window: Range<i64>) -> Result<Residence, StatsError> {
    let length = i128::from(window.end) - i128::from(window.start);
    if length <= 0 {
        return Err(StatsError::InvalidDivision { length: 0 });
    }
    let clipped: Vec<Range<i64>> = stays
        .iter()
        .map(|stay| stay.start.max(window.start)..stay.end.min(window.end))
        .filter(|stay| !stay.is_empty())
        .collect();
    let total: i128 = clipped
        .iter()
        .map(|stay| i128::from(stay.end) - i128::from(stay.start))
        .sum();
    let (area, most) = sweep(&clipped);
    Ok(Residence {
        by_number: area as f64 / length as f64,
        by_residence: total as f64 / length as f64,
        most,
        n: clipped.len(),
    })
}

/// How many of `stays` are inside at each instant of `at`: from arrival, up to departure. Stays that
/// end before they begin are empty. O((n + m) log n).
#[must_use]
pub fn inside_at(stays: &[Range<i64>], at: &[i64]) -> Vec<usize> {
    let whole = stays.iter().filter(|stay| !stay.is_empty());
    let (mut arrivals, mut departures): (Vec<i64>, Vec<i64>) =
        whole.map(|stay| (stay.start, stay.end)).unzip();
    arrivals.sort_unstable();
    departures.sort_unstable();
    let up_to = |events: &[i64], at: i64| events.partition_point(|event| *event <= at);
    at.iter()
        .map(|at| up_to(&arrivals, *at) - up_to(&departures, *at))
        .collect()
}

/// The area under the number inside, and its greatest value.
fn sweep(stays: &[Range<i64>]) -> (i128, usize) {
    let arrivals = stays.iter().map(|stay| (stay.start, 1_i64));
    let departures = stays.iter().map(|stay| (stay.end, -1));
    let mut events: Vec<(i64, i64)> = arrivals.chain(departures).collect();
    // At one instant departures come first: whoever leaves is not inside with whoever comes.
    events.sort_unstable();
    let (mut inside, mut most, mut area) = (0_i64, 0, 0_i128);
    let mut before = events.first().map_or(0, |(at, _)| *at);
    for (at, change) in events {
        area += i128::from(inside) * (i128::from(at) - i128::from(before));
        before = at;
        inside += change;
        most = most.max(inside);
    }
    (area, most as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_to_one_number() {
        // 2 + 10 + 4 of a window of 10; the last stay lies outside.
        let stays = [3..5, -100..100, 6..14, 20..30];
        let found = residence(&stays, 0..10).unwrap();
        assert_eq!((found.by_number, found.by_residence), (1.6, 1.6));
        assert_eq!((found.most, found.n), (2, 3));
        assert_eq!(found.residual(), 0.0);
    }

    #[test]
    fn the_number_inside_at_an_instant() {
        let stays = [3..5, -100..100, 6..14, Range { start: 9, end: 4 }];
        let at = [-101, -100, 3, 4, 5, 6, 13, 14, 100];
        assert_eq!(inside_at(&stays, &at), [0, 1, 2, 2, 1, 2, 2, 1, 0]);
        assert_eq!(inside_at(&[], &[0]), [0]);
    }

    #[test]
    fn many_stays_agree_exactly() {
        let stays: Vec<Range<i64>> = (0..5_000_i64)
            .map(|i| i * 7_919 % 100_003..i * 7_919 % 100_003 + i * 104_729 % 9_973)
            .collect();
        let found = residence(&stays, 1_000..90_001).unwrap();
        assert!(found.residual() < 1e-12 && found.by_number > 100.0);
    }

    #[test]
    fn defined_cases() {
        assert!(residence(&[], 5..5).is_err());
        let empty = residence(&[], 0..5).unwrap();
        assert_eq!(
            (empty.by_number, empty.most, empty.residual()),
            (0.0, 0, 0.0)
        );
        let backwards = Range { start: 4, end: 2 };
        assert_eq!(
            residence(std::slice::from_ref(&backwards), 0..5).unwrap().n,
            0
        );
        let all = i64::MIN..i64::MAX;
        let wide = residence(std::slice::from_ref(&all), all.clone()).unwrap();
        assert_eq!((wide.by_number, wide.residual()), (1.0, 0.0));
        assert_eq!(relative_difference(2.0, 1.0), 0.5);
    }
}
