//! A multiset that is filled fast and read in order: how often each key occurs.
//!
//! Keys are appended, and sorted into runs with counts whenever the appended part has grown to the
//! size of the sorted one: an amortised comparison sort that touches memory in order, several times
//! faster than a search tree under millions of insertions. Memory: at most twice the distinct keys,
//! and [`LEAST`] more.

use std::borrow::Cow;

/// Appended keys below which nothing is sorted.
const LEAST: usize = 1 << 12;

/// Keys with how often each was added.
#[derive(Debug, Clone)]
pub(crate) struct Counted<K> {
    /// Ascending by key, each key once.
    sorted: Vec<(K, u64)>,
    /// Added since, in the order they came.
    appended: Vec<(K, u64)>,
}

impl<K> Default for Counted<K> {
    fn default() -> Self {
        Self {
            sorted: Vec::new(),
            appended: Vec::new(),
        }
    }
}

impl<K: Copy + Ord> Counted<K> {
    /// Counts a key `count` times.
    #[inline]
    pub(crate) fn add(&mut self, key: K, count: u64) {
        self.appended.push((key, count));
        if self.appended.len() >= LEAST.max(self.sorted.len()) {
            self.settle();
        }
    }

    /// Adds what another one has counted; [`Self::in_order`] copies nothing afterwards.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.appended.extend_from_slice(&other.sorted);
        self.appended.extend_from_slice(&other.appended);
        self.settle();
    }

    /// Each key once, ascending, with its count.
    pub(crate) fn in_order(&self) -> Cow<'_, [(K, u64)]> {
        if self.appended.is_empty() {
            return Cow::Borrowed(&self.sorted);
        }
        let mut settled = self.clone();
        settled.settle();
        Cow::Owned(settled.sorted)
    }

    /// Sorts what was appended into the rest.
    fn settle(&mut self) {
        self.appended.sort_unstable_by_key(|(key, _)| *key);
        add_up(&mut self.appended);
        // Two ascending runs: the stable sort finds and merges them.
        self.sorted.append(&mut self.appended);
        self.sorted.sort_by_key(|(key, _)| *key);
        add_up(&mut self.sorted);
    }
}

/// Joins neighbours of the same key.
fn add_up<K: Copy + Ord>(ascending: &mut Vec<(K, u64)>) {
    ascending.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        kept.1 += if same { later.1 } else { 0 };
        same
    });
}

#[cfg(test)]
mod tests {
    use super::{Counted, LEAST};
    use std::collections::BTreeMap;

    #[test]
    fn keys_are_counted_across_many_sorts() {
        // A linear congruence: keys in no order, most of them several times.
        let keys = (0..20 * LEAST as u64).scan(7_u64, |state, _| {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            Some(*state >> 50)
        });
        let mut expect = BTreeMap::new();
        let mut parts = [Counted::default(), Counted::default()];
        for (at, key) in keys.enumerate() {
            *expect.entry(key).or_insert(0) += at as u64 % 3;
            parts[at % 2].add(key, at as u64 % 3);
        }
        let [mut whole, rest] = parts;
        whole.merge(&rest);
        let expect: Vec<(u64, u64)> = expect.into_iter().collect();
        assert_eq!(whole.in_order().as_ref(), expect);
        let mut more = whole.clone();
        more.add(1 << 60, 2);
        assert_eq!(more.in_order().last(), Some(&(1 << 60, 2)));
        assert_eq!(more.in_order().len(), expect.len() + 1);
    }
}
