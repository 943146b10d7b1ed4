//! Replay of a trace: its own instants and lengths, and rows that cannot be replayed.

use crate::process::{Scratch, infermeter, mock, run_with, words};
use infermeter_core::schedule::Phase;

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
const ROWS: &str = "2023-11-16 18:17:03.0000000,20,3\n\
                    2023-11-16 18:17:03.1000000,21,4\n\
                    2023-11-16 18:17:03.2500000,22,5\n\
                    2023-11-16 18:17:03.4000000,23,6\n\
                    2023-11-16 18:17:03.9000000,24,7\n";

#[test]
fn rows_are_sent_at_their_scaled_instants_with_their_lengths() {
    let scratch = Scratch::new();
    let trace = scratch.file("trace.csv", &format!("{HEADER}{ROWS}"));
    let line = format!(
        "run {} --trace {trace} --trace-limit 4 --time-scale 0.5 --warmup 1req --threads 1",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let records = run.records();
    let asked: Vec<(u32, u32)> = records
        .iter()
        .map(|r| (r.requested_prompt_tokens, r.requested_output_tokens))
        .collect();
    assert_eq!(asked, [(20, 3), (21, 4), (22, 5), (23, 6)]);
    let first = records[0].intended;
    let gaps: Vec<i64> = records.iter().map(|r| r.intended.since(first)).collect();
    assert_eq!(gaps, [0, 50_000_000, 125_000_000, 200_000_000]);
    let phases: Vec<Phase> = records.iter().map(|r| r.phase).collect();
    let (w, m) = (Phase::Warmup, Phase::Measure);
    assert_eq!(phases, [w, m, m, m]);
    for record in &records {
        assert_eq!(record.output_tokens, Some(record.requested_output_tokens));
    }
    let manifest = run.manifest();
    assert_eq!(manifest["load_model"], "open_loop");
    assert_eq!(manifest["classes"], serde_json::json!(["trace"]));
    run.finding("drain-without-load");
}

#[test]
fn thinned_rows_keep_their_instants_and_lengths() {
    let scratch = Scratch::new();
    let rows: String = (0..40)
        .map(|n| format!("2023-11-16 18:17:03.{:03}0000,{},3\n", n * 10, 20 + n))
        .collect();
    let trace = scratch.file("trace.csv", &format!("{HEADER}{rows}"));
    let line = |more: &str| {
        let fixed = "--warmup 0 --threads 1 --no-probe --model mock/fixed";
        words(&format!("run {} --trace {trace} {fixed} {more}", mock()))
    };
    let lengths = |more: &str| -> Vec<u32> {
        let records = run_with(line(more), |_| {}).records();
        let ms = |at: i64| at as f64 / 1e6;
        for record in &records {
            let row = record.requested_prompt_tokens - 20;
            assert_eq!(ms(record.intended.0), f64::from(row) * 10.0);
        }
        records.iter().map(|r| r.requested_prompt_tokens).collect()
    };
    let all: Vec<u32> = (20..60).collect();
    assert_eq!(lengths("--thin 1"), all);
    let half = lengths("--thin 0.5");
    assert!((10..30).contains(&half.len()), "{half:?}");
    assert!(half.windows(2).all(|pair| pair[0] < pair[1]));
}

/// Rows with their texts, one without an answer's length, one that waits for another's answer.
const TEXTS: &str = "{\"timestamp\": 0, \"text_input\": \"Say yes.\", \"output_length\": 5}\n\
    {\"timestamp\": 100, \"text_input\": \"Say no.\", \"session_id\": \"s\"}\n\
    {\"session_id\": \"s\", \"delay\": 50, \"text_input\": \"Why?\", \"output_length\": 2}\n\
    {\"timestamp\": 1500, \"text_input\": \"Say yes.\", \"output_length\": 4}\n";

#[test]
fn a_trace_with_texts_is_sent_at_its_instants() {
    let scratch = Scratch::new();
    let trace = scratch.file("trace.jsonl", TEXTS);
    let line = format!(
        "run {} --trace {trace} --warmup 0 --threads 1 --no-probe --model mock/fixed --prefix none \
         --workload fixed:16,7",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let records = run.records();
    let asked: Vec<(u32, u32)> = records
        .iter()
        .map(|r| (r.requested_prompt_tokens, r.requested_output_tokens))
        .collect();
    assert_eq!(asked, [(3, 5), (3, 7), (2, 2), (3, 4)]);
    assert_eq!(records[1].intended.since(records[0].intended), 100_000_000);
    let closed = records[1].closed.expect("it ended");
    assert_eq!(records[2].parent, Some(1));
    assert_eq!(records[2].intended.since(closed), 50_000_000);
    let facts = &run.manifest()["environment"]["workload"]["trace"];
    assert_eq!(
        (&facts["drawn_outputs"], &facts["time_unit"]),
        (&1.into(), &"milliseconds".into())
    );
}

#[test]
fn lengths_that_a_trace_lacks_are_drawn_and_others_are_not_replaced() {
    let scratch = Scratch::new();
    let row = |time: u32, more: &str| {
        format!("{{\"timestamp\": {time}, \"input_length\": 20, \"hash_ids\": [1]{more}}}\n")
    };
    let trace = scratch.file(
        "a.jsonl",
        &[row(0, ""), row(900, ", \"output_length\": 3")].concat(),
    );
    let line = |trace: &str| {
        format!("run http://h --trace {trace} --warmup 0 --dry-run --workload fixed:20,9")
    };
    let ran = infermeter(&line(&trace));
    assert!(
        ran.out
            .contains("1 row without an answer's length: drawn from --workload"),
        "{ran:#?}"
    );
    assert!(
        ran.out.contains("20 prompt and 6 output tokens a request"),
        "{ran:#?}"
    );
    let whole = scratch.file("b.jsonl", &row(0, ", \"output_length\": 3"));
    infermeter(&line(&whole)).fails(2, &["--workload and --trace exclude each other"]);
}

#[test]
fn bad_traces_name_file_line_and_column() {
    let scratch = Scratch::new();
    let good = "2023-11-16 18:17:03.0000000,20,3\n";
    for (rows, said) in [
        (String::new(), &["no rows"][..]),
        (
            format!("{good}2023-11-16 18:17:04.0,abc,5\n"),
            &["line 3", "ContextTokens", "`abc`"],
        ),
        (
            format!("{good}\n{good}2023-11-16 18:17:02.0,9,5\n"),
            &["line 5", "before the row above"],
        ),
        (
            "2023-11-16 18:17:04.0,9,0\n".to_owned(),
            &["no rows left", "line 2", "0 output tokens"],
        ),
        (
            format!("{good}2023-11-16 18:17:04.0,9\n"),
            &["line 3", "GeneratedTokens"],
        ),
        (
            format!("{good}2023-11-16 18:17:04.0,-9,5\n"),
            &["line 3", "`-9`"],
        ),
        (
            "yesterday\u{1b}[31m,9,5\n".to_owned(),
            &["line 2", "TIMESTAMP", "yesterday"],
        ),
    ] {
        let trace = scratch.file("trace.csv", &format!("{HEADER}{rows}"));
        let ran = infermeter(&format!(
            "run http://h --trace {trace} --warmup 0 --dry-run"
        ));
        ran.fails(2, &["--trace", &trace]);
        ran.fails(2, said);
        assert!(!ran.err.contains('\u{1b}'));
    }
    let trace = scratch.file("other.csv", "time,in,out\n1,2,3\n");
    let ran = infermeter(&format!("run http://h --trace {trace} --dry-run"));
    ran.fails(2, &["line 1", "TIMESTAMP", "time,in,out"]);
    let ran = infermeter("run http://h --trace /nowhere.csv --dry-run");
    ran.fails(2, &["/nowhere.csv", "--trace"]);
}

#[test]
fn a_trace_needs_rows_beyond_its_warm_up() {
    let scratch = Scratch::new();
    let trace = scratch.file("trace.csv", &format!("{HEADER}{ROWS}"));
    let ran = infermeter(&format!("run http://h --trace {trace} --dry-run"));
    ran.fails(
        2,
        &["ends inside the warm-up", "--warmup 0", "--trace-limit"],
    );
    for (flag, said) in [
        ("--time-scale 0", "--time-scale"),
        ("--time-scale -1", "--time-scale"),
        ("--trace-limit 0", "--trace-limit"),
        ("--trace-limit -1", "--trace-limit"),
    ] {
        let line = format!("run http://h --trace {trace} --warmup 0 --dry-run {flag}");
        infermeter(&line).fails(2, &[said]);
    }
}
