//! Runs whose answers ended otherwise than asked: broken off, stopped early, cut.

use super::{check, every, quiet, summary_of};
use crate::checks::judge;
use crate::{FinishShare, summarize_log};
use infermeter_core::plan::Plan;
use infermeter_core::record::{Reason, RequestRecord};
use infermeter_metrics::finish::FinishReason;
use infermeter_metrics::fixture::{Run, ms};
use serde_json::json;

#[test]
fn answers_that_broke_off_are_counted() {
    let broken = |reason: Reason| {
        move |run: &mut Run| {
            run.failed(1_000, reason);
            run.stream(2_000, ms(20), ms(10), 5).fails(reason);
        }
    };
    check(broken(Reason::InBandError), &["note in-band-errors"]);
    check(broken(Reason::Truncated), &["note truncated-streams"]);
    let mut run = quiet();
    broken(Reason::Truncated)(&mut run);
    let (run, summary) = summarize_log(&run.build());
    let findings = judge(&run, &summary);
    let note = findings.iter().find(|f| f.code == "truncated-streams");
    let evidence = &note.expect("the note").evidence;
    assert!(evidence.starts_with("2 of 1,302 measured"), "{evidence}");
}

#[test]
fn how_answers_ended_in_all_and_by_class() {
    let mut run = quiet();
    run.manifest().classes.push("tools".to_owned());
    for (i, record) in every(&mut run, 1).enumerate() {
        record.class = u16::from(i % 10 == 0);
        if i % 10 == 0 {
            record.finish_reason = Some("tool_calls".to_owned());
        }
        if i == 1 {
            record.finish_reason = None;
        }
    }
    let summary = summary_of(&run.build());
    let ends = |ends: &[FinishShare]| -> Vec<(&'static str, usize, usize)> {
        let name = |f: &FinishShare| f.reason.map_or("-", FinishReason::as_str);
        let ends = ends.iter();
        ends.map(|f| (name(f), f.share.count, f.share.n)).collect()
    };
    let all = [
        ("length", 1_169, 1_300),
        ("tool_calls", 130, 1_300),
        ("-", 1, 1_300),
    ];
    assert_eq!(ends(&summary.requests.finish_reasons), all);
    let of_class = |i: usize| ends(&summary.classes[i].finish_reasons);
    assert_eq!(of_class(0), [("length", 1_169, 1_170), ("-", 1, 1_170)]);
    assert_eq!(of_class(1), [("tool_calls", 130, 130)]);
}

/// The evidence and the advice of a finding.
fn details(run: Run, code: &str) -> (String, String) {
    let (run, summary) = summarize_log(&run.build());
    let found = judge(&run, &summary).into_iter().find(|f| f.code == code);
    let found = found.expect("the finding");
    (found.evidence, found.advice)
}

#[test]
fn early_stops_and_cuts_are_told_apart() {
    let off = |finish: &str| {
        let mut run = quiet();
        for record in every(&mut run, 50) {
            record.requested_output_tokens = 20;
            record.finish_reason = Some(finish.to_owned());
        }
        details(run, "length-not-obeyed")
    };
    let (evidence, advice) = off("stop");
    assert!(
        evidence.contains("answers: 26 stopped early;"),
        "{evidence}"
    );
    assert!(advice.contains("ignore_eos"), "{advice}");
    let own_end = |change: fn(&mut Plan), finish: &str, expect: &str| {
        check(
            |run| {
                change(&mut run.manifest().plan);
                for record in every(run, 50) {
                    record.requested_output_tokens = 20;
                    record.finish_reason = Some(finish.to_owned());
                }
            },
            &[expect],
        );
    };
    let schema: fn(&mut Plan) = |plan| plan.schema = Some("city.json".into());
    own_end(schema, "stop", "note length-not-obeyed");
    own_end(schema, "length", "warning length-not-obeyed");
    let told: fn(&mut Plan) = |plan| plan.extra_body = Some(json!({"ignore_eos": false}));
    own_end(told, "stop", "note length-not-obeyed");
    let forced: fn(&mut Plan) = |plan| plan.extra_body = Some(json!({"ignore_eos": true}));
    own_end(forced, "stop", "warning length-not-obeyed");
    let (evidence, advice) = off("length");
    assert!(
        evidence.contains("answers: 26 cut at a limit;"),
        "{evidence}"
    );
    assert!(advice.contains("context length"), "{advice}");
}

/// The answer as it is without a stream.
pub(super) fn unstream(record: &mut RequestRecord) {
    record.chunks.clear();
    (record.finished, record.token_source) = (None, None);
}

#[test]
fn an_answer_without_stream_needs_no_finding() {
    let whole = |change: fn(&mut RequestRecord)| {
        move |run: &mut Run| {
            run.manifest().plan.no_stream = true;
            run.records().iter_mut().for_each(|record| {
                unstream(record);
                change(record);
            });
        }
    };
    check(whole(|_| {}), &[]);
    // Nor may one have what only a stream shows.
    check(whole(|r| r.finished = r.closed), &["error conservation"]);
    // And a stream without a token is a contradiction, unless the server says so.
    let one = |run: &mut Run| every(run, 10_000).take(1).for_each(unstream);
    check(one, &["error conservation"]);
}
