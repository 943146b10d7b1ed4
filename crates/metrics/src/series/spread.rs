//! Values of one part of the time: how many, least, greatest, and counts by size.
//!
//! Sizes are kept to six bits behind the leading one: a percentile read from the counts lies at most 1/64
//! above the order statistic and never below it. Invariant: least and greatest are exact.

use infermeter_stats::Quantile;

/// Counts of one power of two.
const STEPS: usize = 64;
const STEP_BITS: u32 = STEPS.ilog2();

/// Values, nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    n: u64,
    least: i64,
    greatest: i64,
    /// By power of two; those without a value have no room. What is not above 0 counts as 0.
    pages: Vec<Option<Box<[u64; STEPS]>>>,
}

/// Where a value is counted.
fn place(ns: i64) -> (usize, usize) {
    let ns = ns.max(0) as u64;
    match ns < STEPS as u64 {
        true => (0, ns as usize),
        false => {
            let up = ns.ilog2() - STEP_BITS;
            (1 + up as usize, (ns >> up) as usize - STEPS)
        }
    }
}

/// The greatest value that is counted there.
fn greatest_of(page: usize, step: usize) -> i64 {
    match page.checked_sub(1) {
        None => step as i64,
        Some(up) => ((((STEPS + step + 1) as u128) << up) - 1).min(i64::MAX as u128) as i64,
    }
}

impl Spread {
    /// Adds a value `count` times.
    #[inline]
    pub fn add(&mut self, ns: i64, count: u64) {
        if count == 0 {
            return;
        }
        self.widen(ns, ns);
        self.n += count;
        let (page, step) = place(ns);
        self.page(page)[step] += count;
    }

    fn widen(&mut self, least: i64, greatest: i64) {
        (self.least, self.greatest) = match self.n {
            0 => (least, greatest),
            _ => (self.least.min(least), self.greatest.max(greatest)),
        };
    }

    fn page(&mut self, page: usize) -> &mut [u64; STEPS] {
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        self.pages[page].get_or_insert_with(|| Box::new([0; STEPS]))
    }

    /// Adds another's values.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        self.widen(other.least, other.greatest);
        self.n += other.n;
        for (page, counts) in other.pages.iter().enumerate() {
            if let Some(counts) = counts {
                let own = self.page(page).iter_mut();
                own.zip(counts.iter())
                    .for_each(|(own, other)| *own += other);
            }
        }
    }

    /// Values.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The least; absent without values.
    pub fn least(&self) -> Option<i64> {
        (self.n > 0).then_some(self.least)
    }

    /// The greatest; absent without values.
    pub fn greatest(&self) -> Option<i64> {
        (self.n > 0).then_some(self.greatest)
    }

    /// A percentile, at most 1/64 too great; absent without values.
    pub fn at(&self, quantile: Quantile) -> Option<i64> {
        let rank = quantile.rank(usize::try_from(self.n).ok().filter(|n| *n > 0)?) as u64;
        let mut before = 0;
        for (page, counts) in self.pages.iter().enumerate() {
            for (step, count) in counts.iter().flat_map(|counts| counts.iter()).enumerate() {
                before += count;
                if before >= rank {
                    let found = greatest_of(page, step);
                    return Some(found.clamp(self.least, self.greatest));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_oneof, proptest};

    fn of(values: &[i64]) -> Spread {
        let mut spread = Spread::default();
        values.iter().for_each(|ns| spread.add(*ns, 1));
        spread
    }

    #[test]
    fn small_values_are_exact() {
        let spread = of(&[3, 0, 63, 7, 7]);
        assert_eq!(spread.n(), 5);
        assert_eq!((spread.least(), spread.greatest()), (Some(0), Some(63)));
        assert_eq!(spread.at(Quantile::P50), Some(7));
        assert_eq!(Spread::default().at(Quantile::P50), None);
        assert_eq!(Spread::default().least(), None);
    }

    #[test]
    fn a_count_is_so_many_values() {
        let mut spread = Spread::default();
        spread.add(5_000_000, 99);
        spread.add(80_000_000, 1);
        spread.add(1, 0);
        assert_eq!(spread.n(), 100);
        assert_eq!(spread.least(), Some(5_000_000));
        assert_eq!(spread.greatest(), Some(80_000_000));
    }

    proptest! {
        #[test]
        fn extremes_are_kept_and_percentiles_are_near(
            mut values in proptest::collection::vec(
                prop_oneof![0_i64..200, 0_i64..5_000_000_000, any::<i64>()], 1..200),
            cut in 0_usize..200,
            p in 0.01_f64..0.99,
        ) {
            let whole = of(&values);
            let cut = cut.min(values.len());
            let mut parts = of(&values[..cut]);
            parts.merge(&of(&values[cut..]));
            prop_assert_eq!(&parts, &whole);
            values.sort_unstable();
            prop_assert_eq!(whole.least(), values.first().copied());
            prop_assert_eq!(whole.greatest(), values.last().copied());
            let quantile = Quantile::new(p).unwrap();
            let exact = values[quantile.rank(values.len()) - 1].max(0);
            let found = whole.at(quantile).unwrap();
            prop_assert!(i128::from(found.max(0)) >= i128::from(exact));
            prop_assert!(found.max(0) as f64 <= exact as f64 * (1.0 + 1.0 / 64.0) + 1.0);
        }
    }
}
