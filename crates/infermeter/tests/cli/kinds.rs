//! Kinds of requests: what each sends, what the simulator answers, what reaches the record, and what
//! a server refuses.

use crate::process::{Run, Scratch, infermeter, light, mock, run_with, words};
use crate::server::{Server, good, reply};
use infermeter_core::record::{ChunkKind, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SCHEMA: &str = r#"{"type":"object","properties":{"city":{"type":"string"},
    "population":{"type":"integer"}},"required":["city","population"]}"#;

/// A run against the simulator that keeps its answers.
fn answered(more: &str) -> (Run, Vec<Value>) {
    let line = format!(
        "run {} --rate 50 --requests 6 --warmup 0 --workload fixed:16,40 --threads 1 \
         --save-responses {more}",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    run.completes();
    let path = run.dir.join("responses.jsonl");
    let text = std::fs::read_to_string(path).expect("responses");
    let answers = text.lines().map(|l| serde_json::from_str(l).expect("JSON"));
    let mut answers: Vec<Value> = answers.collect();
    // Those of the drain may be cut short.
    answers.retain(|answer| answer["id"].as_u64() < Some(6));
    assert_eq!(answers.len(), 6);
    (run, answers)
}

/// Bodies of the load's requests to a server that takes anything.
fn sent(more: &str) -> Vec<Value> {
    let server = Server::start(good);
    run_with(
        light(&server.url, &format!("{more} --no-probe --model m")),
        |_| {},
    )
    .completes();
    let bodies = server.generations().into_iter();
    bodies
        .map(|request| serde_json::from_str(&request.body).expect("JSON"))
        .collect()
}

#[test]
fn answers_keep_to_a_schema() {
    let scratch = Scratch::new();
    let schema = scratch.file("s.json", SCHEMA);
    let (run, answers) = answered(&format!("--schema {schema}"));
    for answer in &answers {
        let text = answer["text"].as_str().expect("a text");
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert!(
            value["city"].is_string() && value["population"].is_i64(),
            "{value}"
        );
    }
    let control = run.manifest()["control_requests"].to_string();
    assert!(control.contains("trial of --schema: accepted"), "{control}");
    let bodies = sent(&format!("--schema {schema}"));
    for body in bodies {
        assert_eq!(body["response_format"]["type"], "json_schema");
        let found = &body["response_format"]["json_schema"]["schema"]["required"];
        assert_eq!(*found, json!(["city", "population"]));
    }
}

#[test]
fn expressions_and_grammars_go_out_as_structured_outputs() {
    let scratch = Scratch::new();
    let grammar = scratch.file("g.txt", "root ::= \"yes\" | \"no\"");
    answered("--regex [a-z]+");
    answered(&format!("--grammar {grammar}"));
    for body in sent("--regex [a-z]+") {
        assert_eq!(body["structured_outputs"], json!({"regex": "[a-z]+"}));
    }
    for body in sent(&format!("--grammar {grammar}")) {
        let expected = json!({"grammar": "root ::= \"yes\" | \"no\""});
        assert_eq!(body["structured_outputs"], expected);
    }
}

#[test]
fn tools_are_called_and_the_calls_are_recorded() {
    let (run, answers) = answered("--tools 3 --tool-choice required");
    for answer in &answers {
        assert_eq!(answer["finish_reason"], "tool_calls");
        assert!(answer["tool_calls"].is_string(), "{answer}");
    }
    for record in run.measured() {
        let first = record.chunks.first().expect("chunks");
        assert_eq!(first.kind, ChunkKind::ToolCall);
    }
    let overhead = run.finding("prompt-overhead");
    assert_eq!(overhead["severity"], "note");
    for body in sent("--tools 3 --tool-choice find_order_1") {
        assert_eq!(body["tools"].as_array().map(Vec::len), Some(3));
        assert_eq!(body["tool_choice"]["function"]["name"], "find_order_1");
    }
}

#[test]
fn images_are_sent_and_no_two_are_alike() {
    answered("--images 2@64x32");
    let scratch = Scratch::new();
    let png = scratch.path("i.png");
    std::fs::write(&png, b"\x89PNG\r\n\x1a\nrest").expect("written");
    let urls = |more: &str| -> Vec<String> {
        let parts = sent(more).into_iter().flat_map(|body| {
            body["messages"][0]["content"]
                .as_array()
                .cloned()
                .expect("parts")
        });
        parts
            .filter_map(|part| Some(part["image_url"]["url"].as_str()?.to_owned()))
            .collect()
    };
    let made = urls("--images 2@64x32");
    assert_eq!(made.len() % 2, 0);
    let distinct: BTreeSet<&String> = made.iter().collect();
    assert_eq!(distinct.len(), made.len());
    assert!(
        made.iter()
            .all(|url| url.starts_with("data:image/png;base64,iVBORw0KGgo"))
    );
    let files = urls(&format!("--image {}", png.display()));
    assert!(
        files
            .iter()
            .all(|url| url == "data:image/png;base64,iVBORw0KGgpyZXN0")
    );
    assert!(files.len() >= 6);
}

#[test]
fn kinds_are_drawn_by_weight_and_have_results_of_their_own() {
    let scratch = Scratch::new();
    let schema = scratch.file("s.json", SCHEMA);
    let line = format!(
        "run {} --rate 200 --requests 60 --warmup 0 --workload fixed:16,40 --threads 1 --kind \
         plain=1 --kind schema=1 --kind tools=1 --kind images=1 --schema {schema} --tools 2 \
         --images 1@16x16 --tool-choice required --save-responses",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let manifest = run.manifest();
    let classes = ["plain", "schema", "tools", "images"].map(|kind| format!("fixed/{kind}"));
    assert_eq!(manifest["classes"], json!(classes));
    let summary = manifest["summary"]["classes"].as_array().expect("classes");
    let named: Vec<&str> = summary.iter().filter_map(|c| c["class"].as_str()).collect();
    assert_eq!(named, classes);
    for record in run.measured() {
        assert_eq!(record.outcome, Outcome::Completed);
        let calls = record.chunks.iter().any(|c| c.kind == ChunkKind::ToolCall);
        assert_eq!(calls, record.class == 2, "{record:?}");
    }
    let drawn: BTreeSet<u16> = run.measured().iter().map(|r| r.class).collect();
    assert_eq!(drawn, BTreeSet::from([0, 1, 2, 3]));
}

#[test]
fn adapters_are_named_as_models() {
    let adapted = crate::process::Mock::start("--preset fixed --ttft 2ms --step 1ms --adapter sql");
    let more = "--lora sql=1 --lora mock/fixed=1 --requests 30 --rate 200";
    let line = format!(
        "run {} {more} --warmup 0 --workload fixed:16,2 --threads 1",
        adapted.url
    );
    let run = run_with(words(&line), |_| {});
    let manifest = run.manifest();
    let classes = json!(["fixed@sql", "fixed@mock/fixed"]);
    assert_eq!(manifest["classes"], classes);
    let classes: BTreeSet<u16> = run.measured().iter().map(|r| r.class).collect();
    assert_eq!(classes.len(), 2);
    let bodies = sent("--lora a=1 --lora b=1 --seed 4").into_iter();
    let models: BTreeSet<String> = bodies
        .filter_map(|body| Some(body["model"].as_str()?.to_owned()))
        .collect();
    assert_eq!(models, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    // The simulator serves no such adapter: nothing is measured.
    let ran = infermeter(&format!(
        "run {} --lora slq=1 --rate 5 --duration 1s",
        adapted.url
    ));
    ran.fails(4, &["the target refuses --lora slq (status 404)", "slq"]);
}

#[test]
fn sampling_parameters_keep_their_types() {
    answered("--sampling temperature=0.5 --sampling stop=[]");
    for body in sent("--sampling temperature=0.5 --sampling 'stop=[\"END\"]' --sampling seed=7") {
        assert_eq!(body["temperature"], json!(0.5));
        assert_eq!(body["stop"], json!(["END"]));
        assert_eq!(body["seed"], json!(7));
    }
}

#[test]
fn a_template_writes_the_whole_body() {
    let scratch = Scratch::new();
    let text = r#"{"inputs": "{{prompt}}", "parameters": {"n": {{max_tokens}}, "stream": {{stream}}},
        "model": "x-{{model}}", "note": "request {{id}}", "list": "{{messages}}"}"#;
    let template = scratch.file("t.json", text);
    let server = Server::start(good);
    let more = format!(
        "--body-template {template} --endpoint-path /generate --model small --sampling top_p=0.5"
    );
    let run = run_with(light(&server.url, &more), |_| {});
    run.completes();
    let generations = server.generations();
    for request in &generations {
        assert_eq!(request.what(), "POST /generate");
        let body: Value = serde_json::from_str(&request.body).expect("JSON");
        let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
        assert_eq!(
            members[..5],
            ["inputs", "parameters", "model", "note", "list"]
        );
        assert_eq!(body["model"], "x-small");
        let id = request.header("x-request-id").expect("an id");
        assert_eq!(body["note"], format!("request {id}"));
        assert_eq!(body["list"][0]["content"], body["inputs"]);
        assert_eq!(body["parameters"]["n"], json!(4));
        assert_eq!(body["parameters"]["stream"], json!(true));
    }
    let last: Value = serde_json::from_str(&generations[generations.len() - 1].body).expect("JSON");
    assert_eq!(last["top_p"], json!(0.5));
}

#[test]
fn what_a_server_refuses_is_told_before_the_load() {
    let server = Server::start(|request, out| {
        if request.body.contains("response_format") {
            let said = r#"{"error": {"message": "no structured outputs here"}}"#;
            return reply(out, "400 Bad Request", "application/json", said);
        }
        good(request, out)
    });
    let scratch = Scratch::new();
    let schema = scratch.file("s.json", SCHEMA);
    let line = format!(
        "run {} --rate 5 --duration 1s --schema {schema}",
        server.url
    );
    let ran = infermeter(&line);
    ran.fails(
        4,
        &["refuses --schema (status 400): no structured outputs here"],
    );
    assert!(server.generations().len() < 10);
}

#[test]
fn wrong_flags_suggest_and_wrong_files_are_named() {
    let scratch = Scratch::new();
    let bad = scratch.file("bad.json", "{\"a\": \"{{promt}}\"}");
    let plain = "run http://h --rate 1 --duration 1s --dry-run";
    for (flags, said) in [
        ("--kind shema=1", "did you mean `schema`"),
        ("--kind schema=1", "--kind schema needs --schema FILE"),
        ("--sampling temprature=1", "did you mean `temperature`"),
        ("--images 3", "COUNT@WIDTHxHEIGHT"),
        ("--lora a", "a weight after `=`"),
        (
            "--schema /nowhere.json",
            "--schema: /nowhere.json cannot be read",
        ),
        ("--tools 2 --tool-choice requird", "did you mean `required`"),
        ("--endpoint-path generate", "--endpoint-path: `generate`"),
        ("--profile produktion", "did you mean `production`"),
        ("--clients synthetik", "cannot be read"),
        (
            "--clients synthetic --workload chat",
            "bring their own lengths",
        ),
        (
            "--clients synthetic --arrival constant",
            "brings its own gaps",
        ),
    ] {
        infermeter(&format!("{plain} {flags}")).fails(2, &[said]);
    }
    let ran = infermeter(&format!("{plain} --body-template {bad}"));
    ran.fails(2, &["--body-template", &bad, "did you mean `prompt`?"]);
}
