//! Gauges, counters and Little's law by hand.

use super::fixture::{inside, summary, watched};
use super::*;
use crate::{HitSource, KeepsUp, QueueSign};
use infermeter_core::clock::Offset;
use infermeter_core::environment::MetricsPlace;
use infermeter_core::run::RunLog;
use infermeter_core::server::ServerFigures;
use infermeter_metrics::fixture::{self, ms};

/// Ten requests a second for a minute, each in flight for 0.5 s: five at any time.
fn even() -> RunLog {
    let mut run = fixture::Run::open(10.0, 60);
    for at in (-30_000..60_000).step_by(100) {
        let request = if at < 0 {
            run.warmup_stream(at, ms(100), ms(100), 5)
        } else {
            run.stream(at, ms(100), ms(100), 5)
        };
        request.closes_after(0);
    }
    run.build()
}

fn law(log: &RunLog, says: impl Fn(i64, f64) -> ServerFigures) -> LittlesLaw {
    let server = summary(&watched(log, says), log).server;
    server.and_then(|s| s.littles_law).expect("both gauges")
}

#[test]
fn a_server_with_the_clients_requests_agrees() {
    let log = even();
    let says = |at: i64, n: f64| match at % 2 {
        0 => inside(n, 0.0),
        _ => inside(n - 1.0, 1.0),
    };
    let found = summary(&watched(&log, says), &log).server.expect("read");
    assert_eq!((found.readings, found.failed, found.skipped), (60, 0, 0));
    let (running, waiting) = (found.running.expect("said"), found.waiting.expect("said"));
    assert_eq!((running.mean, running.max, running.n), (4.5, 5.0, 60));
    assert_eq!((waiting.mean, waiting.max), (0.5, 1.0));
    // Three of each kind in each tenth: no tenth differs from another.
    assert_eq!(running.standard_error, Some(0.0));
    assert!((found.kv_usage.expect("said").mean - 0.1).abs() < 1e-12);
    let law = found.littles_law.expect("both gauges");
    assert_eq!(law.answer, Agreement::Agrees);
    assert_eq!((law.server, law.difference, law.n), (5.0, 0.0, 60));
    assert!((law.client - 5.0).abs() < 0.02, "{law:?}");
    // 10 requests/s x (30 us of upload + 50 ms).
    assert!((law.network_share - 0.5003).abs() < 1e-9, "{law:?}");
    let tolerance = law.tolerance.expect("60 readings");
    assert!((tolerance - (0.5003 + 0.05 * law.client)).abs() < 1e-9);
}

#[test]
fn the_sampling_error_is_that_of_the_difference() {
    let log = even();
    // Batches of six seconds: two more than the client's in every second batch.
    let found = law(&log, |at, n| {
        inside(n + f64::from(at / 6 % 2 == 0) * 2.0, 0.0)
    });
    assert_eq!(found.difference, 1.0);
    // Ten batch means 2, 0, 2, ...: standard deviation sqrt(10/9), over sqrt(10); t(0.9995, 9).
    let error = 4.780_912_585_931_148 * (1.0_f64 / 9.0).sqrt();
    assert!(
        (found.sampling_error.expect("ten batches") - error).abs() < 1e-6,
        "{found:?}"
    );
    assert_eq!(found.answer, Agreement::Agrees);
}

#[test]
fn other_load_and_a_queue_before_the_server_disagree() {
    let log = even();
    assert_eq!(
        law(&log, |_, n| inside(n + 3.0, 0.0)).answer,
        Agreement::Disagrees
    );
    assert_eq!(
        law(&log, |_, n| inside(n - 3.0, 0.0)).answer,
        Agreement::Disagrees
    );
    assert_eq!(
        law(&log, |_, n| inside(n + 0.7, 0.0)).answer,
        Agreement::Agrees
    );
}

#[test]
fn few_readings_decide_nothing() {
    let log = even();
    let few = |at: i64, n: f64| match at % 4 {
        0 => inside(n + 3.0, 0.0),
        _ => ServerFigures::default(),
    };
    let found = law(&log, few);
    assert_eq!((found.answer, found.n), (Agreement::Undecided, 15));
    assert_eq!((found.sampling_error, found.tolerance), (None, None));
    // Enough of them, but none in the last tenth.
    let found = law(&log, |at, n| match at {
        ..54 => inside(n, 0.0),
        _ => ServerFigures::default(),
    });
    assert_eq!((found.answer, found.n), (Agreement::Undecided, 54));
    let lacks = |_, n| ServerFigures::from([(Quantity::Running, n)]);
    let found = summary(&watched(&log, lacks), &log).server.expect("read");
    assert_eq!((found.waiting, found.littles_law), (None, None));
    assert!(found.running.is_some());
}

#[test]
fn a_server_without_a_page_says_why() {
    let mut log = even();
    let of = |run: &Run| summary(run, &even()).server;
    assert_eq!(of(&Run::of(&log)), None, "nobody looked");
    log.manifest.environment.target.server_metrics = Some(MetricsPlace::NotAvailable {
        not_available: "status 404".to_owned(),
    });
    let found = of(&Run::of(&log)).expect("somebody looked");
    assert_eq!(found.not_available.as_deref(), Some("status 404"));
    assert_eq!(
        (found.engine, found.readings, found.running),
        (None, 0, None)
    );
    let mut run = watched(&log, |_, n| inside(n, 0.0));
    for reading in &mut run.server.as_mut().expect("read").readings {
        reading.error = Some("status 503".to_owned());
        reading.figures = ServerFigures::default();
    }
    let found = of(&run).expect("it was asked");
    assert_eq!(found.not_available.as_deref(), Some("status 503"));
    assert_eq!((found.failed, found.engine), (60, Some(ServerEngine::Vllm)));
}

#[test]
fn counters_rise_between_the_readings_nearest_to_the_edges() {
    let log = even();
    let window = log.manifest.window.expect("a window");
    let counted =
        |at: i64, _: f64| ServerFigures::from([(Quantity::Preemptions, 100.0 + at as f64)]);
    let mut run = watched(&log, counted);
    let rise = |run: &Run| risen(run, window, Quantity::Preemptions);
    assert_eq!(rise(&run), Ok(60.0));
    let absent = risen(&run, window, Quantity::Drafts);
    assert!(absent.expect_err("not counted").contains("does not have"));
    let server = run.server.as_mut().expect("read");
    server.readings[50]
        .figures
        .extend([(Quantity::Preemptions, 0.0)]);
    assert!(rise(&run).expect_err("it fell").contains("restarted"));
    let server = run.server.as_mut().expect("read");
    let edge = window.end.plus(-7_000_000_000);
    server
        .readings
        .retain(|r| r.at() < edge && r.at() > Offset(0));
    assert!(rise(&run).expect_err("ends early").contains("edge"));
}

#[test]
fn the_prefix_caches_hits_are_those_of_the_window() {
    let log = even();
    // Before the window nothing is found; inside it, three tokens in ten.
    let says = |at: i64, _: f64| {
        ServerFigures::from([
            (Quantity::PrefixQueries, 50_000.0 + 100.0 * at as f64),
            (Quantity::PrefixHits, 70.0 + 30.0 * at.max(0) as f64),
        ])
    };
    let found = summary(&watched(&log, says), &log).prefix_cache;
    let found = found.and_then(|cache| cache.realised).expect("counted");
    assert_eq!(found.source, HitSource::ServerCountersInWindow);
    assert_eq!((found.cached_tokens, found.prompt_tokens), (1_800, 6_000));
    assert!((found.share - 0.3).abs() < 1e-12);
}

#[test]
fn the_servers_own_queue_tells_whether_it_emptied() {
    let log = even();
    let stability = |waiting: fn(i64) -> f64| {
        let run = watched(&log, |at, n| inside(n, waiting(at)));
        let load = summary(&run, &log).load.expect("a window");
        let found = load.stability.expect("an open loop");
        (found.answer, found.emptied, found.emptied_by)
    };
    let gauge = Some(QueueSign::ServerGauge);
    assert_eq!(stability(|_| 0.0), (KeepsUp::Stable, Some(true), gauge));
    // TTFT is at its floor all the time; the gauge is believed.
    let never = stability(|at| if at < 40 { 0.0 } else { 2.0 });
    assert_eq!(never, (KeepsUp::Undecided, Some(false), gauge));
    let run = watched(&log, |_, _| ServerFigures::default());
    let load = summary(&run, &log).load.expect("a window");
    let found = load.stability.expect("an open loop");
    assert_eq!(found.emptied_by, Some(QueueSign::TtftFloor));
}
