//! Token-level series: chunk gap, inter-token latency, smoothed ITL, tokens per chunk. Each value
//! comes with its instant, because running streams share engine steps and time blocks, not tokens,
//! are the sampling unit (statistics.md).
//!
//! Holds no series: values are called out one after the other, in as many readings as it takes
//! ([`crate::readings`]).

use crate::failures::{Failures, has_failed, is_interrupted};
use crate::milliseconds::to_ms;
use infermeter_core::record::{Outcome, RequestRecord, StampSource};
use infermeter_core::request::ClassIndex;
use infermeter_core::schedule::Phase;
use infermeter_core::slo::Statistic;
use infermeter_stats::Quantile;

/// A metric with one value per token, chunk or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenMetric {
    /// Time between consecutive chunks, milliseconds.
    ChunkGap,
    /// Per-token gaps, milliseconds: 0 inside a chunk, the gap at its edge. Absent for a request
    /// whose tokens per chunk are unknown.
    Itl,
    /// Gap / tokens of the chunk that ends it, milliseconds. Absent as for ITL.
    SmoothedItl,
    /// Tokens of each chunk. Absent as for ITL.
    TokensPerChunk,
    /// Program stamp - kernel stamp of each read that completed a chunk (and of the one with the
    /// first byte), milliseconds. Only of responses with kernel stamps: where the stamps are the
    /// program's the lag is unknown, not 0.
    ClientLag,
}

/// Whose values a series has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Those of every measured request.
    All,
    /// Those of one workload class.
    Class(ClassIndex),
}

/// One token-level series.
///
/// It is over the completed requests of its group. With [`Failures::AsInfinity`] a failed request
/// gives the values that it did deliver and then an infinite one at its end: the token that never
/// came. Tokens per chunk knows no failures, and client lag is over all requests, whatever their
/// outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesId {
    /// Whose values.
    pub group: Group,
    /// Of which metric.
    pub metric: TokenMetric,
    /// What failures give.
    pub failures: Failures,
}

/// One value, or several equal ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TokenValue {
    /// Milliseconds, or tokens.
    pub(crate) value: f64,
    /// The same in units of 1 / 256 ns (or of a token): sums of these are exact.
    pub(crate) fixed: i64,
    /// Instant of the chunk or read, nanoseconds since the run's origin.
    pub(crate) at_ns: i64,
    /// How many.
    pub(crate) count: u32,
}

/// Units of [`TokenValue::fixed`] in a nanosecond or token.
pub(crate) const FIXED: i64 = 256;

impl TokenValue {
    #[inline]
    pub(crate) fn of_ns(ns: i64, at_ns: i64) -> Self {
        Self {
            value: to_ms(ns),
            fixed: ns.saturating_mul(FIXED),
            at_ns,
            count: 1,
        }
    }

    /// The failure that ends a request's values.
    fn failure(record: &RequestRecord) -> Self {
        let end = record.closed.unwrap_or(record.intended);
        Self {
            value: f64::INFINITY,
            fixed: 0,
            at_ns: end.0,
            count: 1,
        }
    }
}

/// Values with their instants, held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TimedSamples {
    /// Milliseconds.
    pub values: Vec<f64>,
    /// Instant of each value, nanoseconds since the run's origin.
    pub at_ns: Vec<i64>,
}

impl TimedSamples {
    pub(crate) fn push(&mut self, value: f64, at_ns: i64) {
        self.values.push(value);
        self.at_ns.push(at_ns);
    }
}

/// What a request gives to the series of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its values, as a completed request (or, for client lag, any).
    Completed,
    /// Its values where failures count, and an infinite one.
    Failed,
}

/// What a request gives; `None` for one that takes no part.
pub(crate) fn part_of(record: &RequestRecord, metric: TokenMetric) -> Option<Part> {
    match record.phase {
        Phase::Measure => part_in_any_phase(record, metric),
        Phase::Warmup | Phase::Drain => None,
    }
}

/// The same, whichever phase the request belongs to.
fn part_in_any_phase(record: &RequestRecord, metric: TokenMetric) -> Option<Part> {
    if metric == TokenMetric::ClientLag {
        let kernel = record.stamp_source == Some(StampSource::Kernel);
        return kernel.then_some(Part::Completed);
    }
    let reason = record.error.as_ref().map(|e| e.reason);
    if record.outcome == Outcome::Completed {
        Some(Part::Completed)
    } else if has_failed(record.outcome, reason) && metric != TokenMetric::TokensPerChunk {
        debug_assert!(!is_interrupted(record.outcome, reason), "no failure");
        Some(Part::Failed)
    } else {
        None
    }
}

impl SeriesId {
    /// Calls out the values that a request gives to this series.
    pub(crate) fn for_each(self, record: &RequestRecord, mut each: impl FnMut(TokenValue)) {
        let within = match self.group {
            Group::All => true,
            Group::Class(class) => record.class == class,
        };
        match part_of(record, self.metric).filter(|_| within) {
            Some(Part::Completed) => for_each_value(record, self.metric, each),
            Some(Part::Failed) if self.failures == Failures::AsInfinity => {
                for_each_value(record, self.metric, &mut each);
                each(TokenValue::failure(record));
            }
            Some(Part::Failed) | None => {}
        }
    }
}

/// Calls out one request's values, and the failure that ends them where it failed.
pub(crate) fn for_each_of_part(
    record: &RequestRecord,
    metric: TokenMetric,
    part: Part,
    mut each: impl FnMut(TokenValue),
) {
    for_each_value(record, metric, &mut each);
    if part == Part::Failed {
        each(TokenValue::failure(record));
    }
}

/// Calls out the values of a completed measured request, each with how often it occurs: milliseconds, or
/// tokens. Of any other request there are none.
pub fn completed_values(
    record: &RequestRecord,
    metric: TokenMetric,
    mut each: impl FnMut(f64, u64),
) {
    if part_of(record, metric) == Some(Part::Completed) {
        for_each_value(record, metric, |v| each(v.value, u64::from(v.count)));
    }
}

/// The same of a request of any phase, for whoever keeps phases apart and watches a load that is not over.
pub fn completed_values_of_any_phase(
    record: &RequestRecord,
    metric: TokenMetric,
    mut each: impl FnMut(f64, u64),
) {
    if part_in_any_phase(record, metric) == Some(Part::Completed) {
        for_each_value(record, metric, |v| each(v.value, u64::from(v.count)));
    }
}

/// Calls out one request's values.
#[inline]
pub(crate) fn for_each_value(
    record: &RequestRecord,
    metric: TokenMetric,
    mut each: impl FnMut(TokenValue),
) {
    if record.knows_ends_alone() {
        return;
    }
    match metric {
        TokenMetric::ChunkGap => {
            for pair in record.chunks.windows(2) {
                each(TokenValue::of_ns(
                    pair[1].at.since(pair[0].at),
                    pair[1].at.0,
                ));
            }
        }
        TokenMetric::Itl => for_each_carrier(record, |gap_ns, tokens, at_ns| {
            // Of the request's first token there is no gap; its chunk's others follow at 0.
            if let Some(gap_ns) = gap_ns {
                each(TokenValue::of_ns(gap_ns, at_ns));
            }
            if tokens > 1 {
                each(TokenValue {
                    count: tokens - 1,
                    ..TokenValue::of_ns(0, at_ns)
                });
            }
        }),
        TokenMetric::SmoothedItl => for_each_carrier(record, |gap_ns, tokens, at_ns| {
            if let Some(gap_ns) = gap_ns {
                each(TokenValue {
                    value: to_ms(gap_ns) / f64::from(tokens),
                    fixed: nearest(gap_ns.saturating_mul(FIXED), tokens),
                    at_ns,
                    count: 1,
                });
            }
        }),
        TokenMetric::TokensPerChunk => for_each_carrier(record, |_, tokens, at_ns| {
            each(TokenValue {
                value: f64::from(tokens),
                fixed: i64::from(tokens) * FIXED,
                at_ns,
                count: 1,
            });
        }),
        TokenMetric::ClientLag => for_each_lag(record, each),
    }
}

/// `a` / `b` to the nearest whole number; `a` is a gap in small units and never near the limits.
fn nearest(a: i64, b: u32) -> i64 {
    let b = i64::from(b);
    a.saturating_add(b / 2).div_euclid(b)
}

/// Calls `f(gap to the chunk before, tokens, instant)` for each chunk that carries at least one
/// token; not at all where a chunk's tokens are unknown. The gap is absent for the first.
fn for_each_carrier(record: &RequestRecord, mut f: impl FnMut(Option<i64>, u32, i64)) {
    if record.chunks.iter().any(|c| c.token_count().is_none()) {
        return;
    }
    let mut before = None;
    for chunk in record.chunks.iter().filter(|c| c.tokens > 0) {
        f(before.map(|b| chunk.at.since(b)), chunk.tokens, chunk.at.0);
        before = Some(chunk.at);
    }
}

fn for_each_lag(record: &RequestRecord, mut each: impl FnMut(TokenValue)) {
    if let (Some(at), Some(seen)) = (record.first_byte, record.first_byte_seen)
        && record.chunks.first().is_none_or(|c| c.at != at)
    {
        each(TokenValue::of_ns(seen.since(at), at.0));
    }
    let mut read = None;
    for chunk in &record.chunks {
        if read != Some(chunk.read) {
            each(TokenValue::of_ns(chunk.seen.since(chunk.at), chunk.at.0));
            read = Some(chunk.read);
        }
    }
}

/// A statistic of one request's values, milliseconds; a percentile is the order statistic x_(ceil(n p)).
pub(crate) fn own_statistic(
    record: &RequestRecord,
    metric: TokenMetric,
    statistic: Statistic,
) -> Option<f64> {
    let mut values = Vec::new();
    for_each_value(record, metric, |v| {
        values.extend(std::iter::repeat_n(v.value, v.count as usize));
    });
    if values.is_empty() {
        return None;
    }
    let n = values.len();
    let rank = match statistic {
        Statistic::Mean => return Some(values.iter().sum::<f64>() / n as f64),
        Statistic::Max => n,
        Statistic::Percentile(percent) => Quantile::new(percent / 100.0).ok()?.rank(n),
    };
    Some(*values.select_nth_unstable_by(rank - 1, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::{Group, SeriesId, TimedSamples, TokenMetric};
    use crate::failures::Failures;
    use crate::fixture::{Run, ms};
    use infermeter_core::record::Reason;
    use infermeter_core::run::RunLog;

    fn samples(log: &RunLog, metric: TokenMetric, failures: Failures) -> TimedSamples {
        let series = SeriesId {
            group: Group::All,
            metric,
            failures,
        };
        let mut samples = TimedSamples::default();
        for record in &log.records {
            series.for_each(record, |v| {
                (0..v.count).for_each(|_| samples.push(v.value, v.at_ns));
            });
        }
        samples
    }

    fn values(log: &RunLog, metric: TokenMetric, failures: Failures) -> Vec<f64> {
        samples(log, metric, failures).values
    }

    /// Two chunks of three tokens, 30 ms apart.
    fn bursts() -> RunLog {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(30), 2).tokens_per_chunk(3);
        run.build()
    }

    #[test]
    fn three_forms_of_the_gap() {
        let log = bursts();
        let of = |m| values(&log, m, Failures::Excluded);
        assert_eq!(of(TokenMetric::ChunkGap), vec![30.0]);
        assert_eq!(of(TokenMetric::Itl), vec![0.0, 0.0, 30.0, 0.0, 0.0]);
        assert_eq!(of(TokenMetric::SmoothedItl), vec![10.0]);
        assert_eq!(of(TokenMetric::TokensPerChunk), vec![3.0, 3.0]);
    }

    #[test]
    fn instants_are_those_of_the_later_chunk() {
        let log = bursts();
        let gaps = samples(&log, TokenMetric::ChunkGap, Failures::Excluded);
        assert_eq!(gaps.at_ns, vec![log.records[0].chunks[1].at.0]);
    }

    #[test]
    fn unknown_tokens_leave_the_chunk_gap_only() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(30), 3).without_token_counts();
        let log = run.build();
        assert_eq!(
            values(&log, TokenMetric::ChunkGap, Failures::Excluded).len(),
            2
        );
        assert!(values(&log, TokenMetric::Itl, Failures::Excluded).is_empty());
        assert!(values(&log, TokenMetric::SmoothedItl, Failures::Excluded).is_empty());
    }

    #[test]
    fn a_chunk_without_a_token_does_not_split_a_gap_between_tokens() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 3);
        let mut log = run.build();
        log.records[0].chunks[1].tokens = 0;
        assert_eq!(
            values(&log, TokenMetric::ChunkGap, Failures::Excluded),
            vec![10.0, 10.0]
        );
        assert_eq!(
            values(&log, TokenMetric::Itl, Failures::Excluded),
            vec![20.0]
        );
    }

    #[test]
    fn a_failure_ends_in_an_infinite_gap() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 2);
        run.stream(1_000, ms(20), ms(10), 3)
            .fails(Reason::Truncated);
        let log = run.build();
        assert_eq!(
            values(&log, TokenMetric::Itl, Failures::Excluded),
            vec![10.0]
        );
        let with = values(&log, TokenMetric::Itl, Failures::AsInfinity);
        assert_eq!(with, vec![10.0, 10.0, 10.0, f64::INFINITY]);
    }

    #[test]
    fn lag_counts_each_read_once() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(50), 3);
        let mut log = run.build();
        let record = &mut log.records[0];
        record.first_byte = Some(record.chunks[0].at.plus(-ms(1)));
        record.first_byte_seen = record.first_byte;
        for (chunk, read) in record.chunks.iter_mut().zip([1, 2, 2]) {
            chunk.read = read;
            chunk.seen = chunk.at.plus(ms(i64::from(read)));
        }
        let lags = values(&log, TokenMetric::ClientLag, Failures::Excluded);
        assert_eq!(lags, vec![0.0, 1.0, 2.0]);
    }
}
