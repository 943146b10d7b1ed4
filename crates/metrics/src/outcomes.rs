//! How requests ended: counts by outcome and by reason.

use crate::facts::RequestFacts;
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use infermeter_core::request::RequestId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Requests by outcome. Conservation: `total` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeCounts {
    /// All of them.
    pub total: u64,
    /// Answered to the end, with at least one token.
    pub completed: u64,
    /// Ended otherwise.
    pub failed: u64,
    /// Ended by a time-out of the plan.
    pub timed_out: u64,
    /// Ended by us: at the drain's end or at an interrupt.
    pub cancelled: u64,
    /// Scheduled, never sent.
    pub not_sent: u64,
}

/// Requests that did not complete for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonCount {
    /// How they ended.
    pub outcome: Outcome,
    /// The reason code.
    pub reason: Reason,
    /// The HTTP status, where one came.
    pub status: Option<u16>,
    /// How many.
    pub count: u64,
    /// The detail of the first of them, inert.
    pub example: String,
}

/// Counts by outcome.
pub fn outcome_counts<'a>(records: impl Iterator<Item = &'a RequestFacts>) -> OutcomeCounts {
    let mut counts = OutcomeCounts::default();
    for record in records {
        counts.total += 1;
        *match record.outcome {
            Outcome::Completed => &mut counts.completed,
            Outcome::Failed => &mut counts.failed,
            Outcome::TimedOut => &mut counts.timed_out,
            Outcome::Cancelled => &mut counts.cancelled,
            Outcome::NotSent => &mut counts.not_sent,
        } += 1;
    }
    counts
}

/// Counts by outcome, reason and status, with the first request of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons(BTreeMap<ReasonKey, Reasoned>);

type ReasonKey = (Outcome, Reason, Option<u16>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Reasoned {
    count: u64,
    first: (Offset, RequestId),
    example: String,
}

impl Reasons {
    /// Counts a request that did not complete.
    pub(crate) fn add(&mut self, record: &RequestRecord) {
        let Some(error) = &record.error else { return };
        let key = (record.outcome, error.reason, record.status);
        let first = (record.intended, record.id);
        match self.0.get_mut(&key) {
            Some(known) if known.first < first => known.count += 1,
            known => {
                let count = 1 + known.map_or(0, |k| k.count);
                let example = error.text.clone();
                let counted = Reasoned {
                    count,
                    first,
                    example,
                };
                self.0.insert(key, counted);
            }
        }
    }

    /// Adds the counts of others.
    pub(crate) fn merge(&mut self, other: Self) {
        for (key, theirs) in other.0 {
            match self.0.get_mut(&key) {
                Some(own) if own.first < theirs.first => own.count += theirs.count,
                own => {
                    let count = theirs.count + own.map_or(0, |k| k.count);
                    self.0.insert(key, Reasoned { count, ..theirs });
                }
            }
        }
    }

    /// The most frequent reason first.
    pub fn list(&self) -> Vec<ReasonCount> {
        let counted = self.0.iter();
        let mut list: Vec<ReasonCount> = counted
            .map(|((outcome, reason, status), counted)| ReasonCount {
                outcome: *outcome,
                reason: *reason,
                status: *status,
                count: counted.count,
                example: counted.example.clone(),
            })
            .collect();
        list.sort_by_key(|r| std::cmp::Reverse(r.count));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::{OutcomeCounts, outcome_counts};
    use crate::fixture::{Run, facts, ms};
    use infermeter_core::record::Reason;

    #[test]
    fn outcomes_add_up() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 3);
        run.failed(100, Reason::ConnectFailed);
        run.failed(200, Reason::HttpStatus);
        run.failed(300, Reason::HttpStatus);
        run.timed_out(400);
        run.drained(500);
        run.not_sent(600);
        let log = run.build();
        let expect = OutcomeCounts {
            total: 7,
            completed: 1,
            failed: 3,
            timed_out: 1,
            cancelled: 1,
            not_sent: 1,
        };
        let run = facts(&log);
        assert_eq!(outcome_counts(run.requests.iter()), expect);
        let reasons = run.reasons.list();
        let first = (reasons[0].reason, reasons[0].status, reasons[0].count);
        assert_eq!(first, (Reason::HttpStatus, Some(500), 2));
        assert_eq!(reasons.iter().map(|r| r.count).sum::<u64>(), 6);
    }
}
