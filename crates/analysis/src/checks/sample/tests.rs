//! Runs whose sample carries less than it seems to.

use crate::checks::judge;
use crate::summarize_log;
use infermeter_core::run::RunLog;
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

#[test]
fn an_objective_on_the_largest_value() {
    let mut run = Run::open(5.0, 10);
    for at in 0..50 {
        run.warmup_stream(-25_000 + at * 200, ms(20), ms(10), 4);
        run.stream(at * 200, ms(20 + at % 7), ms(10), 4);
    }
    let plan = &mut run.manifest().plan;
    plan.slo = vec!["ttft.p99<1s".parse().expect("an objective")];
    let log = run.build();
    let codes = found(&log);
    assert!(
        codes.contains(&"percentile-is-maximum".to_owned()),
        "{codes:?}"
    );
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
    // Half of the requests are slow: the p99 lies among them whatever the dependence.
    let end = "At this load the true E2E p99 is plausibly under 1 % lower to under 1 % higher.";
    assert!(evidence.ends_with(end), "{evidence}");
}
