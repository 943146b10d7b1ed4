//! Exact order statistics of values that are gone through several times and never held.
//!
//! A first reading counts values by the high bits of their order-preserving key ([`RankTable`]).
//! That places every rank in a bucket; a second reading keeps only what falls into the buckets
//! wanted ([`RankValues`]). The result is the order statistic of a full sort, bit for bit, at the
//! cost of a few tables. No value is approximated.

use crate::counted::Counted;

/// Low bits of a key that a bucket leaves open: it keeps sign, exponent and twelve bits of the
/// mantissa, so that values in one bucket differ by less than 1/4096.
const OPEN_BITS: u32 = 40;

/// Buckets of one sign and exponent, which are allocated together.
const PAGE: usize = 1 << (52 - OPEN_BITS);

/// Signs and exponents.
const PAGES: usize = 1 << 12;

/// A key that orders as [`f64::total_cmp`] does.
#[inline]
pub(crate) fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    // All ones for negative numbers, only the sign bit for others.
    let mask = ((bits as i64 >> 63) as u64) | (1 << 63);
    bits ^ mask
}

/// The number with this key.
pub(crate) fn value_of(key: u64) -> f64 {
    let mask = if key >> 63 == 1 { 1 << 63 } else { u64::MAX };
    f64::from_bits(key ^ mask)
}

/// Neighbouring values that share the high bits of their keys. Buckets order as their values do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket(u32);

impl Bucket {
    /// The bucket of a value.
    #[inline]
    #[must_use]
    pub fn of(value: f64) -> Self {
        Self((key(value) >> OPEN_BITS) as u32)
    }

    /// The greatest value that it could hold: at most 1/4096 above any that it does.
    #[must_use]
    pub fn end(self) -> f64 {
        value_of(((u64::from(self.0) + 1) << OPEN_BITS) - 1)
    }
}

/// Where a rank lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    /// The bucket.
    pub bucket: Bucket,
    /// Values in the buckets before it.
    pub before: u64,
    /// Values in it.
    pub inside: u64,
}

/// Counts of values by bucket.
#[derive(Debug, Clone, Default)]
pub struct RankTable {
    /// By sign and exponent; empty until the first value.
    pages: Vec<Option<Box<[u64]>>>,
    n: u64,
}

impl RankTable {
    /// Counts a value `count` times. Infinities are values; NaN is not expected.
    #[inline]
    pub fn add(&mut self, value: f64, count: u64) {
        let Bucket(bucket) = Bucket::of(value);
        let (page, place) = (bucket as usize / PAGE, bucket as usize % PAGE);
        self.n += count;
        if let Some(Some(counts)) = self.pages.get_mut(page) {
            counts[place] += count;
        } else {
            self.page(page)[place] += count;
        }
    }

    fn page(&mut self, page: usize) -> &mut [u64] {
        self.pages.resize_with(PAGES, || None);
        self.pages[page].get_or_insert_with(|| vec![0; PAGE].into_boxed_slice())
    }

    /// Adds the counts of another table.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        for (page, counts) in other.pages.iter().enumerate() {
            if let Some(counts) = counts {
                let own = self.page(page).iter_mut();
                own.zip(counts).for_each(|(own, other)| *own += other);
            }
        }
    }

    /// Values counted.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The bucket that holds the value of a rank, from 1; `None` beyond the values.
    #[must_use]
    pub fn locate(&self, rank: u64) -> Option<Located> {
        let mut before = 0;
        for (bucket, inside) in self.buckets() {
            if rank <= before + inside {
                return (rank > 0).then_some(Located {
                    bucket,
                    before,
                    inside,
                });
            }
            before += inside;
        }
        None
    }

    /// The greatest value that the bucket of a rank, from 1, could hold: at most 1/4096 above the order
    /// statistic; `None` beyond the values.
    #[must_use]
    pub fn at_most(&self, rank: u64) -> Option<f64> {
        Some(self.locate(rank)?.bucket.end())
    }

    /// Values in buckets after that of `value`, and in its own.
    #[must_use]
    pub fn beyond(&self, value: f64) -> (u64, u64) {
        let own = Bucket::of(value);
        let mut counts = (0, 0);
        for (bucket, inside) in self.buckets() {
            counts.0 += if bucket > own { inside } else { 0 };
            counts.1 += if bucket == own { inside } else { 0 };
        }
        counts
    }

    /// The largest value that each bucket could hold, and how many it does, ascending.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.buckets().map(|(bucket, n)| (bucket.end(), n))
    }

    /// The buckets that hold any value, ascending.
    fn buckets(&self) -> impl Iterator<Item = (Bucket, u64)> + '_ {
        let pages = self.pages.iter().enumerate();
        let pages = pages.filter_map(|(page, counts)| Some((page, counts.as_ref()?)));
        pages.flat_map(|(page, counts)| {
            let counts = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            counts.map(move |(place, count)| (Bucket((page * PAGE + place) as u32), *count))
        })
    }
}

/// The values of a few buckets, counted.
#[derive(Debug, Clone, Default)]
pub struct RankValues {
    /// Ascending.
    buckets: Vec<Bucket>,
    counts: Vec<Counted<u64>>,
}

impl RankValues {
    /// Will hold the values of these buckets.
    #[must_use]
    pub fn of(mut buckets: Vec<Bucket>) -> Self {
        buckets.sort_unstable();
        buckets.dedup();
        let counts = vec![Counted::default(); buckets.len()];
        Self { buckets, counts }
    }

    /// No bucket is wanted.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Counts a value `count` times, if its bucket is wanted.
    #[inline]
    pub fn add(&mut self, value: f64, count: u64) {
        let bucket = Bucket::of(value);
        let places = self.buckets.iter().zip(&mut self.counts);
        for (wanted, counts) in places {
            if *wanted == bucket {
                counts.add(key(value), count);
                return;
            }
        }
    }

    /// Adds what another one of the same buckets has counted.
    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.counts.iter_mut().zip(&other.counts) {
            own.merge(other);
        }
    }

    /// The order statistic of a rank, from 1, in the sample that `table` has counted; `None` where
    /// its bucket was not wanted.
    #[must_use]
    pub fn at_rank(&self, table: &RankTable, rank: u64) -> Option<f64> {
        let located = table.locate(rank)?;
        let place = self.buckets.binary_search(&located.bucket).ok()?;
        let mut before = located.before;
        for (key, count) in self.counts.get(place)?.in_order().iter() {
            before += count;
            if before >= rank {
                return Some(value_of(*key));
            }
        }
        None
    }

    /// Counted values above `value`, in the bucket of `value`.
    #[must_use]
    pub fn above(&self, value: f64) -> u64 {
        let place = self.buckets.binary_search(&Bucket::of(value));
        let counts = place.ok().and_then(|place| self.counts.get(place));
        counts.map_or(0, |counts| {
            let counts = counts.in_order();
            let above = counts.partition_point(|(own, _)| *own <= key(value));
            counts[above..].iter().map(|(_, count)| count).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    #[test]
    fn keys_order_as_numbers_do() {
        let ascending = [
            f64::NEG_INFINITY,
            -1e300,
            -1.5,
            -1e-310,
            -0.0,
            0.0,
            1e-310,
            1.0,
            1.5,
            1e300,
            f64::INFINITY,
        ];
        for pair in ascending.windows(2) {
            assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
            assert!(Bucket::of(pair[0]) <= Bucket::of(pair[1]), "{pair:?}");
        }
        for x in ascending {
            assert_eq!(value_of(key(x)).to_bits(), x.to_bits());
        }
    }

    #[test]
    fn ranks_beyond_the_sample_have_no_place() {
        let mut table = RankTable::default();
        assert_eq!(table.locate(1), None);
        table.add(2.0, 3);
        assert_eq!(table.locate(0), None);
        assert_eq!(table.locate(3).map(|l| (l.before, l.inside)), Some((0, 3)));
        assert_eq!(table.locate(4), None);
        assert_eq!(table.beyond(1.0), (3, 0));
        assert_eq!(table.beyond(2.0), (0, 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Small integers and halves, so that ties occur; some far apart; parts are merged.
        #[test]
        fn every_rank_is_that_of_a_full_sort(
            small in proptest::collection::vec(0_u8..40, 0..80),
            wide in proptest::collection::vec(any::<f32>(), 0..9),
            cut in 0_usize..90,
        ) {
            let wide = wide.iter().filter(|x| !x.is_nan()).map(|x| f64::from(*x));
            let values: Vec<f64> = small.iter().map(|x| f64::from(*x) / 2.0).chain(wide).collect();
            let (head, tail) = values.split_at(cut.min(values.len()));
            let count = |part: &[f64]| {
                let mut table = RankTable::default();
                part.iter().for_each(|x| table.add(*x, 1));
                table
            };
            let mut table = count(head);
            table.merge(&count(tail));
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let ranks = 1..=sorted.len() as u64;
            let buckets = ranks.clone().filter_map(|r| table.locate(r)).map(|l| l.bucket).collect();
            let mut found = RankValues::of(buckets);
            let mut rest = found.clone();
            head.iter().for_each(|x| found.add(*x, 1));
            tail.iter().for_each(|x| rest.add(*x, 1));
            found.merge(&rest);
            for (rank, x) in ranks.zip(&sorted) {
                prop_assert_eq!(found.at_rank(&table, rank).map(f64::to_bits), Some(x.to_bits()));
                let above = sorted.iter().filter(|y| y.total_cmp(x).is_gt()).count() as u64;
                prop_assert_eq!(table.beyond(*x).0 + found.above(*x), above);
            }
        }
    }
}
