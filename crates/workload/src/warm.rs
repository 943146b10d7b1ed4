//! Which warm-up requests stand in for lengths that the warm-up would not meet by itself.
//!
//! It draws nothing: it chooses among draws. Servers compile and capture per shape, and shapes go by
//! powers of two, so each band of a factor of two that is measured is met once before.
//!
//! Invariant: every band of the measured requests is a band of the warm-up's, as far as the warm-up
//! has requests to spare; no measured request changes. Lengths of a stand-in are those of a measured
//! request, hence a draw from the same distribution; its text is its own.

use infermeter_core::request::RequestId;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Requests looked at in each phase: a band that is rarer than this is not a band to speak of.
const LOOK: u64 = 200_000;

/// Warm-up requests, each with the measured request whose lengths it takes. `band` gives a request's
/// band by itself.
pub(crate) fn stand_ins(
    warmup: Range<RequestId>,
    measured: Range<RequestId>,
    band: impl Fn(RequestId) -> u32,
) -> HashMap<RequestId, RequestId> {
    let first = |ids: Range<RequestId>| ids.start..ids.end.min(ids.start.saturating_add(LOOK));
    let own: Vec<u32> = first(warmup.clone()).map(&band).collect();
    let mut warm: BTreeMap<u32, u64> = BTreeMap::new();
    own.iter()
        .for_each(|band| *warm.entry(*band).or_default() += 1);
    // The first request of each band, and how many there are.
    let mut met: BTreeMap<u32, (RequestId, u64)> = BTreeMap::new();
    for id in first(measured) {
        met.entry(band(id)).or_insert((id, 0)).1 += 1;
    }
    let mut missing: Vec<(RequestId, u64)> = met
        .iter()
        .filter(|(band, _)| !warm.contains_key(band))
        .map(|(_, met)| *met)
        .collect();
    // Where there is no room for all, for those that matter most.
    missing.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
    let spare = first(warmup).zip(own).filter(|(_, band)| {
        let wanted = met.contains_key(band);
        let left = warm.entry(*band).or_default();
        let spare = *left > 1 || !wanted;
        *left -= u64::from(spare);
        spare
    });
    let wanted = missing.into_iter().map(|(id, _)| id);
    spare.map(|(id, _)| id).zip(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bands of requests in order; the first `warmup` of them are the warm-up's.
    fn check(warmup: u64, bands: &[u32], expect: &[(u64, u64)]) {
        let all = bands.len() as u64;
        let found = stand_ins(0..warmup, warmup..all, |id| bands[id as usize]);
        let mut found: Vec<(u64, u64)> = found.into_iter().collect();
        found.sort_unstable();
        assert_eq!(found, expect);
    }

    #[test]
    fn bands_that_are_missing_get_the_first_requests_to_spare() {
        check(3, &[5, 5, 5, 5, 6, 7, 7], &[(0, 5), (1, 4)]);
        // Nothing is missing.
        check(2, &[5, 6, 6, 5], &[]);
        // The only request of a measured band stays.
        check(3, &[5, 6, 5, 5, 6, 9], &[(0, 5)]);
        // A band that is not measured has nothing to warm.
        check(2, &[3, 5, 5, 8], &[(0, 3)]);
        // Too short: the commoner bands first.
        check(1, &[5, 6, 7, 7, 8], &[(0, 2)]);
        check(1, &[5, 5, 6], &[]);
        check(0, &[5, 6], &[]);
    }
}
