//! Where a series of runs changes its level, by ranks.
//!
//! The statistic is the greatest standardised rank sum over all places where the series, or one of its seeded
//! intervals, can be split (Pettitt 1979, with the weight of James, James and Siegmund 1987). In a long series
//! several changes may cancel out; some interval holds one of them alone (Kovács et al. 2023, "Seeded
//! binary segmentation"). Its null distribution is simulated: all orders of the values alike, or, where neighbours
//! resemble each other, the ranks of a first-order autoregression with the correlation that the series shows. Several
//! changes are found by splitting again on both sides (Vostrikova 1981); those that are none between their neighbours
//! are taken out again, the least certain first (backward elimination).
//!
//! The correlation is estimated from the residuals of a segmentation, so that a change does not pass for it, and
//! freed from the bias of that by simulation (indirect inference): at first of series without a change, since none is
//! known. Levels that are there leave less to be fitted to chance, so that this estimate is too great for a series
//! that has changes. So once some are found, it is made again: from the residuals around their levels, against series
//! that have these levels, too. Whether there is a change at all rests on the first estimate alone.
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
/// Shortest interval that is looked at by itself: the weight of one of *l* values is the square root of *l* - 1 at
/// the most, and no test of a whole series is decided by less than 3.
const SHORTEST: usize = 10;
/// Each layer of seeded intervals is shorter than the one before by this.
const DECAY: f64 = std::f64::consts::SQRT_2;
/// Places that are fitted before any change is known: each that is not there is fitted to chance and makes the estimate
/// uncertain; where there are more, the levels that are left pass for correlation.
const FITTED: usize = 3;
/// How often the correlation is estimated again, at the most.
const ROUNDS: usize = 4;
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
    found.correlation = correlation(values, &Levels::Unknown);
    for round in 1..=ROUNDS {
        found.changes = Test::of(values, found.correlation, error).changes();
        if found.changes.is_empty() || found.correlation == 0.0 || round == ROUNDS {
            break;
        }
        let places = found.changes.iter().map(|change| change.at).collect();
        let known = Levels::At(places, values.to_vec());
        let again = correlation(values, &known);
        if again >= found.correlation {
            break;
        }
        found.correlation = again;
    }
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
    let seeds = intervals(n);
    let statistic = |values: &[f64]| statistic(&ranks(values), &seeds);
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

/// A part of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval {
    from: usize,
    to: usize,
}

/// The change between two places, whether it is one or not.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    at: usize,
    weight: f64,
    p_value: f64,
}

/// The best place to split a series, and how much speaks for it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    at: usize,
    weight: f64,
}

impl<'a> Test<'a> {
    fn of(values: &'a [f64], correlation: f64, error: f64) -> Self {
        Self {
            values,
            correlation,
            error,
        }
    }

    fn changes(&self) -> Vec<ChangePoint> {
        let mut places = Vec::new();
        self.split(0, self.values.len(), &mut places);
        places.sort_unstable();
        self.settled(places)
    }

    /// Splits the values from `from` to `to` as long as there are changes.
    fn split(&self, from: usize, to: usize, places: &mut Vec<usize>) {
        let Some(found) = self.candidate(from, to) else {
            return;
        };
        if found.p_value > self.error {
            return;
        }
        places.push(found.at);
        self.split(from, found.at, places);
        self.split(found.at, to, places);
    }

    /// The best change between these two; none where they are too near to each other for any, or all the same.
    fn candidate(&self, from: usize, to: usize) -> Option<Candidate> {
        let piece = &self.values[from..to];
        if piece.len() < least_for_a_change(self.error) {
            return None;
        }
        let split = best_split(&ranks(piece), &intervals(piece.len()))?;
        Some(Candidate {
            at: from + split.at,
            weight: split.weight,
            p_value: self.p_value(piece, split.weight),
        })
    }

    /// Each change looked at again between its neighbours, with the interval of its place. As long as one is none
    /// then, the least certain is left out: a weak one must not take the runs from a strong one beside it.
    fn settled(&self, mut places: Vec<usize>) -> Vec<ChangePoint> {
        loop {
            let found = self.between(&places);
            let least = (0..found.len()).max_by(|a, b| {
                let doubt = |at: usize| found[at].map_or((2.0, 0.0), |c| (c.p_value, -c.weight));
                let (a, b) = (doubt(*a), doubt(*b));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
            let Some(least) = least else {
                return Vec::new();
            };
            if found[least].is_some_and(|candidate| candidate.p_value <= self.error) {
                let found: Vec<Candidate> = found.into_iter().flatten().collect();
                return self.with_intervals(&found);
            }
            places.remove(least);
        }
    }

    /// What there is at each place, between the one before, as it was found again, and the one behind.
    fn between(&self, places: &[usize]) -> Vec<Option<Candidate>> {
        let mut from = 0;
        let mut found = Vec::with_capacity(places.len());
        for (index, place) in places.iter().enumerate() {
            let to = places.get(index + 1).copied().unwrap_or(self.values.len());
            let candidate = self.candidate(from, to);
            from = candidate.map_or(*place, |candidate| candidate.at);
            found.push(candidate);
        }
        found
    }

    fn with_intervals(&self, found: &[Candidate]) -> Vec<ChangePoint> {
        let mut from = 0;
        let mut changes = Vec::with_capacity(found.len());
        for (index, candidate) in found.iter().enumerate() {
            let to = found
                .get(index + 1)
                .map_or(self.values.len(), |next| next.at);
            let (earliest, latest) = self.interval(from, candidate.at, to);
            changes.push(ChangePoint {
                at: candidate.at,
                earliest,
                latest,
                p_value: candidate.p_value,
            });
            from = candidate.at;
        }
        changes
    }

    /// The share of series without a change that can be split as well.
    fn p_value(&self, piece: &[f64], weight: f64) -> f64 {
        let mut random = SplitMix(SEED);
        let mut order = ranks(piece);
        let seeds = intervals(piece.len());
        let reached = weight * (1.0 - 1e-12);
        let mut extreme = 0;
        for drawn in 1..=DRAWS {
            let other = match self.correlation > 0.0 {
                true => {
                    let series = autoregression(piece.len(), self.correlation, &mut random);
                    statistic(&ranks(&series), &seeds)
                }
                false => {
                    shuffle(&mut order, &mut random);
                    statistic(&order, &seeds)
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
        let seeds = intervals(residuals.len());
        let mut random = SplitMix(SEED);
        let mut places: Vec<usize> = Vec::with_capacity(PLACES);
        for _ in 0..PLACES {
            let draw = |random: &mut SplitMix| residuals[random.below(residuals.len())];
            let mut series = autoregressive(residuals.len(), self.correlation, &mut random, draw);
            series[at - from..]
                .iter_mut()
                .for_each(|value| *value += high - low);
            places.extend(best_split(&ranks(&series), &seeds).map(|split| from + split.at));
        }
        places.sort_unstable();
        let end = |share: f64| places.get((share * places.len() as f64) as usize).copied();
        (
            end(0.025).unwrap_or(from).min(at),
            end(0.975).unwrap_or(to).max(at),
        )
    }
}

/// How much speaks for the best split.
fn statistic(ranks: &[f64], seeds: &[Interval]) -> f64 {
    best_split(ranks, seeds).map_or(0.0, |split| split.weight)
}

/// A series of `n` values, and its seeded intervals: layers of ever shorter ones, each of which overlaps the next by
/// half.
fn intervals(n: usize) -> Vec<Interval> {
    let mut all = vec![Interval { from: 0, to: n }];
    let mut parts = DECAY;
    while n as f64 / parts >= SHORTEST as f64 {
        let length = n as f64 / parts;
        let count = 2 * parts.ceil() as usize - 1;
        let step = (n as f64 - length) / (count - 1) as f64;
        let at = |nth: usize| nth as f64 * step;
        all.extend((0..count).map(|nth| Interval {
            from: at(nth) as usize,
            to: ((at(nth) + length).ceil() as usize).min(n),
        }));
        parts *= DECAY;
    }
    all
}

/// The split whose rank sum, over the interval that holds it, is the furthest from what it is without a change, in
/// standard deviations of the ranks there; `None` where all values are the same.
fn best_split(ranks: &[f64], seeds: &[Interval]) -> Option<Split> {
    let mean = (ranks.len() + 1) as f64 / 2.0;
    let (mut sum, mut square) = (0.0, 0.0);
    let sums: Vec<(f64, f64)> = std::iter::once((0.0, 0.0))
        .chain(ranks.iter().map(|rank| {
            sum += rank - mean;
            square += (rank - mean).powi(2);
            (sum, square)
        }))
        .collect();
    let whole = ranks.len() as f64;
    let best = seeds.iter().filter_map(|seed| {
        let split = split_of(&sums, *seed)?;
        let weight = split.weight - owed(whole / (seed.to - seed.from) as f64);
        (weight > 0.0).then_some(Split { weight, ..split })
    });
    best.reduce(|best, other| {
        if other.weight > best.weight {
            other
        } else {
            best
        }
    })
}

/// What an interval has to make up for, since there are so many of its length: half of what the greatest of so many normal
/// values is about (Dümbgen and Spokoiny 2001 take the whole). Without it the many short intervals would take power
/// from the one change that splits the whole series.
fn owed(parts: f64) -> f64 {
    0.5 * (2.0 * parts.ln()).sqrt()
}

/// The best split of an interval; `sums` are those of all ranks and squares before a place.
fn split_of(sums: &[(f64, f64)], seed: Interval) -> Option<Split> {
    let length = seed.to - seed.from;
    if length < 2 * FEWEST {
        return None;
    }
    let n = length as f64;
    let (before, until) = (sums[seed.from], sums[seed.to]);
    let mean = (until.0 - before.0) / n;
    let squares = until.1 - before.1 - n * mean * mean;
    // Ranks are halves: less than that is what rounding leaves of none.
    if squares < 1e-6 {
        return None;
    }
    let mut best = (0.0, 0);
    for k in FEWEST..=length - FEWEST {
        let sum = sums[seed.from + k].0 - before.0 - k as f64 * mean;
        let weight = sum * sum / (k * (length - k)) as f64;
        if weight > best.0 {
            best = (weight, k);
        }
    }
    Some(Split {
        at: seed.from + best.1,
        weight: (best.0 * n * (n - 1.0) / squares).sqrt(),
    })
    .filter(|split| split.weight > 0.0)
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

/// What is known of the levels of a series while the correlation inside them is estimated.
enum Levels {
    /// Nothing: they are looked for, in a series as in those without a change that it is compared with.
    Unknown,
    /// They begin at these places, in this series.
    At(Vec<usize>, Vec<f64>),
}

impl Levels {
    /// The correlation of neighbours around the levels, before it is freed from its bias.
    fn seen(&self, values: &[f64]) -> f64 {
        let ranks = ranks(values);
        match self {
            Self::Unknown => around(&ranks, &segmented(&ranks)),
            Self::At(places, _) => around(&ranks, places),
        }
    }

    /// What it is on average in series of this correlation that have these levels.
    fn expected(&self, n: usize, correlation: f64) -> f64 {
        let mut random = SplitMix(SEED);
        let levels = match self {
            Self::Unknown => vec![0.0; n],
            Self::At(places, values) => heights(values, places),
        };
        let sum: f64 = (0..BIAS_DRAWS)
            .map(|_| {
                let mut series = autoregression(n, correlation, &mut random);
                let values = series.iter_mut().zip(&levels);
                values.for_each(|(value, level)| *value += level);
                self.seen(&series)
            })
            .sum();
        sum / BIAS_DRAWS as f64
    }
}

/// The levels of a series in standard deviations of its values around them.
fn heights(values: &[f64], places: &[usize]) -> Vec<f64> {
    let mut heights = Vec::with_capacity(values.len());
    for piece in pieces(values.len(), places) {
        let level = median(&values[piece.from..piece.to]);
        heights.resize(piece.to, level);
    }
    let residuals = values
        .iter()
        .zip(&heights)
        .map(|(value, level)| value - level);
    let squares: f64 = residuals.map(|residual| residual * residual).sum();
    let deviation = (squares / values.len() as f64).sqrt();
    match deviation > 0.0 {
        true => heights.iter().map(|height| height / deviation).collect(),
        false => vec![0.0; values.len()],
    }
}

/// Correlation of neighbours, 0 where they do not resemble each other.
fn correlation(values: &[f64], levels: &Levels) -> f64 {
    let seen = levels.seen(values);
    let expected = |correlation: f64| levels.expected(values.len(), correlation);
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

/// Places of a segmentation whether there are changes or not: the splits that most speaks for.
fn segmented(ranks: &[f64]) -> Vec<usize> {
    let best = |piece: Interval| {
        let inside = &ranks[piece.from..piece.to];
        let split = best_split(inside, &intervals(inside.len()))?;
        Some((piece, split.weight, piece.from + split.at))
    };
    let mut places = Vec::new();
    let whole = Interval {
        from: 0,
        to: ranks.len(),
    };
    let mut open: Vec<_> = best(whole).into_iter().collect();
    while places.len() < FITTED {
        let greatest = (0..open.len()).max_by(|a, b| open[*a].1.total_cmp(&open[*b].1));
        let Some(greatest) = greatest else {
            break;
        };
        let (piece, _, at) = open.swap_remove(greatest);
        places.push(at);
        open.extend(best(Interval { to: at, ..piece }));
        open.extend(best(Interval { from: at, ..piece }));
    }
    places.sort_unstable();
    places
}

/// What lies between these places.
fn pieces(n: usize, places: &[usize]) -> impl Iterator<Item = Interval> {
    let from = std::iter::once(0).chain(places.iter().copied());
    let to = places.iter().copied().chain(std::iter::once(n));
    from.zip(to).map(|(from, to)| Interval { from, to })
}

/// The correlation of neighbouring ranks around their means between these places.
fn around(ranks: &[f64], places: &[usize]) -> f64 {
    let mut residuals = ranks.to_vec();
    for piece in pieces(ranks.len(), places) {
        let piece = &mut residuals[piece.from..piece.to];
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
mod tests;
