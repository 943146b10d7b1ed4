//! How well arrivals are known: client lag per read, and how many chunk instants are censored.

use crate::population::Population;
use crate::request_metric::to_ms;
use crate::token_series::TimedSamples;
use infermeter_core::record::StampSource;
use serde::Serialize;

/// A chunk instant is uncertain where its width passes max(this, a tenth of the median gap), ms.
const LEAST_BOUND_MS: f64 = 1.0;
/// Share of the median chunk gap in that bound.
const BOUND_OF_MEDIAN_GAP: f64 = 0.1;

/// Chunk instants known only to lie between two stamps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Censoring {
    /// Chunks of measured requests, whatever their outcome.
    pub chunks: u64,
    /// Those that are not the last byte of their read: their width is above 0.
    pub censored: u64,
    /// Those whose width is above [`Self::bound_ms`].
    pub uncertain: u64,
    /// `uncertain` / `chunks`; absent without chunks.
    pub uncertain_share: Option<f64>,
    /// max(1 ms, 10 % of the median chunk gap), milliseconds.
    pub bound_ms: f64,
    /// The greatest width (stamp - lower bound), milliseconds; absent without chunks.
    pub widest_ms: Option<f64>,
}

/// Counts censored chunk instants. `median_gap_ms` is the p50 of the chunk gap, where there is one.
pub fn censoring(population: &Population<'_>, median_gap_ms: Option<f64>) -> Censoring {
    let bound_ms = LEAST_BOUND_MS.max(median_gap_ms.unwrap_or(0.0) * BOUND_OF_MEDIAN_GAP);
    let bound_ns = (bound_ms * 1e6) as i64;
    let mut result = Censoring {
        bound_ms,
        ..Censoring::default()
    };
    let mut widest = 0;
    for record in population.records() {
        result.chunks += record.chunks.len() as u64;
        for chunk in &record.chunks {
            let width = chunk.at.since(chunk.lower);
            result.censored += u64::from(width > 0);
            result.uncertain += u64::from(width > bound_ns);
            widest = widest.max(width);
        }
    }
    if result.chunks > 0 {
        result.uncertain_share = Some(result.uncertain as f64 / result.chunks as f64);
        result.widest_ms = Some(to_ms(widest));
    }
    result
}

/// Program stamp - kernel stamp of each read that completed a chunk (and of the one with the
/// first byte), milliseconds, with the read's instant. Only responses with kernel stamps: where
/// the stamps are the program's the lag is unknown, not 0.
pub fn client_lag(population: &Population<'_>) -> TimedSamples {
    let mut samples = TimedSamples::default();
    for record in population.records() {
        if record.stamp_source != Some(StampSource::Kernel) {
            continue;
        }
        if let (Some(at), Some(seen)) = (record.first_byte, record.first_byte_seen)
            && record.chunks.first().is_none_or(|c| c.at != at)
        {
            samples.values.push(to_ms(seen.since(at)));
            samples.at_ns.push(at.0);
        }
        let mut read = None;
        for chunk in &record.chunks {
            if read != Some(chunk.read) {
                samples.values.push(to_ms(chunk.seen.since(chunk.at)));
                samples.at_ns.push(chunk.at.0);
                read = Some(chunk.read);
            }
        }
    }
    samples
}

/// Whose stamps the measured requests' instants are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StampCounts {
    /// Responses stamped by the kernel throughout.
    pub kernel: u64,
    /// Responses with at least one of the program's stamps.
    pub program: u64,
}

/// Counts responses by the source of their stamps.
pub fn stamp_counts(population: &Population<'_>) -> StampCounts {
    let mut counts = StampCounts::default();
    for record in population.records() {
        match record.stamp_source {
            Some(StampSource::Kernel) => counts.kernel += 1,
            Some(StampSource::Program) => counts.program += 1,
            None => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{censoring, client_lag};
    use crate::fixture::{Run, ms};
    use crate::population::Population;

    #[test]
    fn widths_above_the_bound_are_uncertain() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(50), 4);
        let mut log = run.build();
        let chunks = &mut log.records[0].chunks;
        chunks[1].lower = chunks[1].at.plus(-ms(4));
        chunks[2].lower = chunks[2].at.plus(-ms(6));
        let found = censoring(&Population::of(&log), Some(50.0));
        assert_eq!((found.chunks, found.censored, found.uncertain), (4, 2, 1));
        assert_eq!((found.bound_ms, found.widest_ms), (5.0, Some(6.0)));
        assert_eq!(found.uncertain_share, Some(0.25));
        let tight = censoring(&Population::of(&log), Some(2.0));
        assert_eq!((tight.bound_ms, tight.uncertain), (1.0, 2));
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
        assert_eq!(
            client_lag(&Population::of(&log)).values,
            vec![0.0, 1.0, 2.0]
        );
    }
}
