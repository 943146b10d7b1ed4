//! Conservation: every scheduled request has exactly one record, and its instants are in order
//! (measurement.md, "Checked on every request"). Of several clients it holds for each, and for all together.

mod party;
mod scheduled;

use super::Check;
use crate::limits::STAMP_SLACK_NS;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::clock::Offset;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::record::Outcome;
use infermeter_core::schedule::Slice;
use infermeter_metrics::facts::RequestFacts;
use party::{Party, Sequence};
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
    let parties = Party::all(run);
    let form = AnswerForm::of(run);
    let mut list = Vec::new();
    for (number, party) in parties.iter().enumerate() {
        let mut breaches = Breaches::default();
        in_sequence(party, &mut breaches);
        // Each row is in the whole, and looked at once.
        if number == 0 {
            alone(run, party, form, &mut breaches);
        }
        phases(party, &mut breaches);
        let of_party = breaches.listed().into_iter().chain(counts(party));
        list.extend(of_party.map(|breach| format!("{}{breach}", party.name)));
    }
    list.extend(strangers(&parties));
    if list.is_empty() {
        return None;
    }
    Some(CONSERVATION.found(
        "Records contradict themselves or each other: the measurement is not to be trusted.",
        list.join("; ") + ".",
        "This is a defect of infermeter or of the record's file; please report it with the record.",
    ))
}

/// What breach, how often, and the first request with it.
#[derive(Default)]
struct Breaches(BTreeMap<&'static str, (u64, u64)>);

impl Breaches {
    fn add(&mut self, what: &'static str, id: u64) {
        self.0.entry(what).or_insert((0, id)).0 += 1;
    }

    fn listed(&self) -> Vec<String> {
        let each = self.0.iter();
        each.map(|(what, (count, id))| format!("{what}: {count} (first: request {id})"))
            .collect()
    }
}

/// Ids follow one another.
fn in_sequence(party: &Party<'_>, breaches: &mut Breaches) {
    // Turns that were not reached leave gaps.
    let turns = party.requests.iter().any(|r| r.turn.is_some());
    let gaps = party.may_lack_rows() || turns || party.sequence == Sequence::Upwards;
    let slice = match party.sequence {
        Sequence::Every(slice) => slice,
        Sequence::Upwards => Slice::WHOLE,
    };
    let mut last: Option<u64> = None;
    for record in &party.requests {
        let expected = last.map_or(slice.in_whole(0), |last| {
            last.saturating_add(slice.of().into())
        });
        let follows = match last {
            Some(last) if gaps => record.id > last,
            None if gaps => true,
            _ => record.id == expected,
        };
        if !follows {
            breaches.add("id out of sequence", record.id);
        }
        last = Some(record.id);
    }
}

/// Rows and what they say of themselves.
fn alone(run: &Run, party: &Party<'_>, form: AnswerForm, breaches: &mut Breaches) {
    let ids: BTreeSet<u64> = party
        .requests
        .iter()
        .filter(|r| r.turn.is_some())
        .map(|r| r.id)
        .collect();
    let complete = !party.may_lack_rows() && crate::ranks::has_all_parts(&run.manifest);
    for record in &party.requests {
        if complete && record.parent.is_some_and(|parent| !ids.contains(&parent)) {
            breaches.add("waited for a request without a record", record.id);
        }
        if let Some(what) = contradiction(record, form) {
            breaches.add(what, record.id);
        }
    }
}

/// The phase is that of the intended instant. Of a run that was cut short the window is cut, too.
fn phases(party: &Party<'_>, breaches: &mut Breaches) {
    let Some(window) = party.window.filter(|_| party.is_whole) else {
        return;
    };
    for record in &party.requests {
        if record.phase != window.phase_at(record.intended) {
            breaches.add("phase other than that of the intended instant", record.id);
        }
    }
}

/// How many rows there are, against what was counted and planned.
fn counts(party: &Party<'_>) -> Vec<String> {
    if party.may_lack_rows() {
        return Vec::new();
    }
    let on_record = party.requests.len() as u64;
    let scheduled = party.progress.map(|p| p.scheduled);
    let differ = scheduled.filter(|scheduled| *scheduled != on_record);
    let differ = differ.map(|scheduled| {
        format!("records and scheduled requests differ in number: {on_record} and {scheduled}")
    });
    differ
        .into_iter()
        .chain(scheduled::breaches(party))
        .collect()
}

/// Rows of clients that the run does not have.
fn strangers(parties: &[Party<'_>]) -> Option<String> {
    let of_clients: usize = parties[1..].iter().map(|party| party.requests.len()).sum();
    let all = parties[0].requests.len();
    let strange = all.saturating_sub(of_clients);
    (parties.len() > 1 && strange > 0)
        .then(|| format!("{strange} rows are of no client of the run"))
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

#[cfg(test)]
mod tests;
