//! Objectives and gates on the command line: what is refused before anything is sent, and a gate over real runs.

use crate::process::{Scratch, infermeter, mock};
use serde_json::Value;

/// What a command says that is refused with code 2.
#[track_caller]
fn refused(command: &str, expect: &str) {
    let ran = infermeter(command);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.err.contains(expect), "{expect}: {}", ran.err);
}

#[test]
fn objectives_that_make_no_sense_are_refused() {
    let run = |rest: &str, expect: &str| {
        refused(
            &format!("run mock:fixed --rate 5 --duration 1s {rest}"),
            expect,
        );
    };
    run("--slo tttf.p99<1s", "did you mean `ttft`?");
    run("--slo ttft<1s", "attainment(ttft<500ms)>=99%");
    run(
        "--slo goodput>5",
        "no other objective says what a good request is",
    );
    run("--slo fluidity.mean>99%", "nobody says when tokens are due");
    run("--slo session.e2e.p90<60s", "requests are of no sessions");
    run(
        "--slo attainment(itl.p99<1s)>=99% --no-stream",
        "--slo itl needs a stream",
    );
    run(
        "--slo fluidity(1s/1s).mean>=99% --no-stream",
        "--slo fluidity needs a stream",
    );
    refused(
        "run mock:fixed --concurrency 2 --requests 5 --slo ttft.p99{origin=intended}<1s",
        "in a closed loop",
    );
    refused(
        "run http://host:1 --endpoint embeddings --rate 5 --duration 1s --slo output_throughput>5",
        "--slo output_throughput does not go with --endpoint embeddings",
    );
}

#[test]
fn gates_that_make_no_sense_are_refused() {
    let gate = |rest: &str, expect: &str| refused(&format!("gate /nowhere {rest}"), expect);
    gate("--fail-if ttft.p99>+5%", "--baseline");
    gate("--baseline /nowhere", "nothing is asked");
    gate(
        "--baseline /nowhere --fail-if tttf.p99>+5%",
        "did you mean `ttft`?",
    );
    gate(
        "--baseline /nowhere --fail-if ttft.p99>5%",
        "a change for the worse has a sign",
    );
    gate(
        "--baseline /nowhere --fail-if ttft.p99>+5%",
        "cannot read /nowhere",
    );
    let run = "run mock:fixed --rate 5 --duration 1s";
    refused(&format!("{run} --fail-if ttft.p99>+5%"), "--baseline");
    refused(
        &format!("{run} --fail-if ttft.p99>+5% --baseline /nowhere"),
        "--baseline: cannot read /nowhere",
    );
}

/// Several objectives, one with commas, judged; then a gate of the run against itself, as JSON. On
/// a rate, which any run has: a busy machine leaves sixty requests without a median.
#[test]
fn a_run_is_judged_and_gated() {
    let scratch = Scratch::new();
    let (first, second) = (scratch.path("first"), scratch.path("second"));
    let load = "--rate 100 --requests 60 --warmup 0 --workload fixed:16,4 --threads 1 --connect-timeout 5s";
    let slo = "--slo attainment(ttft<1h,tpot<1h)>=50% --slo e2e.max<1ns --slo error_rate<50%";
    let ran = infermeter(&format!(
        "run {} {load} {slo} --json --out {}",
        mock(),
        first.display()
    ));
    assert!(matches!(ran.code, Some(1 | 3)), "{ran:#?}");
    let value: Value = serde_json::from_str(&ran.out).expect("JSON");
    let lines = value["summary"]["slo"].as_array().expect("lines");
    let status: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["status"].as_str())
        .collect();
    assert_eq!(status, ["met", "missed", "met"], "{lines:#?}");
    assert_eq!(lines[0]["objective"], "attainment(ttft<1h, tpot<1h)>=50%");
    assert_eq!(lines[0]["measured"]["value"], 1.0);

    let gated = format!(
        "run {} {load} --seed 2 --json --out {} --baseline {} --fail-if output_throughput<-5% --fail-if error_rate>50%",
        mock(),
        second.display(),
        first.display()
    );
    let ran = infermeter(&gated);
    assert!(matches!(ran.code, Some(3 | 5)), "{ran:#?}");
    let value: Value = serde_json::from_str(&ran.out).expect("JSON");
    let gate = &value["gate"]["decision"];
    assert_eq!(gate["answer"], "inconclusive", "{gate:#}");
    assert_eq!(gate["lines"][0]["form"], "one_run");
    assert_eq!(gate["lines"][0]["doubt"]["too_few_runs"]["needed"], 19);
    assert_eq!(gate["lines"][1]["answer"], "pass");
    let again = infermeter(&format!(
        "gate {} --baseline {} --fail-if output_throughput<-5% --inconclusive fail",
        second.display(),
        first.display()
    ));
    assert!(matches!(again.code, Some(1 | 3)), "{again:#?}");
    assert!(
        again.out.contains("needs 19 for 1 run here"),
        "{}",
        again.out
    );
}
