//! Accepted lengths from counters, from a gauge, and from chunks.

use super::*;
use crate::server::fixture::{summary, watched};
use infermeter_core::record::{RequestRecord, TokenSource};
use infermeter_core::run::RunLog;
use infermeter_core::server::ServerFigures;
use infermeter_metrics::fixture::{self, ms};

/// Requests of five chunks, changed one by one.
fn log(change: impl Fn(usize, &mut RequestRecord)) -> RunLog {
    let mut run = fixture::Run::open(10.0, 60);
    for at in (0..60_000).step_by(100) {
        run.stream(at, ms(100), ms(100), 5);
    }
    for (index, record) in run.records().iter_mut().enumerate() {
        change(index, record);
    }
    run.build()
}

/// Gives the chunks so many tokens each.
fn carry(record: &mut RequestRecord, tokens: [u32; 5]) {
    for (chunk, tokens) in record.chunks.iter_mut().zip(tokens) {
        chunk.tokens = tokens;
    }
    record.token_source = Some(TokenSource::ContinuousUsage);
    record.output_tokens = Some(tokens.iter().sum());
}

fn drafts(drafts: f64, accepted: f64) -> ServerFigures {
    ServerFigures::from([
        (Quantity::Drafts, drafts),
        (Quantity::DraftTokens, 2.0 * drafts),
        (Quantity::AcceptedTokens, accepted),
    ])
}

fn found(log: &RunLog, says: impl Fn(i64) -> ServerFigures) -> Option<SpeculationSummary> {
    summary(&watched(log, |at, _| says(at)), log).speculation
}

#[test]
fn counters_over_the_window() {
    // A hundred drafts of two tokens a second, of which 105 are accepted; others before the window.
    let says = |at: i64| match at {
        ..0 => drafts(1_000.0, 0.0),
        at => drafts(1_000.0 + 100.0 * at as f64, 105.0 * at as f64),
    };
    let found = found(&log(|_, _| {}), says).expect("counted");
    assert_eq!(found.source, Some(SpeculationSource::ServerCounters));
    assert_eq!(found.accepted_length, Some(2.05));
    assert_eq!(found.acceptance_rate, Some(0.525));
    assert_eq!(
        (found.drafts, found.draft_tokens),
        (Some(6_000.0), Some(12_000.0))
    );
    assert_eq!(found.accepted_tokens, Some(6_300.0));
}

#[test]
fn counters_that_cannot_tell() {
    let why = |says: fn(i64) -> ServerFigures| {
        let found = found(&log(|_, r| carry(r, [1, 2, 3, 1, 2])), says).expect("counted");
        let counters = Some(SpeculationSource::ServerCounters);
        assert_eq!((found.accepted_length, found.source), (None, counters));
        found.not_available.expect("a reason")
    };
    let restarted = why(|at| drafts((1_000 + at % 30) as f64, 0.0));
    assert!(restarted.contains("restarted"), "{restarted}");
    let idle = why(|_| drafts(7.0, 3.0));
    assert!(idle.contains("no draft"), "{idle}");
}

#[test]
fn the_servers_own_average() {
    let says = |at: i64| {
        // 0: nothing to average.
        let length = if at % 2 == 0 { 0.0 } else { 2.5 };
        ServerFigures::from([(Quantity::AcceptedLength, length)])
    };
    let found = found(&log(|_, _| {}), says).expect("said");
    assert_eq!(found.source, Some(SpeculationSource::ServerGauge));
    assert_eq!(found.accepted_length, Some(2.5));
}

#[test]
fn chunks_are_an_upper_bound() {
    let silent = |_| ServerFigures::default();
    assert_eq!(found(&log(|_, _| {}), silent), None, "one token each");
    let mut mixed = log(|index, record| {
        let short = index % 2 == 0;
        record.class = u8::from(short).into();
        carry(
            record,
            if short {
                [1, 2, 1, 1, 1]
            } else {
                [1, 3, 2, 3, 2]
            },
        );
    });
    mixed.manifest.classes = vec!["code".to_owned(), "chat".to_owned()];
    let found = found(&mixed, silent).expect("several tokens");
    assert_eq!(
        found.source,
        Some(SpeculationSource::TokensPerChunkUpperBound)
    );
    let near = |a: Option<f64>, b: f64| assert!((a.expect("a mean") - b).abs() < 1e-9, "{a:?}");
    near(found.accepted_length, 1.7);
    let classes: Vec<&str> = found.classes.iter().map(|c| c.class.as_str()).collect();
    assert_eq!(classes, ["code", "chat"]);
    near(Some(found.classes[0].accepted_length), 2.2);
    near(Some(found.classes[1].accepted_length), 1.2);
}

#[test]
fn chunks_that_were_put_together_bound_nothing() {
    let why = |change: fn(usize, &mut RequestRecord)| {
        let found = found(&log(change), |_| ServerFigures::default()).expect("several tokens");
        assert_eq!((found.accepted_length, found.source), (None, None));
        found.not_available.expect("a reason")
    };
    // The first chunk goes out at once, the last one carries what is left.
    let interval = why(|_, record| carry(record, [1, 4, 4, 4, 2]));
    assert!(
        interval.contains("4 tokens") && interval.contains("intervals"),
        "{interval}"
    );
    let together = why(|_, record| {
        carry(record, [1, 2, 3, 1, 2]);
        record.chunks[2].at = record.chunks[1].at;
    });
    assert!(together.contains("20 % of the chunks"), "{together}");
}
