//! `workload make` and `convert`, and runs of what they wrote.

use crate::process::{Run, Scratch, infermeter, mock, run_with, words};
use infermeter_core::record::RequestRecord;
use serde_json::Value;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workload/tests/data");

fn made(scratch: &Scratch, name: &str, flags: &str) -> String {
    let path = scratch.path(name).display().to_string();
    let ran = infermeter(&format!("workload make {flags} --out {path}"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(
        ran.out.contains("counted again") && ran.out.contains(": exact"),
        "{ran:#?}"
    );
    path
}

fn header(path: &str) -> Value {
    let text = std::fs::read_to_string(path).expect("readable");
    serde_json::from_str(text.lines().next().expect("a header")).expect("JSON")
}

#[test]
fn one_file_and_salt_send_the_same_bytes_from_any_number_of_threads() {
    let scratch = Scratch::new();
    let file = made(
        &scratch,
        "w.jsonl",
        "--workload mix:fixed:40,4=1,fixed:60,3=1 --rate 40 --duration 1s --warmup 200ms",
    );
    let run = |threads: u32, salt: u32| {
        let line = format!(
            "run {} --workload-file {file} --threads {threads} --salt {salt}",
            mock()
        );
        run_with(words(&line), |_| {})
    };
    let (one, two, salted) = (run(1, 7), run(2, 7), run(2, 8));
    let said = |run: &Run, key: &str| {
        let value = run.manifest()["environment"]["workload"][key].clone();
        assert!(value.is_string(), "{key}: {value}");
        value
    };
    assert_eq!(said(&one, "sent_sha256"), said(&two, "sent_sha256"));
    assert_ne!(said(&one, "sent_sha256"), said(&salted, "sent_sha256"));
    assert_eq!(said(&one, "schedule_sha256"), said(&two, "schedule_sha256"));
    for run in [&one, &two, &salted] {
        assert_eq!(said(run, "sha256"), header(&file)["sha256"]);
    }
    let order = |records: Vec<RequestRecord>| -> Vec<_> {
        let asked = |r: RequestRecord| (r.id, r.intended, r.requested_prompt_tokens);
        records.into_iter().map(asked).collect()
    };
    assert_eq!(order(one.measured()), order(two.measured()));
    assert!(one.measured().len() > 10);
}

#[test]
fn the_file_is_the_load_that_it_was_made_from() {
    let scratch = Scratch::new();
    let load = "--workload fixed:50,4 --rate 30 --duration 1s --warmup 100ms --seed 5";
    let file = made(&scratch, "w.jsonl", load);
    let run = |flags: &str| run_with(words(&format!("run {} --salt 3 {flags}", mock())), |_| {});
    let (drawn, read) = (run(load), run(&format!("--workload-file {file}")));
    let hash = |run: &Run| run.manifest()["environment"]["workload"]["sent_sha256"].clone();
    assert_eq!(hash(&drawn), hash(&read));
    let intended =
        |run: &Run| -> Vec<i64> { run.measured().iter().map(|r| r.intended.0).collect() };
    assert_eq!(intended(&drawn), intended(&read));
    assert!(
        read.ran.out.contains("open loop, replay"),
        "{}",
        read.ran.out
    );
}

#[test]
fn a_file_goes_with_another_load() {
    let scratch = Scratch::new();
    let file = made(
        &scratch,
        "w.jsonl",
        "--workload fixed:50,4 --concurrency 2 --requests 4 --warmup 0",
    );
    let line = format!(
        "run {} --workload-file {file} --concurrency 2 --requests 10 --warmup 0",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    assert_eq!(run.measured().len(), 10);
    run_with(
        words(&format!("run {} --workload-file {file}", mock())),
        |_| {},
    )
    .ran
    .fails(2, &["have no instants", "--concurrency"]);
}

#[test]
fn a_trace_becomes_a_file_and_other_forms() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.path(name).display().to_string();
    let convert = |from: &str, to: &str, name: &str| {
        let out = path(name);
        let ran = infermeter(&format!(
            "workload convert {from} --to {to} --out {out} --limit 6"
        ));
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        out
    };
    let trace = format!("{DATA}/azure-2023-code-head.csv");
    let file = convert(&trace, "workload", "w.jsonl");
    assert_eq!(header(&file)["requests"], 6);
    assert_eq!(
        header(&file)["description"],
        "trace azure-2023-code-head.csv"
    );
    let lines = |path: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(path).expect("readable");
        let line = |line| serde_json::from_str(line).expect("JSON");
        text.lines().map(line).collect()
    };
    let rows = &lines(&file)[1..];
    let timed = lines(&convert(&file, "timed", "t.jsonl"));
    assert_eq!(timed.len(), 6);
    for (row, timed) in rows.iter().zip(&timed) {
        assert_eq!(row["prompt_tokens"], timed["input_length"]);
        let ms = timed["timestamp"].as_f64().expect("a number");
        assert_eq!(row["at_ns"].as_i64(), Some((ms * 1e6).round() as i64));
    }
    let messages = lines(&convert(&file, "messages", "m.jsonl"));
    assert_eq!(messages[0]["max_tokens"], rows[0]["output_tokens"]);
    assert_eq!(messages[0]["messages"][0]["role"], "user");
    let inspected = infermeter(&format!("workload inspect {file} --json")).json();
    assert_eq!(inspected["facts"]["format"], "workload");
    assert_eq!(inspected["facts"]["rows"], 6);
}

#[test]
fn an_edited_file_is_refused_and_converted() {
    let scratch = Scratch::new();
    let file = made(
        &scratch,
        "w.jsonl",
        "--workload fixed:50,4 --rate 20 --duration 1s --warmup 0",
    );
    let text = std::fs::read_to_string(&file).expect("readable");
    std::fs::write(
        &file,
        text.replace("\"output_tokens\":4", "\"output_tokens\":3"),
    )
    .expect("room");
    let refused = run_with(
        words(&format!("run {} --workload-file {file}", mock())),
        |_| {},
    );
    refused
        .ran
        .fails(2, &["was changed since it was made", "workload convert"]);
    let new = scratch.path("new.jsonl").display().to_string();
    let ran = infermeter(&format!("workload convert {file} --out {new}"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let run = run_with(
        words(&format!("run {} --workload-file {new}", mock())),
        |_| {},
    );
    assert!(run.measured().iter().all(|r| r.output_tokens == Some(3)));
}

#[test]
fn what_does_not_go_with_a_file_is_named() {
    let scratch = Scratch::new();
    let file = made(
        &scratch,
        "w.jsonl",
        "--workload fixed:50,4 --rate 20 --duration 1s --warmup 0",
    );
    let fails = |flags: &str, expect: &[&str]| {
        infermeter(&format!("run {} --workload-file {file} {flags}", mock())).fails(2, expect);
    };
    fails(
        "--workload chat",
        &["--workload and --workload-file exclude each other"],
    );
    fails(
        "--trace x.csv",
        &["--trace and --workload-file exclude each other"],
    );
    fails(
        "--tokenizer cl100k",
        &["lengths under the tokenizer o200k, not cl100k"],
    );
    infermeter("workload make --workload chat --rate 1 --duration 1s").fails(2, &["--out FILE"]);
    infermeter(&format!(
        "workload make --rate 1 --duration 1s --out {file}"
    ))
    .fails(2, &["cannot create", "exists"]);
}
