//! Virtual time against the simulator that is started: the same plan has the same requests and the same ends.

use crate::process::{Scratch, infermeter};
use infermeter_core::plan::Plan;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::schedule::Phase;
use infermeter_record::read_records;
use infermeter_session::experiment::Experiment;
use infermeter_session::finish::journal_records;
use infermeter_session::measure::{Measure, Site};
use infermeter_session::run_id::RunIdentity;
use infermeter_session::virtually::Virtual;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;

/// One slot: requests go out one after the other, so that no timing decides.
fn keys(more: &Value) -> Map<String, Value> {
    let own = json!({
        "concurrency": 1, "warmup": "0", "workload": "fixed:120,6", "salt": 7, "no-probe": true,
        "threads": 1, "timeout": "2s",
    });
    let all = [&own, more].map(|value| value.as_object().expect("keys"));
    let all = all.into_iter().flatten();
    all.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn plan(keys: &Map<String, Value>) -> Plan {
    let mut plan = serde_json::to_value(Plan::defaults()).expect("JSON");
    for (key, value) in keys {
        plan[key] = value.clone();
    }
    serde_json::from_value(plan).expect("a plan")
}

/// Of each measured request: how it ended, and the tokens of those that ended well.
fn facts(records: &[RequestRecord]) -> BTreeMap<u64, String> {
    let measured = records
        .iter()
        .filter(|record| record.phase == Phase::Measure);
    measured
        .map(|record| {
            let tokens = (
                record.prompt_tokens,
                record.cached_tokens,
                record.output_tokens,
            );
            let tokens = Some(tokens).filter(|_| record.outcome == Outcome::Completed);
            let why = record.error.as_ref().map(|error| error.reason);
            let fact = (record.outcome, why, tokens, record.turn, record.parent);
            (record.id, format!("{fact:?}"))
        })
        .collect()
}

fn over_sockets(scratch: &Scratch, keys: &Map<String, Value>) -> Vec<RequestRecord> {
    let file = scratch.file("plan.yaml", &json!(keys).to_string());
    let out = scratch.path("run");
    let ran = infermeter(&format!(
        "run --config {file} --out {} --quiet",
        out.display()
    ));
    assert!(out.join("run.json").exists(), "{ran:?}");
    read_records(&out).expect("readable")
}

fn virtually(scratch: &Scratch, keys: &Map<String, Value>) -> Vec<RequestRecord> {
    let plan = plan(keys);
    let directory = scratch.path("virtual");
    fs::create_dir(&directory).expect("created");
    let experiment = Experiment::of(&plan).expect("an experiment");
    let site = Site {
        identity: RunIdentity::fresh(plan.salt).expect("an id"),
        plan,
        directory: directory.clone(),
        part: None,
    };
    Virtual.measure(&experiment, &site).expect("measured");
    journal_records(&directory).expect("readable")
}

fn check(more: &Value) -> BTreeMap<u64, String> {
    let scratch = Scratch::new();
    let keys = keys(more);
    let (live, simulated) = (over_sockets(&scratch, &keys), virtually(&scratch, &keys));
    let (live, simulated) = (facts(&live), facts(&simulated));
    assert_eq!(live, simulated, "{more}");
    live
}

#[test]
fn shared_beginnings_have_the_same_hits() {
    let found = check(&json!({
        "target": "mock:llama-8b-h100?prompt-tokens-details=true", "model": "mock/llama-8b-h100", "requests": 8,
        "workload": "fixed:300,4", "prefix": "shared:2/200",
    }));
    assert_eq!(found.len(), 8);
}

#[test]
fn conversations_have_the_same_turns_and_hits() {
    let found = check(&json!({
        "target": "mock:llama-8b-h100?prompt-tokens-details=true", "model": "mock/llama-8b-h100", "requests": 9,
        "sessions": ["turns=3", "system=40"],
    }));
    assert_eq!(found.len(), 9);
}

#[test]
fn faults_have_the_same_ends() {
    let rules = [
        "status=503@nth:2",
        "disconnect-after=2@nth:4",
        "in-band-error-after=2@nth:6",
        "empty@nth:8",
        "content-filter=2@nth:10",
        "truncate-after=2@nth:12",
        "stall-after=1@nth:14",
        "early-stop=2@nth:16",
        "html=502@nth:18",
        "stall=2:100ms@nth:20",
    ];
    let target = format!("mock:fixed?faults={}", rules.join(";"));
    let found = check(&json!({"target": target, "model": "mock/fixed", "requests": 22}));
    let failed = found.values().filter(|fact| !fact.contains("Completed"));
    assert_eq!(failed.count(), 6, "{found:?}");
}
