//! What the threads of a run share: a few atomics, no lock.

use infermeter_core::clock::Clock;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// How far a run has been told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Stop {
    /// Go on.
    No = 0,
    /// No new sends; requests in flight finish.
    Sending = 1,
    /// End at once.
    Everything = 2,
    /// The run does not begin: no request of it gets a record.
    Unbegun = 3,
}

/// Shared state of a run.
#[derive(Debug)]
pub(crate) struct Shared {
    stop: AtomicU8,
    /// Workers whose connections are open (or have failed to).
    pub(crate) ready: AtomicUsize,
    /// Workers that have ended.
    pub(crate) ended: AtomicUsize,
    /// Set once, when all are ready: the run begins at its origin.
    pub(crate) clock: OnceLock<Clock>,
    /// Open loop: measured requests without a record, those included that wait for an answer and
    /// will be due inside the window. Closed loop: measured requests in flight.
    pub(crate) measured_open: AtomicI64,
    /// Workers that have read everything that arrived inside the window.
    pub(crate) settled: AtomicUsize,
    /// Closed loop with sessions: requests sent so far.
    pub(crate) sequence: AtomicU64,
    /// Closed loop: number of the first measured request, in order of sending.
    pub(crate) measure_from: AtomicU64,
    /// Closed loop: start of the window, offset.
    pub(crate) window_start: AtomicI64,
    /// Closed loop: end of the window, offset.
    pub(crate) window_end: AtomicI64,
}

impl Shared {
    pub(crate) fn new(measured: i64) -> Self {
        Self {
            stop: AtomicU8::new(0),
            ready: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            clock: OnceLock::new(),
            measured_open: AtomicI64::new(measured),
            settled: AtomicUsize::new(0),
            sequence: AtomicU64::new(0),
            measure_from: AtomicU64::new(u64::MAX),
            window_start: AtomicI64::new(i64::MAX),
            window_end: AtomicI64::new(i64::MAX),
        }
    }

    pub(crate) fn stop(&self) -> Stop {
        match self.stop.load(Ordering::Relaxed) {
            0 => Stop::No,
            1 => Stop::Sending,
            2 => Stop::Everything,
            _ => Stop::Unbegun,
        }
    }

    /// A worker has ended; one that could not go on takes the others with it.
    pub(crate) fn note_end(&self, failed: bool) {
        if failed {
            self.ready.fetch_add(1, Ordering::AcqRel);
            self.set_stop(Stop::Everything);
        }
        self.ended.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn set_stop(&self, stop: Stop) {
        self.stop.fetch_max(stop as u8, Ordering::Relaxed);
    }
}
