//! The server's own metrics: read during a run, written at once, compared with the client's records.

use crate::process::{
    Going, Mock, Run, Scratch, finding, infermeter, light, manifest, run_with, wait_until, words,
};
use crate::server::{Request, Server, Then, good, reply};
use infermeter_core::server::{Quantity, ReadingCause, ServerEngine, ServerReadings};
use infermeter_record::{SERVER_METRICS_FILE, read_server_metrics};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

/// Sixty readings of a load that a slow machine can carry.
const WATCHED: &str = "--duration 6s --warmup 1s --workload fixed:64,40 --threads 1 \
                       --server-metrics-interval 100ms";

fn watched(target: &str, more: &str) -> Run {
    let line = format!("run {target} {WATCHED} {more}");
    run_with(words(&line), |_| {})
}

fn readings(dir: &Path) -> Option<ServerReadings> {
    read_server_metrics(dir).expect("readable")
}

fn codes(manifest: &Value) -> Vec<&str> {
    let findings = manifest["findings"].as_array().expect("a list").iter();
    findings.filter_map(|f| f["code"].as_str()).collect()
}

#[test]
fn gauges_and_counters_of_a_run() {
    let mock = Mock::start("--preset llama-8b-h100 --set speculative-acceptance=0.7,0.5");
    let run = watched(&mock.url, "--rate 10");
    let found = readings(&run.dir).expect("a file");
    let [page] = &found.watch.pages[..] else {
        panic!("one page");
    };
    assert_eq!(page.engine, ServerEngine::Vllm);
    assert_eq!(page.url, format!("{}/metrics", mock.url));
    let of = |cause| found.readings.iter().filter(move |r| r.cause == cause);
    assert_eq!(of(ReadingCause::PhaseStart).count(), 3);
    assert_eq!(of(ReadingCause::End).count(), 1);
    for reading in of(ReadingCause::Interval) {
        assert!(reading.asked_ns.0 >= 100_000_000, "{reading:?}");
        assert!(reading.asked_ns < reading.answered_ns, "{reading:?}");
        for quantity in [
            Quantity::Running,
            Quantity::Drafts,
            Quantity::GenerationTokens,
        ] {
            assert!(reading.figures.get(quantity).is_some(), "{quantity:?}");
        }
        let ttft = reading.detail.histograms.get(Quantity::Ttft);
        assert!(ttft.is_some_and(|ttft| !ttft.bounds().is_empty()));
    }
    let manifest = run.manifest();
    let server = &manifest["summary"]["server"];
    assert!(
        server["readings"].as_u64().expect("a count") > 0,
        "{server}"
    );
    assert!(
        server["running"]["max"].as_f64().expect("a gauge") > 0.0,
        "{server}"
    );
    assert_ne!(server["littles_law"]["answer"], "disagrees", "{server}");
    assert!(!codes(&manifest).contains(&"littles-law-disagrees"));
    let speculation = &manifest["summary"]["speculation"];
    assert_eq!(speculation["source"], "server_counters");
    if let Some(length) = speculation["accepted_length"].as_f64() {
        let count = |name: &str| speculation[name].as_f64().expect("a count");
        assert_eq!(length, 1.0 + count("accepted_tokens") / count("drafts"));
        assert!(length > 1.0 && length < 3.0, "{length}");
    } else {
        // A busy machine: the thread that reads gives way.
        let why = speculation["not_available"].as_str().expect("a reason");
        assert!(why.contains("near an edge"), "{why}");
    }
    for label in ["Server", "Speculation"] {
        let mut lines = run.ran.out.lines().map(str::trim_start);
        assert!(lines.any(|line| line.starts_with(label)), "{}", run.ran.out);
    }
}

/// What the simulator's page says at this moment.
fn page(url: &str) -> String {
    let address = url.strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(address).expect("connected");
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("text");
    page
}

#[test]
fn other_load_on_the_server_is_found() {
    let mock = Mock::start("--preset llama-8b-h100");
    let scratch = Scratch::new();
    let out = scratch.path("other");
    let line = format!(
        "run {} --concurrency 12 --duration 300s --warmup 0 --threads 1 --server-metrics off \
         --out {}",
        mock.url,
        out.display()
    );
    let mut other = Going::start(&words(&line));
    let idle = "vllm:num_requests_running{engine=\"0\",model_name=\"mock/llama-8b-h100\"} 12.0";
    wait_until(|| page(&mock.url).contains(idle));
    let run = watched(&mock.url, "--rate 3");
    other.child.kill().expect("killed");
    other.child.wait().expect("ended");
    let law = run.manifest()["summary"]["server"]["littles_law"].clone();
    // Twelve more than its own; a busy machine may have had no time for twenty readings.
    assert!(law["server"].as_f64() > law["client"].as_f64(), "{law}");
    if law["answer"] != "undecided" {
        let found = run.finding("littles-law-disagrees");
        assert_eq!(found["severity"], "warning");
        let said = found["message"].as_str().expect("a text");
        assert!(said.contains("more requests"), "{said}");
    }
    assert!(!out.join(SERVER_METRICS_FILE).exists());
}

/// The reason alone: what to do about a target that is not there is no advice for a page.
#[test]
fn a_page_that_nobody_serves_has_a_reason_in_one_line() {
    let server = Server::start(good);
    let run = run_with(
        light(&server.url, "--server-metrics http://127.0.0.1:1/metrics"),
        |_| {},
    );
    run.completes();
    let place = &run.manifest()["environment"]["target"]["server_metrics"];
    let why = place["not_available"].as_str().expect("a reason");
    assert!(why.ends_with("Connection refused (os error 111)"), "{why}");
}

#[test]
fn a_server_without_a_page_is_measured_like_any_other() {
    let server = Server::start(good);
    let run = run_with(light(&server.url, ""), |_| {});
    run.completes();
    let pages = |server: &Server| {
        let seen = server.seen();
        seen.iter().filter(|r| r.what() == "GET /metrics").count()
    };
    assert_eq!((pages(&server), readings(&run.dir)), (1, None));
    let manifest = run.manifest();
    let why = "status 404";
    let target = &manifest["environment"]["target"];
    assert_eq!(target["server_metrics"]["not_available"], why);
    let server_said = &manifest["summary"]["server"];
    assert_eq!(server_said["not_available"], why);
    assert_eq!(server_said["running"], Value::Null);
    for more in ["--server-metrics off", "--no-probe --model small"] {
        let run = run_with(light(&server.url, more), |_| {});
        run.completes();
        assert_eq!((pages(&server), readings(&run.dir)), (1, None), "{more}");
    }
}

#[test]
fn a_page_elsewhere_gets_no_credentials() {
    let target = Server::start(good);
    let page = Server::start(|_: &Request, out: &mut TcpStream| -> Then {
        let body = "llamacpp:requests_processing 2\nllamacpp:requests_deferred 1\n";
        reply(out, "200 OK", "text/plain", body)
    });
    let url = format!("{}/own/page", page.url);
    let run = run_with(
        light(&target.url, &format!("--server-metrics {url}")),
        |command| {
            command.env("OPENAI_API_KEY", "a-key-of-the-target");
        },
    );
    run.completes();
    let found = readings(&run.dir).expect("a file");
    let read = &found.watch.pages[0];
    assert_eq!((read.engine, &read.url), (ServerEngine::LlamaCpp, &url));
    let figures = &found.readings.last().expect("the last one").figures;
    assert_eq!(figures.get(Quantity::Running), Some(2.0));
    assert_eq!(figures.get(Quantity::Waiting), Some(1.0));
    let asked = page.seen();
    assert!(asked.len() > 1, "{asked:?}");
    for request in &asked {
        assert_eq!(request.what(), "GET /own/page");
        assert_eq!(request.header("authorization"), None);
    }
    let generations = target.generations();
    assert!(
        generations
            .iter()
            .all(|r| r.header("authorization").is_some())
    );
}

#[test]
fn a_killed_run_leaves_its_readings() {
    let mock = Mock::start("--preset llama-8b-h100");
    let scratch = Scratch::new();
    let dir = scratch.path("run");
    let line = format!(
        "run {} --rate 5 --duration 300s --warmup 0 --threads 1 --server-metrics-interval 100ms \
         --workload fixed:16,4 --out {}",
        mock.url,
        dir.display()
    );
    let mut going = Going::start(&words(&line));
    let lines = || std::fs::read_to_string(dir.join(SERVER_METRICS_FILE)).unwrap_or_default();
    wait_until(|| lines().lines().count() > 20 && dir.join("requests.journal").exists());
    going.child.kill().expect("killed");
    going.child.wait().expect("ended");
    let before = readings(&dir).expect("a file").readings.len();
    assert!(before >= 19, "{before}");
    let told = infermeter(&format!("report {} --json", dir.display()));
    assert_eq!(
        told.json()["summary"]["server"]["engine"],
        "vllm",
        "{told:#?}"
    );
    finding(&manifest(&dir), "recovered");
}

#[test]
fn wrong_places_and_intervals_name_the_flag() {
    for (flags, said) in [
        (
            "--server-metrics on",
            ["--server-metrics", "auto, off nor a URL"],
        ),
        (
            "--server-metrics ftp://host",
            ["--server-metrics", "not supported"],
        ),
        (
            "--server-metrics-interval 5ms",
            ["--server-metrics-interval", "100ms"],
        ),
        (
            "--server-metrics-interval 5m",
            ["--server-metrics-interval", "1m"],
        ),
    ] {
        let ran = infermeter(&format!("run http://h --rate 1 --duration 5s {flags}"));
        ran.fails(2, &said);
    }
}
