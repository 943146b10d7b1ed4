//! Token-level series: chunk gap, inter-token latency, smoothed ITL, tokens per chunk. Each value
//! comes with its instant, because running streams share engine steps and time blocks, not tokens,
//! are the sampling unit (statistics.md).

use crate::population::{Failures, Population, is_failure};
use crate::request_metric::to_ms;
use infermeter_core::record::RequestRecord;

/// A metric with one value per token or chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// Values with their instants, request by request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TimedSamples {
    /// Milliseconds (tokens for [`TokenMetric::TokensPerChunk`]).
    pub values: Vec<f64>,
    /// Instant of each value: that of the chunk, nanoseconds since the run's origin.
    pub at_ns: Vec<i64>,
}

impl TimedSamples {
    pub(crate) fn push(&mut self, value: f64, at_ns: i64) {
        self.values.push(value);
        self.at_ns.push(at_ns);
    }

    fn with_capacity(n: usize) -> Self {
        Self {
            values: Vec::with_capacity(n),
            at_ns: Vec::with_capacity(n),
        }
    }
}

/// The series over the completed requests of a population; empty without streaming.
///
/// With [`Failures::AsInfinity`] a failed request gives the gaps that it did deliver and then one
/// infinite gap at its end: the token that never came. Tokens per chunk knows no failures.
pub fn token_samples(
    population: &Population<'_>,
    metric: TokenMetric,
    failures: Failures,
) -> TimedSamples {
    if !population.streaming() {
        return TimedSamples::default();
    }
    let chunks = population.completed().map(|r| r.chunks.len()).sum();
    let mut samples = TimedSamples::with_capacity(chunks);
    match failures {
        Failures::Excluded => {
            for record in population.completed() {
                push_request(record, metric, &mut samples);
            }
        }
        Failures::AsInfinity => {
            for record in population.judged() {
                push_request(record, metric, &mut samples);
                if is_failure(record) && metric != TokenMetric::TokensPerChunk {
                    let end = record.closed.unwrap_or(record.intended);
                    samples.push(f64::INFINITY, end.0);
                }
            }
        }
    }
    samples
}

/// Whether any chunk of the completed requests is known to carry several tokens: then the chunk
/// gap is not ITL.
pub fn has_multi_token_chunks(population: &Population<'_>) -> bool {
    population.completed().any(|r| {
        r.chunks
            .iter()
            .any(|c| c.token_count().is_some_and(|n| n > 1))
    })
}

/// Appends one request's values.
pub(crate) fn push_request(
    record: &RequestRecord,
    metric: TokenMetric,
    samples: &mut TimedSamples,
) {
    match metric {
        TokenMetric::ChunkGap => {
            for pair in record.chunks.windows(2) {
                samples.push(to_ms(pair[1].at.since(pair[0].at)), pair[1].at.0);
            }
        }
        TokenMetric::Itl => {
            for_each_carrier(record, |gap_ns, tokens, at_ns| {
                // Of the request's first token there is no gap; its chunk's others follow at 0.
                if let Some(gap_ns) = gap_ns {
                    samples.push(to_ms(gap_ns), at_ns);
                }
                for _ in 1..tokens {
                    samples.push(0.0, at_ns);
                }
            });
        }
        TokenMetric::SmoothedItl => {
            for_each_carrier(record, |gap_ns, tokens, at_ns| {
                if let Some(gap_ns) = gap_ns {
                    samples.push(to_ms(gap_ns) / f64::from(tokens), at_ns);
                }
            });
        }
        TokenMetric::TokensPerChunk => {
            for_each_carrier(record, |_, tokens, at_ns| {
                samples.push(f64::from(tokens), at_ns);
            });
        }
    }
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

#[cfg(test)]
mod tests {
    use super::{TokenMetric, token_samples};
    use crate::fixture::{Run, ms};
    use crate::population::{Failures, Population};
    use infermeter_core::record::Reason;
    use infermeter_core::run::RunLog;

    fn values(log: &RunLog, metric: TokenMetric, failures: Failures) -> Vec<f64> {
        token_samples(&Population::of(log), metric, failures).values
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
        let gaps = token_samples(
            &Population::of(&log),
            TokenMetric::ChunkGap,
            Failures::Excluded,
        );
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
}
