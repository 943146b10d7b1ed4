//! Some requests, instant by instant: the slowest, and beside them an even sample.
//!
//! Invariant: which ones are picked depends on the record alone; a failed request has the same chance in the
//! even sample as any other.

use super::Timed;
use crate::limits::{SERIES_BARS, SERIES_SLOWEST};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::request::{ClassIndex, RequestId};
use infermeter_core::schedule::Phase;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::series::pass::{Between, Ends};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Why a request is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Picked {
    /// It is one of those that took longest.
    Slowest,
    /// It has its place in the even sample.
    Even,
}

/// An instant as it was seen, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Stamp {
    /// The stamp.
    pub at_s: f64,
    /// The earliest that it can have been.
    pub least_s: f64,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RequestBar {
    /// Its id.
    pub id: RequestId,
    /// Its class.
    pub class: ClassIndex,
    /// Why it is here.
    pub picked: Picked,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When it was due, seconds.
    pub due_s: f64,
    /// When it was sent.
    pub sent_s: Option<f64>,
    /// When its connection was up; absent where it used one that was.
    pub connected_s: Option<f64>,
    /// Its first chunk.
    pub first: Option<Stamp>,
    /// Its last chunk.
    pub last: Option<Stamp>,
    /// When it was over.
    pub closed_s: Option<f64>,
}

/// The requests that are shown.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Requests {
    /// Measured requests from which they are.
    pub of: u64,
    /// In order of their due instants.
    pub bars: Vec<RequestBar>,
}

/// Places of the picked requests among the run's, in order of their due instants.
pub(super) struct Pick {
    of: u64,
    places: Vec<(usize, Picked)>,
    ids: Vec<RequestId>,
}

/// Picks from the measured requests.
pub(super) fn pick(timed: &Timed<'_>) -> Pick {
    let requests = &timed.run.collected.requests;
    let measured = requests.iter().enumerate();
    let mut measured: Vec<usize> = measured
        .filter(|(_, r)| r.phase == Phase::Measure)
        .map(|(place, _)| place)
        .collect();
    measured.sort_by_key(|place| (requests[*place].intended, requests[*place].id));
    let mut places: BTreeMap<usize, Picked> = even(&measured, SERIES_BARS - SERIES_SLOWEST)
        .map(|place| (place, Picked::Even))
        .collect();
    let slow = slowest(timed, &measured).into_iter();
    places.extend(slow.map(|place| (place, Picked::Slowest)));
    let mut places: Vec<(usize, Picked)> = places.into_iter().collect();
    places.sort_by_key(|(place, _)| (requests[*place].intended, requests[*place].id));
    let mut ids: Vec<RequestId> = places.iter().map(|(p, _)| requests[*p].id).collect();
    ids.sort_unstable();
    Pick {
        of: measured.len() as u64,
        places,
        ids,
    }
}

/// At most `most` of all, evenly spread.
fn even(all: &[usize], most: usize) -> impl Iterator<Item = usize> {
    let n = all.len().min(most);
    (0..n).map(move |i| all[i * all.len() / n])
}

/// Those that took longest from their origin to their last token, of the completed ones.
fn slowest(timed: &Timed<'_>, measured: &[usize]) -> Vec<usize> {
    let requests = &timed.run.collected.requests;
    let took = |place: &usize| {
        let request: &RequestFacts = &requests[*place];
        let completed = request.outcome == Outcome::Completed;
        let took = RequestMetric::E2e.value_ms(request, timed.origin);
        Some((took.filter(|_| completed)?, *place))
    };
    let mut all: Vec<(f64, usize)> = measured.iter().filter_map(took).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all.truncate(SERIES_SLOWEST);
    all.into_iter().map(|(_, place)| place).collect()
}

impl Pick {
    /// Their ids, ascending.
    pub(super) fn ids(&self) -> Vec<RequestId> {
        self.ids.clone()
    }

    pub(super) fn bars(&self, timed: &Timed<'_>, ends: &BTreeMap<RequestId, Ends>) -> Requests {
        let places = self.places.iter();
        let bars = places.map(|(place, picked)| {
            let request = &timed.run.collected.requests[*place];
            bar(timed, request, *picked, ends.get(&request.id))
        });
        Requests {
            of: self.of,
            bars: bars.collect(),
        }
    }
}

fn bar(timed: &Timed<'_>, r: &RequestFacts, picked: Picked, ends: Option<&Ends>) -> RequestBar {
    let seconds = |at: Option<Offset>| at.map(|at| timed.seconds(at));
    let stamp = |between: Between| Stamp {
        at_s: timed.seconds(between.high),
        least_s: timed.seconds(between.low),
    };
    RequestBar {
        id: r.id,
        class: r.class,
        picked,
        outcome: r.outcome,
        reason: r.reason,
        due_s: timed.seconds(r.intended),
        sent_s: seconds(r.send_start),
        connected_s: seconds(r.tls_done.or(r.connected)),
        first: ends.map(|ends| stamp(ends.first)),
        last: ends.map(|ends| stamp(ends.last)),
        closed_s: seconds(r.closed),
    }
}
