//! Runs whose sample carries less than it seems to.

use crate::checks::judge;
use crate::summarize_log;
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_core::run::RunLog;
use infermeter_core::seed::splitmix64;
use infermeter_metrics::fixture::{Run, ms};

fn found(log: &RunLog) -> Vec<String> {
    let (run, summary) = summarize_log(log);
    let findings = judge(&run, &summary);
    findings.into_iter().map(|f| f.code).collect()
}

/// Two classes, whose answers take about 0.2 s and 5 s.
fn two_classes() -> Run {
    let mut run = Run::steady(4_000, 40.0, 12);
    run.manifest().classes.push("long".to_owned());
    for (i, record) in run.records().iter_mut().enumerate() {
        if i % 2 == 0 {
            record.class = 1;
            for (n, chunk) in (0..).zip(&mut record.chunks) {
                chunk.at = chunk.at.plus(n * ms(400));
                chunk.seen = chunk.at;
                chunk.lower = chunk.at;
            }
            record.finished = record.chunks.last().map(|c| c.at);
            record.closed = record.finished;
        }
    }
    run
}

#[test]
fn classes_that_differ_are_named() {
    let log = two_classes().build();
    let (run, summary) = summarize_log(&log);
    let findings = judge(&run, &summary);
    let note = findings.iter().find(|f| f.code == "pooled-classes");
    let evidence = &note.expect("the note").evidence;
    assert!(evidence.contains("TPOT p99"), "{evidence}");
    assert!(!evidence.contains("TTFT"), "{evidence}");
    // Two classes alike.
    let mut run = Run::steady(4_000, 40.0, 12);
    run.manifest().classes.push("other".to_owned());
    let mut records = run.records().iter_mut();
    records.by_ref().step_by(2).for_each(|r| r.class = 1);
    assert!(!found(&run.build()).contains(&"pooled-classes".to_owned()));
}

/// Everything from the first chunk on comes `ns` later.
fn delay(record: &mut RequestRecord, ns: i64) {
    let later = |at: Option<Offset>| at.map(|at| at.plus(ns));
    for chunk in &mut record.chunks {
        chunk.at = chunk.at.plus(ns);
        chunk.seen = chunk.seen.plus(ns);
        chunk.lower = chunk.lower.plus(ns);
    }
    record.first_byte = later(record.first_byte);
    record.first_byte_seen = later(record.first_byte_seen);
    record.finished = later(record.finished);
    record.closed = later(record.closed);
}

/// The quiet run with TTFT around 60 ms; the requests with these numbers are `ns` late.
fn partly_late(
    ns: i64,
    is_late: impl Fn(usize) -> bool,
    change: impl Fn(&mut RequestRecord),
) -> Run {
    let mut run = Run::steady(4_000, 40.0, 12);
    let records = run.records().iter_mut().enumerate();
    records
        .filter(|(i, _)| is_late(*i))
        .for_each(|(_, record)| {
            delay(record, ns);
            change(record);
        });
    run
}

/// About so many of a hundred, at places that look random.
fn of_hundred(n: u64) -> impl Fn(usize) -> bool {
    move |i| splitmix64(i as u64) % 100 < n
}

/// Findings beside the one that every small sample has.
fn remarkable(run: Run) -> Vec<String> {
    let mut codes = found(&run.build());
    codes.retain(|c| c != "percentile-needs-more");
    codes
}

fn bimodal(run: Run) -> String {
    let (run, summary) = summarize_log(&run.build());
    let findings = judge(&run, &summary);
    let note = findings.into_iter().find(|f| f.code == "pooled-bimodal");
    note.expect("the note").evidence
}

#[test]
fn two_modes_are_a_finding_alone() {
    let run = partly_late(ms(400), of_hundred(25), |_| {});
    assert_eq!(remarkable(run.clone()), ["pooled-bimodal"]);
    let evidence = bimodal(run);
    let ttft = "TTFT has two modes, near 59.9 and 460.1 ms; 24.6 % of the requests are in the \
                smaller one. E2E has";
    assert!(evidence.starts_with(ttft), "{evidence}");
    assert!(!evidence.contains(" By "), "{evidence}");
}

#[test]
fn what_tells_two_modes_apart_is_named() {
    let by = |change: fn(&mut RequestRecord)| {
        let mut run = partly_late(ms(400), of_hundred(25), change);
        run.manifest().classes.push("long".to_owned());
        let evidence = bimodal(run);
        let (_, by) = evidence.split_once(" By ").expect("an explanation");
        by.split_once(" E2E").expect("both").0.to_owned()
    };
    assert_eq!(
        by(|r| r.class = 1),
        "class, in the upper one: chat 0.0 %, long 100.0 %."
    );
    assert_eq!(
        by(|r| r.requested_prompt_tokens = 2_000),
        "prompt tokens, in the upper one: 64 to 255 0.0 %, 1024 to 4095 100.0 %."
    );
    assert_eq!(
        by(|r| r.new_connection = Some(true)),
        "connection, in the upper one: kept 0.0 %, opened for the request 100.0 %."
    );
    // A cache that missed half of the slow ones tells nothing; one that missed them all does.
    let cached = |late: u32| {
        let mut run = partly_late(ms(400), of_hundred(25), |_| {});
        for (i, record) in run.records().iter_mut().enumerate() {
            let hit = of_hundred(25)(i) && i as u32 % 2 < late;
            record.cached_tokens = Some(u32::from(!hit) * 100);
        }
        bimodal(run)
    };
    assert!(!cached(1).contains(" By "));
    let evidence = cached(2);
    let by = "By prefix cache, in the upper one: prompts not cached 100.0 %, prompts cached 0.0 %.";
    assert!(evidence.contains(by), "{evidence}");
}

#[test]
fn a_slow_half_or_a_few_late_requests_are_no_second_mode() {
    let codes = remarkable(partly_late(ms(400), |i| i > 2_000, |_| {}));
    assert!(!codes.contains(&"pooled-bimodal".to_owned()), "{codes:?}");
    let few = partly_late(ms(800), of_hundred(3), |_| {});
    assert_eq!(remarkable(few), ["streams-hang", "tail-ratio"]);
}

#[test]
fn correlated_samples_say_what_that_means() {
    let mut run = Run::steady(1_300, 20.0, 12);
    // Slow and fast periods of 100 requests.
    for (i, record) in run.records().iter_mut().enumerate() {
        let slow = if i / 100 % 2 == 0 { ms(200) } else { 0 };
        for chunk in &mut record.chunks {
            chunk.at = chunk.at.plus(slow);
            chunk.seen = chunk.seen.plus(slow);
            chunk.lower = chunk.lower.plus(slow);
        }
        record.first_byte = record.first_byte.map(|at| at.plus(slow));
        record.finished = record.finished.map(|at| at.plus(slow));
        record.closed = record.closed.map(|at| at.plus(slow));
    }
    let (run, summary) = summarize_log(&run.build());
    let findings = judge(&run, &summary);
    let note = findings.iter().find(|f| f.code == "correlated-samples");
    let evidence = &note.expect("the note").evidence;
    // No value lies further out: what the sample excludes is not called plausible.
    let end = "At this load the true E2E p99 is plausibly under 1 % lower to 2 % higher.";
    assert!(evidence.ends_with(end), "{evidence}");
}
