//! Which requests a metric is about.

use crate::collect::Collected;
use crate::facts::RequestFacts;
pub use crate::failures::Failures;
use crate::failures::{has_failed, is_interrupted};
use infermeter_core::record::Outcome;
use infermeter_core::request::ClassIndex;
use infermeter_core::schedule::Phase;

/// Requests of the measured phase in order of intended time (then id).
#[derive(Debug, Clone)]
pub struct Population<'a> {
    measured: Vec<&'a RequestFacts>,
    streaming: bool,
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

/// Whether a request counts as failed, as opposed to completed or given up by the user.
pub fn is_failure(request: &RequestFacts) -> bool {
    has_failed(request.outcome, request.reason)
}
