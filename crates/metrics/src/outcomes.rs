//! How requests ended: counts by outcome and by reason.

use infermeter_core::record::{Outcome, Reason, RequestRecord};
use serde::Serialize;
use std::collections::BTreeMap;

/// Requests by outcome. Conservation: `total` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
pub fn outcome_counts<'a>(records: impl Iterator<Item = &'a RequestRecord>) -> OutcomeCounts {
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

/// Counts by reason and status, the most frequent first.
pub fn reason_counts<'a>(records: impl Iterator<Item = &'a RequestRecord>) -> Vec<ReasonCount> {
    let mut counts: BTreeMap<(Outcome, Reason, Option<u16>), (u64, &str)> = BTreeMap::new();
    for record in records {
        if let Some(error) = &record.error {
            let key = (record.outcome, error.reason, record.status);
            counts.entry(key).or_insert((0, &error.text)).0 += 1;
        }
    }
    let mut list: Vec<ReasonCount> = counts
        .into_iter()
        .map(
            |((outcome, reason, status), (count, example))| ReasonCount {
                outcome,
                reason,
                status,
                count,
                example: example.to_owned(),
            },
        )
        .collect();
    list.sort_by_key(|r| std::cmp::Reverse(r.count));
    list
}

#[cfg(test)]
mod tests {
    use super::{OutcomeCounts, outcome_counts, reason_counts};
    use crate::fixture::{Run, ms};
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
        assert_eq!(outcome_counts(log.records.iter()), expect);
        let reasons = reason_counts(log.records.iter());
        let first = (reasons[0].reason, reasons[0].status, reasons[0].count);
        assert_eq!(first, (Reason::HttpStatus, Some(500), 2));
        assert_eq!(reasons.iter().map(|r| r.count).sum::<u64>(), 6);
    }
}
