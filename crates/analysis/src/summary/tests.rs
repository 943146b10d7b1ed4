//! A summary is read back as it was written.

use super::*;
use infermeter_core::environment::{MetricsPlace, PrefixCounters, PrefixCountersOfRun};
use infermeter_core::record::Reason;
use infermeter_core::request::ClassIndex;
use infermeter_metrics::fixture::Run as Fixture;

/// Writes a fabricated run's summary, reads it, and writes it again.
#[track_caller]
fn check(run: Fixture) {
    let mut log = run.build();
    let (_, summary) = summarize_log(&log);
    let text = serde_json::to_string(&summary).expect("JSON");
    log.manifest.summary = serde_json::from_str(&text).expect("JSON");
    let text_of_manifest = serde_json::to_string(&log.manifest).expect("JSON");
    let manifest: RunManifest = serde_json::from_str(&text_of_manifest).expect("a manifest");
    let read = Summary::read(&manifest).expect("a summary").expect("there");
    assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
}

#[test]
fn open_loops() {
    check(Fixture::steady(1_300, 20.0, 50));
    let mut failing = Fixture::steady(1_300, 20.0, 12);
    for at in 0..400 {
        failing.failed(12_000 + 100 * at, Reason::Disconnected);
        failing.timed_out(12_050 + 100 * at);
    }
    failing.manifest().plan.slo = ["ttft.p99<500ms", "e2e.p50<1s", "tpot.p95<30ms"]
        .map(|slo| slo.parse().expect("an objective"))
        .to_vec();
    failing.manifest().plan.percentile = vec!["p12.5".to_owned(), "p99.99".to_owned()];
    failing.manifest().plan.gpus = Some(3);
    check(failing);
}

#[test]
fn closed_loops_and_runs_without_anything() {
    check(Fixture::closed(4, 30));
    check(Fixture::open(5.0, 10));
    let mut interrupted = Fixture::open(5.0, 10);
    interrupted.manifest().window = None;
    check(interrupted);
}

#[test]
fn what_the_server_and_the_user_say() {
    let mut run = Fixture::steady(1_300, 20.0, 12);
    let counters = |queries, hits| PrefixCounters { queries, hits };
    let target = &mut run.manifest().environment.target;
    target.prefix_cache = Some(PrefixCountersOfRun {
        before: counters(1_000.0, 200.0),
        after: Some(counters(11_000.0, 3_233.3)),
    });
    target.server_metrics = Some(MetricsPlace::NotAvailable {
        not_available: "status 404".to_owned(),
    });
    run.manifest().plan.hardware = Some("gpu=H100, count=8".to_owned());
    run.manifest().classes = vec!["short".to_owned(), "long".to_owned()];
    for (i, record) in run.records().iter_mut().enumerate() {
        record.class = (i % 2) as ClassIndex;
    }
    check(run);
}

#[test]
fn a_run_that_was_not_judged_has_none() {
    let log = Fixture::open(5.0, 10).build();
    assert_eq!(Summary::read(&log.manifest).expect("nothing to read"), None);
}
