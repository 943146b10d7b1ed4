//! `capacity` on runs at several rates, measured in virtual time: the plan, and every bad input.

use crate::process::{Ran, Scratch, infermeter};
use infermeter_core::plan::Plan;
use infermeter_protocol::Once;
use infermeter_session::book::Book;
use infermeter_session::drive::drive;
use infermeter_session::runs::{Into, Runs};
use infermeter_session::virtually::Virtual;
use std::path::Path;
use std::slice;

/// Where steps of 20 ms and a TTFT near 50 ms make any objective met or missed at will.
const TARGET: &str = "mock:fixed";

/// Writes a run at `rate`; its directory.
fn level(scratch: &Scratch, rate: f64, change: impl FnOnce(&mut Plan)) -> String {
    let path = scratch.path(&format!("at-{rate}"));
    let mut plan = Plan {
        target: TARGET.to_owned(),
        rate: Some(rate),
        requests: Some(60),
        warmup: "0".parse().ok(),
        workload: "fixed:20,4".parse().expect("a workload"),
        out: Some(path.clone()),
        ..Plan::defaults()
    };
    change(&mut plan);
    measured(&plan, &path);
    path.to_str().expect("UTF-8").to_owned()
}

fn measured(plan: &Plan, path: &Path) {
    let into = Into::Alone(Some(path.to_owned()));
    let mut runs = Runs::new(Virtual, slice::from_ref(plan), into);
    drive(&Once, &mut runs, &mut Book::none(), Vec::new(), &mut |_| {}).expect("measured");
}

/// Three levels below one directory, and the plan for them.
fn planned(flags: &str) -> Ran {
    let scratch = Scratch::new();
    for rate in [2.0, 11.0, 22.0] {
        level(&scratch, rate, |_| {});
    }
    infermeter(&format!("capacity {} {flags}", scratch.path("").display()))
}

#[test]
fn the_published_example_is_printed_from_runs() {
    let ran = planned(
        "--target-rate 100 --slo ttft.p50<500ms --headroom 20% --gpus-per-instance 8 --linear",
    );
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for words in [
        "22 requests/s [22, ∞)",
        "5 instances: 40 GPUs",
        "with 20.0 % headroom: 6 instances: 48 GPUs",
        "No cost without the price of an accelerator: --gpu-hour.",
        "no level misses the objectives",
    ] {
        assert!(
            ran.out.replace('\n', " ").contains(words),
            "no `{words}` in {}",
            ran.out
        );
    }
}

#[test]
fn a_simulated_fleet_stands_beside_the_linear_count() {
    let scratch = Scratch::new();
    for rate in [5.0, 10.0, 15.0, 30.0] {
        level(&scratch, rate, |plan| {
            plan.target = "mock:llama-70b-8xh100".to_owned();
            plan.workload = "fixed:256,24".parse().expect("a workload");
            plan.requests = Some((rate * 30.0) as u64);
        });
    }
    let flags = "--target-rate 40,100 --slo ttft.p90<95ms --headroom 20% --gpu-hour 2.5 --gpus-per-instance 8";
    let ran = infermeter(&format!("capacity {} {flags}", scratch.path("").display()));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for words in [
        "it predicts the level that it had not seen",
        "held out",
        "round robin",
        "least loaded",
    ] {
        assert!(ran.out.contains(words), "no `{words}` in {}", ran.out);
    }
}

#[test]
fn json_has_every_figure_and_what_if_rates_stand_side_by_side() {
    let flags = "--target-rate 50,100,200 --slo ttft.p50<500ms --gpu-hour 2.5 --gpus-per-instance 8 --format json";
    let value = planned(flags).json();
    let sizings = value["sizings"].as_array().expect("sizings");
    let instances: Vec<_> = sizings
        .iter()
        .filter_map(|s| s["need"]["instances"].as_u64())
        .collect();
    assert_eq!(instances, [3, 5, 10]);
    assert_eq!(sizings[1]["cost"]["hour"], 100.0);
    assert!(value["engine"]["used"].is_string(), "{}", value["engine"]);
    assert_eq!(value["levels"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_profile_is_answered_hour_by_hour() {
    let ran = planned(
        "--target-profile diurnal:10..100/24h --slo ttft.p50<500ms --gpus-per-instance 1 --linear",
    );
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(
        ran.out.contains("Instance-hours") && ran.out.contains("in 24 hours"),
        "{}",
        ran.out
    );
}

#[test]
fn an_objective_that_no_level_meets_is_an_answer() {
    let ran = planned("--target-rate 100 --slo ttft.p50<1ms --linear");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let said = ran.out.replace('\n', " ");
    assert!(
        said.contains("no level meets the objectives: at the lowest, 2 requests/s"),
        "{}",
        ran.out
    );
}

#[test]
fn bad_input_is_named() {
    let scratch = Scratch::new();
    let one = level(&scratch, 2.0, |_| {});
    let check = |line: &str, words: &[&str]| infermeter(line).fails(2, words);
    let slo = "--slo ttft.p50<500ms";
    check(
        &format!("capacity {one} {slo}"),
        &["what load? give --target-rate"],
    );
    check(
        &format!("capacity {one} --target-rate 0 {slo}"),
        &["`0` is not a rate"],
    );
    check(
        &format!("capacity {one} --target-rate 9"),
        &["no objective", "--slo 'ttft.p99<500ms'"],
    );
    check(&format!("capacity {one} --target-rat 9"), &["--target-rat"]);
    check(
        &format!("capacity {one} --target-rate 9 {slo} --headroom 20"),
        &["as in 20%"],
    );
    check(
        &format!("capacity {one} --target-rate 9 {slo} --gpu-hour 0"),
        &["gpu-hour"],
    );
    check(
        &format!(
            "capacity {}/none --target-rate 9 {slo}",
            scratch.path("").display()
        ),
        &["cannot be read"],
    );
    let other = level(&scratch, 3.0, |plan| {
        plan.workload = "fixed:30,4".parse().expect("a workload")
    });
    check(
        &format!("capacity {one} {other} --target-rate 9 {slo}"),
        &[
            "another workload",
            "workload is \"fixed:20,4\" in the first run",
        ],
    );
    let closed = level(&scratch, 4.0, |plan| {
        (plan.rate, plan.concurrency) = (None, Some(2))
    });
    check(
        &format!("capacity {closed} --target-rate 9 {slo}"),
        &["runs at one rate each"],
    );
}

#[test]
fn one_level_is_too_few_for_a_model_and_says_so() {
    let scratch = Scratch::new();
    let one = level(&scratch, 2.0, |_| {});
    let ran = infermeter(&format!(
        "capacity {one} --target-rate 9 --slo ttft.p50<500ms"
    ));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let said = ran.out.replace('\n', " ");
    assert!(
        said.contains("one level only") && said.contains("it needs 3 rates"),
        "{}",
        ran.out
    );
}
