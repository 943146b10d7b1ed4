//! `workload inspect` and `workload head`: figures that are known, and files that are none.

use crate::process::{Scratch, infermeter, mock, run_with, words};
use serde_json::{Value, json};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workload/tests/data");

fn inspected(line: &str) -> Value {
    let ran = infermeter(&format!("workload inspect {line} --json"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    ran.json()
}

#[test]
fn figures_of_a_mooncake_slice_are_those_counted_elsewhere() {
    let found = inspected(&format!("{DATA}/mooncake-conversation-head.jsonl"));
    assert_eq!(found["facts"]["format"], "mooncake");
    assert_eq!(found["facts"]["rows"], 45);
    assert_eq!(found["sharing"]["counts"]["blocks"], 1092);
    assert_eq!(found["sharing"]["counts"]["block_hits"], 44);
    assert_eq!(found["prompt_tokens"]["n"], 45);
    assert_eq!(found["arrivals"]["distinct_instants"], DISTINCT);
}

/// Instants of the slice that differ.
const DISTINCT: usize = 5;

#[test]
fn the_text_fits_eighty_columns_and_has_no_colour_in_a_pipe() {
    for file in [
        "mooncake-conversation-head.jsonl",
        "azure-2023-code-head.csv",
    ] {
        let line = format!("workload inspect {DATA}/{file} --trace-option max-context=7000");
        let mut narrow = crate::process::command(&crate::process::words(&line));
        narrow.env("COLUMNS", "80");
        let ran = crate::process::ran(narrow);
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        assert!(!ran.out.contains('\u{1b}'));
        // The first line is the path.
        for line in ran.out.lines().skip(1) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for part in ["Lengths, tokens", "Arrivals", "Note", "█"] {
            assert!(ran.out.contains(part), "no {part} in {}", ran.out);
        }
    }
}

#[test]
fn head_prints_rows_as_json_lines() {
    let ran = infermeter(&format!(
        "workload head {DATA}/azure-2023-conv-head.csv -n 2"
    ));
    let rows: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let row = |line: u32, at: i64, input: u32, output: u32| json!({"line": line, "at_ns": at, "input_tokens": input, "output_tokens": output});
    assert_eq!(rows, [row(2, 0, 374, 44), row(3, 4_314_579_000, 396, 109)]);
}

#[test]
fn texts_are_counted_when_a_tokenizer_is_named() {
    let scratch = Scratch::new();
    let file = scratch.file(
        "chat.json",
        r#"[{"id": "a", "conversations": [{"from": "human", "value": "the cat"},
            {"from": "gpt", "value": "the"}, {"from": "human", "value": " dog"},
            {"from": "gpt", "value": "the end of it"}]}]"#,
    );
    let found = inspected(&file);
    assert_eq!(found["texts_not_counted"], 2);
    assert_eq!(found["prompt_tokens"], Value::Null);
    let found = inspected(&format!("{file} --tokenizer cl100k"));
    assert_eq!(found["texts_not_counted"], Value::Null);
    assert_eq!(found["answer_tokens"]["total"], 5.0);
    assert_eq!(found["prompt_tokens"]["min"], 2.0);
    assert_eq!(found["sessions"]["requests"]["max"], 2.0);
}

#[test]
fn what_is_wrong_is_named() {
    let scratch = Scratch::new();
    let file = scratch.file("t.jsonl", "{\"timestamp\": 0, \"length\": 5}\n");
    for (line, said) in [
        (
            format!("inspect {file}"),
            &["t.jsonl", "line 1", "length, timestamp"][..],
        ),
        (
            format!("head {file} --trace-option spred"),
            &["did you mean `spread`"],
        ),
        (format!("inspect {file} --limit 0"), &["--limit"]),
        (format!("head {file} -n 0"), &["-n"]),
        ("inspect /nowhere.csv".to_owned(), &["/nowhere.csv"]),
        (
            format!("inspect {DATA}/azure-2023-conv-head.csv --tokenizer o200k"),
            &["holds lengths, not texts"],
        ),
    ] {
        infermeter(&format!("workload {line}")).fails(2, said);
    }
}

#[test]
fn a_trace_with_blocks_is_replayed_and_its_facts_are_kept() {
    let scratch = Scratch::new();
    let row = |at: u32, tokens: u32, ids: &str| {
        format!(
            "{{\"timestamp\": {at}, \"input_length\": {tokens}, \"output_length\": 3, \
             \"type\": \"text\", \"hash_ids\": {ids}}}\n"
        )
    };
    let rows = [
        row(0, 40, "[1, 2, 3]"),
        row(0, 48, "[1, 2, 4]"),
        row(100, 900, "[1]"),
        row(200, 20, "[1, 5]"),
    ];
    let bad = scratch.file("bad.jsonl", &rows.concat());
    let declared = "--trace-option format=vllm --trace-option block-size=16 \
                    --trace-option time-unit=ms";
    let line = format!("run http://h --warmup 0 --dry-run {declared} --trace");
    infermeter(&format!("{line} {bad}")).fails(2, &["--trace", "line 3", "1 hash_ids for 900"]);

    let unblocked = row(100, 900, "[]").replace(", \"hash_ids\": []", "");
    let good = [&rows[0], &rows[1], &unblocked, &rows[3]].map(String::as_str);
    let trace = scratch.file("good.jsonl", &good.concat());
    let line = format!(
        "run {} --trace {trace} {declared} --trace-option max-context=500 \
         --trace-option spread --warmup 0 --threads 1",
        mock()
    );
    let dry = infermeter(&format!("{line} --dry-run"));
    for part in [
        "3 rows of the format vllm",
        "left out 1 row (line 3)",
        "spread 3 rows",
    ] {
        assert!(dry.out.contains(part), "no {part} in {dry:#?}");
    }
    let run = run_with(words(&line), |_| {});
    let records = run.records();
    let asked: Vec<u32> = records.iter().map(|r| r.requested_prompt_tokens).collect();
    assert_eq!(asked, [40, 48, 20]);
    let manifest = run.manifest();
    assert_eq!(manifest["classes"], json!(["text"]));
    let facts = &manifest["environment"]["workload"]["trace"];
    assert_eq!(facts["rows"], 3);
    assert_eq!(facts["skipped"][0]["reason"], "over-context");
    assert_eq!(facts["block_tokens"], 16);
}

/// What thinning leaves out is counted, and rows that stay keep their classes.
#[test]
fn a_thinned_trace_keeps_classes_and_says_how_many_rows_are_left() {
    let scratch = Scratch::new();
    let class = |n: u32| ["chat", "search"][n as usize % 2];
    let rows: String = (0..40)
        .map(|n| {
            format!(
                "{{\"timestamp\": 0.0{n:02}, \"input_length\": {}, \"output_length\": 3, \"type\": \
                 \"{}\", \"turn\": 1, \"chat_id\": {n}, \"parent_chat_id\": -1, \"hash_ids\": \
                 {:?}}}\n",
                20 + n,
                class(n),
                (0..(20 + n).div_ceil(16)).collect::<Vec<u32>>(),
            )
        })
        .collect();
    let trace = scratch.file("qwen.jsonl", &rows);
    let line = format!(
        "run {} --trace {trace} --thin 0.5 --warmup 0 --threads 1 --schedule-seed 3",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let (records, manifest) = (run.records(), run.manifest());
    let left = records.len() as u64;
    assert!((10..30).contains(&left), "{left}");
    let names = &manifest["classes"];
    for record in &records {
        let number = record.requested_prompt_tokens - 20;
        assert_eq!(names[usize::from(record.class)], class(number));
    }
    let facts = &manifest["environment"]["workload"]["trace"];
    assert_eq!(
        (&facts["rows"], &facts["unselected"]),
        (&json!(left), &json!(40 - left))
    );
    let said =
        format!("thinned: each row kept with probability 0.5, seed 3: {left} of 40 rows are left");
    assert_eq!(facts["operations"], json!([said]));
    let dry = infermeter(&format!("{line} --dry-run"));
    assert!(dry.out.contains(&said), "{dry:#?}");
}

#[test]
fn options_without_a_trace_are_refused() {
    let line = "run http://h --rate 1 --duration 1s --trace-option sort --dry-run";
    infermeter(line).fails(2, &["--trace-option needs --trace"]);
}
