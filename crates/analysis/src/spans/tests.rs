//! Runs whose requests have spans that a test makes.

use super::{SpansGroup, SpansSummary};
use crate::run::Run;
use crate::summarize;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::run::RunLog;
use infermeter_core::spans::{RequestSpan, SpanId, SpanTally, SpanTimes, SpansReceived};
use infermeter_metrics::fixture::{self, ms};
use infermeter_metrics::origin::Origin;

/// What lies between the two sides in the spans made here, nanoseconds.
const NETWORK: i64 = 200_000;

/// The client's TTFT from the send, nanoseconds.
fn ttft(record: &RequestRecord) -> i64 {
    let sent = record.send_start.expect("sent");
    record.chunks[0].at.since(sent)
}

fn span(request: u64, id: u8, times: SpanTimes) -> RequestSpan {
    RequestSpan {
        request,
        span: SpanId([id; 8]),
        name: "llm_request".to_owned(),
        lasted_ns: None,
        times,
    }
}

/// A tenth in the queue, six tenths of prefill, the rest the first step.
fn engine(record: &RequestRecord) -> RequestSpan {
    let server = ttft(record) - NETWORK;
    let (queue, prefill) = (server / 10, server / 10 * 6);
    let times = SpanTimes {
        ttft: Some(server),
        queue: Some(queue),
        prefill: Some(prefill),
        first_step: Some(server - queue - prefill),
        ..SpanTimes::default()
    };
    span(record.id, 1, times)
}

/// A tally in which all came.
fn tally(spans: usize) -> SpanTally {
    SpanTally {
        messages: 1,
        spans: spans as u64,
        kept: spans as u64,
        ..SpanTally::default()
    }
}

/// The run with an engine's span for each completed request, changed one by one.
pub(crate) fn spanned(
    log: &RunLog,
    mut change: impl FnMut(usize, RequestSpan) -> Vec<RequestSpan>,
) -> Run {
    let completed = log
        .records
        .iter()
        .filter(|r| r.outcome == Outcome::Completed);
    let spans = completed
        .enumerate()
        .flat_map(|(n, r)| change(n, engine(r)));
    let spans: Vec<RequestSpan> = spans.collect();
    let mut run = Run::of(log);
    run.spans = Some(SpansReceived {
        tally: Some(tally(spans.len())),
        spans,
    });
    run
}

fn summary(
    log: &RunLog,
    change: impl FnMut(usize, RequestSpan) -> Vec<RequestSpan>,
) -> SpansSummary {
    let Ok(summary) = summarize(&spanned(log, change), log);
    summary.spans.expect("spans were received")
}

fn quiet() -> RunLog {
    fixture::Run::steady(1_300, 20.0, 12).build()
}

#[track_caller]
fn near(found: f64, expect: f64) {
    assert!((found - expect).abs() < 1e-6, "{found}, expected {expect}");
}

fn of_part(group: &SpansGroup, name: &str) -> f64 {
    let part = group.parts.iter().find(|part| part.part == name);
    part.expect("a part of this name").ms.value
}

#[test]
fn all_parts_by_hand() {
    let mut run = fixture::Run::open(1.0, 30);
    for i in 0..20 {
        // Sent 1 ms late; the first token 100 ms after the send.
        run.stream(i * 1_000, ms(100), ms(10), 5).late(ms(1));
    }
    let found = summary(&run.build(), |_, span| vec![span]);
    assert_eq!(
        (found.origin, found.requests, found.joined),
        (Origin::Intended, 20, 20)
    );
    let names = [
        "client",
        "network_and_front_end",
        "queue",
        "prefill",
        "first_step",
        "residual",
    ];
    assert_eq!(found.parts, names);
    let all = &found.groups[0];
    assert_eq!((&*all.by, all.n), ("all", 20));
    near(all.ttft_ms.value, 101.0);
    let expect = [1.0, 0.2, 9.98, 59.88, 29.94, 0.0];
    for (name, expect) in names.iter().zip(expect) {
        near(of_part(all, name), expect);
    }
    near(all.parts[3].share, 59.88 / 101.0);
    let residual = found.residual.expect("all parts are told");
    assert_eq!(residual.n, 20);
    assert!(residual.share_max < 1e-12);
}

#[test]
fn what_cannot_be_told_apart_is_one_part() {
    let check = |change: fn(&mut SpanTimes), expect: &[&str], has_residual: bool| {
        let found = summary(&quiet(), |_, mut span| {
            change(&mut span.times);
            vec![span]
        });
        assert_eq!(found.parts[2..], *expect);
        assert_eq!(found.residual.is_some(), has_residual);
        for group in &found.groups {
            let sum: f64 = group.parts.iter().map(|part| part.ms.value).sum();
            near(sum, group.ttft_ms.value);
        }
    };
    check(
        |times| times.first_step = None,
        &["queue", "prefill_and_first_step", "residual"],
        true,
    );
    check(
        |times| (times.queue, times.first_step) = (None, None),
        &["queue_prefill_and_first_step", "residual"],
        true,
    );
    check(
        |times| (times.prefill, times.first_step) = (None, None),
        &["queue", "server"],
        false,
    );
    check(
        |times| {
            *times = SpanTimes {
                ttft: times.ttft,
                ..SpanTimes::default()
            };
        },
        &["server"],
        false,
    );
}

#[test]
fn a_span_around_the_engines_is_the_front_ends() {
    let found = summary(&quiet(), |_, span| {
        let ttft = span.times.ttft.map(|ns| ns + 150_000);
        let around = SpanTimes {
            ttft,
            ..SpanTimes::default()
        };
        vec![super::tests::span(span.request, 2, around), span]
    });
    assert_eq!(found.parts[..3], ["client", "network", "front_end"]);
    near(of_part(&found.groups[0], "network"), 0.05);
    near(of_part(&found.groups[0], "front_end"), 0.15);
    assert_eq!(found.impossible, 0);
}

#[test]
fn requests_without_their_span_are_counted_and_left_out() {
    let found = summary(&quiet(), |n, mut own| match n % 10 {
        0 => Vec::new(),
        1 => vec![own.clone(), super::tests::span(own.request, 2, own.times)],
        2 => {
            own.times.queue = None;
            vec![own]
        }
        _ => vec![own],
    });
    // The 60 requests of the warm-up come first, and the window's 1,300 begin at a ten.
    assert_eq!((found.requests, found.joined), (1_300, 910));
    assert_eq!(
        (found.missing, found.ambiguous, found.unlike),
        (130, 130, 130)
    );
    assert_eq!(found.groups[0].n, 910);
}

#[test]
fn groups_are_by_class_load_and_place_among_the_ttfts() {
    let mut run = fixture::Run::steady(1_300, 20.0, 12);
    run.manifest().classes = vec!["short".to_owned(), "long".to_owned()];
    for record in run.records().iter_mut().step_by(4) {
        record.class = 1;
    }
    let log = run.build();
    let found = summary(&log, |_, span| vec![span]);
    let by = |by: &str| -> Vec<&SpansGroup> {
        found.groups.iter().filter(|group| group.by == by).collect()
    };
    let labels: Vec<&str> = by("class").iter().map(|g| &*g.label).collect();
    assert_eq!(labels, ["short", "long"]);
    let n = |groups: Vec<&SpansGroup>| groups.iter().map(|g| g.n).sum::<u64>();
    assert_eq!(
        (n(by("class")), n(by("in_flight")), n(by("ttft"))),
        (1_300, 1_300, 1_300)
    );
    let bands = by("ttft");
    let labels: Vec<&str> = bands.iter().map(|g| &*g.label).collect();
    assert_eq!(
        labels,
        ["up to p50", "p50 to p90", "p90 to p99", "above p99"]
    );
    assert!(bands.is_sorted_by(|a, b| a.ttft_ms.value < b.ttft_ms.value));
    // The parts have intervals where there are requests enough.
    assert!(
        found.groups[0]
            .parts
            .iter()
            .all(|part| part.ms.low.is_some())
    );
}

#[test]
fn a_residual_is_what_the_parts_leave() {
    let found = summary(&quiet(), |n, mut span| {
        let prefill = span.times.prefill.as_mut().expect("told");
        // Of every other request a tenth of its prefill is not told.
        *prefill -= if n % 2 == 0 { *prefill / 10 } else { 0 };
        vec![span]
    });
    let residual = found.residual.expect("both are told");
    assert!(
        (residual.share_max - 0.06).abs() < 1e-3,
        "{}",
        residual.share_max
    );
    assert!(of_part(&found.groups[0], "residual") > 0.0);
}

#[test]
fn without_spans_there_is_nothing() {
    let log = quiet();
    let Ok(summary) = summarize(&Run::of(&log), &log);
    assert_eq!(summary.spans, None);
}

#[test]
fn spans_of_stages_are_joined_with_that_of_their_engine() {
    // As SGLang sends them: the root's prefill begins before the queue, which is a span of its own.
    let found = summary(&quiet(), |_, mut root| {
        let SpanTimes { queue, prefill, .. } = root.times;
        let (queue, prefill) = (queue.expect("told"), prefill.expect("told"));
        root.times.queue = None;
        root.times.first_step = None;
        root.times.prefill = Some(queue + prefill);
        let stage = SpanTimes {
            queue: Some(queue),
            ..SpanTimes::default()
        };
        vec![super::tests::span(root.request, 2, stage), root]
    });
    let expect = ["queue", "prefill_and_first_step", "residual"];
    assert_eq!(
        (&found.parts[2..], found.ambiguous),
        (expect.map(Into::into).as_slice(), 0)
    );
    let all = &found.groups[0];
    near(
        of_part(all, "prefill_and_first_step") / of_part(all, "queue"),
        6.0,
    );
}
