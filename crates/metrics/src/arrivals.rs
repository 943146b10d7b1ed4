//! When chunks arrived, over all streams together: the silences between them.
//!
//! Does not say what a silence means: [`crate::silence`] does. Memory does not depend on the number of
//! chunks: bins of equal length, each with its count and its first and last instant. Invariant: every
//! silence at least as long as a bin is found, with its exact ends.

use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::run::Window;

/// Length of a bin, nanoseconds, in a window that is not too long for it.
const BIN_NS: i64 = 10_000_000;

/// Bins at most, 12 bytes each.
const MOST_BINS: i64 = 1 << 17;

/// Chunks of one bin; instants are nanoseconds since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bin {
    n: u32,
    first: u32,
    last: u32,
}

/// Time without a single chunk, between two arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence {
    /// The last chunk before.
    pub(crate) from: Offset,
    /// The first chunk after; the window's end, where none came any more.
    pub(crate) to: Offset,
}

/// Arrivals in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrivals {
    window: Window,
    bin_ns: i64,
    bins: Vec<Bin>,
    /// The last arrival before the window.
    before: Option<Offset>,
    /// The first arrival behind it.
    after: Option<Offset>,
}

impl Arrivals {
    /// None yet.
    pub fn new(window: Window) -> Self {
        let length = window.end.since(window.start).max(1);
        let bin_ns = BIN_NS.max(length.div_euclid(MOST_BINS) + 1);
        // A bin's instants are 32 bits; a window of 18 years has no bin so long.
        let bin_ns = bin_ns.min(i64::from(u32::MAX));
        let bins = (length.div_euclid(bin_ns) + 1).min(MOST_BINS + 1);
        Self {
            window,
            bin_ns,
            bins: vec![Bin::default(); bins as usize],
            before: None,
            after: None,
        }
    }

    /// Adds the chunks of a request, whatever became of it, or the end of an answer in one piece.
    pub(crate) fn add(&mut self, record: &RequestRecord) {
        if record.knows_ends_alone() {
            return;
        }
        for chunk in &record.chunks {
            self.add_instant(chunk.at);
        }
        let whole = record.chunks.is_empty() && record.outcome == Outcome::Completed;
        if let Some(closed) = record.closed.filter(|_| whole) {
            self.add_instant(closed);
        }
    }

    fn add_instant(&mut self, at: Offset) {
        if at < self.window.start {
            self.before = self.before.max(Some(at));
            return;
        }
        if at >= self.window.end {
            self.after = Some(self.after.map_or(at, |after| after.min(at)));
            return;
        }
        let since = at.since(self.window.start);
        let (index, within) = (since / self.bin_ns, (since % self.bin_ns) as u32);
        if let Some(bin) = self.bins.get_mut(index as usize) {
            bin.add(Bin {
                n: 1,
                first: within,
                last: within,
            });
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let bins = self.bins.iter_mut().zip(&other.bins);
        bins.for_each(|(own, other)| own.add(*other));
        self.before = self.before.max(other.before);
        self.after = match (self.after, other.after) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
    }

    /// Chunks between two instants, both excluded, to the bin: an end's own bin does not count.
    pub(crate) fn inside(&self, from: Offset, to: Offset) -> u64 {
        let index = |at: Offset| at.since(self.window.start).div_euclid(self.bin_ns);
        let first = (index(from) + 1).max(0);
        let bins = self.bins.iter().skip(first as usize);
        let bins = bins.take((index(to) - first).max(0) as usize);
        bins.map(|bin| u64::from(bin.n)).sum()
    }

    /// Chunks in the window.
    pub(crate) fn count(&self) -> u64 {
        self.bins.iter().map(|bin| u64::from(bin.n)).sum()
    }

    /// Silences of at least `least_ns` that reach into the window, in time order. What comes before the
    /// run's first chunk is none.
    pub(crate) fn silences(&self, least_ns: i64) -> Vec<Silence> {
        let mut found = Vec::new();
        let mut last = self.before;
        let mut heard = |from: Option<Offset>, to: Offset| {
            let from = from.filter(|from| to.since(*from) >= least_ns);
            found.extend(from.map(|from| Silence { from, to }));
        };
        for (index, bin) in (0_i64..).zip(&self.bins).filter(|(_, bin)| bin.n > 0) {
            let start = self.window.start.plus(index * self.bin_ns);
            heard(last, start.plus(i64::from(bin.first)));
            last = Some(start.plus(i64::from(bin.last)));
        }
        heard(last, self.after.unwrap_or(self.window.end));
        found
    }
}

impl Bin {
    fn add(&mut self, other: Self) {
        if other.n == 0 {
            return;
        }
        *self = match self.n {
            0 => other,
            n => Self {
                n: n.saturating_add(other.n),
                first: self.first.min(other.first),
                last: self.last.max(other.last),
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Run, ms};
    use infermeter_core::run::RunLog;

    fn arrivals(records: &[RequestRecord], log: &RunLog) -> Arrivals {
        let mut arrivals = Arrivals::new(log.manifest.window.expect("a window"));
        records.iter().for_each(|record| arrivals.add(record));
        arrivals
    }

    /// Chunks at 20, 30, 40 and 740 ms, and at 9.5 and 10.5 s.
    fn log() -> RunLog {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 4).pause_before(3, ms(690));
        run.stream(9_000, ms(500), ms(1_000), 2);
        run.build()
    }

    #[test]
    fn silences_have_exact_ends() {
        let log = log();
        let found = arrivals(&log.records, &log).silences(ms(600));
        let start = log.manifest.window.expect("a window").start;
        let expect = [(40, 740), (740, 9_500), (9_500, 10_500)].map(|(from, to)| Silence {
            from: start.plus(ms(from)),
            to: start.plus(ms(to)),
        });
        assert_eq!(found, expect);
        let all = arrivals(&log.records, &log);
        assert_eq!(all.count(), 5);
        assert_eq!(all.inside(start.plus(ms(15)), start.plus(ms(745))), 3);
    }

    #[test]
    fn a_merge_of_parts_is_the_whole() {
        let log = log();
        let mut merged = arrivals(&log.records[..1], &log);
        merged.merge(&arrivals(&log.records[1..], &log));
        assert_eq!(merged, arrivals(&log.records, &log));
    }
}
