//! `infermeter record`, and `run --trace` of what it kept: the same arrivals, lengths and sharing, and no word of a
//! prompt.

use crate::process::{
    Going, Mock, Ran, Run, Scratch, everything_in, files_in, infermeter, run_with, words,
};
use crate::server::Server;
use crate::server::good;
use infermeter_core::record::{Outcome, RequestRecord};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

/// No control traffic, and an API without a template: lengths are those of the texts.
const USERS: &str =
    "--endpoint completions --warmup 0 --threads 1 --no-probe --model mock/llama-8b-h100";

struct Recorder {
    going: Going,
    url: String,
    out: PathBuf,
    scratch: Scratch,
}

impl Recorder {
    fn start(target: &str, more: &str) -> Self {
        let scratch = Scratch::new();
        let out = scratch.path("capture");
        let line = format!(
            "record --listen 127.0.0.1:0 --target {target} --out {} --quiet --json {more}",
            out.display()
        );
        let mut going = Going::start(&words(&line));
        let said = going.says_behind("listening on ");
        Self {
            url: said.split(' ').next().expect("a URL").to_owned(),
            going,
            out,
            scratch,
        }
    }

    fn ended(self) -> Captured {
        self.going.signal(rustix::process::Signal::INT);
        let ran = self.going.end();
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        Captured {
            value: ran.json(),
            ran,
            out: self.out,
            _scratch: self.scratch,
        }
    }
}

struct Captured {
    ran: Ran,
    value: Value,
    out: PathBuf,
    _scratch: Scratch,
}

fn caching() -> Mock {
    Mock::start("--preset llama-8b-h100 --set prompt-tokens-details=true")
}

fn users(url: &str, more: &str) -> Run {
    run_with(words(&format!("run {url} {USERS} {more}")), |_| {})
}

fn cached(records: &[RequestRecord]) -> u32 {
    records
        .iter()
        .filter_map(|record| record.cached_tokens)
        .sum()
}

fn lengths(records: &[RequestRecord]) -> Vec<(Option<u32>, Option<u32>)> {
    records
        .iter()
        .map(|r| (r.prompt_tokens, r.output_tokens))
        .collect()
}

/// Milliseconds after the first, of each instant.
fn after_first(at: impl Iterator<Item = i64>) -> Vec<f64> {
    let at: Vec<i64> = at.collect();
    at.iter().map(|ns| (ns - at[0]) as f64 / 1e6).collect()
}

#[test]
fn what_was_recorded_is_sent_again() {
    let server = caching();
    let recorder = Recorder::start(&server.url, "");
    // The first half of each prompt is the same.
    let row = |n: u64| {
        let own: Vec<String> = (0..8)
            .chain(100 * n..100 * n + 8)
            .map(|id| id.to_string())
            .collect();
        let (at, ids) = (n * 70 + n % 3 * 10, own.join(","));
        format!(
            "{{\"timestamp\": {at}, \"input_length\": {}, \"output_length\": 4, \"hash_ids\": [{ids}]}}\n",
            256 - n % 7
        )
    };
    let rows: String = (1..=24).map(row).collect();
    let trace = recorder.scratch.file("users.jsonl", &rows);
    let load = format!(
        "--trace {trace} --trace-option format=vllm --trace-option block-size=16 --trace-option time-unit=ms"
    );
    let first = users(&recorder.url, &load).records();
    let captured = recorder.ended();
    assert_eq!(captured.value["rows"], 24, "{:#?}", captured.ran);
    assert_eq!(captured.value["estimated_prompts"], 0);
    let capture = captured.out.display();

    let fresh = caching();
    let again = users(&fresh.url, &format!("--trace {capture}")).records();
    let all = |records: &[RequestRecord]| records.iter().all(|r| r.outcome == Outcome::Completed);
    assert!(all(&first) && all(&again), "{again:#?}");
    // What is asked for is what the server counted: its mark of the beginning comes on top again.
    let asked = |r: &RequestRecord| (Some(r.requested_prompt_tokens), r.output_tokens);
    let asked: Vec<(Option<u32>, Option<u32>)> = again.iter().map(asked).collect();
    assert_eq!(asked, lengths(&first));
    let sent = after_first(first.iter().filter_map(|r| r.send_start).map(|at| at.0));
    let due = after_first(again.iter().map(|r| r.intended.0));
    // As far apart as a busy machine's proxy is from its client.
    for (sent, due) in sent.iter().zip(&due) {
        assert!((sent - due).abs() < 150.0, "{sent} {due}");
    }
    // To a block each, but for those that came before the first one's blocks were there.
    let (one, other) = (cached(&first), cached(&again));
    assert!(
        one >= 15 * 112 && one.abs_diff(other) <= 24 * 16 + 2 * 144,
        "{one} {other}"
    );

    let half = users(
        &fresh.url,
        &format!("--trace {capture} --time-scale 0.5 --salt 9"),
    )
    .records();
    let halved = after_first(half.iter().map(|r| r.intended.0));
    for (whole, half) in due.iter().zip(&halved) {
        assert!((whole / 2.0 - half).abs() < 0.01, "{whole} {half}");
    }
    let inspected = infermeter(&format!("workload inspect {capture} --json")).json();
    assert_eq!(inspected["rows"], 24, "{inspected:#}");
}

/// Asks one chat question with a raw connection; the answer, whole.
fn ask(url: &str, messages: &Value) -> String {
    let address = url.strip_prefix("http://").expect("http");
    let body =
        serde_json::json!({"model": "m", "stream": true, "temperature": 0, "messages": messages})
            .to_string();
    let mut stream = TcpStream::connect(address).expect("connected");
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         authorization: Bearer s3cret-key\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// A word that stands in no file of ours.
const CANARY: &str = "zanzibarquokka";

#[test]
fn no_word_of_a_prompt_reaches_the_disk() {
    let server = Server::start(good);
    let hidden = |texts: &str| {
        let recorder = Recorder::start(&server.url, &format!("--texts {texts}"));
        let answer = ask(
            &recorder.url,
            &serde_json::json!([{"role": "user", "content": CANARY}]),
        );
        assert!(answer.contains("[DONE]"), "{answer}");
        let captured = recorder.ended();
        assert_eq!(captured.value["rows"], 1, "{:#?}", captured.ran);
        assert_eq!(files_in(&captured.out), ["capture.json", "trace.jsonl"]);
        let text = String::from_utf8(everything_in(&captured.out)).expect("text");
        assert!(!text.contains("s3cret"), "{text}");
        !text.contains(CANARY)
    };
    assert!(hidden("hashed") && hidden("none"));
    assert!(!hidden("plain"), "plain texts are kept as they are");
}

#[test]
fn conversations_are_found_and_plain_texts_are_sent_again() {
    let server = Server::start(good);
    let recorder = Recorder::start(&server.url, "--texts plain");
    let first = serde_json::json!([{"role": "user", "content": "Hello"}]);
    ask(&recorder.url, &first);
    let mut next = first.as_array().expect("a list").clone();
    next.push(serde_json::json!({"role": "assistant", "content": "something"}));
    next.push(serde_json::json!({"role": "user", "content": CANARY}));
    ask(&recorder.url, &Value::Array(next));
    ask(
        &recorder.url,
        &serde_json::json!([{"role": "user", "content": "Another"}]),
    );
    let captured = recorder.ended();
    let counts = ["rows", "sessions", "going_on"].map(|name| captured.value[name].as_u64());
    assert_eq!(counts, [Some(3), Some(2), Some(1)], "{:#}", captured.value);

    let again = Server::start(good);
    let line = format!(
        "run {} --trace {} --warmup 0 --threads 1 --no-probe --model m --prefix none",
        again.url,
        captured.out.display()
    );
    let run = run_with(words(&line), |_| {});
    assert_eq!(run.records().len(), 3, "{:#?}", run.ran);
    let seen = again.seen();
    // The one that waits for an answer may come behind one that does not.
    let mut bodies = seen.iter().map(|request| request.body.as_str());
    let again = bodies.find(|body| body.contains(CANARY));
    let again = again.expect("the prompt as it was");
    assert!(
        again.contains("something") && again.contains("\"temperature\":0"),
        "{again}"
    );
}

#[test]
fn bad_flags_and_dead_targets_are_said() {
    let scratch = Scratch::new();
    let there = scratch.file("there", "mine");
    let line =
        |more: &str| format!("record --listen 127.0.0.1:0 --target http://127.0.0.1:1 {more}");
    for (more, said) in [
        (format!("--out {there}"), "exists"),
        ("--out x --texts some".to_owned(), "hashed"),
        (
            "--out x --tokenizer nonsense".to_owned(),
            "unknown tokenizer",
        ),
        ("--out x --block-tokens 0".to_owned(), "--block-tokens"),
    ] {
        infermeter(&line(&more)).fails(2, &[said]);
    }
    // Nobody answers there: users are told so, and it is counted.
    let recorder = Recorder::start("http://127.0.0.1:1", "");
    let answer = ask(
        &recorder.url,
        &serde_json::json!([{"role": "user", "content": "Hello"}]),
    );
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let captured = recorder.ended();
    assert_eq!(captured.value["rows"], 0, "{:#}", captured.value);
    assert_eq!(
        captured.value["left_out"][0]["requests"], 1,
        "{:#}",
        captured.value
    );
}
