//! What a front end is told while something is measured.
//!
//! This crate prints nothing. Invariant: an observer is called from the thread that measures, never from a
//! worker, and nothing waits on what it does but that thread.

use infermeter_runner::progress::Snapshot;

/// Who watches a measurement.
pub trait Observer {
    /// Something that a person who waits should know.
    fn note(&self, line: &str);

    /// How the load goes, several times a second.
    fn progress(&self, snapshot: &Snapshot);

    /// The load has ended.
    fn progress_ended(&self);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn note(&self, _: &str) {}
    fn progress(&self, _: &Snapshot) {}
    fn progress_ended(&self) {}
}
