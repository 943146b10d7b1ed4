//! Spans of requests: named in their heads, received while a run goes on, joined with its records, and each TTFT
//! taken apart.

use crate::process::{
    Going, Run, Scratch, files_in, infermeter, light, manifest, mock, run_with, wait_until, words,
};
use crate::server::{Server, good};
use infermeter_core::spans::{TraceKey, TraceParent};
use infermeter_record::{SPANS_FILE, read_spans};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::TcpListener;

/// A load that a slow machine can carry, with TTFTs of some milliseconds.
const SPANNED: &str = "--rate 30 --requests 60 --warmup 5req --workload fixed:200,8 --threads 1";

fn spanned(target: &str, more: &str) -> Run {
    run_with(words(&format!("run {target} {SPANNED} {more}")), |_| {})
}

fn count(value: &Value) -> u64 {
    value.as_u64().expect("a count")
}

fn part(group: &Value, name: &str) -> f64 {
    let parts = group["parts"].as_array().expect("parts");
    let part = parts.iter().find(|part| part["part"] == name);
    let part = part.unwrap_or_else(|| panic!("no {name} in {group}"));
    part["ms"]["value"].as_f64().expect("a mean")
}

/// One that nobody listens at.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn every_ttft_of_the_simulator_is_taken_apart() {
    let run = spanned("mock:llama-8b-h100", "--spans");
    let manifest = run.manifest();
    let spans = &manifest["summary"]["spans"];
    let completed = count(&manifest["summary"]["requests"]["measured"]["completed"]);
    assert_eq!((completed, count(&spans["requests"])), (60, 60), "{spans}");
    assert_eq!(
        (count(&spans["joined"]), count(&spans["missing"])),
        (60, 0),
        "{spans}"
    );
    assert_eq!(
        (count(&spans["unlike"]), count(&spans["impossible"])),
        (0, 0),
        "{spans}"
    );
    let names: Vec<&str> = spans["parts"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let expect = [
        "client",
        "network",
        "front_end",
        "queue",
        "prefill",
        "first_step",
        "residual",
    ];
    assert_eq!(names, expect);
    let groups = spans["groups"].as_array().expect("groups");
    for group in groups {
        let sum: f64 = names.iter().map(|name| part(group, name)).sum();
        let ttft = group["ttft_ms"]["value"].as_f64().expect("a mean");
        assert!((sum - ttft).abs() < 1e-6, "{group}");
        assert!(part(group, "prefill") > 0.0, "{group}");
    }
    // The simulator's parts are all that its TTFT is made of, whatever the machine does meanwhile.
    let residual = &spans["residual"];
    assert_eq!(count(&residual["n"]), 60);
    assert!(
        residual["share_max"].as_f64().expect("a share") < 0.01,
        "{residual}"
    );
    // Warm-up and drain have spans, too: two for each request that completed.
    let tally = &spans["tally"];
    let all = count(&manifest["summary"]["requests"]["all"]["completed"]);
    assert_eq!(
        (count(&tally["kept"]), count(&tally["spans"])),
        (2 * all, 2 * all)
    );
    assert_eq!((count(&tally["refused"]), count(&tally["foreign"])), (0, 0));
    assert!(
        run.ran
            .out
            .contains("Where the time to the first token went")
    );
    assert!(run.ran.out.contains("60 of 60 completed measured requests"));
    // What is told again from the record is the same.
    let again = infermeter(&format!("report {} --json", run.dir.display())).json();
    assert_eq!(again["summary"]["spans"], *spans);
    let verified = infermeter(&format!("verify {}", run.dir.display()));
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn times_are_those_of_the_truth() {
    let scratch = Scratch::new();
    let (port, receiver) = (free_port(), free_port());
    let log = scratch.path("truth.jsonl");
    let line = format!(
        "mock --preset llama-8b-h100 --port {port} --truth {} --spans 127.0.0.1:{receiver}",
        log.display()
    );
    let mut mock = Going::start(&words(&line));
    mock.until_says("Ctrl-C");
    let target = format!("http://127.0.0.1:{port}");
    let run = spanned(&target, &format!("--spans=127.0.0.1:{receiver}"));
    mock.signal(Signal::INT);
    let ended = mock.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.err.contains(" 0 were lost"), "{}", ended.err);
    let truth = infermeter_mock::truth::read(&log).expect("readable");
    let truth: BTreeMap<&str, _> = truth
        .requests
        .iter()
        .map(|request| (&*request.request_id, request))
        .collect();
    let received = read_spans(&run.dir).expect("readable").expect("a file");
    let run_id = run.manifest()["run_id"].as_str().expect("an id").to_owned();
    let mut engines = 0;
    for span in received.spans.iter().filter(|s| s.name == "llm_request") {
        let truth = truth[&*format!("{run_id}-{}", span.request)];
        let admitted = truth.admitted_ns.expect("served");
        let prefilled = truth.prefilled_ns.expect("computed");
        assert_eq!(span.times.queue, Some(admitted - truth.arrival_ns));
        assert_eq!(span.times.prefill, Some(prefilled - admitted));
        engines += 1;
    }
    let kept = received.tally.expect("it ended by itself").kept;
    assert_eq!(2 * engines, kept);
}

#[test]
fn requests_name_their_traces() {
    let server = Server::start(good);
    let line = light(&server.url, "--spans=127.0.0.1:0 --no-probe --model m");
    let run = run_with(line, |_| {});
    let run_id = run.manifest()["run_id"].as_str().expect("an id").to_owned();
    let key = TraceKey::of_run(&run_id);
    let mut seen: Vec<u64> = server
        .generations()
        .iter()
        .map(|request| {
            let parent = request.header("traceparent").expect("a header");
            let parent = TraceParent::parse(parent).expect("a traceparent");
            assert!(parent.sampled);
            key.request(parent.trace).expect("a request of this run")
        })
        .collect();
    seen.sort_unstable();
    // The load goes on until the measured requests have ended.
    assert!(
        seen.len() >= 6 && seen.iter().copied().eq(0..seen.len() as u64),
        "{seen:?}"
    );
    // No engine sent anything: that is a finding, and no error.
    let found = run.finding("spans-missing");
    assert_eq!(found["severity"], "warning");
    let advice = found["advice"].as_str().expect("a text");
    assert!(advice.contains("--otlp-traces-endpoint"), "{advice}");
    let spans = &run.manifest()["summary"]["spans"];
    assert_eq!((count(&spans["joined"]), count(&spans["missing"])), (0, 6));
}

#[test]
fn without_the_flag_there_are_no_traces() {
    let server = Server::start(good);
    let run = run_with(light(&server.url, "--no-probe --model m"), |_| {});
    let seen = server.generations();
    assert!(
        seen.iter()
            .all(|request| request.header("traceparent").is_none())
    );
    assert_eq!(run.manifest()["summary"]["spans"], Value::Null);
    assert!(!files_in(&run.dir).iter().any(|name| name == SPANS_FILE));
}

#[test]
fn plans_that_cannot_have_spans_say_why() {
    let fails = |more: &str, word: &str| {
        infermeter(&format!("run {} --rate 5 --requests 5 {more}", mock())).fails(2, &[word]);
    };
    fails("--spans=here", "`here` is not an address and port");
    fails("--spans --no-stream", "--no-stream");
    fails(
        "--spans=127.0.0.1:0 --header 'traceparent: 00-1-2-01'",
        "leave --header traceparent out",
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    fails(&format!("--spans={address}"), "is in use");
}

#[test]
fn spans_outlive_a_run_that_is_killed() {
    let scratch = Scratch::new();
    let dir = scratch.path("run");
    let line = format!(
        "run mock:llama-8b-h100 --rate 30 --duration 60s --warmup 0 --workload fixed:64,4 \
         --threads 1 --spans --out {}",
        dir.display()
    );
    let going = Going::start(&words(&line));
    let lines = || std::fs::read_to_string(dir.join(SPANS_FILE)).unwrap_or_default();
    wait_until(|| lines().lines().count() > 20);
    going.signal(Signal::KILL);
    going.end();
    let received = read_spans(&dir).expect("readable").expect("a file");
    assert!(received.spans.len() > 10 && received.tally.is_none());
    infermeter(&format!("report {}", dir.display()));
    let spans = &manifest(&dir)["summary"]["spans"];
    assert!(count(&spans["joined"]) > 0, "{spans}");
    assert_eq!(spans["tally"], Value::Null);
}

#[test]
fn several_runs_have_their_own_spans() {
    let scratch = Scratch::new();
    let out = scratch.path("twice");
    let line = format!(
        "run mock:llama-8b-h100 {SPANNED} --spans --repeat 2 --out {}",
        out.display()
    );
    let ran = infermeter(&line);
    for name in ["run-01", "run-02"] {
        let manifest = manifest(&out.join(name));
        let spans = &manifest["summary"]["spans"];
        assert_eq!(count(&spans["joined"]), 60, "{name}: {spans}, {ran:?}");
        assert_eq!(count(&spans["tally"]["foreign"]), 0);
    }
}
