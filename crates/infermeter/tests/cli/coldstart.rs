//! `infermeter coldstart`: a simulator with phases is started again and again, and every start that goes wrong is a line.

use crate::process::{Mock, Ran, Scratch, command, ran};
use crate::schemas;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The command of a simulator at a port.
pub fn serving(port: u16, more: &str) -> String {
    let program = env!("CARGO_BIN_EXE_infermeter");
    format!("exec {program} mock --preset llama-8b-h100 --port {port} {more}")
}

fn coldstart(port: u16, serve: &str, folder: &Path, more: &[&str]) -> Ran {
    let url = format!("http://127.0.0.1:{port}");
    let folder = folder.display().to_string();
    let mut words = vec!["coldstart", &url, "--serve", serve, "--out", &folder];
    words.extend(["--workload", "fixed:16,8", "--json"]);
    words.extend(more);
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    ran(command(&words))
}

fn at(repeat: &Value, instant: &str) -> Option<f64> {
    let all = repeat["reached"].as_array().expect("a list");
    let found = all.iter().find(|at| at["instant"] == instant)?;
    found["at_ms"].as_f64()
}

fn took(repeat: &Value, phase: &str) -> Option<f64> {
    let all = repeat["phases"].as_array().expect("a list");
    let found = all.iter().find(|of| of["phase"] == phase)?;
    found["took_ms"].as_f64()
}

const PHASES: &str = "--set loading-weights=150ms --set loading-compile=100ms --set loading-kv-cache=50ms --set \
                      loading-graphs=50ms --set loading=120ms";

#[test]
fn every_start_has_its_instants_and_its_phases() {
    let (scratch, port) = (Scratch::new(), free_port());
    let folder = scratch.path("cold");
    let serve = serving(port, PHASES);
    let first = coldstart(
        port,
        &serve,
        &folder,
        &["--repeat", "1", "--settle", "200ms"],
    );
    assert_eq!(first.code, Some(0), "{first:#?}");
    // It goes on with the second start alone.
    let resume = folder.display().to_string();
    let url = format!("http://127.0.0.1:{port}");
    let words = [
        "coldstart",
        &url,
        "--serve",
        &serve,
        "--resume",
        &resume,
        "--workload",
        "fixed:16,8",
        "--json",
        "--repeat",
        "2",
        "--settle",
        "200ms",
    ];
    let words = words.map(str::to_owned);
    let second = ran(command(&words));
    assert_eq!(second.code, Some(0), "{second:#?}");
    let told = second.json();
    let repeats = told["found"]["repeats"].as_array().expect("starts");
    assert_eq!(repeats.len(), 2);
    assert_eq!(repeats[0], first.json()["found"]["repeats"][0]);
    for repeat in repeats {
        assert_eq!(repeat["failed"], Value::Null, "{repeat:#}");
        // Never before the truth; how long after is the machine's affair.
        let instants = [
            "port_open",
            "healthy",
            "first_byte",
            "first_token",
            "first_answer",
        ];
        let reached = instants.map(|instant| at(repeat, instant).expect(instant));
        assert!(reached.is_sorted(), "{reached:?}");
        assert!(reached[0] >= 350.0 && reached[1] >= 470.0, "{reached:?}");
        assert_eq!(took(repeat, "weights"), Some(150.0));
        assert_eq!(took(repeat, "compile"), Some(100.0));
        assert_eq!(took(repeat, "graphs"), Some(50.0));
        assert!(took(repeat, "kv_cache").expect("lines") >= 50.0);
        assert_eq!(repeat["stopped"], "by SIGTERM");
    }
    let log = fs::read_to_string(folder.join("start-002/server.log")).expect("a log");
    assert!(log.contains("Loading weights took 0.15 seconds"), "{log}");
    let kept = fs::read_to_string(folder.join("result.json")).expect("a result");
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    schemas::is_a("coldstart", &kept);
    assert_eq!(kept["found"]["starts"], 2);
    let report = ["report", &resume, "--json"].map(str::to_owned);
    assert_eq!(ran(command(&report)).json(), told);
}

#[test]
fn behind_an_idle_time_the_first_answer_pays() {
    let (scratch, port) = (Scratch::new(), free_port());
    let serve = serving(port, "--set idle-to-zero=150ms --set cold-start=600ms");
    let more = ["--repeat", "1", "--settle", "300ms", "--idle", "300ms"];
    let told = coldstart(port, &serve, &scratch.path("cold"), &more).json();
    let idle = &told["found"]["repeats"][0]["after_idle"];
    assert!(
        idle["first_ttft_ms"].as_f64().expect("a time") >= 600.0,
        "{idle:#}"
    );
    assert_eq!(told["found"]["after_idle"]["compared"], 1);
}

#[test]
fn a_server_that_is_there_is_left_idle_until_it_is_cold() {
    let scratch = Scratch::new();
    let server = Mock::start("--preset llama-8b-h100 --set idle-to-zero=300ms --set cold-start=1s");
    let folder = scratch.path("idle").display().to_string();
    let words = [
        "coldstart",
        &server.url,
        "--idle-until-cold",
        "--idle",
        "100ms",
        "--idle-most",
        "2s",
        "--repeat",
        "1",
        "--settle",
        "150ms",
        "--workload",
        "fixed:16,8",
        "--out",
        &folder,
        "--json",
    ];
    let ended = ran(command(&words.map(str::to_owned)));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let told = ended.json();
    let repeat = &told["found"]["repeats"][0];
    assert_eq!(repeat["after_idle"]["idle"], "400ms", "{repeat:#}");
    assert!(
        repeat["after_idle"]["first_ttft_ms"]
            .as_f64()
            .expect("a time")
            >= 1_000.0
    );
    let nothing = ran(command(&["coldstart", &server.url].map(str::to_owned)));
    nothing.fails(2, &["--serve", "--idle-until-cold"]);
}

#[test]
fn a_start_that_fails_is_a_line_with_the_servers_last_words() {
    let (scratch, port) = (Scratch::new(), free_port());
    let more = [
        "--repeat",
        "2",
        "--start-timeout",
        "300ms",
        "--settle",
        "100ms",
    ];
    let check = |name: &str, serve: &str, word: &str| {
        let ended = coldstart(port, serve, &scratch.path(name), &more);
        assert_eq!(ended.code, Some(4), "{ended:#?}");
        let told = ended.json();
        assert_eq!(told["found"]["failed"], 2, "{told:#}");
        let why = told["found"]["repeats"][1]["failed"].as_str().expect("why");
        assert!(why.contains(word), "no `{word}` in {why}");
        assert!(!why.contains('\u{1b}'), "{why}");
    };
    check(
        "ends",
        "printf '\\033[31mno GPU\\033[0m' >&2; exit 3",
        "no GPU",
    );
    check(
        "never",
        "echo still loading; exec sleep 60",
        "still loading",
    );
}

#[test]
fn one_that_dies_under_load_and_a_stop_that_fails_are_told() {
    let (scratch, port) = (Scratch::new(), free_port());
    // A line of megabytes, and a log that ends without a line feed.
    let noise = "head -c 3000000 /dev/zero | tr '\\0' x; printf 'almost there'";
    let serve = format!(
        "{noise}; {} & sleep 1.2; kill -9 $!; exit 9",
        serving(port, "").replace("exec ", "")
    );
    let more = ["--repeat", "1", "--settle", "20s", "--stop", "exit 7"];
    let ended = coldstart(port, &serve, &scratch.path("dies"), &more);
    let told = ended.json();
    let repeat = &told["found"]["repeats"][0];
    let why = repeat["failed"].as_str().expect("why");
    assert!(
        why.contains("exit status: 9") || why.contains("no answer"),
        "{why}"
    );
    assert!(!repeat["answers"].as_array().expect("a list").is_empty());
    let stopped = repeat["stopped"].as_str().expect("how");
    assert!(stopped.contains("exit status: 7"), "{stopped}");
    let log = fs::metadata(scratch.path("dies").join("start-001/server.log")).expect("a log");
    assert!(log.len() > 3_000_000);
}

#[test]
fn a_stop_that_returns_before_the_server_is_gone_is_waited_for() {
    let (scratch, port) = (Scratch::new(), free_port());
    let pid = scratch.path("pid").display().to_string();
    let server = serving(port, "").replace("exec ", "");
    // Out of the group, as a container is, and gone later than two seconds behind the stop.
    let serve = format!("setsid {server} >/dev/null 2>&1 & echo $! >{pid}");
    let stop = format!("(sleep 2.5; kill $(cat {pid})) >/dev/null 2>&1 &");
    let more = ["--repeat", "2", "--settle", "50ms", "--stop", &stop];
    let ended = coldstart(port, &serve, &scratch.path("later"), &more);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let told = ended.json();
    assert_eq!(told["found"]["starts"], 2, "{told:#}");
    assert_eq!(told["found"]["failed"], 0, "{told:#}");
}

#[test]
fn what_is_wrong_is_said_before_anything_is_started() {
    let (scratch, port) = (Scratch::new(), free_port());
    let refused = |code: i32, more: &[&str], words: &[&str]| {
        let folder = scratch.path("none");
        coldstart(port, "exit 1", &folder, more).fails(code, words);
        assert!(!folder.exists());
    };
    refused(2, &["--rate", "5"], &["--rate", "leave it out"]);
    refused(2, &["--phase", "x=("], &["not a regular expression"]);
    refused(2, &["--cache", "cld"], &["did you mean `cold`?"]);
    refused(
        2,
        &["--cache", "cold", "--cache-dir", "/"],
        &["more than a cache"],
    );
    refused(2, &["--health", "health"], &["--health"]);
    let server = Mock::start("--preset fixed");
    let port: u16 = server
        .url
        .rsplit(':')
        .next()
        .and_then(|p| p.parse().ok())
        .expect("a port");
    let used = scratch.path("used");
    let ended = coldstart(port, "exit 1", &used, &["--repeat", "1"]);
    ended.fails(4, &["somebody answers", "before --serve"]);
    // Nothing was begun, and nothing is said of it.
    assert!(
        !used.exists() && !ended.err.contains("1 start of"),
        "{ended:#?}"
    );
}
