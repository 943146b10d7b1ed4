//! Which requests have a row, and which row comes at which of them.
//!
//! Both are computed from a number alone, so that nobody has to count. Invariant: of each run of as many rows as there are,
//! every row is one.

use infermeter_core::request::RequestId;
use infermeter_core::seed::splitmix64;

/// Places of a share of the requests: one, drawn, in each stretch of so many that the share holds.
///
/// Drawn one by one they could not be counted without looking at all earlier ones; at equal distances they would go with
/// what else repeats by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    seed: u64,
    share: f64,
}

impl Places {
    pub(super) fn new(seed: u64, share: f64) -> Self {
        Self { seed, share }
    }

    /// How many have come before a request that has one; `None` where it has none.
    pub(super) fn number(&self, id: RequestId) -> Option<u64> {
        if self.share <= 0.0 {
            return None;
        }
        let stretch = self.stretch(id);
        let (first, end) = (self.begin(stretch), self.begin(stretch + 1));
        let draw = splitmix64(splitmix64(self.seed).wrapping_add(stretch));
        (id == first + draw % (end - first).max(1)).then_some(stretch)
    }

    fn stretch(&self, id: RequestId) -> u64 {
        (id as f64 * self.share.min(1.0)) as u64
    }

    /// The first request of a stretch.
    fn begin(&self, stretch: u64) -> RequestId {
        // The quotient may be one off by rounding: what `stretch` says decides.
        let mut id = (stretch as f64 / self.share.min(1.0)).ceil() as u64;
        while id > 0 && self.stretch(id - 1) >= stretch {
            id -= 1;
        }
        while self.stretch(id) < stretch {
            id += 1;
        }
        id
    }
}

/// The row that comes as number `number`, of `rows`: all once in an order that is drawn, then all in another order.
pub(super) fn shuffled(seed: u64, number: u64, rows: usize) -> usize {
    let rows = rows.max(1) as u64;
    let round = splitmix64(splitmix64(seed ^ (number / rows)).wrapping_add(rows));
    let bits = (64 - (rows - 1).leading_zeros()).max(1).div_ceil(2);
    let mut place = number % rows;
    // Orders of a power of four; what lies beyond the rows goes on until it lies within.
    loop {
        place = exchanged(round, place, bits);
        if place < rows {
            return place as usize;
        }
    }
}

/// A one-to-one mapping of numbers of `2 * bits` bits: four rounds of Feistel's scheme.
fn exchanged(key: u64, number: u64, bits: u32) -> u64 {
    let mask = (1 << bits) - 1;
    let (mut left, mut right) = (number >> bits, number & mask);
    for round in 0..4 {
        let mixed = splitmix64(key.wrapping_add(splitmix64(right).wrapping_add(round))) & mask;
        (left, right) = (right, left ^ mixed);
    }
    (left << bits) | right
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_share_has_its_places_and_they_are_numbered_in_order() {
        for share in [0.001, 0.05, 0.3, 1.0 / 3.0, 0.5, 0.7, 0.999, 1.0] {
            let places = Places::new(4, share);
            let numbers: Vec<u64> = (0..20_000).filter_map(|id| places.number(id)).collect();
            let expected = 20_000.0 * share;
            assert!(
                (numbers.len() as f64 - expected).abs() <= 1.0,
                "{share}: {}",
                numbers.len()
            );
            assert!(
                numbers
                    .iter()
                    .enumerate()
                    .all(|(place, number)| place as u64 == *number),
                "{share}"
            );
        }
        assert!((0..1_000).all(|id| Places::new(4, 0.0).number(id).is_none()));
    }

    #[test]
    fn places_are_not_at_equal_distances() {
        let places = Places::new(4, 0.05);
        let remainders: BTreeSet<u64> = (0..4_000)
            .filter(|id| places.number(*id).is_some())
            .map(|id| id % 20)
            .collect();
        assert_eq!(remainders.len(), 20);
    }

    #[test]
    fn each_row_comes_once_before_one_comes_again() {
        for rows in [1, 2, 3, 7, 64, 200, 1_000] {
            for round in 0..3 {
                let from = round * rows as u64;
                let seen: BTreeSet<usize> = (from..from + rows as u64)
                    .map(|n| shuffled(9, n, rows))
                    .collect();
                assert_eq!(seen.len(), rows, "{rows}");
                assert!(seen.iter().all(|row| *row < rows));
            }
        }
        let orders: BTreeSet<Vec<usize>> = (0..3)
            .map(|round| {
                (0..200)
                    .map(|n| shuffled(9, round * 200 + n, 200))
                    .collect()
            })
            .collect();
        assert_eq!(orders.len(), 3);
    }
}
