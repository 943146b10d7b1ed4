//! `infermeter bench`: configurations of a simulator, started, measured alike, stopped; and what goes wrong with one.

use crate::coldstart::free_port;
use crate::process::{Mock, Ran, Scratch, command, manifest, ran};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The command of a simulator at a port, with a place for what is varied.
fn serving(port: u16) -> String {
    let program = env!("CARGO_BIN_EXE_infermeter");
    format!("exec {program} mock --preset fixed --ttft 4ms --step 2ms --port {port} {{flags}}")
}

/// A small run, behind `--`.
const RUN: [&str; 13] = [
    "--",
    "run",
    "--rate",
    "40",
    "--requests",
    "8",
    "--warmup",
    "0",
    "--workload",
    "fixed:16,4",
    "--no-probe",
    "--model",
    "mock/fixed",
];

fn bench(port: u16, serve: &str, more: &[&str], measured_by: &[&str]) -> Ran {
    let url = format!("http://127.0.0.1:{port}");
    let mut words = vec!["bench", "--url", &url, "--serve", serve, "--json"];
    words.extend(more);
    words.extend(measured_by);
    let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    ran(command(&words))
}

fn starts(told: &Value, configuration: usize) -> &Vec<Value> {
    told["configurations"][configuration]["starts"]
        .as_array()
        .expect("starts")
}

#[test]
fn configurations_are_measured_alike_and_compared_with_the_first() {
    let (scratch, port) = (Scratch::new(), free_port());
    let folder = scratch.path("bench");
    let out = folder.display().to_string();
    let more = ["--vary", "max-num-seqs=4,8", "--rounds", "2", "--out", &out];
    let ended = bench(port, &serving(port), &more, &RUN);
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:#?}");
    let told = ended.json();
    let rows = |configuration: usize| starts(&told, configuration);
    assert_eq!((rows(0).len(), rows(1).len()), (2, 2), "{told:#}");
    let of = |configuration: usize, round: usize| {
        let row = &rows(configuration)[round]["row"];
        assert_eq!(row["state"], "measured", "{row:#}");
        let directory = row["directory"].as_str().expect("a directory");
        manifest(&folder.join(directory).join("measured"))
    };
    // The same requests at the same instants for all, and others in the next round.
    let hash = |manifest: &Value| manifest["environment"]["workload"]["sha256"].clone();
    for round in 0..2 {
        assert_eq!(hash(&of(0, round)), hash(&of(1, round)));
        assert_eq!(of(0, round)["seeds"], of(1, round)["seeds"]);
    }
    assert_ne!(of(0, 0)["seeds"], of(0, 1)["seeds"]);
    assert_eq!(told["bench"]["points"].as_array().map(Vec::len), Some(2));
    let sides = &told["comparison"]["asked"]["sides"];
    assert_eq!(sides[1], "max-num-seqs=8", "{told:#}");
    assert_eq!(told["untested"], Value::Null);
    let command = rows(1)[0]["row"]["command"].as_str().expect("a command");
    assert!(command.ends_with("--max-num-seqs 8"), "{command}");
}

#[test]
fn one_that_does_not_start_is_a_row_and_is_tried_again() {
    let (scratch, port) = (Scratch::new(), free_port());
    let folder = scratch.path("bench");
    let out = folder.display().to_string();
    let vary = ["--vary", "max-num-seqs=0,8"];
    let ended = bench(
        port,
        &serving(port),
        &[&vary[..], &["--out", &out]].concat(),
        &RUN,
    );
    let told = ended.json();
    let row = &starts(&told, 0)[0]["row"];
    assert_eq!(row["state"], "not_started", "{row:#}");
    let why = row["why"].as_str().expect("why");
    assert!(why.contains("max-num-seqs is 0"), "{why}");
    assert_eq!(starts(&told, 1)[0]["row"]["state"], "measured", "{told:#}");
    assert!(told["untested"].as_str().expect("why").contains("--rounds"));
    let lines = || {
        fs::read_to_string(folder.join("bench.jsonl"))
            .expect("rows")
            .lines()
            .count()
    };
    assert_eq!(lines(), 3);
    bench(
        port,
        &serving(port),
        &[&vary[..], &["--resume", &out]].concat(),
        &RUN,
    );
    assert_eq!(lines(), 4, "the one that failed alone");
    let other = ["--vary", "max-num-seqs=0,9", "--resume", &out];
    bench(port, &serving(port), &other, &RUN).fails(2, &["another bench"]);
}

#[test]
fn one_that_never_starts_leaves_the_others_comparable() {
    let (scratch, port) = (Scratch::new(), free_port());
    let (out, first) = (scratch.path("bench"), scratch.path("first"));
    let (out, first) = (out.display().to_string(), first.display().to_string());
    let vary = |values| ["--vary", values, "--rounds", "2", "--out"];
    let more = [&vary("max-num-seqs=4,0,8")[..], &[out.as_str()]].concat();
    let told = bench(port, &serving(port), &more, &RUN).json();
    let sides = &told["comparison"]["asked"]["sides"];
    assert_eq!(sides.as_array().map(Vec::len), Some(2), "{told:#}");
    assert_eq!(sides[1], "max-num-seqs=8");
    let untested = told["untested"].as_str().expect("which");
    assert!(untested.contains("max-num-seqs=0"), "{untested}");
    let more = [&vary("max-num-seqs=0,4")[..], &[first.as_str()]].concat();
    let told = bench(port, &serving(port), &more, &RUN).json();
    let untested = told["untested"].as_str().expect("why");
    assert!(untested.contains("first configuration"), "{untested}");
}

#[test]
fn a_row_is_kept_whose_server_stays() {
    let (scratch, port) = (Scratch::new(), free_port());
    let (out, pid) = (scratch.path("bench"), scratch.path("pid"));
    let serve = serving(port).replace("exec ", "").replace("{flags}", "");
    // Out of the group, as a container is.
    let serve = format!(
        "setsid {serve} >/dev/null 2>&1 & echo $! >{}",
        pid.display()
    );
    let folder = out.display().to_string();
    let more = [
        "--stop",
        "true",
        "--stop-timeout",
        "100ms",
        "--out",
        &folder,
    ];
    let ended = bench(port, &serve, &more, &RUN);
    let pid = fs::read_to_string(&pid).expect("a pid");
    let killed = std::process::Command::new("kill").arg(pid.trim()).status();
    assert!(killed.expect("killed").success());
    ended.fails(4, &["still answers after"]);
    let lines = fs::read_to_string(out.join("bench.jsonl")).expect("rows");
    assert_eq!(lines.lines().count(), 2, "{lines}");
}

#[test]
fn a_server_that_dies_under_measurement_is_a_row() {
    let (scratch, port) = (Scratch::new(), free_port());
    let out = scratch.path("bench").display().to_string();
    let serve = serving(port).replace("exec ", "").replace("{flags}", "");
    let serve = format!("{serve} & sleep 1; kill -9 $!; echo gone >&2; exit 5");
    let long = [
        "--",
        "run",
        "--rate",
        "40",
        "--duration",
        "30s",
        "--warmup",
        "0",
        "--workload",
        "fixed:16,4",
    ];
    let ended = bench(port, &serve, &["--out", &out], &long);
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let told = ended.json();
    let row = &starts(&told, 0)[0]["row"];
    assert_eq!(row["state"], "server_died", "{row:#}");
    assert!(
        row["why"].as_str().expect("why").contains("gone"),
        "{row:#}"
    );
}

#[test]
fn nonsense_is_refused_before_anything_is_started() {
    let (scratch, port) = (Scratch::new(), free_port());
    let folder = scratch.path("bench");
    let out = folder.display().to_string();
    let refused = |more: &[&str], measured_by: &[&str], words: &[&str]| {
        let more = [more, &["--out", &out]].concat();
        bench(port, "exit 1 {flags}", &more, measured_by).fails(2, words);
        assert!(!Path::new(&out).exists());
    };
    refused(&["--vary", "max-num-seqs"], &RUN, &["--vary", "NAME=VALUE"]);
    refused(&["--vary", "a=1,1"], &RUN, &["the same command"]);
    refused(&[], &["--", "report", "x"], &["run, sweep and search"]);
    refused(&[], &["--", "run", "--rat", "5"], &["--rate"]);
    refused(&[], &["--", "run", "--duration", "3s"], &["behind --"]);
    refused(&["--list", "/nowhere"], &RUN, &["--list /nowhere"]);
}

#[test]
fn a_port_in_use_is_refused_before_anything_is_made() {
    let (scratch, server) = (Scratch::new(), Mock::start("--preset fixed"));
    let port = server.url.rsplit(':').next().and_then(|p| p.parse().ok());
    let out = scratch.path("used");
    let folder = out.display().to_string();
    let more = ["--out", folder.as_str()];
    let ended = bench(port.expect("a port"), "exit 1 {flags}", &more, &RUN);
    ended.fails(4, &["somebody answers", "before --serve"]);
    assert!(
        !out.exists() && !ended.err.contains("1 configuration"),
        "{ended:#?}"
    );
}
