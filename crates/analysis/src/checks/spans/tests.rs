//! A run whose spans say something triggers exactly that finding.

use super::super::judge;
use crate::run::Run;
use crate::spans::tests::spanned;
use crate::summarize;
use infermeter_core::finding::Severity;
use infermeter_core::run::RunLog;
use infermeter_core::spans::{RequestSpan, SpanTally};
use infermeter_metrics::fixture;

fn quiet() -> RunLog {
    fixture::Run::steady(1_300, 20.0, 12).build()
}

#[track_caller]
fn check_run(run: &Run, log: &RunLog, expect: &[(Severity, &str, &str)]) {
    let Ok(summary) = summarize(run, log);
    let mut found = judge(run, &summary);
    found.retain(|f| f.code != "percentile-needs-more");
    let said: Vec<_> = found
        .iter()
        .map(|f| (f.severity, &*f.code, &*f.evidence))
        .collect();
    assert_eq!(said.len(), expect.len(), "{said:?}");
    for ((severity, code, evidence), expect) in said.iter().zip(expect) {
        assert_eq!((*severity, *code), (expect.0, expect.1));
        assert!(evidence.contains(expect.2), "{evidence}");
    }
}

#[track_caller]
fn check(
    change: impl FnMut(usize, RequestSpan) -> Vec<RequestSpan>,
    expect: &[(Severity, &str, &str)],
) {
    let log = quiet();
    check_run(&spanned(&log, change), &log, expect);
}

#[track_caller]
fn check_tally(change: fn(&mut SpanTally), expect: &[(Severity, &str, &str)]) {
    let log = quiet();
    let mut run = spanned(&log, |_, span| vec![span]);
    let spans = run.spans.as_mut().expect("received");
    change(spans.tally.as_mut().expect("counted"));
    check_run(&run, &log, expect);
}

#[test]
fn nothing_is_found_where_all_spans_came() {
    check(|_, span| vec![span], &[]);
}

#[test]
fn a_few_missing_are_a_note_and_many_a_warning() {
    let some = |nth: usize| {
        move |n: usize, span: RequestSpan| {
            if n.is_multiple_of(nth) {
                vec![]
            } else {
                vec![span]
            }
        }
    };
    check(
        some(100),
        &[(
            Severity::Note,
            "spans-missing",
            "13 of 1,300 requests without",
        )],
    );
    check(
        some(10),
        &[(
            Severity::Warning,
            "spans-missing",
            "130 of 1,300 requests without",
        )],
    );
    let none = (
        Severity::Warning,
        "spans-missing",
        "1,300 of 1,300 requests",
    );
    check(|_, _| vec![], &[none]);
}

#[test]
fn repeated_and_malformed_ones() {
    check_tally(
        |tally| (tally.spans, tally.repeated) = (1_364, 4),
        &[(Severity::Note, "spans-repeated", "4 of 1,364 spans")],
    );
    check_tally(
        |tally| tally.refused = 2,
        &[(
            Severity::Note,
            "spans-malformed",
            "messages that are no OTLP: 2.",
        )],
    );
    check_tally(
        |tally| tally.bad_times = 1,
        &[(Severity::Note, "spans-malformed", "times that are none: 1.")],
    );
}

#[test]
fn a_residual_beyond_the_limit() {
    let less = |percent: i64| {
        move |_: usize, mut span: RequestSpan| {
            let ttft = span.times.ttft.expect("told");
            span.times.prefill = span.times.prefill.map(|ns| ns - ttft * percent / 1_000);
            vec![span]
        }
    };
    check(less(9), &[]);
    check(
        less(20),
        &[(Severity::Note, "spans-residual", "2.0 % apart at p99")],
    );
}

#[test]
fn a_server_that_takes_longer_than_its_client_waits() {
    let longer = |nth: usize| {
        move |n: usize, mut span: RequestSpan| {
            if n.is_multiple_of(nth) {
                let more = |ns: i64| ns + 1_000_000;
                span.times.ttft = span.times.ttft.map(more);
                span.times.first_step = span.times.first_step.map(more);
            }
            vec![span]
        }
    };
    check(longer(200), &[]);
    check(
        longer(20),
        &[(Severity::Warning, "spans-disagree", "65 of 1,300")],
    );
}
