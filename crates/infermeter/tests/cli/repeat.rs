//! `--repeat` and `--until`: every run complete and different, and what they say together.

use crate::process::{Going, Mock, Scratch, infermeter, manifest, mock, words};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;

const LOAD: &str = "--rate 40 --workload fixed:20,2 --duration 1s --warmup 0 --connect-timeout 5s";

fn repeat_json(dir: &Path) -> Value {
    let text = std::fs::read_to_string(dir.join("repeat.json")).expect("repeat.json");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn runs_have_seeds_salts_and_records_of_their_own() {
    let scratch = Scratch::new();
    let out = scratch.path("r");
    let ran = infermeter(&format!(
        "run {} {LOAD} --repeat 2 --out {}",
        mock(),
        out.display()
    ));
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    assert!(
        ran.err.contains("Run 1 of 2: ") && ran.err.contains("Run 2 of 2: "),
        "{ran:#?}"
    );
    assert!(
        ran.out.contains("Figures over 2 runs") && ran.out.contains("requests_per_s 1/s"),
        "{ran:#?}"
    );
    let runs = ["run-01", "run-02"].map(|name| manifest(&out.join(name)));
    for key in [
        "/seeds",
        "/environment/workload/salt",
        "/environment/workload/sent_sha256",
        "/run_id",
    ] {
        let of = runs.each_ref().map(|run| run.pointer(key).cloned());
        assert!(of[0].is_some(), "{key}");
        assert_ne!(of[0], of[1], "{key}");
    }
    // The first run is the one that the plan measures by itself.
    let alone = infermeter_core::seed::Seeds::derive(1);
    assert_eq!(runs[0]["seeds"]["workload"], alone.workload);
    let together = repeat_json(&out);
    assert_eq!(together["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(together["repeated"]["runs"], 2);
    let figures = together["repeated"]["figures"].as_array().expect("figures");
    let rate = figures
        .iter()
        .find(|f| f["name"] == "requests_per_s")
        .expect("a rate");
    let values: Vec<f64> = rate["runs"]
        .as_array()
        .expect("two")
        .iter()
        .filter_map(Value::as_f64)
        .collect();
    let mean = rate["over"]["mean"]["value"].as_f64().expect("a mean");
    assert!(
        (values.iter().sum::<f64>() / 2.0 - mean).abs() < 1e-9,
        "{rate}"
    );
}

#[test]
fn a_precision_says_how_far_it_may_go_and_whether_it_got_there() {
    let scratch = Scratch::new();
    let out = scratch.path("u");
    let ran = infermeter(&format!(
        "run {} {LOAD} --repeat 3 --until tpot.p99.9+-0.001% --out {}",
        mock(),
        out.display()
    ));
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    assert!(
        ran.err.contains("tpot.p99.9+-0.001%: at most 3 runs"),
        "{ran:#?}"
    );
    assert!(ran.out.contains("not reached"), "{ran:#?}");
    let looks = repeat_json(&out)["precision"]
        .as_array()
        .cloned()
        .expect("looks");
    assert_eq!(looks.len(), 3);
    assert_eq!(looks[2]["state"], "not_reached");
}

#[test]
fn what_makes_no_sense_is_refused_before_the_first_run() {
    let fails = |flags: &str, expect: &[&str]| {
        infermeter(&format!("run {} {LOAD} {flags}", mock())).fails(2, expect);
    };
    fails("--repeat 0", &["--repeat: must be above 0"]);
    fails("--until ttft.p99", &["--until", "as in ttft.p99+-10%"]);
    fails(
        "--until ttft.p99+-5% --repeat 1",
        &["--until needs at least two runs"],
    );
    let scratch = Scratch::new();
    let file = scratch.file("there", "");
    fails(&format!("--repeat 2 --out {file}"), &["exists"]);
}

#[test]
fn every_run_has_the_cores_of_the_first() {
    let scratch = Scratch::new();
    let out = scratch.path("c");
    let ran = infermeter(&format!(
        "run mock:fixed {LOAD} --repeat 3 --quiet --out {}",
        out.display()
    ));
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    let sides = ["run-01", "run-02", "run-03"].map(|name| {
        let client = manifest(&out.join(name))["environment"]["client"].clone();
        (client["cores"].clone(), client["mock_cores"].clone())
    });
    assert_eq!(sides[1], sides[0]);
    assert_eq!(sides[2], sides[0]);
}

#[test]
fn a_server_that_dies_leaves_an_experiment_that_can_be_reported() {
    let scratch = Scratch::new();
    let out = scratch.path("d");
    let server = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let mut going = Going::start(&words(&format!(
        "run {} {LOAD} --repeat 4 --out {}",
        server.url,
        out.display()
    )));
    going.until_says("Run 1 of 4: ");
    drop(server);
    going.end().fails(4, &["Run 1 of 4: "]);
    let reported = infermeter(&format!("report {}", out.display()));
    assert_eq!(reported.code, Some(4), "{reported:#?}");
    let said = ["4 runs were asked for", "to 4: not begun", "goes on"];
    assert!(
        said.iter().all(|said| reported.out.contains(said)),
        "{reported:#?}"
    );
    assert!(reported.out.contains("Figures over"), "{reported:#?}");
}

#[test]
fn a_killed_experiment_loses_no_run_that_has_ended_and_goes_on() {
    let scratch = Scratch::new();
    let out = scratch.path("k");
    let line = format!("run {} {LOAD} --repeat 3", mock());
    let mut going = Going::start(&words(&format!("{line} --out {}", out.display())));
    going.until_says("Run 1 of 3: ");
    going.signal(Signal::KILL);
    going.end();
    let first = manifest(&out.join("run-01"))["run_id"].clone();
    let reported = infermeter(&format!("report {}", out.display()));
    assert_eq!(reported.code, Some(130), "{reported:#?}");
    assert!(
        reported.out.contains("Run 1 of 3: ") && reported.out.contains("3: not begun"),
        "{reported:#?}"
    );
    let reported = infermeter(&format!("report {} --json", out.display())).json();
    let missing = reported["missing"].as_array().expect("a list");
    assert_eq!(missing.last().map(|m| m["run"].clone()), Some(3.into()));
    let resume = |more: &str| infermeter(&format!("{line} {more} --resume {}", out.display()));
    resume("--seed 2").fails(2, &["--resume", "seed is 1 there and 2 here"]);
    // The ledger knows the flags.
    let alone = format!("run --resume {}", out.display());
    infermeter(&format!("{alone} --rate 3")).fails(2, &["rate is 40.0 there and 3.0 here"]);
    let resumed = infermeter(&alone);
    assert!(matches!(resumed.code, Some(0 | 3)), "{resumed:#?}");
    assert!(resumed.err.contains("Run 3 of 3: "), "{resumed:#?}");
    assert_eq!(manifest(&out.join("run-01"))["run_id"], first);
    let together = repeat_json(&out);
    assert_eq!(together["runs"].as_array().map(Vec::len), Some(3));
    assert_eq!(together["missing"], Value::Null);
    // What `report` computes is what was written.
    let reported = infermeter(&format!("report {} --json", out.display()));
    assert_eq!(reported.code, resumed.code);
    assert_eq!(reported.json(), together);
}

#[test]
fn there_is_something_to_go_on_with() {
    let fails = |flags: &str, expect: &[&str]| {
        infermeter(&format!("run {} {LOAD} {flags}", mock())).fails(2, expect);
    };
    fails(
        "--resume here",
        &["here is not the directory of an experiment"],
    );
    fails(
        "--repeat 2 --resume here --out there",
        &["--resume and --out"],
    );
    let scratch = Scratch::new();
    let empty = scratch.path("none");
    fails(
        &format!("--repeat 2 --resume {}", empty.display()),
        &["is not the directory of an experiment"],
    );
}

#[test]
fn a_secret_is_asked_for_again() {
    let scratch = Scratch::new();
    let out = scratch.path("s");
    let server = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let url = &server.url;
    let line = format!("run {url} {LOAD} --repeat 2 --header x-key:abcdefgh");
    let mut going = Going::start(&words(&format!("{line} --out {}", out.display())));
    going.until_says("Run 1 of 2: ");
    going.signal(Signal::KILL);
    going.end();
    let alone = format!("run --resume {}", out.display());
    infermeter(&alone).fails(2, &["--header held a secret", "give it again"]);
    let resumed = infermeter(&format!("{alone} --header x-key:abcdefgh"));
    assert!(matches!(resumed.code, Some(0 | 3)), "{resumed:#?}");
}
