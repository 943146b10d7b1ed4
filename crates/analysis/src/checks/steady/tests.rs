//! A run for each finding about time that triggers exactly it.

use super::super::judge;
use crate::{KeepsUp, Steadiness, Summary, summarize_log};
use infermeter_core::clock::Offset;
use infermeter_core::finding::Severity;
use infermeter_core::record::TokenSource;
use infermeter_core::run::LoadModel;
use infermeter_metrics::fixture::{Run, ms};

const SECONDS: i64 = 300;

/// Ten requests a second for 330 s of constant load, whose first token comes after what `ttft_ms`
/// says of the instant, milliseconds since the window's start.
fn run(ttft_ms: impl Fn(i64) -> i64) -> Run {
    let mut run = Run::open(10.0, SECONDS);
    let mut scatter = 0_i64;
    for at in (-30_000..SECONDS * 1_000).step_by(100) {
        scatter = (scatter * 131 + 17) % 101;
        let ttft = ms(ttft_ms(at) + scatter / 5);
        if at < 0 {
            run.warmup_stream(at, ttft, ms(10), 12);
        } else {
            run.stream(at, ttft, ms(10), 12);
        }
    }
    run
}

/// Findings but those about thin tails and neighbours, and the summary.
fn judged(run: Run) -> (Vec<String>, Summary) {
    let (run, summary) = summarize_log(&run.build());
    (codes(&run, &summary), summary)
}

fn codes(run: &crate::Run, summary: &Summary) -> Vec<String> {
    let word = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut codes: Vec<String> = judge(run, summary)
        .iter()
        .map(|f| format!("{} {}", word(f.severity), f.code))
        .collect();
    codes.retain(|c| c != "note percentile-needs-more" && c != "note correlated-samples");
    codes
}

#[test]
fn a_constant_server_is_steady_and_stable() {
    let (codes, summary) = judged(run(|_| 50));
    assert_eq!(codes, Vec::<String>::new());
    let steady = summary.steady.expect("a window");
    assert_eq!(steady.answer, Steadiness::Steady, "{steady:?}");
    assert_eq!(steady.series.len(), 4);
    assert_eq!(steady.start_up.warmup_s, 30);
    let load = summary.load.expect("a window");
    let stability = load.stability.expect("an open loop");
    assert_eq!(stability.answer, KeepsUp::Stable, "{stability:?}");
    assert_eq!((stability.arrivals, stability.departures), (3_000, 3_000));
    let residence = load.residence.expect("a window");
    assert!(residence.difference < 1e-12, "{residence:?}");
}

#[test]
fn a_server_that_becomes_slower_drifts() {
    // 50 to 110 ms over the window, with an idle moment every five seconds.
    let slower = |at: i64| match at {
        ..0 => 50,
        at if at % 5_000 == 0 => 50,
        at => 50 + at / 5_000,
    };
    let (codes, summary) = judged(run(slower));
    assert_eq!(codes, ["warning drift"]);
    let steady = summary.steady.expect("a window");
    assert_eq!(steady.answer, Steadiness::NotSteady);
    let ttft = steady.series.iter().find(|s| s.name == "ttft");
    let ttft = ttft.expect("streams");
    assert_eq!(ttft.tau, Some(1.0));
    let change = ttft.relative_change.expect("a level");
    assert!((0.9..1.3).contains(&change), "{change}");
}

#[test]
fn a_start_up_that_outlasts_the_warm_up() {
    let (codes, summary) = judged(run(|at| if at < 60_000 { 500 } else { 50 }));
    assert_eq!(codes, ["warning warmup-too-short"]);
    let start_up = summary.steady.expect("a window").start_up;
    // A bin further the last slow requests leave, and cuts are multiples of five.
    assert_eq!(start_up.needed_s, Some(95));
    assert!(start_up.relative.is_some_and(|r| r > 1.0), "{start_up:?}");
}

#[test]
fn a_queue_that_grows() {
    // The wait grows by a second every ten: 0.91 of the arrivals leave.
    let queue = |at: i64| 50 + (at + 30_000) / 10;
    let (codes, summary) = judged(run(queue));
    assert_eq!(codes, ["warning unstable-load"]);
    let stability = summary.load.and_then(|load| load.stability);
    let stability = stability.expect("an open loop");
    assert_eq!(stability.emptied, Some(false));
    let left = stability.left_behind.expect("arrivals");
    assert!((0.08..0.10).contains(&left), "{left}");
    // In a closed loop nothing of this is asked.
    let mut closed = run(queue);
    closed.manifest().load_model = LoadModel::ClosedLoop;
    let (_, summary) = judged(closed);
    assert_eq!(summary.load.and_then(|load| load.stability), None);
}

#[test]
fn a_queue_that_is_never_empty_and_does_not_grow() {
    // One request met an idle server before the window; the queue has been there since.
    let (codes, summary) = judged(run(|at| if at == -30_000 { 50 } else { 200 }));
    assert_eq!(codes, ["note stability-undecided"]);
    let stability = summary.load.and_then(|load| load.stability);
    assert_eq!(stability.map(|s| s.answer), Some(KeepsUp::Undecided));
}

#[test]
fn answers_that_slow_down_token_by_token() {
    let mut run = run(|_| 50);
    for record in run.records() {
        let into = record.intended.0.max(0);
        let first = record.chunks[0].at;
        // Half as slow again after five minutes; too little to be seen in flight.
        let later = |at: Offset| at.plus(at.since(first) * (into / 1_000_000) / 600_000);
        for chunk in &mut record.chunks {
            for at in [&mut chunk.at, &mut chunk.seen, &mut chunk.lower] {
                *at = later(*at);
            }
        }
        record.finished = record.finished.map(later);
        record.closed = record.closed.map(later);
    }
    let (codes, summary) = judged(run);
    assert_eq!(codes, ["warning server-slows-down"]);
    let found = summary.slow_down.expect("a slower server");
    assert!((1.25..1.4).contains(&found.ratio()), "{found:?}");
    let steady = summary.steady.expect("a window");
    let answer = |name| {
        steady
            .series
            .iter()
            .find(|s| s.name == name)
            .map(|s| s.answer)
    };
    assert_eq!(answer("tpot"), Some(Steadiness::NotSteady), "{steady:?}");
    assert_eq!(answer("ttft"), Some(Steadiness::Steady), "{steady:?}");
}

#[test]
fn a_long_window_without_an_answer() {
    // The level changes in the second half, too little to be a drift.
    let (codes, summary) = judged(run(|at| if at < 210_000 { 200 } else { 190 }));
    assert_eq!(codes, ["note steady-undecided"]);
    let steady = summary.steady.expect("a window");
    assert_eq!(steady.start_up.answer, Steadiness::Undecided);
}

#[test]
fn a_load_that_changes_by_plan_is_not_asked() {
    let mut run = run(|at| if at < 60_000 { 500 } else { 50 });
    run.manifest().plan.rate_profile = "ramp:2..20/300s".parse().ok();
    let (codes, summary) = judged(run);
    assert_eq!(codes, Vec::<String>::new());
    assert_eq!(summary.steady, None);
}

#[test]
fn a_record_that_contradicts_littles_law() {
    let (run, mut summary) = summarize_log(&run(|_| 50).build());
    let mut with = |difference: f64| {
        let load = summary.load.as_mut().expect("a window");
        let residence = load.residence.as_mut().expect("a window");
        residence.difference = difference;
        codes(&run, &summary)
    };
    assert_eq!(with(1e-9), Vec::<String>::new());
    assert_eq!(with(2e-9), ["error residence-disagrees"]);
}

#[test]
fn a_change_that_the_drawn_load_explains_is_the_workloads() {
    let mut run = run(|_| 50);
    for (i, record) in run.records().iter_mut().enumerate() {
        // In the second half every second request asks for twice as much.
        if i > 1_800 && i % 2 == 0 {
            record.requested_output_tokens *= 2;
            record.output_tokens = Some(record.requested_output_tokens);
            // At the same pace.
            let first = record.chunks[0].at;
            let later = |at: Offset| at.plus(at.since(first));
            for chunk in &mut record.chunks {
                chunk.tokens = 2;
                for at in [&mut chunk.at, &mut chunk.seen, &mut chunk.lower] {
                    *at = later(*at);
                }
            }
            record.finished = record.finished.map(later);
            record.closed = record.closed.map(later);
            record.token_source = Some(TokenSource::ContinuousUsage);
        }
    }
    let (codes, summary) = judged(run);
    assert_eq!(codes, ["note multi-token-chunks"]);
    let steady = summary.steady.expect("a window");
    let tokens = steady.series.iter().find(|s| s.name == "output_tokens");
    let tokens = tokens.expect("counted");
    assert_eq!(tokens.answer, Steadiness::Steady);
    assert!(
        tokens.halves_relative.is_some_and(|r| r > 0.3),
        "{tokens:?}"
    );
}
