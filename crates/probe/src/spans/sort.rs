//! Which of the spans that come are the run's, and how many are not.
//!
//! Keeps no times: those go on to the file. Invariant: every span is counted in exactly one place.

use super::names::of_length;
use super::wire::{Export, WireSpan};
use infermeter_core::request::RequestId;
use infermeter_core::spans::{RequestSpan, SpanId, SpanTally, TraceKey};
use std::collections::HashSet;

/// Most spans that one run keeps: two for each of a million requests.
const MAX_SPANS: usize = 2_000_000;

/// Sorts the spans of one run.
#[derive(Debug)]
pub(super) struct Sorter {
    traces: TraceKey,
    seen: HashSet<(RequestId, SpanId)>,
    requests: HashSet<RequestId>,
    tally: SpanTally,
    most: usize,
}

/// What became of a message.
#[derive(Debug)]
pub(super) struct Sorted {
    /// The run's spans that tell a time.
    pub kept: Vec<RequestSpan>,
    /// Spans that have no proper ids, or no room.
    pub rejected: u64,
}

impl Sorter {
    /// For the run of these traces.
    pub fn new(traces: TraceKey) -> Self {
        Self {
            traces,
            seen: HashSet::new(),
            requests: HashSet::new(),
            tally: SpanTally::default(),
            most: MAX_SPANS,
        }
    }

    /// Requests of which a span tells a time.
    pub fn requests(&self) -> u64 {
        self.requests.len() as u64
    }

    /// What came so far.
    pub fn tally(&self) -> SpanTally {
        debug_assert!(self.tally.is_conserved(), "{:?}", self.tally);
        self.tally
    }

    /// A message could not be read.
    pub fn refuse(&mut self) {
        self.tally.refused += 1;
    }

    /// Takes a message.
    pub fn sort(&mut self, export: Export) -> Sorted {
        let before = self.tally.malformed + self.tally.over_limit;
        self.tally.messages += 1;
        self.tally.spans += export.spans.len() as u64 + export.more;
        self.tally.over_limit += export.more;
        let spans = export.spans.into_iter();
        Sorted {
            kept: spans.filter_map(|span| self.place(span)).collect(),
            rejected: self.tally.malformed + self.tally.over_limit - before,
        }
    }

    /// Counts a span at its place.
    fn place(&mut self, mut span: WireSpan) -> Option<RequestSpan> {
        let tally = &mut self.tally;
        let (Some(trace), Some(id)) = (span.trace, span.span) else {
            tally.malformed += 1;
            return None;
        };
        let Some(request) = self.traces.request(trace) else {
            tally.foreign += 1;
            return None;
        };
        tally.bad_times += span.told.bad;
        if let (Some(time), Some(ns)) = (of_length(&span.name), span.lasted_ns) {
            span.told.times.put(time, ns);
        }
        if span.told.times.is_empty() {
            tally.silent += 1;
            return None;
        }
        if self.seen.contains(&(request, id)) {
            tally.repeated += 1;
            return None;
        }
        if self.seen.len() >= self.most {
            tally.over_limit += 1;
            return None;
        }
        self.seen.insert((request, id));
        self.requests.insert(request);
        tally.kept += 1;
        Some(RequestSpan {
            request,
            span: id,
            name: span.name,
            lasted_ns: span.lasted_ns,
            times: span.told.times,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::Told;
    use super::*;
    use infermeter_core::spans::SpanTime;

    fn span(trace: [u8; 16], id: u8) -> WireSpan {
        let mut told = Told::default();
        told.times.put(SpanTime::Queue, 5);
        WireSpan {
            trace: Some(trace),
            span: Some(SpanId([id; 8])),
            told,
            ..WireSpan::default()
        }
    }

    #[test]
    fn every_span_is_counted_in_one_place() {
        let (key, other) = (TraceKey::of_run("one"), TraceKey::of_run("two"));
        let own = |n| key.parent(n).trace;
        let mut sorter = Sorter::new(key);
        sorter.most = 3;
        let silent = WireSpan {
            told: Told::default(),
            ..span(own(1), 9)
        };
        let nameless = WireSpan {
            span: None,
            ..span(own(1), 9)
        };
        let export = Export {
            spans: vec![
                span(own(7), 1),
                span(own(7), 1),
                span(own(7), 2),
                span(own(8), 1),
                span(own(9), 1),
                span(other.parent(7).trace, 1),
                silent,
                nameless,
            ],
            more: 2,
        };
        let sorted = sorter.sort(export);
        sorter.refuse();
        let kept: Vec<_> = sorted
            .kept
            .iter()
            .map(|s| (s.request, s.span.0[0]))
            .collect();
        assert_eq!(kept, [(7, 1), (7, 2), (8, 1)]);
        let tally = sorter.tally();
        let expect = SpanTally {
            messages: 1,
            refused: 1,
            spans: 10,
            kept: 3,
            foreign: 1,
            silent: 1,
            repeated: 1,
            malformed: 1,
            over_limit: 3,
            bad_times: 0,
        };
        assert_eq!(tally, expect);
        assert!(tally.is_conserved());
        assert_eq!((sorted.rejected, sorter.requests()), (4, 2));
    }

    #[test]
    fn a_span_may_be_as_long_as_a_time() {
        let key = TraceKey::of_run("one");
        let stage = |name: &str, lasted_ns| WireSpan {
            name: name.to_owned(),
            lasted_ns,
            told: Told::default(),
            ..span(key.parent(7).trace, name.len() as u8)
        };
        let spans = vec![
            stage("prefill_waiting", Some(40)),
            stage("prefill_waiting ", None),
            stage("prefill_forward", Some(50)),
        ];
        let sorted = Sorter::new(key).sort(Export { spans, more: 0 });
        let queues: Vec<_> = sorted.kept.iter().map(|span| span.times.queue).collect();
        assert_eq!(queues, [Some(40)]);
    }
}
