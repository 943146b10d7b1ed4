//! Chunks that come several at a time: what one stream's releases are like.
//!
//! A release is a run of chunks without time between them. An engine makes several tokens in a step by
//! drafts, in numbers that vary; a proxy or a buffer that holds events back lets go as many as came in
//! its period, every time. So the sizes and the intervals of a stream's releases are noted, and how
//! many are alike. Does not judge. Invariant: absent for a stream whose chunks come one by one.

use infermeter_core::record::Chunk;

/// Chunks of one release lie no further apart, nanoseconds: a burst of events over a network.
const TOGETHER_NS: i64 = 1_000_000;

/// Releases between the first and the last, without which there is no typical one.
const LEAST_RELEASES: usize = 3;

/// An interval is like the typical one within this share of it.
const ALIKE: f64 = 0.1;

/// A size is like the typical one within so large a part of it, or within 1.
const ALIKE_SIZE: usize = 6;

/// The releases of one stream between its first and its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Releases {
    /// How many.
    pub count: u32,
    /// Chunks of the typical one: the median.
    pub size: u32,
    /// Those whose size is within 1 of it, or within a sixth: an engine's steps are not all as long.
    pub alike_in_size: u32,
    /// Time from one release to the next, nanoseconds: the median.
    pub interval_ns: i64,
    /// Those whose interval is within a tenth of it.
    pub alike_in_time: u32,
}

impl Releases {
    pub(crate) fn of(chunks: &[Chunk]) -> Option<Self> {
        let together = |pair: &[Chunk]| pair[1].at.since(pair[0].at) <= TOGETHER_NS;
        let within = chunks.windows(2).filter(|pair| together(pair)).count();
        if chunks.len() < 2 || 2 * within < chunks.len() - 1 {
            return None;
        }
        let releases: Vec<&[Chunk]> = chunks.chunk_by(|a, b| together(&[*a, *b])).collect();
        let inner = releases.get(1..releases.len().checked_sub(1)?)?;
        if inner.len() < LEAST_RELEASES {
            return None;
        }
        let mut sizes: Vec<usize> = inner.iter().map(|release| release.len()).collect();
        let pairs = releases.windows(2).take(inner.len());
        let mut intervals: Vec<i64> = pairs.map(|p| p[1][0].at.since(p[0][0].at)).collect();
        let size = *sizes.select_nth_unstable(inner.len() / 2).1;
        let interval_ns = *intervals.select_nth_unstable(inner.len() / 2).1;
        let near = (interval_ns as f64 * ALIKE) as u64;
        let tolerance = (size / ALIKE_SIZE).max(1);
        let alike = sizes
            .iter()
            .filter(|s| s.abs_diff(size) <= tolerance)
            .count();
        let in_time = intervals
            .iter()
            .filter(|i| i.abs_diff(interval_ns) <= near)
            .count();
        Some(Self {
            count: u32::try_from(inner.len()).unwrap_or(u32::MAX),
            size: u32::try_from(size).unwrap_or(u32::MAX),
            alike_in_size: u32::try_from(alike).unwrap_or(u32::MAX),
            interval_ns,
            alike_in_time: u32::try_from(in_time).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Run, ms};
    use infermeter_core::clock::Offset;

    /// Releases of a stream of a chunk each 10 ms whose instants are moved.
    fn releases(moved: impl Fn(i64) -> i64) -> Option<Releases> {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 100);
        let record = &mut run.records()[0];
        for chunk in &mut record.chunks {
            chunk.at = Offset(moved(chunk.at.0));
        }
        Releases::of(&record.chunks)
    }

    #[test]
    fn chunks_held_to_a_grid() {
        assert_eq!(releases(|at| at), None);
        let grid = ms(100);
        let found = releases(|at| at.div_euclid(grid) * grid + grid);
        let expect = Releases {
            count: 9,
            size: 10,
            alike_in_size: 9,
            interval_ns: grid,
            alike_in_time: 9,
        };
        assert_eq!(found, Some(expect));
    }
}
