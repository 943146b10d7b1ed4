//! Sweeps over sockets: levels, a kill, going on without flags, and what makes no sense.

use crate::process::{Going, Mock, Scratch, infermeter, mock, words};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;

const LOAD: &str = "--workload fixed:20,2 --duration 1s --warmup 0 --looks 1 --connect-timeout 5s";

fn sweep_json(dir: &Path) -> Value {
    let text = std::fs::read_to_string(dir.join("sweep.json")).expect("sweep.json");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_sweep_that_was_killed_goes_on_without_flags() {
    let scratch = Scratch::new();
    let out = scratch.path("s");
    let line = format!(
        "sweep {} {LOAD} --rates 20,30,40 --slo ttft.p50<10s --out {}",
        mock(),
        out.display()
    );
    let mut going = Going::start(&words(&line));
    going.until_says("Run 1: 20 requests/s");
    going.signal(Signal::KILL);
    let killed = going.end();
    assert!(
        killed.err.contains("At most 3 runs, 3\u{a0}s of warm-up"),
        "{killed:#?}"
    );
    let reported = infermeter(&format!("report {}", out.display()));
    assert!(
        reported.out.contains("40 requests/s: not begun"),
        "{reported:#?}"
    );
    let alone = format!("sweep --resume {}", out.display());
    infermeter(&format!("{alone} --rates 20,30,50")).fails(2, &["a different experiment"]);
    infermeter(&format!("run --resume {}", out.display())).fails(2, &["infermeter sweep --resume"]);
    let resumed = infermeter(&alone);
    assert!(matches!(resumed.code, Some(0 | 5)), "{resumed:#?}");
    assert!(resumed.out.contains("Levels"), "{resumed:#?}");
    let found = sweep_json(&out);
    let levels = found["curves"][0]["levels"].as_array().expect("levels");
    let loads: Vec<Option<f64>> = levels.iter().map(|level| level["load"].as_f64()).collect();
    assert_eq!(loads, [Some(20.0), Some(30.0), Some(40.0)]);
    let reported = infermeter(&format!("report {} --json", out.display()));
    assert_eq!(reported.json(), found);
}

#[test]
fn a_server_that_dies_leaves_the_levels_that_are_there() {
    let scratch = Scratch::new();
    let out = scratch.path("d");
    let server = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let mut going = Going::start(&words(&format!(
        "sweep {} {LOAD} --rates 20,30,40 --out {}",
        server.url,
        out.display()
    )));
    going.until_says("Run 1: ");
    drop(server);
    let ended = going.end();
    ended.fails(4, &["Run 1: 20 requests/s"]);
    assert!(sweep_json(&out)["curves"][0]["levels"].is_array());
}

#[test]
fn what_makes_no_sense_is_refused_before_the_first_run() {
    let fails = |flags: &str, expect: &[&str]| {
        infermeter(&format!("sweep {} {LOAD} {flags}", mock())).fails(2, expect);
    };
    fails("--rates 1,fast", &["--rates", "`fast` is not a number"]);
    fails("--rates 0,1", &["--rates", "above 0"]);
    fails("--rates 1,2 --concurrencies 1", &["--concurrencies"]);
    fails("--rates 1,2 --rate 3", &["--rate does not go with"]);
    fails("--vary wrkload=chat", &["did you mean `workload`"]);
    fails("--replicates 2", &["--looks 1 is below"]);
}
