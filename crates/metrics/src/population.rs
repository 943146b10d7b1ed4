//! Which requests a metric is about.

use crate::collect::Collected;
use crate::facts::RequestFacts;
use crate::window::is_interrupted;
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::request::ClassIndex;
use infermeter_core::schedule::Phase;

/// Requests of the measured phase in order of intended time (then id).
#[derive(Debug, Clone)]
pub struct Population<'a> {
    measured: Vec<&'a RequestFacts>,
    streaming: bool,
}

/// Whether failed requests take part in a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failures {
    /// Completed requests only.
    Excluded,
    /// Each failure is +infinity, at its place in the schedule: failing never improves a p99.
    AsInfinity,
}

impl<'a> Population<'a> {
    /// The measured requests of a run.
    pub fn of(run: &'a Collected) -> Self {
        let mut measured: Vec<&RequestFacts> = run
            .requests
            .iter()
            .filter(|r| r.phase == Phase::Measure)
            .collect();
        measured.sort_by_key(|r| (r.intended, r.id));
        Self {
            measured,
            streaming: run.streaming,
        }
    }

    /// Those of one workload class.
    pub fn class(&self, class: ClassIndex) -> Self {
        self.only(|r| r.class == class)
    }

    /// Those that `keep` keeps.
    pub fn only(&self, keep: impl Fn(&RequestFacts) -> bool) -> Self {
        Self {
            measured: self.records().filter(|r| keep(r)).collect(),
            streaming: self.streaming,
        }
    }

    /// Answers came as streams; otherwise only E2E and NTPOT exist.
    pub fn streaming(&self) -> bool {
        self.streaming
    }

    /// Number of measured requests, whatever their outcome.
    pub fn len(&self) -> usize {
        self.measured.len()
    }

    /// There is no measured request.
    pub fn is_empty(&self) -> bool {
        self.measured.is_empty()
    }

    /// Every measured request.
    pub fn records(&self) -> impl Iterator<Item = &'a RequestFacts> + '_ {
        self.measured.iter().copied()
    }

    /// The completed ones: the population of every latency.
    pub fn completed(&self) -> impl Iterator<Item = &'a RequestFacts> + '_ {
        self.records().filter(|r| r.outcome == Outcome::Completed)
    }

    /// The ones that were sent, whatever came of them.
    pub fn sent(&self) -> impl Iterator<Item = &'a RequestFacts> + '_ {
        self.records().filter(|r| r.send_start.is_some())
    }

    /// The ones that the server was asked for in earnest: all but those which a signal of the
    /// user ended or kept from being sent. Completed ones and [`is_failure`]s add up to these.
    pub fn judged(&self) -> impl Iterator<Item = &'a RequestFacts> + '_ {
        self.records()
            .filter(|r| !is_interrupted(r.outcome, r.reason))
    }
}

/// Whether a request counts as failed: it failed, timed out, or was still in flight when the
/// drain ended (measured requests get at least a whole time-out to end). Not failures: what a
/// signal of the user cancelled or kept from being sent.
pub fn is_failure(request: &RequestFacts) -> bool {
    has_failed(request.outcome, request.reason)
}

/// [`is_failure`] by outcome and reason.
pub(crate) fn has_failed(outcome: Outcome, reason: Option<Reason>) -> bool {
    match outcome {
        Outcome::Failed | Outcome::TimedOut => true,
        Outcome::Cancelled => !is_interrupted(outcome, reason),
        Outcome::Completed | Outcome::NotSent => false,
    }
}
