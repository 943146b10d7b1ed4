//! Sums over the chunks of completed answers, from the facts of their requests: what the mean chunk gap
//! and the mean number of tokens per chunk of any group rest on, without another reading.
//!
//! Does not estimate. Invariant: over all requests the sums are those of the token-level series.

use crate::facts::RequestFacts;
use crate::population::Population;
use infermeter_core::oddity::Oddity;

/// Sums over some answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChunkSums {
    /// Gaps between consecutive chunks, added up, nanoseconds.
    pub gap_ns: i64,
    /// Number of gaps.
    pub gaps: u64,
    /// Tokens, of answers whose chunks' tokens are all known.
    pub tokens: u64,
    /// Chunks of these that carry a token.
    pub carriers: u64,
}

impl ChunkSums {
    fn add(&mut self, request: &RequestFacts) {
        let chunks = &request.chunks;
        if request.oddities.contains(Oddity::EndsAlone) {
            return;
        }
        if let (Some(first), Some(last)) = (chunks.first, chunks.last) {
            self.gap_ns = self.gap_ns.saturating_add(last.since(first));
            self.gaps += chunks.count as u64 - 1;
        }
        if let Some(tokens) = chunks.tokens {
            self.tokens += tokens;
            self.carriers += u64::from(chunks.carriers);
        }
    }

    /// The sums of both.
    pub fn merged(self, other: Self) -> Self {
        Self {
            gap_ns: self.gap_ns.saturating_add(other.gap_ns),
            gaps: self.gaps + other.gaps,
            tokens: self.tokens + other.tokens,
            carriers: self.carriers + other.carriers,
        }
    }

    /// Mean gap, milliseconds; absent without a gap.
    pub fn mean_gap_ms(&self) -> Option<f64> {
        (self.gaps > 0).then(|| self.gap_ns as f64 / self.gaps as f64 / 1e6)
    }

    /// Mean tokens of a chunk that carries any; absent without one.
    pub fn mean_tokens(&self) -> Option<f64> {
        (self.carriers > 0).then(|| self.tokens as f64 / self.carriers as f64)
    }
}

/// Sums over the completed answers, which are divided in order of intended time into so many parts of
/// about equal numbers; fewer where there are fewer answers. Nothing where answers are no streams.
pub fn chunk_sums(population: &Population<'_>, parts: usize) -> Vec<ChunkSums> {
    if !population.streaming() {
        return Vec::new();
    }
    let completed: Vec<&RequestFacts> = population.completed().collect();
    let of_each = completed.len().div_ceil(parts.max(1)).max(1);
    let sums = |part: &[&RequestFacts]| {
        let mut sums = ChunkSums::default();
        part.iter().for_each(|request| sums.add(request));
        sums
    };
    completed.chunks(of_each).map(sums).collect()
}

#[cfg(test)]
mod tests {
    use super::{ChunkSums, chunk_sums};
    use crate::collect::Collected;
    use crate::fixture::{Run, facts, ms};
    use crate::population::{Failures, Population};
    use crate::token_series::{Group, SeriesId, TokenMetric};
    use infermeter_core::record::{Chunk, Reason};

    #[test]
    fn sums_are_those_of_the_series() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 5);
        run.stream(100, ms(20), ms(30), 4).tokens_per_chunk(3);
        run.stream(200, ms(20), ms(10), 1);
        run.stream(300, ms(20), ms(7), 6).without_token_counts();
        run.stream(400, ms(20), ms(10), 6).fails(Reason::Truncated);
        let mut log = run.build();
        log.records[1].chunks[2].tokens = 0;
        let run = facts(&log);
        let population = Population::of(&run);
        let parts = chunk_sums(&population, 10);
        assert_eq!(parts.len(), 4);
        let all = parts
            .into_iter()
            .fold(ChunkSums::default(), ChunkSums::merged);
        assert_eq!(chunk_sums(&population, 1), [all]);
        let series = |run: &Collected, metric| {
            let group = Group::All;
            let failures = Failures::Excluded;
            run.tally(SeriesId {
                group,
                metric,
                failures,
            })
            .expect("values")
        };
        let gaps = series(&run, TokenMetric::ChunkGap);
        assert_eq!((all.gaps, all.mean_gap_ms()), (gaps.n(), gaps.mean(1e6)));
        let tokens = series(&run, TokenMetric::TokensPerChunk);
        assert_eq!(
            (all.carriers, all.mean_tokens()),
            (tokens.n(), tokens.mean(1.0))
        );
        assert_eq!(all.tokens, 5 + 9 + 1);
    }

    #[test]
    fn nothing_is_absent() {
        assert_eq!(ChunkSums::default().mean_gap_ms(), None);
        assert_eq!(ChunkSums::default().mean_tokens(), None);
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 5);
        let mut log = run.build();
        log.records[0].chunks[0].tokens = Chunk::TOKENS_UNKNOWN;
        log.manifest.plan.no_stream = true;
        assert_eq!(chunk_sums(&Population::of(&facts(&log)), 10), []);
    }
}
