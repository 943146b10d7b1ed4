//! Runs whose answers ended otherwise than asked: broken off, stopped early, cut.

use super::{check, every, found, quiet, summary_of};
use crate::checks::judge;
use crate::{FinishShare, summarize_log};
use infermeter_core::finish::FinishReason;
use infermeter_core::oddity::Oddity;
use infermeter_core::plan::Plan;
use infermeter_core::record::{Chunk, Reason, RequestRecord, TokenSource};
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

#[test]
fn empty_answers_are_counted_and_have_no_latency() {
    let empty = |nth: usize| {
        move |run: &mut Run| {
            for record in every(run, nth) {
                unstream(record);
                record.output_tokens = Some(0);
                record.requested_output_tokens = 0;
            }
        }
    };
    check(empty(200), &["note empty-answers"]);
    check(empty(50), &["warning empty-answers"]);
    let mut run = quiet();
    empty(200)(&mut run);
    let summary = summary_of(&run.build());
    let latency = &summary.latency;
    let n = [&latency.ttft, &latency.e2e, &latency.ntpot].map(|metric| {
        let from = metric.from(summary.headline_origin);
        from.expect("answers with tokens").n
    });
    assert_eq!(n, [1_293; 3]);
}

#[test]
fn words_that_nobody_knows_are_quoted() {
    let said = |run: &mut Run| {
        for record in every(run, 130) {
            record.finish_reason = Some("recitation".to_owned());
        }
    };
    check(said, &["warning unknown-finish-reason"]);
    let mut run = quiet();
    said(&mut run);
    let (evidence, _) = details(run, "unknown-finish-reason");
    assert_eq!(evidence, "10 of 1,300 completed answers: 10 x recitation.");
    let odd = |run: &mut Run| {
        for record in every(run, 130) {
            record.unknown_members = Some("audio,mood".to_owned());
        }
    };
    check(odd, &["note unknown-delta-members"]);
    let mut run = quiet();
    odd(&mut run);
    let (evidence, _) = details(run, "unknown-delta-members");
    assert!(evidence.ends_with("10 x audio, 10 x mood."), "{evidence}");
    let mislabelled = |run: &mut Run| {
        every(run, 130).for_each(|r| r.oddities.insert(Oddity::Mislabelled));
    };
    check(mislabelled, &["note answers-mislabelled"]);
    let numbered = |run: &mut Run| {
        every(run, 130).for_each(|r| r.oddities.insert(Oddity::Gap));
    };
    check(numbered, &["warning event-numbers-broken"]);
}

#[test]
fn estimated_tokens_give_the_figures_that_need_no_counts() {
    let estimate = |run: &mut Run| {
        for record in run.records() {
            record.token_source = Some(TokenSource::Estimated);
            // Off the length asked for by more than a server may be: it is only an estimate.
            (record.output_tokens, record.estimated_output_tokens) = (None, Some(14));
            record
                .chunks
                .iter_mut()
                .for_each(|c| c.tokens = Chunk::TOKENS_UNKNOWN);
        }
    };
    check(estimate, &["note tokens-estimated"]);
    let mut run = quiet();
    estimate(&mut run);
    let log = run.build();
    assert!(found(&log).contains(&"note tokens-estimated".to_owned()));
    let summary = summary_of(&log);
    let latency = &summary.latency;
    assert!(latency.tpot.is_some() && latency.ntpot.send.is_some());
    assert!(latency.itl.is_none() && latency.smoothed_itl.is_none());
    assert_eq!(summary.tokens.estimated, 1_300);
    let throughput = summary.throughput.expect("a window");
    assert!(throughput.output_tokens.is_some() && throughput.responses_estimated > 0);
    assert_eq!(throughput.uncounted_chunks, 0);
}
