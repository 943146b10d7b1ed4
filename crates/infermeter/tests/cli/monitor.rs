//! `infermeter monitor`: runs at fixed instants into a history, what changed, whom it tells, and how it ends.

use crate::process::{
    Going, Mock, Ran, Scratch, UNPROBED, command, infermeter, limited, ran, words,
};
use crate::schemas;
use crate::server::{Server, reply};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A small load.
const LOAD: &str = "--rate 60 --warmup 0 --workload fixed:16,8 --threads 1";

/// The lines of JSON that a monitor printed.
#[track_caller]
fn lines(ran: &Ran) -> Vec<Value> {
    let lines = ran.out.lines().map(|line| {
        let value = serde_json::from_str(line).expect("a line is JSON");
        schemas::is_a("monitor", &value);
        value
    });
    lines.collect()
}

fn monitor(target: &str, folder: &Path, more: &str) -> Ran {
    infermeter(&line(target, folder, more))
}

fn line(target: &str, folder: &Path, more: &str) -> String {
    let folder = folder.display();
    let short = match more.contains("--duration") {
        true => "",
        false => "--duration 400ms",
    };
    format!("monitor {target} {LOAD} {short} {UNPROBED} --out {folder} {more}")
}

fn states(lines: &[Value]) -> Vec<&str> {
    let states = lines.iter().map(|line| line["state"].as_str());
    states.map(|state| state.expect("a state")).collect()
}

/// A URL that takes messages.
fn listener() -> Server {
    Server::start(|_, out| reply(out, "200 OK", "application/json", "{}"))
}

/// What it was told.
fn messages(server: &Server) -> Vec<Value> {
    let seen = server.seen();
    let messages = seen.iter().map(|request| {
        assert_eq!(request.what(), "POST /hook?sig=1");
        assert_eq!(request.header("content-type"), Some("application/json"));
        let message = serde_json::from_str(&request.body).expect("JSON");
        schemas::is_a("monitor-webhook", &message);
        message
    });
    messages.collect()
}

#[test]
fn runs_become_lines_and_a_history_that_goes_on() {
    let (scratch, server) = (
        Scratch::new(),
        Mock::start("--preset fixed --ttft 2ms --step 1ms"),
    );
    let folder = scratch.path("watched");
    let first = monitor(&server.url, &folder, "--every 1s --runs 3 --keep 2 --json");
    assert_eq!(first.code, Some(0), "{first:#?}");
    let said = lines(&first);
    assert_eq!(states(&said), ["measured"; 3]);
    let due: Vec<i64> = said
        .iter()
        .filter_map(|line| line["due_ns"].as_i64())
        .collect();
    // Fixed instants: where the machine was busy, some were passed over, and none moved but for the clock of the day.
    for pair in due.windows(2) {
        let off = (pair[1] - pair[0]) % 1_000_000_000;
        assert!(!(50_000_000..=950_000_000).contains(&off), "{due:?}");
    }
    assert_eq!(
        said[2]["run"]["requests"].as_u64(),
        said[0]["run"]["requests"].as_u64()
    );
    let left = fs::read_dir(folder.join("runs")).expect("listed").count();
    assert_eq!(left, 2);

    let second = monitor(&server.url, &folder, "--every 1s --runs 1");
    assert_eq!(second.code, Some(0), "{second:#?}");
    for said in ["requests: ", "error_rate 0 %"] {
        assert!(second.out.contains(said), "no `{said}` in {}", second.out);
    }
    assert!(
        second.err.contains("1 instant: 1 measured"),
        "{}",
        second.err
    );
    let text = fs::read_to_string(folder.join("monitor.jsonl")).expect("lines");
    let last: Value = serde_json::from_str(text.lines().last().expect("one")).expect("JSON");
    assert!(last["entry"]["slot"].as_u64() > said[2]["slot"].as_u64());
    let list = infermeter(&format!("history list {} --json", folder.display())).json();
    assert_eq!(list["plans"].as_array().map(Vec::len), Some(1), "{list:#}");
    assert_eq!(list["plans"][0]["runs"].as_array().map(Vec::len), Some(4));
}

/// Runs that take part in the search for changes: on a busy machine few do, whatever the server does.
fn usable(lines: &[Value]) -> usize {
    let is_so = |line: &&Value| line["run"]["usable"] == true;
    lines.iter().filter(is_so).count()
}

#[test]
fn a_regression_is_found_told_and_ends_it() {
    let (scratch, hook) = (Scratch::new(), listener());
    let folder = scratch.path("watched");
    let asked = "--duration 1s --every 1500ms --server prod --figure tpot.p50 --json";
    let fast = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let before = monitor(&fast.url, &folder, &format!("{asked} --runs 10"));
    assert_eq!(before.code, Some(0), "{before:#?}");
    let slow = Mock::start("--preset fixed --ttft 2ms --step 9ms");
    let more = format!(
        "{asked} --runs 14 --exit-on-regression --webhook {}/hook?sig=1",
        hook.url
    );
    let behind = monitor(&slow.url, &folder, &more);
    let said = lines(&behind);
    let (all_before, all_behind) = (usable(&lines(&before)), usable(&said));
    if behind.code != Some(1) {
        assert_eq!(behind.code, Some(0), "{behind:#?}");
        assert!(all_before < 8 || all_behind < 8, "{behind:#?}");
        assert!(messages(&hook).is_empty());
        return;
    }
    let last = said.last().expect("a line");
    let change = &last["news"][0]["change"];
    assert_eq!(last["news"][0]["kind"], "regression");
    assert_eq!(change["figure"], "tpot.p50");
    assert!(change["change"].as_f64() > Some(2.0), "{change:#}");
    let messages = messages(&hook);
    assert_eq!(messages.len(), 1, "{messages:#?}");
    let text = messages[0]["text"].as_str().expect("words");
    assert!(
        text.starts_with("infermeter monitor, prod: REGRESSION: tpot.p50 "),
        "{text}"
    );
    assert_eq!(messages[0]["line"]["slot"], last["slot"]);
    // It is told once.
    let again = monitor(&slow.url, &folder, &more.replace("--runs 14", "--runs 2"));
    assert_eq!(again.code, Some(0), "{again:#?}");
}

#[test]
fn a_server_that_is_down_is_data() {
    let (scratch, hook) = (Scratch::new(), listener());
    let folder = scratch.path("watched");
    let asked = format!(
        "--every 300ms --server prod --json --webhook {}/hook?sig=1",
        hook.url
    );
    let gone = monitor("http://127.0.0.1:1", &folder, &format!("{asked} --runs 2"));
    assert_eq!(gone.code, Some(4), "{gone:#?}");
    let said = lines(&gone);
    assert_eq!(states(&said), ["down", "down"]);
    assert_eq!(said[0]["news"][0]["kind"], "down");
    assert_eq!(said[1]["news"].as_array().map(Vec::len), Some(0));
    assert_eq!(said[0]["error"]["cause"], "target");
    assert!(said[0].get("run").is_none());
    let server = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let back = monitor(&server.url, &folder, &format!("{asked} --runs 1"));
    let said = lines(&back);
    assert_eq!(said[0]["news"][0]["kind"], "up");
    assert_eq!(said[0]["news"][0]["lasted"], 2);
    let kinds: Vec<Value> = messages(&hook)
        .iter()
        .map(|message| message["line"]["news"][0]["kind"].clone())
        .collect();
    assert_eq!(kinds, ["down", "up"]);
}

#[test]
fn ctrl_c_ends_it_and_the_folder_is_whole() {
    let (scratch, server) = (
        Scratch::new(),
        Mock::start("--preset fixed --ttft 2ms --step 1ms"),
    );
    let folder = scratch.path("watched");
    let mut going = Going::start(&words(&line(&server.url, &folder, "--every 10m")));
    going.until_says("Ctrl-C ends it");
    let lines = folder.join("monitor.jsonl");
    crate::process::wait_until(|| fs::metadata(&lines).is_ok_and(|file| file.len() > 0));
    let other = monitor(&server.url, &folder, "--runs 1");
    other.fails(2, &["another monitor writes to", "--out"]);
    going.signal(Signal::INT);
    let ran = going.end();
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(ran.err.contains("1 instant: 1 measured"), "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 1);
    infermeter(&format!("history list {} --json", folder.display())).json();
}

#[test]
fn ctrl_c_in_a_run_keeps_what_was_measured() {
    let (scratch, server) = (
        Scratch::new(),
        Mock::start("--preset fixed --ttft 2ms --step 1ms"),
    );
    let folder = scratch.path("watched");
    let long = line(&server.url, &folder, "--json --duration 10m");
    let going = Going::start(&words(&long));
    let journal = folder.join("runs/slot-000001/requests.journal");
    crate::process::wait_until(|| fs::metadata(&journal).is_ok_and(|file| file.len() > 2_000));
    going.signal(Signal::INT);
    let ran = going.end();
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    let said = lines(&ran);
    assert_eq!(states(&said), ["interrupted"]);
    assert_eq!(said[0]["run"]["usable"], false);
}

/// A limit on the size of files acts as a full disk does.
#[test]
fn a_full_disk_is_said_and_leaves_what_can_be_read() {
    let (scratch, server) = (
        Scratch::new(),
        Mock::start("--preset fixed --ttft 2ms --step 1ms"),
    );
    let folder = scratch.path("watched");
    let line = line(&server.url, &folder, "--every 500ms --runs 2 --json");
    let full = ran(limited("trap '' XFSZ; ulimit -f 14", &words(&line)));
    assert_eq!(full.code, Some(3), "{full:#?}");
    let said = lines(&full);
    assert_eq!(states(&said), ["failed", "failed"]);
    assert!(
        said[0]["error"]["message"]
            .as_str()
            .is_some_and(|why| why.contains("File too large"))
    );
    let again = monitor(&server.url, &folder, "--runs 1 --json");
    assert_eq!(states(&lines(&again)), ["measured"], "{again:#?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let scratch = Scratch::new();
    let folder = scratch.path("watched");
    let check = |more: &str, said: &[&str]| {
        monitor("http://127.0.0.1:1", &folder, more).fails(2, said);
    };
    check("--every 0s", &["--every"]);
    check("--runs 0", &["--runs"]);
    check("--repeat 3", &["--repeat"]);
    check("--webhook nowhere", &["--webhook", "http://"]);
    check("--figure tttf.p50", &["did you mean `ttft`?"]);
    let plan = scratch.file("plan.toml", "repeat = 3\n");
    check(
        &format!("--config {plan}"),
        &["`repeat` is not for monitor"],
    );
    assert!(!folder.exists());
    let dry = infermeter(&line("http://127.0.0.1:1", &folder, "--dry-run --json")).json();
    assert_eq!(dry["dry_run"], true);
    let mut shown = command(&words("monitor --help"));
    shown.env("COLUMNS", "100");
    let shown = ran(shown);
    for said in [
        "--every",
        "--webhook",
        "--exit-on-regression",
        "--end-after",
    ] {
        assert!(shown.out.contains(said), "no {said} in {}", shown.out);
    }
}
