//! What counts as a failure, and what failures do to a series.
//!
//! Invariant: a request is completed, failed or interrupted, and no two of them.

use infermeter_core::record::{Outcome, Reason};

/// Whether failed requests take part in a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failures {
    /// Completed requests only.
    Excluded,
    /// Each failure is +infinity, at its place in the schedule: failing never improves a p99.
    AsInfinity,
}

/// Whether a request counts as failed: it failed, timed out, or was still in flight when the
/// drain ended (measured requests get at least a whole time-out to end). Not failures: what a
/// signal of the user cancelled or kept from being sent.
pub(crate) fn has_failed(outcome: Outcome, reason: Option<Reason>) -> bool {
    match outcome {
        Outcome::Failed | Outcome::TimedOut => true,
        Outcome::Cancelled => !is_interrupted(outcome, reason),
        Outcome::Completed | Outcome::NotSent => false,
    }
}

/// Whether a signal, and not the server or the plan, ended this request.
pub(crate) fn is_interrupted(outcome: Outcome, reason: Option<Reason>) -> bool {
    match outcome {
        Outcome::NotSent => true,
        Outcome::Cancelled => reason == Some(Reason::Interrupted),
        Outcome::Completed | Outcome::Failed | Outcome::TimedOut => false,
    }
}
