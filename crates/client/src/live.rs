//! Figures for the progress display: relaxed atomics written by one worker, read by whoever
//! draws. Never an input to a result.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many recent TTFTs are kept.
pub(crate) const RECENT: usize = 128;

/// One worker's live figures.
#[derive(Debug)]
pub struct Live {
    /// Requests sent.
    pub sent: AtomicU64,
    /// Requests with a record.
    pub ended: AtomicU64,
    /// Of those, neither completed nor cancelled.
    pub failed: AtomicU64,
    /// Chunks received.
    pub chunks: AtomicU64,
    /// TTFT from send of recent requests, microseconds; 0 is unused.
    recent_ttft_us: [AtomicU32; RECENT],
    next: AtomicU32,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            sent: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            chunks: AtomicU64::new(0),
            recent_ttft_us: std::array::from_fn(|_| AtomicU32::new(0)),
            next: AtomicU32::new(0),
        }
    }
}

impl Live {
    /// Adds to a counter that only the calling thread writes.
    pub(crate) fn bump(counter: &AtomicU64, by: u64) {
        counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
    }

    pub(crate) fn push_ttft(&self, ns: i64) {
        let at = self.next.load(Ordering::Relaxed);
        let us = u32::try_from(ns / 1_000).unwrap_or(u32::MAX).max(1);
        self.recent_ttft_us[at as usize % RECENT].store(us, Ordering::Relaxed);
        self.next.store(at.wrapping_add(1), Ordering::Relaxed);
    }

    /// Recent TTFTs from send, microseconds, in no order.
    pub fn recent_ttft_us(&self) -> impl Iterator<Item = u32> + '_ {
        self.recent_ttft_us
            .iter()
            .map(|us| us.load(Ordering::Relaxed))
            .filter(|us| *us > 0)
    }
}
