//! Conservation: every scheduled request has exactly one record, and its instants are in order
//! (measurement.md, "Checked on every request").

mod scheduled;

use super::Check;
use crate::limits::STAMP_SLACK_NS;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::clock::Offset;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::record::Outcome;
use infermeter_core::run::RunState;
use infermeter_metrics::facts::RequestFacts;
use std::collections::{BTreeMap, BTreeSet};

/// Records that are missing, doubled, or contradict themselves.
pub const CONSERVATION: Check = Check {
    code: "conservation",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Error),
    limit: None,
    test: conservation,
};

fn conservation(run: &Run, _: &Summary) -> Option<Finding> {
    // What breach, how often, and the first request with it.
    let mut breaches: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    let mut add = |what, id| breaches.entry(what).or_insert((0, id)).0 += 1;
    let recovered = run.manifest.progress.as_ref().is_none_or(|p| p.recovered) || unwritten(run);
    let requests = &run.collected.requests;
    let form = AnswerForm::of(run);
    // Turns that were not reached leave gaps.
    let gaps = recovered || requests.iter().any(|r| r.turn.is_some());
    let ids: BTreeSet<u64> = requests
        .iter()
        .filter(|r| r.turn.is_some())
        .map(|r| r.id)
        .collect();
    let slice = run.manifest.schedule.map(|s| s.slice).unwrap_or_default();
    let mut expected = slice.in_whole(0);
    for record in requests {
        let in_sequence = record.id == expected || (gaps && record.id > expected);
        if !in_sequence {
            add("id out of sequence", record.id);
        }
        expected = record.id.saturating_add(slice.of().into());
        if !recovered && record.parent.is_some_and(|parent| !ids.contains(&parent)) {
            add("waited for a request without a record", record.id);
        }
        if let Some(what) = contradiction(record, form).or_else(|| of_another_phase(run, record)) {
            add(what, record.id);
        }
    }
    let scheduled = run.manifest.progress.as_ref().map(|p| p.scheduled);
    if !recovered && scheduled.is_some_and(|s| s != run.collected.requests.len() as u64) {
        add("records and scheduled requests differ in number", expected);
    }
    let against_schedule = match recovered {
        true => Vec::new(),
        false => scheduled::breaches(run),
    };
    let counted = breaches.iter();
    let list: Vec<String> = counted
        .map(|(what, (count, id))| format!("{what}: {count} (first: request {id})"))
        .chain(against_schedule)
        .collect();
    if list.is_empty() {
        return None;
    }
    Some(CONSERVATION.found(
        "Records contradict themselves or each other: the measurement is not to be trusted.",
        list.join("; ") + ".",
        "This is a defect of infermeter or of the record's file; please report it with the record.",
    ))
}

/// Records are missing because they could not be written, which is a finding of its own.
fn unwritten(run: &Run) -> bool {
    run.manifest
        .client_health
        .as_ref()
        .is_some_and(|h| h.recorder_error.is_some())
}

/// How answers come: only a stream shows when its tokens came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerForm {
    Stream,
    Whole,
}

impl AnswerForm {
    fn of(run: &Run) -> Self {
        match run.manifest.plan.streams() {
            true => Self::Stream,
            false => Self::Whole,
        }
    }
}

/// The first contradiction within one record.
fn contradiction(record: &RequestFacts, form: AnswerForm) -> Option<&'static str> {
    if record.outcome == Outcome::Completed {
        if record.send_start.is_none() || record.closed.is_none() {
            return Some("completed without send or end");
        }
        if form == AnswerForm::Stream && record.chunks.count == 0 && !record.is_empty_answer() {
            return Some("completed without a token");
        }
    }
    if form == AnswerForm::Whole && (record.chunks.count > 0 || record.finished.is_some()) {
        return Some("an answer that is not a stream has chunks");
    }
    if record.outcome == Outcome::NotSent && record.send_start.is_some() {
        return Some("sent and not sent");
    }
    if (record.outcome == Outcome::Completed) != record.reason.is_none() {
        return Some("outcome and reason contradict each other");
    }
    if record.outcome == Outcome::Completed && record.status.is_some_and(|s| s != 200) {
        return Some("completed with another status than 200");
    }
    if record.chunks.last.is_some() && record.finished != record.chunks.last {
        return Some("end of the answer other than its last token");
    }
    instants_out_of_order(record)
}

/// The phase is that of the intended instant. Of a run that was cut short the window is cut, too.
fn of_another_phase(run: &Run, record: &RequestFacts) -> Option<&'static str> {
    let interrupted = run.manifest.progress.as_ref().is_none_or(|p| p.interrupted);
    let whole = run.manifest.state == RunState::Finished && !interrupted;
    let window = run.manifest.window.filter(|_| whole)?;
    (record.phase != window.phase_at(record.intended))
        .then_some("phase other than that of the intended instant")
}

fn instants_out_of_order(record: &RequestFacts) -> Option<&'static str> {
    let after = |a: Option<Offset>, b: Option<Offset>, slack: i64| match (a, b) {
        (Some(a), Some(b)) => b.since(a) >= -slack,
        _ => true,
    };
    let (first, last) = (record.chunks.first, record.chunks.last);
    let slack = STAMP_SLACK_NS;
    if !after(Some(record.intended), record.send_start, 0) {
        return Some("sent before it was due");
    }
    if !after(record.send_start, record.sent, 0) {
        return Some("send ended before it began");
    }
    let answered = record.first_byte.or(first);
    if !after(record.send_start, answered, slack) {
        return Some("answer before the send");
    }
    if !after(record.first_byte, first, 0) {
        return Some("token before the first byte");
    }
    if record.chunks.out_of_order {
        return Some("tokens out of order");
    }
    if !after(last, record.closed, slack) {
        return Some("token after the end");
    }
    let above = record.chunks.lower_above;
    above.then_some("lower bound above the instant")
}
