//! A run whose server says something of its own triggers exactly that finding.

use super::super::judge;
use crate::run::Run;
use crate::server::fixture::{inside, summary, watched};
use infermeter_core::finding::Finding;
use infermeter_core::run::RunLog;
use infermeter_core::server::{
    EngineFigures, Quantity as Q, ServerFigures, ServerHistogram, ServerReading,
};
use infermeter_metrics::fixture;

fn quiet() -> RunLog {
    fixture::Run::steady(1_300, 20.0, 12).build()
}

/// Findings of a quiet run whose readings are changed so, but the one that every small sample has.
fn found(change: impl Fn(i64, &mut ServerReading)) -> Vec<Finding> {
    let log = quiet();
    let mut run = watched(&log, |_, n| inside(n, 0.0));
    let start = log.manifest.window.expect("a window").start;
    for reading in &mut run.server.as_mut().expect("read").readings {
        let second = reading.at().since(start).div_euclid(1_000_000_000);
        change(second, reading);
    }
    judged(&run, &log)
}

fn judged(run: &Run, log: &RunLog) -> Vec<Finding> {
    let mut findings = judge(run, &summary(run, log));
    findings.retain(|f| f.code != "percentile-needs-more");
    findings
}

#[track_caller]
fn check(change: impl Fn(i64, &mut ServerReading), expect: &[(&str, &str)]) {
    let found = found(change);
    let said: Vec<(&str, &str)> = found.iter().map(|f| (&*f.code, &*f.evidence)).collect();
    assert_eq!(said.len(), expect.len(), "{said:?}");
    for ((code, evidence), (expected, word)) in said.iter().zip(expect) {
        assert_eq!(code, expected);
        assert!(evidence.contains(word), "{evidence}");
    }
}

/// A counter that rises by so much a second, from a minute before the window.
fn rising(quantity: Q, per_s: f64) -> impl Fn(i64, &mut ServerReading) {
    move |second, reading| {
        let value = per_s * (60 + second) as f64;
        reading.figures.extend([(quantity, value)]);
    }
}

/// What the client saw of the window: requests, prompt tokens, output tokens, and each one's mean TTFT.
struct Seen {
    seconds: f64,
    requests: f64,
    output_tokens: f64,
    ttft_s: f64,
}

fn seen() -> Seen {
    let log = quiet();
    let run = Run::of(&log);
    let summary = summary(&run, &log);
    let throughput = summary.throughput.expect("a window");
    let ttft = summary.latency.ttft.send.expect("streams");
    Seen {
        seconds: summary.window_s.expect("a window"),
        requests: throughput.requests.count,
        output_tokens: throughput.output_tokens.expect("tokens").count,
        ttft_s: ttft.mean.expect("a mean").value / 1e3,
    }
}

#[test]
fn nothing_is_found_in_a_page_that_says_the_same() {
    let seen = seen();
    let tokens = rising(Q::GenerationTokens, seen.output_tokens / seen.seconds);
    let requests = rising(Q::Finished, seen.requests / seen.seconds);
    check(
        |second, reading| {
            tokens(second, reading);
            requests(second, reading);
        },
        &[],
    );
}

#[test]
fn counters_above_the_clients() {
    let seen = seen();
    let more = rising(Q::GenerationTokens, 1.5 * seen.output_tokens / seen.seconds);
    check(more, &[("other-load-on-server", "output tokens: ")]);
}

#[test]
fn counters_below_the_clients_and_a_latency_above() {
    let seen = seen();
    let fewer = rising(Q::Finished, 0.5 * seen.requests / seen.seconds);
    check(fewer, &[("server-view-disagrees", "requests: ")]);
    let slower = ttft(2.0 * seen.ttft_s, seen.requests / seen.seconds);
    check(slower, &[("server-view-disagrees", "ttft mean: ")]);
}

/// A histogram with so many values a second of this size.
fn ttft(each_s: f64, per_s: f64) -> impl Fn(i64, &mut ServerReading) {
    move |second, reading| {
        let n = (per_s * (60 + second) as f64).floor();
        let counts = vec![if each_s <= 0.01 { n } else { 0.0 }, n, n];
        let histogram = ServerHistogram::new(vec![0.01, 100.0], counts, Some(n * each_s));
        let histogram = histogram.expect("a histogram");
        reading.detail.histograms.0.insert(Q::Ttft, histogram);
    }
}

#[test]
fn what_lies_between_client_and_engine() {
    let seen = seen();
    let per_s = seen.requests / seen.seconds;
    check(ttft(0.95 * seen.ttft_s, per_s), &[]);
    let quick = ttft(0.3 * seen.ttft_s, per_s);
    check(quick, &[("front-end-adds-latency", "lie between")]);
}

#[test]
fn a_queue_in_the_engine_says_what_it_waits_for() {
    let seen = seen();
    let per_s = seen.requests / seen.seconds;
    let waits = |share: f64, kv: f64| {
        let whole = ttft(0.95 * seen.ttft_s, per_s);
        let queue_s = share * seen.ttft_s;
        move |second: i64, reading: &mut ServerReading| {
            whole(second, reading);
            let n = (per_s * (60 + second) as f64).floor();
            let histogram = ServerHistogram::new(vec![100.0], vec![n, n], Some(n * queue_s));
            let histogram = histogram.expect("a histogram");
            reading.detail.histograms.0.insert(Q::QueueTime, histogram);
            reading.figures.extend([(Q::KvUsage, kv)]);
        }
    };
    check(waits(0.1, 0.5), &[]);
    check(
        waits(0.6, 0.5),
        &[("requests-wait-in-engine", "at most 50.0 % in use")],
    );
    let found = found(waits(0.6, 0.96));
    let full = found.iter().find(|f| f.code == "requests-wait-in-engine");
    assert!(
        full.is_some_and(|f| f.message.ends_with("room in its KV cache.")),
        "{found:?}"
    );
}

#[test]
fn counters_that_went_back() {
    let change = |second: i64, reading: &mut ServerReading| {
        let value = if second < 20 { 1_000.0 } else { 0.0 };
        reading
            .figures
            .extend([(Q::EvictedTokens, value + second as f64)]);
    };
    check(change, &[("server-counters-reset", "went back")]);
}

#[test]
fn drafts_of_which_none_is_accepted() {
    let of = |accepted: f64| {
        let drafts = rising(Q::Drafts, 5.0);
        let tokens = rising(Q::DraftTokens, 15.0);
        let accepted = rising(Q::AcceptedTokens, accepted);
        move |second: i64, reading: &mut ServerReading| {
            drafts(second, reading);
            tokens(second, reading);
            accepted(second, reading);
        }
    };
    check(of(0.0), &[("speculation-inactive", "0 tokens accepted")]);
    check(of(2.0), &[]);
}

#[test]
fn a_full_cache_and_preemptions() {
    let full = |second: i64, reading: &mut ServerReading| {
        let usage = if second == 30 { 0.97 } else { 0.5 };
        reading.figures.extend([(Q::KvUsage, usage)]);
    };
    check(full, &[("kv-cache-nearly-full", "97.0 % at most")]);
    let few = |second: i64, reading: &mut ServerReading| {
        let once = if second < 30 { 0.0 } else { 1.0 };
        reading.figures.extend([(Q::Preemptions, once)]);
    };
    check(few, &[("server-preempts", "1 preemption in the window")]);
    assert_eq!(
        found(few)[0].severity,
        infermeter_core::finding::Severity::Note
    );
    let many = found(rising(Q::Preemptions, 2.0));
    assert_eq!(
        many[0].severity,
        infermeter_core::finding::Severity::Warning
    );
}

#[test]
fn replicas_that_are_loaded_unevenly() {
    let engines = |first: f64, other: f64| {
        move |second: i64, reading: &mut ServerReading| {
            let of = |engine: &str, per_s: f64| EngineFigures {
                labels: [("engine".to_owned(), engine.to_owned())].into(),
                figures: ServerFigures::from([(Q::GenerationTokens, per_s * (60 + second) as f64)]),
            };
            reading.detail.engines = vec![of("0", first), of("1", other)];
        }
    };
    check(engines(500.0, 400.0), &[]);
    check(
        engines(900.0, 100.0),
        &[("replicas-unevenly-loaded", "engine=0 generated")],
    );
}

#[test]
fn a_page_that_is_slow_long_or_broken() {
    let odd = |change: fn(&mut ServerReading)| {
        move |_: i64, reading: &mut ServerReading| {
            reading.detail.bytes = Some(60_000);
            change(reading);
        }
    };
    check(odd(|_| {}), &[]);
    let code = "server-metrics-page-odd";
    check(
        odd(|r| r.detail.malformed = 3),
        &[(code, "3 lines are no samples")],
    );
    check(
        odd(|r| r.detail.cut = true),
        &[(code, "than are looked at")],
    );
    check(
        odd(|r| r.detail.bytes = Some(3 << 20)),
        &[(code, "3,145,728 bytes")],
    );
}
