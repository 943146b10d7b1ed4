//! Means over batches of equal time: the unit on which trends and shifts are tested, because raw
//! correlated observations fire such tests falsely.

use std::ops::Range;

use crate::error::{StatsError, check_finite, check_paired};
use crate::long_run_variance::mean;

/// One of several batches of equal duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batch {
    /// Observations in the batch.
    pub n: usize,
    /// Their mean, in the unit of the values; `None` for an empty batch.
    pub mean: Option<f64>,
}

/// The half-open span from the earliest to just past the latest time stamp; `None` when empty.
#[must_use]
pub fn observed_span(at_ns: &[i64]) -> Option<Range<i64>> {
    let first = *at_ns.iter().min()?;
    let last = *at_ns.iter().max()?;
    Some(first..last.saturating_add(1))
}

/// The means of `values` over `batches` equal divisions of `span`, in time order. Observations
/// may come in any order; those outside the span are left out.
///
/// # Errors
/// `Empty`, `NotFinite`, `LengthMismatch`; `InvalidDivision` for no batches or a span that holds
/// less than a nanosecond a batch.
pub fn batch_means(
    values: &[f64],
    at_ns: &[i64],
    span: Range<i64>,
    batches: usize,
) -> Result<Vec<Batch>, StatsError> {
    check_finite(values)?;
    check_paired(values, at_ns)?;
    let length = i128::from(span.end) - i128::from(span.start);
    if batches == 0 || length < batches as i128 {
        return Err(StatsError::InvalidDivision {
            length: length.max(0) as i64,
        });
    }
    // Deviations from the overall mean lose no digits to a large common level.
    let origin = mean(values);
    let mut sums = vec![(0_usize, 0.0_f64); batches];
    for (value, at) in values.iter().zip(at_ns).filter(|(_, at)| span.contains(at)) {
        let index = (i128::from(*at) - i128::from(span.start)) * batches as i128 / length;
        let (n, sum) = &mut sums[index as usize];
        *n += 1;
        *sum += value - origin;
    }
    let batch = |(n, sum)| Batch {
        n,
        mean: (n > 0).then(|| origin + sum / n as f64),
    };
    Ok(sums.into_iter().map(batch).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_split_time_not_counts() {
        let values = [1.0, 2.0, 3.0, 10.0, 99.0];
        let at_ns = [0, 1, 2, 9, 10];
        let batches = batch_means(&values, &at_ns, 0..10, 5).unwrap();
        let counts: Vec<usize> = batches.iter().map(|b| b.n).collect();
        assert_eq!(counts, [2, 1, 0, 0, 1]);
        let means: Vec<Option<f64>> = batches.iter().map(|b| b.mean).collect();
        assert_eq!(means, [Some(1.5), Some(3.0), None, None, Some(10.0)]);
    }

    #[test]
    fn extreme_spans_do_not_overflow() {
        let at_ns = [i64::MIN, 0, i64::MAX];
        let span = observed_span(&at_ns).unwrap();
        let batches = batch_means(&[1.0, 2.0, 3.0], &at_ns, span, 2).unwrap();
        assert_eq!(batches.iter().map(|b| b.n).sum::<usize>(), 2);
    }

    #[test]
    fn impossible_divisions_are_refused() {
        let refused = |span, batches| batch_means(&[1.0], &[0], span, batches).is_err();
        assert!(refused(0..10, 0));
        assert!(refused(0..3, 4));
        assert!(refused(5..5, 1));
        assert!(batch_means(&[], &[], 0..10, 2).is_err());
        assert!(batch_means(&[1.0], &[], 0..10, 2).is_err());
        assert_eq!(observed_span(&[]), None);
    }
}
