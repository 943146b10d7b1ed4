//! Snapshots for a progress display, read from the workers' live figures.

use infermeter_client::live::Live;
use infermeter_core::clock::Offset;
use infermeter_core::schedule::Phase;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One look at a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Time since the run's origin.
    pub elapsed: Offset,
    /// Present phase of the load.
    pub phase: Phase,
    /// A signal has ended sending.
    pub stopping: bool,
    /// Requests sent.
    pub sent: u64,
    /// Requests sent and not ended.
    pub in_flight: u64,
    /// Requests ended well.
    pub done: u64,
    /// Requests ended otherwise.
    pub failed: u64,
    /// Chunks received so far.
    pub chunks: u64,
    /// Median of recent TTFTs from send, milliseconds.
    pub ttft_p50_ms: Option<f64>,
}

/// Takes a snapshot.
pub(crate) fn snapshot(
    workers: &[Arc<Live>],
    elapsed: Offset,
    phase: Phase,
    stopping: bool,
) -> Snapshot {
    let sum = |f: fn(&Live) -> u64| workers.iter().map(|w| f(w)).sum::<u64>();
    let sent = sum(|w| w.sent.load(Ordering::Relaxed));
    let ended = sum(|w| w.ended.load(Ordering::Relaxed));
    let failed = sum(|w| w.failed.load(Ordering::Relaxed));
    let mut ttft: Vec<u32> = workers.iter().flat_map(|w| w.recent_ttft_us()).collect();
    ttft.sort_unstable();
    Snapshot {
        elapsed,
        phase,
        stopping,
        sent,
        in_flight: sent.saturating_sub(ended),
        done: ended.saturating_sub(failed),
        failed,
        chunks: sum(|w| w.chunks.load(Ordering::Relaxed)),
        ttft_p50_ms: ttft.get(ttft.len() / 2).map(|us| f64::from(*us) / 1e3),
    }
}
