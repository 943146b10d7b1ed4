//! Every mode with every load, endpoint and kind of request, against the simulator: what infermeter
//! supports it must not complain about, neither in the run nor in `report` and `audit`.
//!
//! The runs are too short to say anything about a server, and the machine may be busy: findings
//! about either are expected, and listed in one place. Every other finding above a note is a defect.

use crate::process::{Mock, Scratch, command, infermeter, words};
use serde_json::Value;
use std::path::Path;
use std::sync::Mutex;

/// Findings above a note that a busy machine causes: it keeps the client from its core, or the simulator.
const BUSY_MACHINE: [&str; 16] = [
    "send-lag",
    "slot-lag",
    "client-busy",
    "client-stood-still",
    "run-queue-wait",
    "uncertain-instants",
    "program-stamps",
    "load-not-delivered",
    "bodies-late",
    // Answers that take longer need more connections than were warm.
    "connections-opened-inside",
    "server-froze",
    "streams-hang",
    "server-slows-down",
    "unstable-load",
    // A simulator that was kept from its core sends a whole answer at once.
    "bursty-delivery",
    "cache-suspected",
];

/// Findings above a note about a run of half a second, next to its server.
const SHORT_AND_NEAR: [&str; 4] = [
    "short-warmup",
    "percentile-unsupported",
    "cold-start-samples",
    "host-shared-with-server",
];

/// Runs going on at once.
const AT_ONCE: usize = 3;

const PROFILE: &str = "format-version = 1\nname = \"two\"\n\n[[client]]\nname = \"a\"\nrate = 60\n\
    lengths = \"fixed:20,8\"\n\n[[client]]\nname = \"b\"\nrate = 40\narrival = \"constant\"\n\
    lengths = \"fixed:40,6\"\n";

/// Files that flags name.
struct Files {
    scratch: Scratch,
    loads: Vec<(&'static str, String)>,
    kinds: Vec<(&'static str, String)>,
}

impl Files {
    fn new() -> Self {
        let scratch = Scratch::new();
        let rows: String = (0..60)
            .map(|n| {
                format!(
                    "2023-11-16 18:17:{:02}.{:02}0000,20,6\n",
                    3 + n / 50,
                    n % 50 * 2
                )
            })
            .collect();
        let header = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
        let trace = scratch.file("trace.csv", &format!("{header}{rows}"));
        let clients = scratch.file("clients.toml", PROFILE);
        let schema = scratch.file(
            "schema.json",
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#,
        );
        let grammar = scratch.file("grammar.txt", "root ::= \"yes\" | \"no\"");
        let fixed = "--workload fixed:16,6";
        Self {
            loads: vec![
                (
                    "rate",
                    format!("--rate 60 --requests 30 --warmup 10req {fixed}"),
                ),
                (
                    "slots",
                    format!("--concurrency 3 --requests 30 --warmup 10req {fixed}"),
                ),
                (
                    "ramp",
                    format!(
                        "--rate-profile ramp:30..90/400ms --duration 400ms --warmup 200ms {fixed}"
                    ),
                ),
                (
                    "trace",
                    format!("--trace {trace} --time-scale 0.5 --warmup 10req"),
                ),
                (
                    "sessions",
                    format!(
                        "--sessions turns=2 --sessions think=5ms --rate 30 --requests 30 --warmup 10req {fixed}"
                    ),
                ),
                (
                    "clients",
                    format!("--clients {clients} --duration 400ms --warmup 200ms"),
                ),
            ],
            kinds: vec![
                ("plain", String::new()),
                ("schema", format!("--schema {schema}")),
                ("regex", "--regex [a-z]+".to_owned()),
                ("grammar", format!("--grammar {grammar}")),
                ("tools", "--tools 2 --tool-choice required".to_owned()),
                ("images", "--images 1@16x16".to_owned()),
                ("lora", "--lora sql=1 --lora mock/fixed=1".to_owned()),
                (
                    "sampling",
                    "--sampling temperature=0.5 --sampling top_p=0.9".to_owned(),
                ),
            ],
            scratch,
        }
    }

    /// Name and arguments of every run.
    fn runs(&self, url: &str) -> Vec<(String, String)> {
        let mut runs = Vec::new();
        for mode in ["", "--no-stream"] {
            for endpoint in ["chat", "completions"] {
                for (load, load_flags) in &self.loads {
                    for (kind, kind_flags) in &self.kinds {
                        let chat_alone = ["tools", "images"].contains(kind) || *load == "sessions";
                        if endpoint == "completions" && chat_alone {
                            continue;
                        }
                        let name = format!("{load}-{endpoint}-{kind}{mode}");
                        let out = self.scratch.path(&name);
                        let line = format!(
                            "run {url} {mode} --endpoint {endpoint} {load_flags} {kind_flags} \
                             --threads 1 --quiet --out {}",
                            out.display()
                        );
                        runs.push((name, line));
                    }
                }
            }
        }
        runs
    }
}

/// Findings above a note that have no business in a run of this test.
fn complaints(findings: &Value) -> Vec<String> {
    let findings = findings.as_array().into_iter().flatten();
    let heavy = findings.filter(|f| f["severity"] != "note");
    let unexpected = heavy.filter(|f| {
        let code = f["code"].as_str().unwrap_or_default();
        !BUSY_MACHINE.contains(&code) && !SHORT_AND_NEAR.contains(&code)
    });
    unexpected
        .map(|f| format!("{} ({})", f["code"], f["evidence"]))
        .collect()
}

/// Errors among the checks of an audit: what it says about short runs has less weight.
fn failed(checks: &Value) -> Value {
    let checks = checks.as_array().into_iter().flatten();
    let failed = checks.filter(|c| c["answer"] == "fail" && c["severity"] == "error");
    failed.cloned().collect()
}

/// Everything that is wrong about one run.
fn faults(name: &str, line: &str, dir: &Path) -> Vec<String> {
    let output = command(&words(line)).output().expect("started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let Ok(text) = std::fs::read_to_string(dir.join("run.json")) else {
        return vec![format!("{name}: no record: {said}")];
    };
    let run: Value = serde_json::from_str(&text).expect("JSON");
    let mut faults = complaints(&run["findings"]);
    let measured = &run["summary"]["requests"]["measured"];
    if measured["completed"] != measured["total"] || measured["total"] == 0 {
        faults.push(format!("not all completed: {measured}"));
    }
    for command in ["report", "audit"] {
        let ran = infermeter(&format!("{command} {} --json", dir.display()));
        let json = ran.json();
        let later = match command {
            "report" => complaints(&json["findings"]),
            _ => complaints(&failed(&json["checks"])),
        };
        let later = later.into_iter();
        faults.extend(later.map(|fault| format!("{command}: {fault}")));
    }
    faults
        .into_iter()
        .map(|fault| format!("{name}: {fault}"))
        .collect()
}

#[test]
fn no_supported_combination_is_complained_about() {
    let files = Files::new();
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms --adapter sql");
    let runs = files.runs(&mock.url);
    let todo = Mutex::new(runs.iter());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((name, line)) = todo.lock().expect("no panic").next() else {
                        return;
                    };
                    let faults = faults(name, line, &files.scratch.path(name));
                    found.lock().expect("no panic").extend(faults);
                }
            });
        }
    });
    let found = found.into_inner().expect("no panic");
    assert!(
        found.is_empty(),
        "{} runs:\n{}",
        runs.len(),
        found.join("\n")
    );
}
