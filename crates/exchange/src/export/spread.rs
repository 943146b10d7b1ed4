//! Statistics as other tools compute them: mean, population deviation, percentiles by linear interpolation.
//!
//! Ours are order statistics with intervals; these are for files whose readers expect the others. A percentile
//! that a sample does not carry is left out all the same. Invariant: percentiles of a series that is not held
//! are those of the values, not of a histogram.

use super::run::Records;
use infermeter_metrics::collect::Collected;
use infermeter_metrics::population::Failures;
use infermeter_metrics::token_series::{Group, SeriesId, TokenMetric, completed_values};
use infermeter_stats::RankValues;
use std::io;

/// The percentiles of all formats.
pub(crate) const PERCENTILES: [f64; 11] = [
    0.1, 1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9,
];

/// Observations beyond a percentile that carry it.
const BEYOND: f64 = 10.0;

/// Statistics of one series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spread {
    pub(crate) n: u64,
    pub(crate) mean: f64,
    pub(crate) std: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Those that the sample carries, ascending.
    pub(crate) percentiles: Vec<(f64, f64)>,
}

impl Spread {
    /// Of values; `None` without any.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let at = |p: f64| {
            let place = Place::of(values.len() as u64, p);
            let (low, high) = (place.low as usize - 1, place.high as usize - 1);
            place.between(values[low], values[high])
        };
        Some(Self {
            n: values.len() as u64,
            mean,
            std: square.sqrt(),
            min,
            max,
            percentiles: carried(values.len() as u64).map(|p| (p, at(p))).collect(),
        })
    }

    /// A percentile, where the sample carries it.
    pub(crate) fn percentile(&self, p: f64) -> Option<f64> {
        let found = self.percentiles.iter().find(|(of, _)| *of == p);
        found.map(|(_, value)| *value)
    }

    /// All of them together.
    pub(crate) fn sum(&self) -> f64 {
        self.mean * self.n as f64
    }
}

/// Whether a sample carries a percentile.
pub(crate) fn carries(n: u64, p: f64) -> bool {
    let share = (p / 100.0).min(1.0 - p / 100.0);
    n as f64 * share >= BEYOND - 1e-9
}

fn carried(n: u64) -> impl Iterator<Item = f64> {
    PERCENTILES.into_iter().filter(move |p| carries(n, *p))
}

/// Where a percentile lies between two order statistics, by ranks from 1.
struct Place {
    low: u64,
    high: u64,
    share: f64,
}

impl Place {
    fn of(n: u64, p: f64) -> Self {
        let at = n.saturating_sub(1) as f64 * p / 100.0;
        let low = at.floor();
        Self {
            low: low as u64 + 1,
            high: (low as u64 + 2).min(n),
            share: at - low,
        }
    }

    fn between(&self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share
    }
}

/// Statistics of a token-level series, whose values are not held: the record is read once more.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn of_tokens(
    metric: TokenMetric,
    collected: &Collected,
    records: &dyn Records,
) -> io::Result<Option<Spread>> {
    let series = SeriesId {
        group: Group::All,
        metric,
        failures: Failures::Excluded,
    };
    let Some(tally) = collected.tally(series) else {
        return Ok(None);
    };
    let (n, table) = (tally.n(), tally.table());
    let places: Vec<(f64, Place)> = carried(n).map(|p| (p, Place::of(n, p))).collect();
    let ranks = places.iter().flat_map(|(_, place)| [place.low, place.high]);
    let buckets = ranks.filter_map(|rank| Some(table.locate(rank)?.bucket));
    let mut values = RankValues::of(buckets.collect());
    if !values.is_idle() {
        records.each(&mut |record| {
            completed_values(record, metric, |value, count| values.add(value, count));
            Ok(())
        })?;
    }
    let at = |place: &Place| {
        let low = values.at_rank(table, place.low)?;
        Some(place.between(low, values.at_rank(table, place.high)?))
    };
    // Nanoseconds in the series' unit; its deviation has n - 1 in the divisor, theirs n.
    let of_population = |std: f64| std * ((n - 1) as f64 / n as f64).sqrt();
    Ok(tally.mean(1e6).map(|mean| Spread {
        n,
        mean,
        std: tally.std(1e6).map_or(0.0, of_population),
        min: tally.min(),
        max: tally.max(),
        percentiles: places
            .iter()
            .filter_map(|(p, place)| Some((*p, at(place)?)))
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::{Spread, carries, of_tokens};
    use infermeter_metrics::fixture::{Run, facts, ms};
    use infermeter_metrics::token_series::TokenMetric;

    /// `numpy.percentile(range(1, 101), [50, 90])`, `numpy.std(range(1, 101))`.
    #[test]
    fn statistics_are_those_of_numpy() {
        let spread = Spread::of((1..=100).map(f64::from).collect()).expect("values");
        assert_eq!(spread.percentile(50.0), Some(50.5));
        assert!((spread.percentile(90.0).expect("carried") - 90.1).abs() < 1e-12);
        assert!((spread.std - 28.866_070_047_722_12).abs() < 1e-12);
        assert_eq!((spread.mean, spread.sum()), (50.5, 5050.0));
        assert_eq!(spread.percentile(99.0), None, "one value lies beyond");
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn ten_values_beyond_carry_a_percentile() {
        assert!(carries(1_000, 99.0) && !carries(999, 99.0));
        assert!(carries(100, 10.0) && !carries(99, 10.0));
    }

    #[test]
    fn a_series_that_is_not_held_gives_the_same() {
        let mut run = Run::open(10.0, 20);
        for at in 0..150 {
            run.stream(at * 100, ms(20), ms(5 + at % 7), 9);
        }
        let log = run.build();
        let read = of_tokens(TokenMetric::ChunkGap, &facts(&log), &log);
        let read = read.expect("in memory").expect("gaps");
        let gaps = log.records.iter().flat_map(|r| {
            let gap = |pair: &[_]| -> f64 {
                let [a, b]: &[infermeter_core::record::Chunk; 2] = pair.try_into().expect("two");
                b.at.since(a.at) as f64 / 1e6
            };
            r.chunks.windows(2).map(gap).collect::<Vec<f64>>()
        });
        let held = Spread::of(gaps.collect()).expect("gaps");
        assert_eq!(read.percentiles, held.percentiles);
        assert_eq!((read.n, read.min, read.max), (held.n, held.min, held.max));
        assert!((read.mean - held.mean).abs() < 1e-9 && (read.std - held.std).abs() < 1e-9);
    }
}
