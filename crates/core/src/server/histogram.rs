//! A histogram of a metrics page: how many values lie at or below each bound.
//!
//! What lies inside a bucket is not known: a quantile is an estimate, and its bucket is the error of it.
//! Invariant: counts never fall from one bound to the next, and the last one counts all values.

use serde::{Deserialize, Serialize};

/// Counts by bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerHistogram {
    /// Upper bounds of the buckets in ascending order; the last bucket has none.
    le: Vec<f64>,
    /// Values at or below each bound, and all values at the end.
    counts: Vec<f64>,
    /// Sum of all values, where the page has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sum: Option<f64>,
}

/// A quantile of values of which only the bucket is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketQuantile {
    /// By a straight line through the bucket; absent in the last one, which has no upper bound.
    pub estimate: Option<f64>,
    /// The value is above this, or is 0.
    pub above: f64,
    /// The value is at most this; absent in the last bucket.
    pub most: Option<f64>,
}

impl ServerHistogram {
    /// One of these bounds, counts (one more than bounds) and sum; `None` where they are no histogram.
    pub fn new(le: Vec<f64>, counts: Vec<f64>, sum: Option<f64>) -> Option<Self> {
        let found = Self { le, counts, sum };
        found.is_sound().then_some(found)
    }

    /// Whether it holds what it promises: a file may say anything.
    fn is_sound(&self) -> bool {
        let counts = &self.counts;
        counts.len() == self.le.len() + 1
            && self.le.iter().all(|bound| bound.is_finite())
            && self.le.windows(2).all(|pair| pair[0] < pair[1])
            && counts.iter().all(|n| n.is_finite() && *n >= 0.0)
            && counts.windows(2).all(|pair| pair[0] <= pair[1])
            && self.sum.is_none_or(f64::is_finite)
    }

    /// Upper bounds of all buckets but the last.
    pub fn bounds(&self) -> &[f64] {
        &self.le
    }

    /// Values at or below each bound, and all values at the end.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// All values.
    pub fn count(&self) -> f64 {
        self.counts.last().copied().unwrap_or(0.0)
    }

    /// Their sum.
    pub fn sum(&self) -> Option<f64> {
        self.sum
    }

    /// Their mean: exact, since the page has the sum.
    pub fn mean(&self) -> Option<f64> {
        (self.count() > 0.0).then_some(self.sum? / self.count())
    }

    /// The values that came after `earlier`; `None` where a count went back or the buckets are others.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        if self.le != earlier.le || !self.is_sound() || !earlier.is_sound() {
            return None;
        }
        let pairs = self.counts.iter().zip(&earlier.counts);
        let counts = pairs.map(|(now, then)| now - then).collect();
        let sum = self.sum.zip(earlier.sum).map(|(now, then)| now - then);
        Self::new(self.le.clone(), counts, sum)
    }

    /// The values of both; `None` where the buckets are others.
    pub fn and(&self, other: &Self) -> Option<Self> {
        if self.le != other.le {
            return None;
        }
        let pairs = self.counts.iter().zip(&other.counts);
        let counts = pairs.map(|(one, other)| one + other).collect();
        let sum = self.sum.zip(other.sum).map(|(one, other)| one + other);
        Self::new(self.le.clone(), counts, sum)
    }

    /// The quantile `q`, 0 to 1: the bucket that holds it, and a straight line through that; `None`
    /// without values.
    pub fn quantile(&self, q: f64) -> Option<BucketQuantile> {
        let all = self.count();
        if all <= 0.0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * all;
        let holds = |n: &f64| *n > 0.0 && *n >= rank;
        let bucket = self.counts.iter().position(holds)?;
        let lower = bucket.checked_sub(1);
        let above = lower.map_or(0.0, |lower| self.le[lower]);
        let most = self.le.get(bucket).copied();
        let before = lower.map_or(0.0, |lower| self.counts[lower]);
        let inside = self.counts[bucket] - before;
        let part = if inside > 0.0 {
            ((rank - before) / inside).clamp(0.0, 1.0)
        } else {
            1.0
        };
        Some(BucketQuantile {
            estimate: most.map(|most| above.min(most) + (most - above.min(most)) * part),
            above,
            most,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[f64], sum: f64) -> ServerHistogram {
        ServerHistogram::new(vec![0.1, 0.2, 0.5], counts.to_vec(), Some(sum)).expect("a histogram")
    }

    #[test]
    fn differences_have_exact_means_and_quantiles_have_their_bucket() {
        // After the first reading: one value of 0.05, six in (0.1, 0.2], three in (0.2, 0.5].
        let (before, after) = (
            of(&[4.0, 5.0, 5.0, 6.0], 9.0),
            of(&[5.0, 12.0, 15.0, 16.0], 11.5),
        );
        let found = after.since(&before).expect("no reset");
        assert_eq!(found.counts(), [1.0, 7.0, 10.0, 10.0]);
        assert_eq!(found.mean(), Some(0.25));
        // The fifth of ten is the fourth of six in its bucket.
        let middle = found.quantile(0.5).expect("values");
        let expect = 0.1 + 0.1 * 4.0 / 6.0;
        assert!((middle.estimate.expect("inside") - expect).abs() < 1e-12);
        assert_eq!((middle.above, middle.most), (0.1, Some(0.2)));
        assert_eq!(before.since(&after), None, "it went back");
    }

    #[test]
    fn the_last_bucket_has_no_estimate_and_no_values_have_no_quantile() {
        let tail = of(&[0.0, 0.0, 0.0, 3.0], 30.0)
            .quantile(0.99)
            .expect("values");
        assert_eq!((tail.estimate, tail.above, tail.most), (None, 0.5, None));
        let none = of(&[0.0; 4], 0.0);
        assert_eq!((none.quantile(0.5), none.mean()), (None, None));
        let first = of(&[2.0; 4], 0.1).quantile(0.0).expect("values");
        assert_eq!((first.above, first.most), (0.0, Some(0.1)));
    }

    #[test]
    fn what_is_no_histogram_is_none() {
        let new =
            |le: &[f64], counts: &[f64]| ServerHistogram::new(le.to_vec(), counts.to_vec(), None);
        assert!(new(&[1.0], &[1.0, 2.0]).is_some());
        for (le, counts) in [
            (&[1.0][..], &[1.0][..]),
            (&[1.0], &[2.0, 1.0]),
            (&[1.0, 1.0], &[1.0, 1.0, 1.0]),
            (&[f64::NAN], &[1.0, 1.0]),
            (&[1.0], &[-1.0, 1.0]),
        ] {
            assert_eq!(new(le, counts), None, "{le:?} {counts:?}");
        }
    }
}
