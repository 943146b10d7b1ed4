//! `infermeter shadow`: users are served whatever the shadow does, both sides become runs, and their answers are
//! compared.

use crate::process::{
    Going, Mock, Ran, Run, Scratch, finding, infermeter, manifest, run_with, wait_until, words,
};
use crate::schemas;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_record::read_records;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// What users ask: nothing but the load's own requests.
const USERS: &str = "--warmup 0 --threads 1 --no-probe --model mock/fixed --trace-option format=vllm --trace-option \
                     time-unit=ms --quiet";

fn mock(ttft: &str) -> Mock {
    Mock::start(&format!("--preset fixed --ttft {ttft} --step 4ms"))
}

/// A proxy between users and both servers.
struct Shadow {
    going: Going,
    url: String,
    out: PathBuf,
    scratch: Scratch,
}

impl Shadow {
    fn start(primary: &Mock, shadow: &str, more: &str) -> Self {
        let scratch = Scratch::new();
        let out = scratch.path("shadowed");
        let line = format!(
            "shadow --listen 127.0.0.1:0 --primary {} --shadow {shadow} --share 100% --out {} --quiet --json {more}",
            primary.url,
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

    /// So many requests of users, sixty a second, and none behind them.
    fn load(&self, requests: u32) -> String {
        let row = |n: u32| {
            format!(
                "{{\"timestamp\": {}, \"input_length\": 16, \"output_length\": 8}}\n",
                n * 50 / 3
            )
        };
        let rows: String = (0..requests).map(row).collect();
        let trace = self.scratch.file("users.jsonl", &rows);
        format!("run {} {USERS} --trace {trace}", self.url)
    }

    fn users(&self, requests: u32) -> Run {
        run_with(words(&self.load(requests)), |_| {})
    }

    /// Ends it, and reads what it found.
    fn found(self) -> Found {
        self.going.signal(rustix::process::Signal::INT);
        self.ended()
    }

    /// Waits for its own end.
    fn ended(self) -> Found {
        let ran = self.going.end();
        let text = fs::read_to_string(self.out.join("shadow.json"))
            .unwrap_or_else(|e| panic!("{e}: {ran:#?}"));
        let value: Value = serde_json::from_str(&text).expect("JSON");
        schemas::is_a("shadow", &value);
        assert_eq!(ran.json()["pairs"], value["pairs"]);
        Found {
            ran,
            value,
            out: self.out,
            _scratch: self.scratch,
        }
    }
}

struct Found {
    ran: Ran,
    value: Value,
    out: PathBuf,
    _scratch: Scratch,
}

impl Found {
    #[track_caller]
    fn answer(&self, figure: &str) -> &str {
        let change = self.change(figure);
        change["decision"]["answer"].as_str().expect("an answer")
    }

    /// On a busy machine something may drift from one side to the other: nothing is decided then, and that is said.
    fn is_drifting(&self) -> bool {
        let findings = self.value["findings"].as_array().expect("a list");
        findings
            .iter()
            .any(|finding| finding["code"] == "blocks-correlated")
    }

    #[track_caller]
    fn change(&self, figure: &str) -> &Value {
        let changes = self.value["changes"].as_array().expect("a list");
        let found = changes.iter().find(|change| change["figure"] == figure);
        found.unwrap_or_else(|| panic!("no {figure} in {changes:#?}"))
    }

    fn records(&self, side: &str) -> Vec<RequestRecord> {
        read_records(&self.out.join(side)).expect("a record")
    }
}

#[track_caller]
fn all_complete(records: &[RequestRecord], count: usize) {
    assert_eq!(records.len(), count);
    for record in records {
        assert_eq!(record.outcome, Outcome::Completed, "{record:?}");
    }
}

/// An ordinary run, as report reads it.
#[track_caller]
fn is_a_run(dir: &Path) {
    let manifest = manifest(dir);
    assert_eq!(manifest["load_model"], "observed");
    finding(&manifest, "load-observed");
    let report = infermeter(&format!("report {}", dir.display()));
    assert!(report.out.contains("its users' own"), "{report:#?}");
    assert!(report.out.contains("TTFT"), "{report:#?}");
}

#[test]
fn two_servers_alike_are_not_slower_and_both_sides_are_runs() {
    let (primary, shadow) = (mock("40ms"), mock("40ms"));
    let shadowed = Shadow::start(&primary, &shadow.url, "--margin 25%");
    let users = shadowed.users(120);
    all_complete(&users.records(), 120);
    let found = shadowed.found();
    assert_eq!(found.ran.code, Some(0), "{:#?}", found.ran);
    let pairs = found.value["pairs"].as_u64().expect("a number");
    assert!((100..=120).contains(&pairs), "{:#}", found.value);
    for figure in ["ttft", "tpot", "e2e", "failed"] {
        assert_ne!(found.answer(figure), "worse", "{:#}", found.value);
    }
    let not_worse = &found.change("e2e")["not_worse"];
    assert!(
        *not_worse == true || found.is_drifting(),
        "{:#}",
        found.value
    );
    all_complete(&found.records("primary"), 120);
    let theirs = found.records("primary");
    // What the proxy saw is what the users' side saw, to the token.
    for (record, user) in theirs.iter().zip(users.records()) {
        assert_eq!(record.output_tokens, user.output_tokens);
        assert_eq!(record.chunks.len(), user.chunks.len());
    }
    is_a_run(&found.out.join("primary"));
    is_a_run(&found.out.join("shadow"));
    let dirs = ["primary", "shadow"].map(|side| found.out.join(side).display().to_string());
    let compared = infermeter(&format!("compare {} {} --force", dirs[0], dirs[1]));
    assert!(compared.out.contains("e2e.mean"), "{compared:#?}");
}

#[test]
fn a_slow_shadow_is_found_and_ends_it() {
    let (primary, shadow) = (mock("10ms"), mock("40ms"));
    let shadowed = Shadow::start(&primary, &shadow.url, "--requests 120");
    let users = shadowed.users(120);
    all_complete(&users.records(), 120);
    let found = shadowed.ended();
    assert_eq!(found.ran.code, Some(0), "{:#?}", found.ran);
    let estimate = found.change("ttft")["change"]["estimate"].as_f64();
    assert!(estimate > Some(1.5), "{estimate:?}");
    if found.is_drifting() {
        return;
    }
    assert_eq!(found.answer("ttft"), "worse", "{:#}", found.value);
    assert_eq!(found.change("ttft")["not_worse"], false);
    // Enough pairs without a failure for a margin of 3 points.
    assert_eq!(found.answer("failed"), "equivalent", "{:#}", found.value);
}

#[test]
fn what_a_kill_leaves_is_read() {
    let (primary, shadow) = (mock("10ms"), mock("10ms"));
    let shadowed = Shadow::start(&primary, &shadow.url, "");
    shadowed.users(60);
    let file = shadowed.out.join("shadow.json");
    let kept = || -> Option<Value> {
        let text = fs::read_to_string(&file).ok()?;
        Some(serde_json::from_str(&text).expect("it is whole"))
    };
    // A few more are not looked at anew.
    let enough = |value: Value| value["pairs"].as_u64() >= Some(55);
    wait_until(|| kept().is_some_and(enough));
    shadowed.going.signal(rustix::process::Signal::KILL);
    shadowed.going.end();
    schemas::is_a("shadow", &kept().expect("a comparison"));
    for side in ["primary", "shadow"] {
        let dir = shadowed.out.join(side);
        let report = infermeter(&format!("report {} --json", dir.display()));
        let records = read_records(&dir).expect("a record");
        assert!(records.len() >= 55, "{}", records.len());
        all_complete(&records, records.len());
        let told = manifest(&dir);
        assert_eq!(told["model"], "mock/fixed", "{report:#?}");
        let codes: Vec<&Value> = told["run_findings"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|finding| &finding["code"])
            .collect();
        assert!(
            codes.iter().any(|code| *code == "load-observed"),
            "{codes:?}"
        );
        assert!(report.out.contains("its users' own"), "{report:#?}");
    }
}

#[test]
fn a_shadow_that_is_killed_touches_no_answer() {
    let (primary, shadow) = (mock("20ms"), mock("20ms"));
    let shadowed = Shadow::start(&primary, &shadow.url, "");
    let scratch = Scratch::new();
    let dir = scratch.path("users");
    let line = format!("{} --out {}", shadowed.load(120), dir.display());
    let users = Going::start(&words(&line));
    std::thread::sleep(std::time::Duration::from_millis(900));
    drop(shadow);
    users.end();
    all_complete(&read_records(&dir).expect("a record"), 120);
    let found = shadowed.found();
    let said = finding(&found.value, "shadow-failed");
    let evidence = said["evidence"].as_str().expect("words");
    assert!(evidence.contains("did not complete"), "{evidence}");
    all_complete(&found.records("primary"), 120);
    assert!(
        found.value["ends"]["shadow_failed"].as_u64() > Some(0),
        "{:#}",
        found.value
    );
    assert_eq!(found.value["ends"]["primary_failed"], 0);
}

#[test]
fn what_cannot_be_is_said_before_anything_listens() {
    let scratch = Scratch::new();
    let there = scratch.file("there", "mine");
    let line = |more: &str| {
        format!(
            "shadow --listen 127.0.0.1:0 --primary http://127.0.0.1:1 --shadow http://127.0.0.1:2 {more}"
        )
    };
    for (more, said) in [
        (format!("--out {there}"), "exists"),
        ("--out x --share 0".to_owned(), "not a share above 0"),
        ("--out x --share 5x".to_owned(), "write 5% or 0.05"),
        ("--out x --until desided".to_owned(), "decided"),
        (
            "--out x --shadow-header s3cret".to_owned(),
            "--shadow-header",
        ),
        ("--out x --margn 3%".to_owned(), "--margin"),
    ] {
        let ran = infermeter(&line(&more));
        ran.fails(2, &[said]);
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
    let (taken, out) = (mock("10ms"), scratch.path("made"));
    let listen = taken.url.trim_start_matches("http://");
    let line = format!(
        "shadow --listen {listen} --primary {0} --shadow {0} --out {1}",
        taken.url,
        out.display()
    );
    infermeter(&line).fails(2, &["--listen"]);
    assert!(!out.exists(), "nobody was heard, and nothing is kept");
    let primary = "shadow --listen 127.0.0.1:0 --out x --shadow http://127.0.0.1:2";
    infermeter(&format!("{primary} --primary localhost:8000")).fails(2, &["--primary", "http://"]);
    infermeter(&format!("{primary} --primary http://u:pw@h:1"))
        .fails(2, &["--primary", "leave user and password"]);
    infermeter(primary).fails(2, &["--primary"]);
}
