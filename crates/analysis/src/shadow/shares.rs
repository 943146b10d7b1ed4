//! Bounds of a difference of shares where too few pairs differ for a t bound.
//!
//! It tests nothing. Invariant: a share that nobody saw differ is bounded by its number of pairs, never by 0.

use super::ShadowPair;
use infermeter_stats::clopper_pearson;

/// Pairs that differ below which the exact bound is asked, too: a t bound wants a count that is near normal, and the
/// usual word for that is ten.
const FEW: usize = 10;

/// Pairs of which one side failed and the other one did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Discordant {
    pairs: usize,
    shadow_failed: usize,
    primary_failed: usize,
}

/// How large a difference of shares may be, by the exact bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ShareBounds {
    /// How much more the shadow fails, at most.
    pub(super) worse: f64,
    /// How much less, at most.
    pub(super) better: f64,
}

impl Discordant {
    pub(super) fn of<'a>(pairs: impl Iterator<Item = &'a ShadowPair>) -> Self {
        let mut counts = Self {
            pairs: 0,
            shadow_failed: 0,
            primary_failed: 0,
        };
        for pair in pairs {
            counts.pairs += 1;
            counts.shadow_failed += usize::from(pair.primary.completed && !pair.shadow.completed);
            counts.primary_failed += usize::from(!pair.primary.completed && pair.shadow.completed);
        }
        counts
    }

    /// One-sided at 1 - `alpha` each. A difference of shares is at most the share of pairs that differ in its direction
    /// (Clopper and Pearson 1934); without any, that is 1 - alpha^(1 / pairs). Absent where many differ.
    pub(super) fn bounds(self, alpha: f64) -> Option<ShareBounds> {
        if self.shadow_failed + self.primary_failed >= FEW {
            return None;
        }
        let most = |count: usize| {
            let interval = clopper_pearson(count as f64, self.pairs as f64, 1.0 - 2.0 * alpha);
            interval.ok().and_then(|of| of.high).unwrap_or(1.0)
        };
        Some(ShareBounds {
            worse: most(self.shadow_failed),
            better: most(self.primary_failed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: [usize; 3], expect: Option<f64>) {
        let [pairs, shadow_failed, primary_failed] = counts;
        let of = Discordant {
            pairs,
            shadow_failed,
            primary_failed,
        };
        let found = of.bounds(0.05);
        assert_eq!(found.is_some(), expect.is_some(), "{found:?}");
        for (found, expect) in found.into_iter().zip(expect) {
            assert!((found.worse - expect).abs() < 1e-9, "{found:?} {expect}");
            assert!((found.better - expect).abs() < 1e-9, "{found:?} {expect}");
        }
    }

    /// `python3 -c "print(1 - .05 ** (1 / 40), 1 - .05 ** (1 / 300))"`.
    #[test]
    fn what_was_not_seen_is_bounded_by_the_number_of_pairs() {
        check([40, 0, 0], Some(0.072_157_524_506));
        check([300, 0, 0], Some(0.009_936_081_944));
        check([300, 10, 0], None);
    }
}
