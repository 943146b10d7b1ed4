//! A run whose server has other requests than the client's triggers exactly that finding.

use super::super::judge;
use crate::server::fixture::{inside, summary, watched};
use infermeter_core::environment::MetricsPlace;
use infermeter_core::finding::Finding;
use infermeter_core::server::ServerFigures;
use infermeter_metrics::fixture::Run;

/// Findings of a quiet run whose server says this, but the one that every small sample has.
fn found(says: impl Fn(i64, f64) -> ServerFigures) -> Vec<Finding> {
    let log = Run::steady(1_300, 20.0, 12).build();
    let run = watched(&log, says);
    let mut findings = judge(&run, &summary(&run, &log));
    findings.retain(|f| f.code != "percentile-needs-more");
    findings
}

#[track_caller]
fn check(says: impl Fn(i64, f64) -> ServerFigures, expect: &[(&str, &str)]) {
    let found = found(says);
    let codes: Vec<&str> = found.iter().map(|f| f.code.as_str()).collect();
    let expected: Vec<&str> = expect.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, expected);
    for (finding, (_, word)) in found.iter().zip(expect) {
        assert!(finding.message.contains(word), "{finding:?}");
    }
}

#[test]
fn a_server_with_other_requests() {
    check(|_, n| inside(n, 0.0), &[]);
    check(|_, n| inside(n + 1.0, 0.0), &[]);
    check(
        |_, n| inside(n + 4.0, 0.0),
        &[("littles-law-disagrees", "more requests")],
    );
}

#[test]
fn requests_that_queue_before_the_server() {
    // Of 3.4 in flight on average, one may be on its way.
    check(|_, n| inside(0.75 * n, 0.0), &[]);
    check(
        |_, n| inside(0.25 * n, 0.0),
        &[("littles-law-disagrees", "fewer requests")],
    );
}

#[test]
fn a_page_that_the_plan_names_and_nobody_answers() {
    let unread = |place: &str| {
        let mut log = Run::steady(1_300, 20.0, 12).build();
        log.manifest.plan.server_metrics = place.parse().expect("a place");
        log.manifest.environment.target.server_metrics = Some(MetricsPlace::NotAvailable {
            not_available: "status 404".to_owned(),
        });
        let (run, summary) = crate::summarize_log(&log);
        let mut findings = judge(&run, &summary);
        findings.retain(|f| f.code != "percentile-needs-more");
        findings
    };
    assert_eq!(unread("auto"), []);
    let [found] = &unread("http://server.example/metrics")[..] else {
        panic!("one finding");
    };
    assert_eq!(found.code, "server-metrics-unread");
    assert_eq!(found.evidence, "status 404.");
}
