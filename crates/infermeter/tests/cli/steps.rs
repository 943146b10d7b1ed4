//! Steps of the rate, with the number of replicas from a command and from a page.

use crate::process::{Mock, Run, Scratch, infermeter, run_with, words};
use serde_json::Value;

const STEPS: &str = "--rate-profile steps:30/6s,60/6s --warmup 1s --workload fixed:20,4 --threads 1 \
                     --slo ttft.p90<5s --no-probe";

fn stepped(target: &str, more: &[&str]) -> Run {
    let mut arguments = words(&format!("run {target} --model mock/fixed {STEPS}"));
    arguments.extend(more.iter().map(|word| (*word).to_owned()));
    run_with(arguments, |_| {})
}

fn steps(run: &Run) -> Value {
    run.manifest()["summary"]["steps"].clone()
}

#[test]
fn replicas_come_from_a_command() {
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let run = stepped(
        &mock.url,
        &["--duration", "12s", "--replicas-command", "echo 3"],
    );
    let found = steps(&run);
    assert_eq!(
        found["steps"].as_array().map(Vec::len),
        Some(2),
        "{found:#}"
    );
    assert_eq!(found["objectives"][0]["share"], 0.9);
    let replicas = &found["replicas"];
    assert_eq!(
        (&replicas["least"], &replicas["most"]),
        (&3.0.into(), &3.0.into()),
        "{replicas:#}"
    );
    assert_eq!(replicas["source"], "command: echo 3");
    let held = replicas["replica_seconds"]["value"]
        .as_f64()
        .expect("known");
    assert!((held - 36.0).abs() < 1e-6, "{held}");
    let report = infermeter(&format!("report {}", run.dir.display()));
    for part in ["Steps of the rate", "replica-seconds", "Figure of merit"] {
        assert!(report.out.contains(part), "{part}: {}", report.out);
    }
}

#[test]
fn replicas_come_from_a_page_and_who_never_says_is_a_finding() {
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms --replicas 2");
    let place = format!(
        "{}/metrics#infermeter_mock_replicas{{state=\"ready\"}}",
        mock.url
    );
    let run = stepped(&mock.url, &["--replicas-from", &place, "--duration", "5s"]);
    assert_eq!(steps(&run)["replicas"]["mean"], 2.0, "{:#}", steps(&run));
    let silent = stepped(
        &mock.url,
        &["--replicas-command", "true", "--duration", "5s"],
    );
    let found = silent.finding("replicas-not-read");
    assert!(
        found["evidence"].to_string().contains("printed nothing"),
        "{found:#}"
    );
    assert_eq!(steps(&silent)["replicas"]["replica_seconds"], Value::Null);
}

#[test]
fn what_is_no_place_of_replicas() {
    let scratch = Scratch::new();
    let out = scratch.path("run").display().to_string();
    let line = |more: &str| format!("run mock:fixed --rate 5 --duration 1s --out {out} {more}");
    infermeter(&line("--replicas-from http://h/metrics")).fails(2, &["URL#METRIC"]);
    let both = line("--replicas-from http://h#m --replicas-command true");
    infermeter(&both).fails(2, &["--replicas-from", "--replicas-command"]);
}
