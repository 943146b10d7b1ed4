//! Conversations: `--sessions`, and traces whose rows wait for each other.

use crate::process::{Mock, Run, Scratch, infermeter, mock, run_with, words};
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use infermeter_core::request::Turn;
use infermeter_core::schedule::Phase;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// A simulator that tells what its prefix cache held.
fn caching() -> Mock {
    Mock::start("--preset llama-8b-h100 --set prompt-tokens-details=true")
}

fn sessions(url: &str, more: &str) -> Run {
    let line = format!(
        "run {url} --warmup 0 --workload fixed:64,3 --seed 4 --threads 2 \
         --sessions turns=3 --sessions think=20ms {more}"
    );
    run_with(words(&line), |_| {})
}

/// Turns are due when the answer before them has ended and the wait has passed.
fn check_turns(records: &[RequestRecord], wait_ns: i64) {
    let by_id: BTreeMap<u64, &RequestRecord> = records.iter().map(|r| (r.id, r)).collect();
    for record in records {
        let turn = record.turn.expect("a turn");
        assert_eq!(record.id, 3 * turn.session + u64::from(turn.number));
        let Some(parent) = record.parent else {
            assert_eq!(turn.number, 0);
            continue;
        };
        let closed = by_id[&parent].closed.expect("its parent has ended");
        assert_eq!(record.intended, closed.plus(wait_ns));
    }
}

/// The break-downs by turn count the completed turns of the record.
fn check_breakdown(run: &Run) {
    let completed: Vec<u32> = run
        .measured()
        .iter()
        .filter(|r| r.outcome == Outcome::Completed)
        .map(|r| r.turn.expect("a turn").number)
        .collect();
    let summary = run.manifest()["summary"].clone();
    let keys = summary["breakdown"].as_array().expect("a list");
    let bands = |key: &str| -> Vec<(String, u64)> {
        let key = keys.iter().find(|k| k["key"] == key).expect("a key");
        let bands = key["bands"].as_array().expect("a list").iter();
        let band = |b: &Value| {
            let name = b["band"].as_str().expect("a name").to_owned();
            (name, b["measured"]["completed"].as_u64().expect("a count"))
        };
        bands.map(band).collect()
    };
    let count = |turns: RangeInclusive<u32>| -> u64 {
        completed.iter().filter(|n| turns.contains(n)).count() as u64
    };
    let named = |name: &str, turns| (name.to_owned(), count(turns));
    let expect = [named("first", 0..=0), named("later", 1..=2)];
    assert_eq!(bands("turn"), expect);
    let expect = [named("1", 0..=0), named("2", 1..=1), named("3 to 4", 2..=2)];
    assert_eq!(bands("turn_number"), expect);
}

#[test]
fn later_turns_are_cached_and_runs_share_nothing() {
    let mock = caching();
    let open = "--rate 20 --requests 8";
    for _ in 0..2 {
        let run = sessions(&mock.url, open);
        let records = run.records();
        check_turns(&records, 20_000_000);
        let completed = || records.iter().filter(|r| r.outcome == Outcome::Completed);
        for record in completed() {
            let cached = record.cached_tokens.expect("told");
            match record.turn.expect("a turn").number {
                0 => assert_eq!(cached, 0, "{record:?}"),
                number => assert!(cached >= 64 * number, "{record:?}"),
            }
        }
        assert!(completed().filter(|r| r.parent.is_some()).count() >= 8);
        let manifest = run.manifest();
        assert_eq!(manifest["summary"]["sessions"]["counts"]["begun"], 8);
        let text = &run.ran.out;
        assert!(
            text.contains("Sessions that began inside the window"),
            "{text}"
        );
        assert!(text.contains("20.0 sessions/s asked"), "{text}");
    }
}

#[test]
fn users_have_one_session_at_a_time() {
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let run = sessions(
        &mock.url,
        "--concurrency 3 --requests 18 --sessions pause=10ms",
    );
    let records = run.records();
    check_turns(&records, 20_000_000);
    check_breakdown(&run);
    let fairness = run.manifest()["summary"]["fairness"][0].clone();
    assert_eq!(
        (&fairness["by"], &fairness["speed"]["requests"]),
        (&"session".into(), &18.into())
    );
    let index = fairness["speed"]["index"].as_f64().expect("a number");
    assert!(index > 0.0 && index <= 1.0, "{index}");
    let at_once = records.iter().filter(|r| r.intended.0 == 0).count();
    assert_eq!(at_once, 3);
    assert!(
        run.ran.out.contains("CLOSED LOOP, 3 users"),
        "{}",
        run.ran.out
    );
}

#[test]
fn a_failed_turn_ends_its_session() {
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let run = sessions(
        &mock.url,
        "--rate 20 --requests 4 --header 'x-mock-fault: status=500' --no-probe --model mock/fixed",
    );
    let begun: Vec<u64> = run
        .measured()
        .iter()
        .filter_map(|r| r.turn.filter(|turn| turn.number == 0))
        .map(|turn| turn.session)
        .collect();
    assert_eq!(begun.len(), 4);
    // A failure may come after the window: the turns that it ends are then of the drain.
    let records = run.records();
    let ended = |r: &&RequestRecord| {
        let reason = r.error.as_ref().map(|e| e.reason);
        let ours = r.turn.is_some_and(|turn| begun.contains(&turn.session));
        ours && (r.outcome, reason) == (Outcome::NotSent, Some(Reason::SessionEnded))
    };
    assert_eq!(records.iter().filter(ended).count(), 8);
    // Turns that a failure ended were never to be sent: they are no part of the load.
    let manifest = run.manifest();
    let offered = &manifest["summary"]["load"]["offered"];
    assert_eq!(offered["measured"].as_u64(), Some(4), "{offered}");
    let findings = manifest["findings"].to_string();
    assert!(!findings.contains("conservation"), "{findings}");
}

#[test]
fn a_live_history_is_noted_and_kept() {
    let mock = caching();
    let run = sessions(&mock.url, "--rate 20 --requests 4 --sessions history=live");
    run.finding("live-history");
    check_turns(&run.records(), 20_000_000);
    assert!(run.dir.join("responses.jsonl").exists());
    let later = run.measured().into_iter().filter(|r| r.parent.is_some());
    for record in later.filter(|r| r.outcome == Outcome::Completed) {
        // The prompt before and the server's own answer to it, as the server has them.
        assert!(record.cached_tokens.expect("told") >= 64, "{record:?}");
    }
}

#[test]
fn rows_of_a_trace_wait_for_their_parents() {
    let mock = caching();
    let scratch = Scratch::new();
    let row = |chat: u32, parent: i32, at: f64, tokens: u32| {
        let blocks: Vec<u32> = (0..tokens / 16).collect();
        format!(
            "{{\"chat_id\":{chat},\"parent_chat_id\":{parent},\"timestamp\":{at},\
             \"input_length\":{tokens},\"output_length\":9,\"type\":\"text\",\"turn\":1,\
             \"hash_ids\":{blocks:?}}}\n"
        )
    };
    let rows = [
        row(1, -1, 0.0, 32),
        row(2, 1, 0.001, 48),
        row(3, 2, 0.4, 64),
    ];
    let file = scratch.file("chats.jsonl", &rows.concat());
    let line = format!("run {} --warmup 0 --trace {file} --threads 2", mock.url);
    let run = run_with(words(&line), |_| {});
    let records = run.records();
    let closed = records[0].closed.expect("answered");
    assert_eq!(records.len(), 3);
    assert_eq!(records[1].intended, closed);
    assert_eq!(records[1].planned.map(|at| at.0), Some(1_000_000));
    assert_eq!(records[2].intended.0, 400_000_000);
    assert_eq!(records[2].parent, Some(1));
    assert_eq!(records[2].cached_tokens, Some(48));
    let slip = &run.manifest()["summary"]["sessions"]["slip"]["n"];
    assert_eq!(*slip, 2);
    check_breakdown(&run);
}

#[test]
fn what_is_no_session_says_why() {
    for (more, expect) in [
        ("--rate 1 --sessions trns=3", "did you mean `turns`?"),
        ("--rate 1 --sessions think=5s", "turns=N is needed"),
        (
            "--rate 1 --sessions turns=3 --sessions pause=5s",
            "pause=TIME needs --concurrency",
        ),
        (
            "--rate 1 --sessions turns=3 --endpoint completions",
            "--sessions needs --endpoint chat",
        ),
        ("--rate 1 --session-header x-session", "needs --sessions"),
        (
            "--rate 1 --sessions turns=3 --session-header 'a b'",
            "--session-header",
        ),
    ] {
        let ran = infermeter(&format!("run mock:fixed --duration 5s {more}"));
        ran.fails(2, &[expect]);
    }
}

#[test]
fn sessions_go_through_a_file() {
    let scratch = Scratch::new();
    let file = scratch.path("w.jsonl").display().to_string();
    let load = "--rate 6 --duration 1s --warmup 0 --workload fixed:30,3 --sessions turns=3 \
                --sessions think=20ms";
    let ran = infermeter(&format!("workload make {load} --out {file}"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let run = |flags: &str| {
        let out = scratch.path(&format!("r{}", flags.len()));
        let ran = infermeter(&format!(
            "run {} --salt 4 {flags} --out {}",
            mock(),
            out.display()
        ));
        assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
        let mut rows = infermeter_record::read_records(&out).expect("records");
        // How far the sessions of the drain get depends on the server.
        rows.retain(|r| r.phase == Phase::Measure);
        let row = |r: RequestRecord| (r.id, r.turn, r.parent, r.requested_prompt_tokens);
        rows.into_iter().map(row).collect::<Vec<_>>()
    };
    let (drawn, read) = (run(load), run(&format!("--workload-file {file}")));
    assert!(read.iter().any(|(_, _, parent, _)| parent.is_some()));
    let first = |rows: &[(u64, Option<Turn>, Option<u64>, u32)]| -> Vec<u64> {
        let roots = rows.iter().filter(|(_, _, parent, _)| parent.is_none());
        roots.map(|(id, ..)| *id).collect()
    };
    assert_eq!(first(&drawn), first(&read));
    let closed = "workload make --concurrency 2 --requests 5 --sessions turns=3 --out never.jsonl";
    infermeter(closed).fails(2, &["sessions of a closed loop have no instants"]);
}

#[test]
fn a_dry_run_says_that_rates_are_of_sessions() {
    let ran = infermeter(
        "run mock:fixed --rate 2 --duration 10s --workload fixed:20,5 --sessions turns=3 \
         --sessions think=exp:5s --dry-run",
    );
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(
        ran.out
            .contains("3.00 turns on average, at most 3; think exp:5s"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("2.00 sessions/s asked for"), "{}", ran.out);
}
