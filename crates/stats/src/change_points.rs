//! Where a series of runs changes its level, by ranks.
//!
//! The statistic is the greatest standardised rank sum over all places where the series can be split (Pettitt 1979,
//! with the weight of James, James and Siegmund 1987). Its null distribution is simulated: all orders of the values
//! alike, or, where neighbours resemble each other, the ranks of a first-order autoregression with the correlation
//! that the series shows. That correlation is estimated from the residuals of a segmentation, so that a change
//! does not pass for it, and freed from the bias of that by simulation (indirect inference). Several changes are
//! found by splitting again on both sides (Vostrikova 1981).
//!
//! The random numbers come from a fixed seed. Invariant: a series too short for any change to be told has none.

use crate::error::{StatsError, check_finite, check_level};
use crate::random::SplitMix;

/// Fewest values of a level. A change is seen after this many runs at the earliest.
const FEWEST: usize = 3;
/// Most values that are looked at.
pub const CHANGE_POINTS_LIMIT: usize = 500;
/// Simulated series of a test.
const DRAWS: usize = 1_999;
/// As many of them at least as extreme as the series end the test: it is far from deciding (Besag and Clifford
/// 1991).
const ENOUGH: usize = 40;
/// Simulated series of the interval of a place.
const PLACES: usize = 499;
/// Simulated series for the bias of the correlation, at each of these.
const BIAS_DRAWS: usize = 200;
const CORRELATIONS: [f64; 7] = [0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9];
const SEED: u64 = 0x0063_6861_6e67_6573;

/// The changes of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangePoints {
    /// Correlation of neighbours that the tests allow for; 0 where there is none.
    pub correlation: f64,
    /// The changes, in order.
    pub changes: Vec<ChangePoint>,
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// The first value of the new level, from 0.
    pub at: usize,
    /// It is this one at the earliest, with 95 % confidence.
    pub earliest: usize,
    /// It is this one at the latest.
    pub latest: usize,
    /// The chance of a split this great between the neighbouring changes, where there is none.
    pub p_value: f64,
}

/// The most extreme order has to be so many times rarer than the error: the p-value is simulated, and must not miss
/// by its own chance.
const RARER: f64 = 1.5;

/// Fewest values of a series in which a change can be found with this chance of a false alarm: half of all values
/// above the other half is the most extreme order, and its mirror image is another.
#[must_use]
pub fn least_for_a_change(error: f64) -> usize {
    let mut orders = 1.0;
    let mut half = 0_usize;
    while RARER * 2.0 / orders > error && half < 100 {
        half += 1;
        // C(2h, h) from C(2h - 2, h - 1).
        orders *= 2.0 * (2 * half - 1) as f64 / half as f64;
    }
    (2 * half).max(2 * FEWEST)
}

/// Finds the changes of `values`, which are in order of time; `error` is the chance that one is found where there
/// is none.
///
/// # Errors
/// `Empty`, `NotFinite`, `InvalidLevel`; `TooMany` beyond [`CHANGE_POINTS_LIMIT`].
pub fn change_points(values: &[f64], error: f64) -> Result<ChangePoints, StatsError> {
    check_finite(values)?;
    check_level(1.0 - error)?;
    if values.len() > CHANGE_POINTS_LIMIT {
        return Err(StatsError::TooMany {
            limit: CHANGE_POINTS_LIMIT,
            have: values.len(),
        });
    }
    let mut found = ChangePoints {
        correlation: 0.0,
        changes: Vec::new(),
    };
    if values.len() < least_for_a_change(error) {
        return Ok(found);
    }
    found.correlation = correlation(values);
    let test = Test {
        values,
        correlation: found.correlation,
        error,
    };
    let mut places = Vec::new();
    test.split(0, values.len(), &mut places);
    places.sort_unstable();
    found.changes = test.settled(&places);
    Ok(found)
}

/// The chance that a change by `effect` standard deviations between runs is found, `before` values before it and
/// `after` behind it.
#[must_use]
pub fn change_power(before: usize, after: usize, effect: f64, correlation: f64, error: f64) -> f64 {
    /// Standard error of a chance of 80 %: 2 points.
    const SERIES: usize = 400;
    let n = before + after;
    if n < least_for_a_change(error) {
        return 0.0;
    }
    let mut random = SplitMix(SEED);
    let mut greatest: Vec<f64> = (0..SERIES * 2)
        .map(|_| statistic(&autoregression(n, correlation, &mut random)))
        .collect();
    greatest.sort_unstable_by(f64::total_cmp);
    let rank = ((1.0 - error) * greatest.len() as f64).ceil() as usize;
    let critical = greatest[rank.clamp(1, greatest.len()) - 1];
    let found = (0..SERIES).filter(|_| {
        let mut series = autoregression(n, correlation, &mut random);
        series[before..]
            .iter_mut()
            .for_each(|value| *value += effect);
        statistic(&series) >= critical
    });
    found.count() as f64 / SERIES as f64
}

/// The test of one series.
struct Test<'a> {
    values: &'a [f64],
    correlation: f64,
    error: f64,
}

/// The best place to split a series, and how much speaks for it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    at: usize,
    weight: f64,
}

impl Test<'_> {
    /// Splits the values from `from` to `to` as long as there are changes.
    fn split(&self, from: usize, to: usize, places: &mut Vec<usize>) {
        let Some((place, _)) = self.change(from, to) else {
            return;
        };
        places.push(place);
        self.split(from, place, places);
        self.split(place, to, places);
    }

    /// The change between these two, where there is one, with its p-value.
    fn change(&self, from: usize, to: usize) -> Option<(usize, f64)> {
        let piece = &self.values[from..to];
        if piece.len() < least_for_a_change(self.error) {
            return None;
        }
        let split = best_split(&ranks(piece))?;
        let p_value = self.p_value(piece, split.weight);
        (p_value <= self.error).then_some((from + split.at, p_value))
    }

    /// Each change looked at again between its neighbours, with the interval of its place. One that is none then is
    /// left out.
    fn settled(&self, places: &[usize]) -> Vec<ChangePoint> {
        let mut changes: Vec<ChangePoint> = Vec::new();
        for (index, _) in places.iter().enumerate() {
            let from = changes.last().map_or(0, |change| change.at);
            let to = places.get(index + 1).copied().unwrap_or(self.values.len());
            if let Some((at, p_value)) = self.change(from, to) {
                let (earliest, latest) = self.interval(from, at, to);
                changes.push(ChangePoint {
                    at,
                    earliest,
                    latest,
                    p_value,
                });
            }
        }
        changes
    }

    /// The share of series without a change that can be split as well.
    fn p_value(&self, piece: &[f64], weight: f64) -> f64 {
        let mut random = SplitMix(SEED);
        let mut order = ranks(piece);
        let reached = weight * (1.0 - 1e-12);
        let mut extreme = 0;
        for drawn in 1..=DRAWS {
            let other = match self.correlation > 0.0 {
                true => statistic(&autoregression(piece.len(), self.correlation, &mut random)),
                false => {
                    shuffle(&mut order, &mut random);
                    best_split(&order).map_or(0.0, |split| split.weight)
                }
            };
            extreme += usize::from(other >= reached);
            if extreme == ENOUGH {
                return ENOUGH as f64 / drawn as f64;
            }
        }
        (extreme + 1) as f64 / (DRAWS + 1) as f64
    }

    /// Where the place of a change lies with 95 % confidence: by series of the two levels with the residuals drawn
    /// again.
    fn interval(&self, from: usize, at: usize, to: usize) -> (usize, usize) {
        let (before, after) = (&self.values[from..at], &self.values[at..to]);
        let (low, high) = (median(before), median(after));
        let residuals: Vec<f64> = (before.iter().map(|x| x - low))
            .chain(after.iter().map(|x| x - high))
            .collect();
        let mut random = SplitMix(SEED);
        let mut places: Vec<usize> = Vec::with_capacity(PLACES);
        for _ in 0..PLACES {
            let draw = |random: &mut SplitMix| residuals[random.below(residuals.len())];
            let mut series = autoregressive(residuals.len(), self.correlation, &mut random, draw);
            series[at - from..]
                .iter_mut()
                .for_each(|value| *value += high - low);
            places.extend(best_split(&ranks(&series)).map(|split| from + split.at));
        }
        places.sort_unstable();
        let end = |share: f64| places.get((share * places.len() as f64) as usize).copied();
        (
            end(0.025).unwrap_or(from).min(at),
            end(0.975).unwrap_or(to).max(at),
        )
    }
}

/// How much speaks for the best split of a series.
fn statistic(values: &[f64]) -> f64 {
    best_split(&ranks(values)).map_or(0.0, |split| split.weight)
}

/// The split whose rank sum is the furthest from what it is without a change, in standard deviations; `None` where
/// all values are the same.
fn best_split(ranks: &[f64]) -> Option<Split> {
    let n = ranks.len() as f64;
    let mean = (n + 1.0) / 2.0;
    let squares: f64 = ranks.iter().map(|rank| (rank - mean).powi(2)).sum();
    if squares <= 0.0 || ranks.len() < 2 * FEWEST {
        return None;
    }
    let variance = squares / (n - 1.0);
    let mut best: Option<Split> = None;
    let mut sum: f64 = ranks[..FEWEST - 1].iter().map(|rank| rank - mean).sum();
    for at in FEWEST..=ranks.len() - FEWEST {
        sum += ranks[at - 1] - mean;
        let k = at as f64;
        let weight = sum.abs() / (variance * k * (n - k) / n).sqrt();
        if best.is_none_or(|best| weight > best.weight) {
            best = Some(Split { at, weight });
        }
    }
    best
}

/// Mid-ranks, from 1.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = below as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|index| ranks[*index] = rank);
        below += tied.len();
    }
    ranks
}

/// Correlation of neighbours, 0 where they do not resemble each other.
fn correlation(values: &[f64]) -> f64 {
    let seen = residual_correlation(values);
    let expected = |correlation: f64| {
        let mut random = SplitMix(SEED);
        let sum: f64 = (0..BIAS_DRAWS)
            .map(|_| residual_correlation(&autoregression(values.len(), correlation, &mut random)))
            .sum();
        sum / BIAS_DRAWS as f64
    };
    let mut below = (CORRELATIONS[0], expected(CORRELATIONS[0]));
    if seen <= below.1 {
        return 0.0;
    }
    for correlation in &CORRELATIONS[1..] {
        let above = (*correlation, expected(*correlation));
        if seen <= above.1 {
            let share = (seen - below.1) / (above.1 - below.1);
            return below.0 + share * (above.0 - below.0);
        }
        below = above;
    }
    below.0
}

/// That of the ranks around the levels of a segmentation: the best split, and the best of each side.
fn residual_correlation(values: &[f64]) -> f64 {
    let mut places = vec![0, values.len()];
    for _ in 0..2 {
        let splits: Vec<usize> = places
            .windows(2)
            .filter_map(|ends| Some(ends[0] + best_split(&ranks(&values[ends[0]..ends[1]]))?.at))
            .collect();
        places.extend(splits);
        places.sort_unstable();
    }
    let mut residuals = ranks(values);
    for ends in places.windows(2) {
        let piece = &mut residuals[ends[0]..ends[1]];
        let mean = piece.iter().sum::<f64>() / piece.len().max(1) as f64;
        piece.iter_mut().for_each(|rank| *rank -= mean);
    }
    let squares: f64 = residuals.iter().map(|r| r * r).sum();
    let products: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    match squares > 0.0 {
        true => products / squares,
        false => 0.0,
    }
}

/// A normal first-order autoregression of unit variance.
fn autoregression(n: usize, correlation: f64, random: &mut SplitMix) -> Vec<f64> {
    autoregressive(n, correlation, random, SplitMix::normal)
}

/// The same of innovations that `draw` gives.
fn autoregressive(
    n: usize,
    correlation: f64,
    random: &mut SplitMix,
    draw: impl Fn(&mut SplitMix) -> f64,
) -> Vec<f64> {
    let fresh = (1.0 - correlation * correlation).sqrt();
    let mut last = draw(random);
    let mut series = Vec::with_capacity(n);
    for _ in 0..n {
        series.push(last);
        last = correlation * last + fresh * draw(random);
    }
    series
}

/// Fisher and Yates.
fn shuffle(values: &mut [f64], random: &mut SplitMix) {
    for last in (1..values.len()).rev() {
        values.swap(last, random.below(last + 1));
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len();
    0.5 * (sorted[(n - 1) / 2] + sorted[n / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series of noise of standard deviation 1 around levels, each for so many values.
    fn series(levels: &[(f64, usize)], seed: u64) -> Vec<f64> {
        let mut random = SplitMix(seed);
        let all = levels
            .iter()
            .flat_map(|(level, n)| std::iter::repeat_n(*level, *n));
        all.map(|level| level + random.normal()).collect()
    }

    fn places(values: &[f64]) -> Vec<usize> {
        let found = change_points(values, 0.05).expect("finite");
        found.changes.iter().map(|change| change.at).collect()
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let values = series(&[(0.0, 20), (8.0, 20)], 1);
        let found = change_points(&values, 0.01).expect("finite");
        let [change] = found.changes[..] else {
            panic!("{found:?}");
        };
        assert_eq!(change.at, 20);
        assert!(
            change.earliest <= 20 && change.latest >= 20 && change.latest - change.earliest <= 4
        );
        assert!(change.p_value <= 0.001, "{change:?}");
        let back = series(&[(0.0, 15), (8.0, 15), (0.0, 15)], 2);
        let found = places(&back);
        // Where levels are of unequal length, ranks may take the last value of one for the first of the next.
        let near = found
            .iter()
            .zip([15, 30])
            .all(|(at, expect)| at.abs_diff(expect) <= 1);
        assert!(found.len() == 2 && near, "{found:?}");
    }

    #[test]
    fn nothing_is_found_where_nothing_changes() {
        assert_eq!(places(&[7.0; 40]), [0; 0]);
        assert_eq!(places(&[1.0, 2.0, 3.0, 9.0, 9.5, 9.7]), [0; 0]);
        let alarms = (0..60).filter(|seed| !places(&series(&[(0.0, 30)], *seed)).is_empty());
        assert!(alarms.count() <= 8);
    }

    /// The weight of a split is the z-score of SciPy's rank-sum test without a correction for continuity:
    /// `scipy.stats.mannwhitneyu(x[:k], x[k:], use_continuity=False, method='asymptotic')` gives the p-value
    /// whose z-score this is, for each k; greatest at k = 5 for this series (SciPy 1.17.1).
    #[test]
    fn weights_are_z_scores_of_rank_sums() {
        let values = [3.1, 2.7, 3.0, 2.9, 3.3, 4.1, 4.4, 3.9, 4.0, 4.4];
        let split = best_split(&ranks(&values)).expect("a split");
        assert_eq!(split.at, 5);
        assert!((split.weight - WEIGHT).abs() < 1e-12, "{split:?}");
    }
    const WEIGHT: f64 = 2.619_113_609_135_918;

    #[test]
    fn neighbours_that_resemble_each_other_raise_the_bar() {
        let mut random = SplitMix(3);
        let drifting = autoregression(80, 0.8, &mut random);
        let found = change_points(&drifting, 0.05).expect("finite");
        assert!(found.correlation > 0.4, "{found:?}");
        let independent = autoregression(80, 0.0, &mut random);
        let found = change_points(&independent, 0.05).expect("finite");
        assert!(found.correlation < 0.3, "{found:?}");
        // A step is no correlation.
        let step = change_points(&series(&[(0.0, 30), (6.0, 30)], 5), 0.05).expect("finite");
        assert!(step.correlation < 0.4, "{step:?}");
    }

    #[test]
    fn power_grows_with_effect_and_values() {
        let power = |before, after, effect| change_power(before, after, effect, 0.0, 0.05);
        assert!(power(20, 3, 1.0) < power(20, 10, 1.0));
        assert!(power(20, 10, 1.0) < power(20, 10, 2.0));
        assert!(power(20, 20, 3.0) > 0.99);
        assert_eq!(power(2, 2, 9.0), 0.0);
        assert!(change_power(20, 10, 0.0, 0.0, 0.05) < 0.1);
    }

    #[test]
    fn defined_cases() {
        assert!(change_points(&[], 0.05).is_err());
        assert!(change_points(&[f64::NAN], 0.05).is_err());
        assert!(change_points(&[1.0], 0.0).is_err());
        assert!(change_points(&[1.0; CHANGE_POINTS_LIMIT + 1], 0.05).is_err());
        assert_eq!(
            (least_for_a_change(0.05), least_for_a_change(0.05 / 6.0)),
            (8, 12)
        );
        // The most extreme order of eight values is found, and one of seven is not looked at.
        let eight = [1.0, 2.0, 3.0, 4.0, 11.0, 12.0, 13.0, 14.0];
        assert_eq!(
            change_points(&eight[..7], 0.05).expect("finite").changes,
            []
        );
    }
}
