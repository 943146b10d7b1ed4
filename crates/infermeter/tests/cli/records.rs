//! The record: run.json, requests.parquet, responses.jsonl.

use crate::process::{UNPROBED, files_in, infermeter, light, mock, run, run_with};
use infermeter_core::record::{Outcome, TokenSource};
use infermeter_core::schedule::Phase;
use serde_json::Value;
use std::fs;

#[test]
fn one_row_per_request_in_schedule_order_with_ordered_instants() {
    let run = run_with(
        light(mock(), UNPROBED)
            .iter()
            .map(|word| {
                if word == "0" {
                    "4req".to_owned()
                } else {
                    word.clone()
                }
            })
            .collect(),
        |_| {},
    );
    let records = run.records();
    let ids: Vec<u64> = records.iter().map(|r| r.id).collect();
    assert_eq!(ids, (0..records.len() as u64).collect::<Vec<_>>());
    let count = |phase| records.iter().filter(|r| r.phase == phase).count();
    assert_eq!(count(Phase::Warmup), 4);
    assert_eq!(count(Phase::Measure), 6);
    for pair in records.windows(2) {
        assert!(pair[0].intended <= pair[1].intended);
    }
    for r in records.iter().filter(|r| r.outcome == Outcome::Completed) {
        assert!(r.send_start <= r.sent);
        // The simulator sends its head at once: it may come before the write returns.
        let instants = [
            Some(r.intended),
            r.send_start,
            r.first_byte,
            r.chunks.first().map(|c| c.at),
            r.finished,
            r.closed,
        ];
        let instants: Option<Vec<_>> = instants.into_iter().collect();
        assert!(instants.expect("all there").is_sorted(), "{r:?}");
        assert_eq!(r.chunks.len(), 4);
        assert_eq!(
            (r.requested_prompt_tokens, r.requested_output_tokens),
            (16, 4)
        );
        assert_eq!((r.output_tokens, r.status), (Some(4), Some(200)));
        assert_eq!(r.token_source, Some(TokenSource::OnePerChunk));
        assert_eq!((r.cached_tokens, r.reasoning_tokens), (None, None));
        assert_eq!(r.finish_reason.as_deref(), Some("length"));
        assert_eq!(r.attempts, 1);
        assert!(r.tls_done.is_none() && r.error.is_none() && r.texts.is_none());
    }
    assert_eq!(files_in(&run.dir), ["requests.parquet", "run.json"]);
}

#[test]
fn the_manifest_says_what_was_run() {
    let run = run(mock(), "--seed 9");
    let manifest = run.manifest();
    assert_eq!(manifest["format_version"], 1);
    assert_eq!(manifest["state"], "finished");
    assert_eq!(manifest["plan"]["rate"], 50.0);
    assert_eq!(manifest["plan"]["seed"], 9);
    assert_eq!(manifest["load_model"], "open_loop");
    assert_eq!(manifest["model"], "mock/fixed");
    assert_eq!(manifest["classes"], serde_json::json!(["fixed"]));
    for text in ["run_id", "plan_hash", "infermeter_version", "verdict"] {
        assert!(manifest[text].is_string(), "{text}");
    }
    for number in ["monotonic_origin_ns", "realtime_origin_ns"] {
        assert!(manifest["clock"][number].is_i64(), "{number}");
    }
    assert!(manifest["seeds"]["workload"].is_u64());
    assert_ne!(manifest["seeds"]["workload"], manifest["seeds"]["schedule"]);
    assert_eq!(manifest["control_requests"], Value::Array(vec![]));
    let scheduled = manifest["progress"]["scheduled"].as_u64().expect("a count");
    assert_eq!(scheduled, run.records().len() as u64);
}

#[test]
fn control_requests_are_kept_with_their_ids() {
    let run = run_with(light(mock(), ""), |_| {});
    let manifest = run.manifest();
    let id = manifest["run_id"].as_str().expect("an id");
    let control = manifest["control_requests"].as_array().expect("a list");
    let what: Vec<&str> = control
        .iter()
        .filter_map(|c| c["request"].as_str())
        .collect();
    assert_eq!(
        what,
        [
            "GET /v1/models",
            "GET /version",
            "POST /v1/chat/completions",
            "GET /metrics",
            "GET /metrics"
        ]
    );
    for (n, request) in control.iter().enumerate() {
        assert_eq!(request["request_id"], format!("{id}-probe-{n}"));
        assert_eq!(request["status"], 200);
    }
    let fields = &manifest["environment"]["target"]["fields"];
    assert_eq!(fields["ignore_eos"], true);
    assert_eq!(fields["continuous_usage"], true);
    let records = run.completes();
    assert!(records.iter().all(|r| r.output_tokens == Some(4)));
    assert!(
        records
            .iter()
            .all(|r| r.token_source == Some(TokenSource::ContinuousUsage))
    );
}

#[test]
fn the_same_seed_sends_the_same_and_another_does_not() {
    let intended = |seed: &str| -> Vec<i64> {
        let records = run(mock(), seed).measured();
        records.iter().map(|r| r.intended.0).collect()
    };
    let first = intended("--seed 4");
    assert_eq!(first, intended("--seed 4"));
    assert_ne!(first, intended("--seed 5"));
}

#[test]
fn responses_are_saved_when_asked_for() {
    let run = run(mock(), "--save-responses");
    let text = fs::read_to_string(run.dir.join("responses.jsonl")).expect("there");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), run.records().len());
    let completed = |line: &&Value| line["error"].is_null() && line["usage"].is_object();
    assert!(lines.iter().filter(completed).count() >= 6);
    for (id, line) in lines.iter().enumerate() {
        assert_eq!(line["id"], id);
        if completed(&line) {
            assert!(line["text"].as_str().is_some_and(|t| !t.is_empty()));
            assert_eq!(line["usage"]["output_tokens"], 4);
            assert_eq!(line["finish_reason"], "length");
        }
    }
}

#[test]
fn a_damaged_record_is_named() {
    let run = run(mock(), "");
    let report = || infermeter(&format!("report {}", run.dir.display()));
    let parquet = run.dir.join("requests.parquet");
    let whole = fs::read(&parquet).expect("there");
    fs::write(&parquet, &whole[..whole.len() / 2]).expect("written");
    report().fails(2, &["requests.parquet", "restore"]);
    fs::remove_file(&parquet).expect("removed");
    report().fails(2, &["run.json", "no record"]);
    fs::write(run.dir.join("run.json"), "{\"format_version\": 99}").expect("written");
    report().fails(2, &["run.json", "newer infermeter"]);
    fs::write(run.dir.join("run.json"), "{nonsense").expect("written");
    report().fails(2, &["run.json", "line 1"]);
}

/// What must not reach a terminal: it would be acted on instead of shown.
fn steers(text: &str) -> bool {
    let acted_on = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
    text.chars().any(|c| c != '\n' && acted_on(c))
}

/// Every place of a text in a JSON value.
fn texts(value: &Value, place: &str, places: &mut Vec<String>) {
    match value {
        Value::String(_) => places.push(place.to_owned()),
        Value::Array(list) => {
            for (i, part) in list.iter().enumerate() {
                texts(part, &format!("{place}/{i}"), places);
            }
        }
        Value::Object(map) => {
            for (key, part) in map {
                texts(part, &format!("{place}/{}", key.replace('/', "~1")), places);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn nothing_that_stands_in_run_json_steers_a_terminal() {
    const HOSTILE: &str = "A\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\nVerdict: Valid\r";
    let run = run(mock(), "--slo 'ttft.p50<1s'");
    let path = run.dir.join("run.json");
    let whole: Value = serde_json::from_slice(&fs::read(&path).expect("there")).expect("JSON");
    let mut places = vec![];
    texts(&whole, "", &mut places);
    // Summary and findings are computed again: what stands there is not read.
    places.retain(|place| !place.starts_with("/summary") && !place.starts_with("/findings"));
    let one = |place: &String| vec![place.clone()];
    // Those that are read as they are all at once, the others (names of a closed set) one by one.
    let (named, free): (Vec<_>, Vec<_>) = places.iter().partition(|place| {
        let mut changed = whole.clone();
        *changed.pointer_mut(place).expect("there") = HOSTILE.into();
        serde_json::from_value::<infermeter_core::run::RunManifest>(changed).is_err()
    });
    assert!(named.len() > 10 && free.len() > 20, "{named:?} {free:?}");
    let tries = named.into_iter().map(one);
    for places in tries.chain([free.into_iter().cloned().collect()]) {
        let mut changed = whole.clone();
        for place in &places {
            *changed.pointer_mut(place).expect("there") = HOSTILE.into();
        }
        let text = serde_json::to_vec(&changed).expect("JSON");
        for command in [
            "report",
            "report --full",
            "report --json",
            "audit",
            "audit --json",
        ] {
            fs::write(&path, &text).expect("written");
            let ran = infermeter(&format!("{command} {}", run.dir.display()));
            assert!(!steers(&ran.out), "{command} {places:?}: {:?}", ran.out);
            assert!(!steers(&ran.err), "{command} {places:?}: {:?}", ran.err);
            let forged = |line: &str| line.trim_end() == "Verdict: Valid";
            let lines = ran
                .out
                .lines()
                .chain(ran.err.lines())
                .filter(|line| forged(line));
            assert_eq!(lines.count(), 0, "{command} {places:?}: {ran:#?}");
        }
    }
}
