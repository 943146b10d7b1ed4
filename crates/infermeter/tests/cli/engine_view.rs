//! The engine's counters and histograms: against the simulator's truth, of several pages, beside a page that hangs.

use crate::process::{Going, Mock, Run, Scratch, files_in, run_with, words};
use crate::server::{Request, Server, Then, reply};
use infermeter_core::server::{Quantity, ReadingCause, ServerReading, ServerReadings};
use infermeter_record::read_server_metrics;
use rustix::process::Signal;
use serde_json::Value;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const WATCHED: &str = "--rate 10 --duration 6s --warmup 1s --workload fixed:64,40 --threads 1 \
                       --server-metrics-interval 100ms";

fn watched(targets: &str, more: &str) -> Run {
    run_with(words(&format!("run {targets} {WATCHED} {more}")), |_| {})
}

fn readings(dir: &Path) -> ServerReadings {
    read_server_metrics(dir).expect("readable").expect("a file")
}

/// Between an instant of the simulator's program and the effect of it on its page, nanoseconds: a slow machine
/// may stop a thread there.
const SLACK_NS: i64 = 50_000_000;

/// What a truth log says happened in between, monotonic nanoseconds.
struct Truth(Vec<Value>);

impl Truth {
    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).expect("a log");
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        Self(
            lines
                .filter(|line: &Value| line["tokens_ns"].is_array())
                .collect(),
        )
    }

    fn stamps(&self) -> impl Iterator<Item = Vec<i64>> {
        self.0.iter().map(|line| {
            let stamps = line["tokens_ns"].as_array().expect("a list");
            stamps.iter().filter_map(Value::as_i64).collect()
        })
    }

    /// Tokens.
    fn tokens(&self, from: i64, to: i64) -> f64 {
        let all = self.stamps().flatten();
        all.filter(|at| (from..to).contains(at)).count() as f64
    }

    /// Requests whose first token came.
    fn firsts(&self, from: i64, to: i64) -> f64 {
        let all = self.stamps().filter_map(|stamps| stamps.first().copied());
        all.filter(|at| (from..to).contains(at)).count() as f64
    }
}

/// A difference of two readings lies between what happened at least and at most between their answers.
#[track_caller]
fn check(
    what: &str,
    rise: f64,
    edges: [&ServerReading; 2],
    origin: i64,
    truth: impl Fn(i64, i64) -> f64,
) {
    let [from, to] = edges;
    let at = |offset: infermeter_core::clock::Offset, slack: i64| origin + offset.0 + slack;
    let least = truth(at(from.answered_ns, SLACK_NS), at(to.asked_ns, -SLACK_NS));
    let most = truth(at(from.asked_ns, -SLACK_NS), at(to.answered_ns, SLACK_NS));
    assert!(
        (least..=most).contains(&rise),
        "{what}: {rise}, {least} to {most}"
    );
    assert!(least > 0.0, "{what}");
}

/// One that nobody listens at.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn counters_and_histograms_are_those_of_the_truth() {
    let scratch = Scratch::new();
    let log = scratch.path("truth.jsonl");
    let port = free_port();
    let line = format!(
        "mock --preset llama-8b-h100 --port {port} --truth {}",
        log.display()
    );
    let mut mock = Going::start(&words(&line));
    mock.until_says("Ctrl-C");
    let run = watched(&format!("http://127.0.0.1:{port}"), "");
    let manifest = run.manifest();
    let found = readings(&run.dir);
    // Killed, it would lose the end of its log.
    mock.signal(Signal::INT);
    assert_eq!(mock.end().code, Some(0));
    let truth = Truth::read(&log);
    let origin = manifest["clock"]["monotonic_origin_ns"]
        .as_i64()
        .expect("an origin");
    let starts = found
        .readings
        .iter()
        .filter(|r| r.cause == ReadingCause::PhaseStart);
    let starts: Vec<&ServerReading> = starts.collect();
    // Warm-up, window, drain: the window lies between the last two.
    let [_, from, to] = starts[..] else {
        panic!("three phases");
    };
    let counted = |r: &ServerReading| r.figures.get(Quantity::GenerationTokens).expect("counted");
    let rise = counted(to) - counted(from);
    check("tokens", rise, [from, to], origin, |a, b| {
        truth.tokens(a, b)
    });
    let ttft = |r: &ServerReading| {
        r.detail
            .histograms
            .get(Quantity::Ttft)
            .expect("there")
            .clone()
    };
    let ttft = ttft(to).since(&ttft(from)).expect("no reset");
    check("TTFT", ttft.count(), [from, to], origin, |a, b| {
        truth.firsts(a, b)
    });
    let beside = &manifest["summary"]["server"]["beside"];
    let rows = beside["rows"].as_array().expect("rows");
    let row = |name: &str| {
        rows.iter()
            .find(|row| row["figure"] == name)
            .expect("a row")
    };
    for name in [
        "output_tokens",
        "prompt_tokens",
        "requests",
        "ttft_mean",
        "e2e_mean",
    ] {
        assert_ne!(row(name)["answer"], "disagrees", "{name}: {beside}");
    }
    assert!(row("queue_time_mean")["server"].as_f64().expect("a mean") >= 0.0);
    assert!(files_in(&run.dir).contains(&"server-metrics.parquet".to_owned()));
    let seal = &manifest["seal"];
    assert!(seal["server-metrics.parquet"].is_string(), "{seal}");
    assert!(run.ran.out.contains("Client and server"), "{}", run.ran.out);
}

#[test]
fn replicas_are_read_side_by_side_and_added() {
    let mocks = [(); 2].map(|()| Mock::start("--preset llama-8b-h100"));
    let [a, b] = [&mocks[0].url, &mocks[1].url];
    let pages = format!("--server-metrics {a}/metrics --server-metrics {b}/metrics");
    let run = watched(&format!("{a} {b}"), &pages);
    let found = readings(&run.dir);
    let urls: Vec<&str> = found.watch.pages.iter().map(|page| &*page.url).collect();
    assert_eq!(urls, [format!("{a}/metrics"), format!("{b}/metrics")]);
    for page in [0, 1] {
        let last = found.of_page(page).last().expect("readings");
        assert!(
            last.figures.get(Quantity::GenerationTokens) > Some(0.0),
            "{last:?}"
        );
    }
    let server = &run.manifest()["summary"]["server"];
    let engines = server["engines"].as_array().expect("a list");
    assert_eq!(engines.len(), 2, "{server}");
    let rows = server["beside"]["rows"].as_array().expect("rows");
    let tokens = rows
        .iter()
        .find(|row| row["figure"] == "output_tokens")
        .expect("a row");
    assert_ne!(tokens["answer"], "disagrees", "{tokens}");
    let plan = &run.manifest()["plan"]["server-metrics"];
    assert_eq!(plan, &format!("{a}/metrics, {b}/metrics"));
}

#[test]
fn a_page_that_hangs_delays_no_other() {
    let mock = Mock::start("--preset llama-8b-h100");
    static ASKED: AtomicU32 = AtomicU32::new(0);
    let hanging = Server::start(|_: &Request, out: &mut TcpStream| -> Then {
        if ASKED.fetch_add(1, Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_secs(60));
        }
        reply(out, "200 OK", "text/plain", "sglang:num_running_reqs 2\n")
    });
    let pages = format!(
        "--server-metrics {}/metrics --server-metrics {}",
        mock.url, hanging.url
    );
    let run = watched(&mock.url, &pages);
    let found = readings(&run.dir);
    let with = |page| found.of_page(page).filter(|r| r.error.is_none()).count();
    assert!(with(0) > 5, "{}", with(0));
    assert_eq!(with(1), 0);
    assert_eq!(run.manifest()["summary"]["server"]["engine"], "vllm");
}

#[test]
fn a_page_that_nobody_answers_is_said_and_the_others_are_read() {
    let mock = Mock::start("--preset llama-8b-h100");
    let pages = format!(
        "--server-metrics {0}/metrics --server-metrics {0}/nothing",
        mock.url
    );
    let run = watched(&mock.url, &pages);
    let found = run.finding("server-metrics-unread");
    let said = found["evidence"].as_str().expect("a text");
    assert!(
        said.starts_with("1 of 2 pages") && said.contains("status 404"),
        "{said}"
    );
    assert_eq!(readings(&run.dir).watch.pages.len(), 1);
}
