//! Figures for the progress display: relaxed atomics written by one worker, read by whoever
//! draws. Never an input to a result.

use infermeter_core::record::{Outcome, Reason, RequestRecord};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Classes of a time to each doubling: within 4 % of the time itself.
const TO_A_DOUBLING: u64 = 16;
/// Doublings from a microsecond up to what 32 bits hold, 71 minutes.
const CLASSES: usize = 32 * TO_A_DOUBLING as usize;

/// One worker's live figures.
#[derive(Debug)]
pub struct Live {
    /// Requests sent.
    pub sent: AtomicU64,
    /// Requests with a record.
    pub ended: AtomicU64,
    /// Of those, neither completed nor cancelled.
    pub failed: AtomicU64,
    /// The failed ones, each at the number of its reason.
    failed_by: [AtomicU64; Reason::ALL.len()],
    /// Chunks received.
    pub chunks: AtomicU64,
    /// Tokens that servers reported of answers that have ended.
    pub reported_tokens: AtomicU64,
    /// The chunks of those answers.
    pub reported_chunks: AtomicU64,
    /// TTFT from send.
    ttft: Counters,
    /// From the intended send to the send.
    send_lag: Counters,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            sent: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failed_by: std::array::from_fn(|_| AtomicU64::new(0)),
            chunks: AtomicU64::new(0),
            reported_tokens: AtomicU64::new(0),
            reported_chunks: AtomicU64::new(0),
            ttft: Counters::default(),
            send_lag: Counters::default(),
        }
    }
}

impl Live {
    /// Adds to a counter that only the calling thread writes.
    pub(crate) fn bump(counter: &AtomicU64, by: u64) {
        counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
    }

    /// A request has ended.
    pub(crate) fn ends(&self, record: &RequestRecord) {
        Self::bump(&self.ended, 1);
        if matches!(record.outcome, Outcome::Failed | Outcome::TimedOut) {
            Self::bump(&self.failed, 1);
            if let Some(error) = &record.error {
                Self::bump(&self.failed_by[error.reason as usize], 1);
            }
        }
        if let Some(tokens) = record.output_tokens {
            Self::bump(&self.reported_tokens, tokens.into());
            Self::bump(&self.reported_chunks, record.chunks.len() as u64);
        }
        let Some(sent) = record.send_start else {
            return;
        };
        self.send_lag.count(sent.since(record.intended));
        if let Some(chunk) = record.chunks.first() {
            self.ttft.count(chunk.at.since(sent));
        }
    }

    /// Failed requests by reason, those with any.
    pub fn failed_by(&self) -> impl Iterator<Item = FailedBy> + '_ {
        let all = Reason::ALL.into_iter().zip(&self.failed_by);
        let all = all.map(|(reason, count)| FailedBy {
            reason,
            count: count.load(Ordering::Relaxed),
        });
        all.filter(|failed| failed.count > 0)
    }

    /// TTFT from send so far.
    pub fn ttft(&self) -> Times {
        self.ttft.read()
    }

    /// How late requests were sent so far.
    pub fn send_lag(&self) -> Times {
        self.send_lag.read()
    }
}

/// Requests that failed for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedBy {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
}

/// Counts of times by their class, written by one thread.
#[derive(Debug)]
struct Counters([AtomicU32; CLASSES]);

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }
}

impl Counters {
    fn count(&self, ns: i64) {
        let us = u32::try_from(ns.max(0) / 1_000).unwrap_or(u32::MAX).max(1);
        let counter = &self.0[class(us)];
        let so_far = counter.load(Ordering::Relaxed);
        counter.store(so_far.wrapping_add(1), Ordering::Relaxed);
    }

    fn read(&self) -> Times {
        let counts = self.0.iter();
        Times(counts.map(|c| c.load(Ordering::Relaxed).into()).collect())
    }
}

/// The class of `us` microseconds, at least 1.
fn class(us: u32) -> usize {
    let doubling = us.ilog2();
    let inside = ((u64::from(us) * TO_A_DOUBLING) >> doubling) - TO_A_DOUBLING;
    doubling as usize * TO_A_DOUBLING as usize + inside as usize
}

/// Times counted by class: good enough to watch, never for a result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Times(Vec<u64>);

impl Times {
    /// Those of several workers.
    pub fn all(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::default(), |sum, part| {
            sum.with(&part, u64::wrapping_add)
        })
    }

    /// Those since an earlier look.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        self.clone().with(earlier, u64::saturating_sub)
    }

    fn with(mut self, other: &Self, join: fn(u64, u64) -> u64) -> Self {
        let most = self.0.len().max(other.0.len());
        self.0.resize(most, 0);
        for (mine, other) in self.0.iter_mut().zip(&other.0) {
            *mine = join(*mine, *other);
        }
        self
    }

    /// How many.
    pub fn n(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time that a share of them do not exceed, milliseconds, within 4 %; absent where the tail
    /// beyond it holds less than one of them.
    pub fn at_share(&self, share: f64) -> Option<f64> {
        let n = self.n();
        if n == 0 || (n as f64) * (1.0 - share) < 1.0 {
            return None;
        }
        let rank = (n as f64 * share).ceil() as u64;
        let mut below = 0;
        let class = self.0.iter().position(|count| {
            below += count;
            below >= rank
        })? as u64;
        let (doubling, inside) = (class / TO_A_DOUBLING, class % TO_A_DOUBLING);
        let middle = (TO_A_DOUBLING + inside) as f64 + 0.5;
        let us = middle / TO_A_DOUBLING as f64 * (1_u64 << doubling) as f64;
        Some(us / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_known_within_four_percent() {
        for us in [1_u32, 2, 15, 16, 17, 999, 41_237, 3_600_000, u32::MAX] {
            let counters = Counters::default();
            for _ in 0..2 {
                counters.count(i64::from(us) * 1_000);
            }
            let ms = counters.read().at_share(0.5).expect("two times");
            let error = ms * 1e3 / f64::from(us) - 1.0;
            // Below 16 us a class is less than a microsecond wide.
            assert!(error.abs() < if us < 16 { 0.5 } else { 0.04 }, "{us}: {ms}");
        }
    }

    #[test]
    fn a_tail_of_nothing_has_no_time() {
        let counters = Counters::default();
        for ms in 1..=99 {
            counters.count(ms * 1_000_000);
        }
        let times = counters.read();
        assert_eq!(times.at_share(0.99), None);
        let p50 = times.at_share(0.5).expect("99 times");
        assert!((p50 / 50.0 - 1.0).abs() < 0.04, "{p50}");
        counters.count(100_000_000);
        let both = Times::all([times.clone(), counters.read()].into_iter());
        assert_eq!(both.n(), 199);
        assert_eq!(counters.read().since(&times).n(), 1);
        assert_eq!(Times::default().at_share(0.5), None);
    }
}
