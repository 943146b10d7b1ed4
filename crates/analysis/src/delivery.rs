//! Whether something on the way holds chunks back and lets them go in bursts, by a clock of its own.
//!
//! Told from drafts and steps: a release of an engine is as large as its step was lucky, and as long as its
//! batch and its prefills made it; what a timer releases is alike in time and size, in every stream.
//! Invariant: absent where chunks come one by one, and where several tokens share a chunk by design.

use crate::limits::{BURSTY_SIZE, BURSTY_STREAMS, RELEASES_ALIKE};
use infermeter_metrics::population::Population;
use infermeter_metrics::releases::Releases;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bursts, alike over the streams.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BurstyDelivery {
    /// Streams long enough to tell.
    pub streams: usize,
    /// Of those, that come in bursts alike.
    pub bursty: usize,
    /// Time from one burst to the next, milliseconds: the median over the streams.
    pub period_ms: f64,
    /// Chunks of a burst: the median over the streams.
    pub chunks: u32,
}

impl BurstyDelivery {
    /// Of the completed measured streams.
    pub(crate) fn of(population: &Population<'_>) -> Option<Self> {
        let long = || population.completed().filter(|r| r.chunks.count >= LONG);
        let bursty = long().filter_map(|r| r.chunks.releases.filter(|r| r.size >= BURSTY_SIZE));
        let bursty: Vec<Releases> = bursty.collect();
        let streams = long().count();
        if bursty.is_empty() || (bursty.len() as f64) < BURSTY_STREAMS * streams as f64 {
            return None;
        }
        let mut periods: Vec<i64> = bursty.iter().map(|r| r.interval_ns).collect();
        let mut sizes: Vec<u32> = bursty.iter().map(|r| r.size).collect();
        let period_ns = *periods.select_nth_unstable(bursty.len() / 2).1;
        // The clock is the same for all of them.
        let near =
            |r: &Releases| r.interval_ns.abs_diff(period_ns) * 10 <= period_ns.unsigned_abs();
        let same = bursty.iter().filter(|r| near(r)).count();
        let is_clock = same as f64 >= RELEASES_ALIKE * bursty.len() as f64 && are_alike(&bursty);
        is_clock.then(|| Self {
            streams,
            bursty: bursty.len(),
            period_ms: period_ns as f64 / 1e6,
            chunks: *sizes.select_nth_unstable(bursty.len() / 2).1,
        })
    }
}

/// Chunks of a stream that has several releases to compare, at the least size of a burst.
const LONG: usize = 5 * BURSTY_SIZE as usize;

/// The releases of all streams, each against the typical one of its stream.
fn are_alike(streams: &[Releases]) -> bool {
    let sum = |of: fn(&Releases) -> u32| streams.iter().map(|r| f64::from(of(r))).sum::<f64>();
    let least = RELEASES_ALIKE * sum(|r| r.count);
    sum(|r| r.alike_in_size) >= least && sum(|r| r.alike_in_time) >= least
}
