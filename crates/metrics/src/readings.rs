//! The further readings of a run: exact percentiles of token-level series that nobody holds.
//!
//! The first reading ([`crate::collect`]) has placed every rank in a bucket. The second one counts
//! per time block around the buckets of the wanted percentiles, and what arrived inside the window.
//! The third one finds the values of the intervals' bounds, and the widths near the bound of
//! uncertainty. Each result is that of a full sort, bit for bit.

use crate::arrivals::Arrivals;
use crate::collect::Collected;
use crate::positions::{PositionBand, PositionValues};
use crate::receive::{Censoring, for_each_width};
use crate::tally::{Tally, mean_of};
use crate::throughput::Throughput;
use crate::token_series::{SeriesId, TokenMetric, TokenValue};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::Window;
use infermeter_core::schedule::Phase;
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_stats::{
    BlockCounter, BlockPoint, Bucket, Quantile, RankValues, StatsError, TimeSpan,
};

/// Length of the time blocks that token-level intervals rest on, nanoseconds (statistics.md).
pub const BLOCK_NS: i64 = 1_000_000_000;

/// Equal-time batches behind the interval of a token-level mean.
pub const BATCHES: usize = 10;

/// A series with the percentiles wanted of it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The series.
    pub series: SeriesId,
    /// What the first reading gave.
    pub tally: Tally,
    /// The percentiles.
    pub quantiles: Vec<Quantile>,
}

/// A series after the second reading.
#[derive(Debug, Clone)]
pub struct BlockReading {
    counter: BlockCounter,
    batches: BatchSums,
}

/// Sums of the values in equal divisions of a series' span.
#[derive(Debug, Clone)]
struct BatchSums {
    start_ns: i64,
    length: i128,
    /// Count and sum of the finite values.
    sums: [(u64, i128); BATCHES],
    /// The batch of the value before, and its instants.
    last: (usize, std::ops::Range<i64>),
}

impl BatchSums {
    fn new(span: TimeSpan) -> Self {
        Self {
            start_ns: span.first_ns,
            length: i128::from(span.last_ns) + 1 - i128::from(span.first_ns),
            sums: [(0, 0); BATCHES],
            last: (0, 0..0),
        }
    }

    #[inline]
    fn add(&mut self, value: TokenValue) {
        if !self.last.1.contains(&value.at_ns) {
            self.last = self.batch_of(value.at_ns);
        }
        let (n, sum) = &mut self.sums[self.last.0];
        *n += u64::from(value.count);
        *sum += i128::from(value.fixed) * i128::from(value.count);
    }

    /// The batch of an instant, and the instants of that batch.
    fn batch_of(&self, at_ns: i64) -> (usize, std::ops::Range<i64>) {
        let batches = BATCHES as i128;
        let into = i128::from(at_ns) - i128::from(self.start_ns);
        let index = (into * batches / self.length).clamp(0, batches - 1);
        let begin = |index: i128| {
            let ns = (index * self.length + batches - 1).div_euclid(batches);
            (i128::from(self.start_ns) + ns) as i64
        };
        (index as usize, begin(index)..begin(index + 1))
    }

    fn merge(&mut self, other: &Self) {
        for (own, other) in self.sums.iter_mut().zip(&other.sums) {
            own.0 += other.0;
            own.1 += other.1;
        }
    }
}

impl BlockReading {
    fn new(wanted: &Wanted) -> Result<Self, StatsError> {
        let table = wanted.tally.table();
        let n = wanted.tally.n() as usize;
        let ranks = wanted.quantiles.iter().map(|q| q.rank(n) as u64);
        let buckets = ranks.filter_map(|rank| Some(table.locate(rank)?.bucket));
        let span = wanted.tally.span();
        Ok(Self {
            counter: BlockCounter::new(span, BLOCK_NS, buckets.collect())?,
            batches: BatchSums::new(span),
        })
    }

    #[inline]
    fn add(&mut self, value: TokenValue) {
        self.counter.add(value.value, value.at_ns, value.count);
        self.batches.add(value);
    }

    fn merge(&mut self, other: &Self) {
        self.counter.merge(&other.counter);
        self.batches.merge(&other.batches);
    }

    /// Means of the batches that hold a value, in time order, in `unit` nanoseconds each; none for
    /// a span of less than a nanosecond a batch.
    pub fn batch_means(&self, unit: f64) -> Vec<f64> {
        if self.batches.length < BATCHES as i128 {
            return Vec::new();
        }
        let sums = self.batches.sums.iter();
        sums.filter_map(|(n, sum)| mean_of(*sum, *n, unit))
            .collect()
    }

    /// The estimate of a percentile but for its bounds' values.
    ///
    /// # Errors
    /// `InvalidLevel`.
    pub fn point(
        &self,
        tally: &Tally,
        quantile: Quantile,
        level: f64,
    ) -> Result<Option<BlockPoint>, StatsError> {
        self.counter.point(tally.table(), quantile, level)
    }
}

/// What the second reading gave: each wanted series, and the window.
#[derive(Debug, Clone)]
pub struct SecondReading {
    /// In the order asked for; absent for a span of more blocks than can be counted.
    pub series: Vec<Option<BlockReading>>,
    /// What arrived inside the window; absent without one.
    pub throughput: Option<Throughput>,
    /// When it arrived; absent without a window.
    pub arrivals: Option<Arrivals>,
}

/// Reads a run for the second time.
///
/// # Errors
/// Those of the source.
pub fn second_reading<S: RecordSource + ?Sized>(
    source: &S,
    wanted: &[Wanted],
    window: Option<Window>,
) -> Result<SecondReading, S::Error> {
    let blank = SecondReading {
        series: wanted.iter().map(|w| BlockReading::new(w).ok()).collect(),
        throughput: window.map(Throughput::new),
        arrivals: window.map(Arrivals::new),
    };
    let take = |own: &mut SecondReading, record: &RequestRecord| {
        for (wanted, reading) in wanted.iter().zip(&mut own.series) {
            if let Some(reading) = reading {
                wanted.series.for_each(record, |v| reading.add(v));
            }
        }
        if let Some(throughput) = &mut own.throughput {
            throughput.add(record);
        }
        if let Some(arrivals) = &mut own.arrivals {
            arrivals.add(record);
        }
    };
    let fields = ChunkFields {
        tokens: true,
        ..fields_of(wanted.iter().map(|w| w.series))
    };
    let parts = source.scan(fields, &|| blank.clone(), &take)?;
    let mut whole = blank;
    for part in parts {
        for (own, other) in whole.series.iter_mut().zip(&part.series) {
            if let (Some(own), Some(other)) = (own, other) {
                own.merge(other);
            }
        }
        if let (Some(own), Some(other)) = (&mut whole.throughput, &part.throughput) {
            own.merge(other);
        }
        if let (Some(own), Some(other)) = (&mut whole.arrivals, &part.arrivals) {
            own.merge(other);
        }
    }
    Ok(whole)
}

/// A series with the ranks whose values are wanted.
#[derive(Debug, Clone)]
pub struct WantedRanks {
    /// The series.
    pub series: SeriesId,
    /// What the first reading gave.
    pub tally: Tally,
    /// The ranks, from 1.
    pub ranks: Vec<u64>,
}

/// What the third reading gave.
#[derive(Debug, Clone)]
pub struct ThirdReading {
    /// In the order asked for.
    pub values: Vec<RankValues>,
    /// How many chunk instants are censored.
    pub censoring: Censoring,
    /// Gaps by token position.
    pub positions: Vec<PositionBand>,
}

/// Reads a run for the third time. `median_gap_ms` is the p50 of the chunk gap, where there is one.
///
/// # Errors
/// Those of the source.
pub fn third_reading<S: RecordSource + ?Sized>(
    source: &S,
    wanted: &[WantedRanks],
    run: &Collected,
    median_gap_ms: Option<f64>,
) -> Result<ThirdReading, S::Error> {
    let buckets = |wanted: &WantedRanks| -> Vec<Bucket> {
        let table = wanted.tally.table();
        let ranks = wanted.ranks.iter();
        ranks
            .filter_map(|rank| Some(table.locate(*rank)?.bucket))
            .collect()
    };
    let near = run.widths.near(median_gap_ms);
    let blank = Values {
        series: wanted.iter().map(|w| RankValues::of(buckets(w))).collect(),
        widths: RankValues::of(near.into_iter().collect()),
        positions: run.positions.wanted(),
    };
    let conclude = |found: Values| ThirdReading {
        censoring: run.widths.censoring(median_gap_ms, &found.widths),
        positions: run.positions.curve(&found.positions),
        values: found.series,
    };
    if blank.is_idle() {
        return Ok(conclude(blank));
    }
    let take = |own: &mut Values, record: &RequestRecord| {
        for (wanted, values) in wanted.iter().zip(&mut own.series) {
            if !values.is_idle() {
                wanted
                    .series
                    .for_each(record, |v| values.add(v.value, u64::from(v.count)));
            }
        }
        own.positions.take(record);
        if near.is_some() && record.phase == Phase::Measure {
            for_each_width(record, |width| own.widths.add(width as f64, 1));
        }
    };
    let of_series = fields_of(wanted.iter().map(|w| w.series));
    let fields = ChunkFields {
        lower: near.is_some(),
        tokens: !blank.positions.is_idle() || of_series.tokens,
        ..of_series
    };
    let parts = source.scan(fields, &|| blank.clone(), &take)?;
    let mut whole = blank;
    parts.iter().for_each(|part| whole.merge(part));
    Ok(conclude(whole))
}

/// Values in the buckets that the third reading looks at.
#[derive(Debug, Clone)]
struct Values {
    series: Vec<RankValues>,
    widths: RankValues,
    positions: PositionValues,
}

impl Values {
    fn is_idle(&self) -> bool {
        let mut all = self.series.iter().chain([&self.widths]);
        all.all(RankValues::is_idle) && self.positions.is_idle()
    }

    fn merge(&mut self, other: &Self) {
        let pairs = self.series.iter_mut().zip(&other.series);
        pairs.for_each(|(own, other)| own.merge(other));
        self.widths.merge(&other.widths);
        self.positions.merge(&other.positions);
    }
}

/// The facts about chunks that these series rest on.
fn fields_of(series: impl Iterator<Item = SeriesId>) -> ChunkFields {
    let mut fields = ChunkFields::default();
    for series in series {
        match series.metric {
            TokenMetric::ChunkGap => {}
            TokenMetric::Itl | TokenMetric::SmoothedItl | TokenMetric::TokensPerChunk => {
                fields.tokens = true;
            }
            TokenMetric::ClientLag => {
                fields.seen = true;
                fields.read = true;
            }
        }
    }
    fields
}
