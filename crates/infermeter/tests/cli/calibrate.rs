//! `infermeter calibrate`: what it compares, what it leaves, what a run cites of it, and what it
//! refuses. No figure of time is judged: the machine may be busy.

use crate::process::{Going, Run, Scratch, infermeter, light, mock, run_with, words};
use infermeter_core::certificate::{Certificate, Errors, Rung, Spread};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// Two tiny rungs, measured once for all tests.
const TINY: &str =
    "calibrate --rung streams:4x50 --rung requests:40x4 --duration 300ms --threads 1";

fn tiny() -> &'static Value {
    static MADE: OnceLock<Value> = OnceLock::new();
    MADE.get_or_init(|| {
        let scratch = Scratch::new();
        let path = scratch.path("deep/calibration.json");
        let ran = infermeter(&format!("{TINY} --json --out {}", path.display()));
        // 3: other work on this machine made every rung unusable.
        assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
        let saved = fs::read_to_string(&path).expect("saved");
        let saved: Value = serde_json::from_str(&saved).expect("JSON");
        assert_eq!(saved, ran.json());
        assert!(ran.err.contains("[ 1/2] streams:4x50"), "{}", ran.err);
        saved
    })
}

#[test]
fn every_measured_request_is_compared() {
    let made: Certificate = serde_json::from_value(tiny().clone()).expect("a certificate");
    assert_eq!(made.rungs.len(), 2);
    assert!(!made.interrupted);
    assert!(made.machine.kernel.is_some());
    for rung in &made.rungs {
        every_request_is_compared(rung);
    }
    let open = &made.rungs[1];
    assert!(
        open.send_lag
            .is_some_and(|lag| lag.n == open.joined.requests)
    );
}

#[test]
fn so_are_those_over_tls_and_with_several_tokens_to_an_event() {
    let ran = infermeter(
        "calibrate --rung streams:4x50/tls --rung chunks:8 --duration 300ms --threads 1 --json \
         --quiet",
    );
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    let made: Certificate = serde_json::from_value(ran.json()).expect("a certificate");
    assert_eq!(made.rungs.len(), 2);
    for rung in &made.rungs {
        every_request_is_compared(rung);
    }
}

fn every_request_is_compared(rung: &Rung) {
    let joined = rung.joined;
    assert!(
        joined.chunks >= joined.requests && joined.requests > 0,
        "{joined:?}"
    );
    let left_out = (joined.without_truth, joined.unequal, joined.unfinished);
    assert_eq!(left_out, (0, 0, 0), "{}", rung.name);
    let errors = rung.program.expect("program stamps");
    let Errors { ttft, chunk, itl } = errors;
    assert_eq!(ttft.map(|s| s.n), Some(joined.requests));
    assert_eq!(chunk.map(|s| s.n), Some(joined.chunks));
    assert_eq!(itl.map(|s| s.n), Some(joined.chunks - joined.requests));
    for spread in [ttft, chunk, itl].into_iter().flatten() {
        let Spread { p50_us, max_us, .. } = spread;
        assert!(0.0 <= p50_us && p50_us <= max_us && max_us.is_finite());
    }
    assert!(rung.events_per_s > 0.0 && rung.bytes_per_event > Some(100.0));
}

/// The keys of a value; what stands behind them is a dash.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), shape(v))).collect(),
        Value::Array(list) => list.iter().take(1).map(shape).collect(),
        _ => json!("-"),
    }
}

#[test]
fn the_certificate_has_its_shape() {
    let mut made = tiny().clone();
    for limit in made["limits"].as_array_mut().expect("a list") {
        limit["proven"] = Value::Null;
    }
    let rungs = made["rungs"].as_array_mut().expect("a list");
    let mut open = rungs.remove(1);
    open["spoilt"] = Value::Null;
    *rungs = vec![open];
    let text = serde_json::to_string(&shape(&made)).expect("JSON");
    let expected = "\
         {format_version:-,infermeter_version:-,created:-,machine:{cpu:-,cores:-,kernel:-,\
         governor:-,clock_source:-,virtualization:-,cgroup_cpu_max:-},client:{threads:-,io:-,\
         kernel_stamps:-,burn:-},interrupted:-,rungs:[{name:-,kind:-,transport:-,\
         asked_per_s:-,events_per_s:-,requests_per_s:-,bytes_per_event:-,joined:{requests:-,\
         chunks:-,without_truth:-,unequal:-,unfinished:-},kernel:{ttft:{n:-,p50_us:-,\
         p99_us:-,max_us:-},chunk:{n:-,p50_us:-,p99_us:-,max_us:-},itl:{n:-,p50_us:-,\
         p99_us:-,max_us:-}},program:{ttft:{n:-,p50_us:-,p99_us:-,max_us:-},chunk:{n:-,\
         p50_us:-,p99_us:-,max_us:-},itl:{n:-,p50_us:-,p99_us:-,max_us:-}},send_lag:{n:-,\
         p50_us:-,p99_us:-,max_us:-},uncertain_share:-,cost:{cpu_us_per_event:-,\
         cpu_us_per_request:-,busiest_thread:-,run_queue_wait_share:-},simulator:{busy:-,\
         run_queue_wait_share:-,step_lateness_p99_us:-,lost_ms:-},foreign_cores:-,spoilt:-}],\
         limits:[{kind:-,transport:-,stamps:-,bound_us:-,proven:-,ended:-}]}";
    assert_eq!(text.replace('"', ""), expected);
}

#[test]
fn a_part_of_a_ladder_is_not_this_machines_certificate() {
    let scratch = Scratch::new();
    let path = scratch.path("c.json");
    let line = "calibrate --rung null:2 --duration 100ms --quiet";
    let mut command = crate::process::command(&words(line));
    command.env("INFERMETER_CALIBRATION", &path);
    let ran = crate::process::ran(command);
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    assert!(ran.out.contains("No certificate saved"), "{}", ran.out);
    assert!(ran.out.contains("null:2"), "{}", ran.out);
    assert_eq!(ran.err, "");
    assert!(!path.exists());
}

/// The light load, with a certificate that proves these rates.
fn run_under(certificate: &Value, scratch: &Scratch) -> (Run, Value) {
    let path = scratch.file("c.json", &certificate.to_string());
    let run = run_with(light(mock(), ""), |command| {
        command.env("INFERMETER_CALIBRATION", &path);
    });
    let cited = run.manifest()["calibration"].clone();
    assert_eq!(cited["path"], path.as_str());
    (run, cited)
}

/// The tiny certificate as if its rungs had gone well, at `per_s` of everything.
fn proving(per_s: f64) -> Value {
    let mut made = tiny().clone();
    for rung in made["rungs"].as_array_mut().expect("a list") {
        rung["spoilt"] = Value::Null;
        rung["events_per_s"] = json!(per_s);
        rung["requests_per_s"] = json!(per_s);
        let spread = json!({"n": 200, "p50_us": 3.0, "p99_us": 38.0, "max_us": 90.0});
        let errors = json!({"ttft": spread, "chunk": spread, "itl": spread});
        rung["kernel"] = errors.clone();
        rung["program"] = errors;
    }
    for limit in made["limits"].as_array_mut().expect("a list") {
        limit["proven"] = json!({"rung": "x", "per_s": per_s, "worst_p99_us": 38.0});
    }
    made
}

#[test]
fn a_run_inside_cites_its_certificate() {
    let scratch = Scratch::new();
    let (run, cited) = run_under(&proving(1e9), &scratch);
    assert_eq!(cited["stale"], json!([]));
    assert_eq!(cited["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(cited["created"], tiny()["created"]);
    assert_eq!(run.finding("calibrated")["severity"], "note");
    assert!(
        run.ran.out.contains("error p99 38.0 µs at this load"),
        "{}",
        run.ran.out
    );
}

#[test]
fn a_run_outside_is_questionable() {
    let (run, _) = run_under(&proving(0.1), &Scratch::new());
    assert_eq!(run.finding("outside-calibration")["severity"], "warning");
    assert!(
        run.ran.out.contains("this load is outside"),
        "{}",
        run.ran.out
    );
}

#[test]
fn a_certificate_of_another_kernel_is_stale() {
    let mut other = proving(0.1);
    other["machine"]["kernel"] = json!("1.2.3");
    let (run, cited) = run_under(&other, &Scratch::new());
    let reason = cited["stale"][0].as_str().expect("a reason");
    assert!(reason.starts_with("kernel 1.2.3, now "), "{reason}");
    assert_eq!(run.finding("calibration-stale")["severity"], "note");
}

#[test]
fn what_is_no_certificate_does_not_stop_a_run() {
    let (run, cited) = run_under(&json!("nonsense"), &Scratch::new());
    assert_eq!(cited["sha256"], Value::Null);
    let evidence = run.finding("calibration-stale")["evidence"].to_string();
    assert!(evidence.contains("cannot be used"), "{evidence}");
    run.completes();
}

#[test]
fn without_a_certificate_nothing_is_said() {
    let run = run_with(light(mock(), ""), |_| {});
    assert_eq!(run.manifest()["calibration"], Value::Null);
    assert!(!run.ran.out.contains("alibrat"), "{}", run.ran.out);
}

#[test]
fn ctrl_c_keeps_what_was_measured() {
    let scratch = Scratch::new();
    let path = scratch.path("c.json");
    let many = "--rung null:1 ".repeat(50);
    let line = format!("calibrate {many} --duration 100ms --out {}", path.display());
    let mut going = Going::spawn(in_scratch(&line, &scratch));
    going.until_says("[ 1/50]");
    going.signal(Signal::INT);
    let ran = going.end();
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(
        ran.err.contains("`infermeter calibrate --resume "),
        "{}",
        ran.err
    );
    assert!(
        ran.out.contains("Interrupted: the ladder is not complete"),
        "{}",
        ran.out
    );
    let made = certificate(&path);
    assert!(made.interrupted);
    assert!((1..50).contains(&made.rungs.len()), "{}", made.rungs.len());
}

/// The binary, with its temporary files in a directory of the test's.
fn in_scratch(line: &str, scratch: &Scratch) -> std::process::Command {
    let mut command = crate::process::command(&words(line));
    let folder = scratch.path("tmp");
    fs::create_dir_all(&folder).expect("a folder");
    command.env("TMPDIR", folder);
    command
}

#[test]
fn a_killed_ladder_goes_on_where_it_was() {
    let scratch = Scratch::new();
    let path = scratch.path("c.json");
    let line = format!(
        "calibrate {} --duration 100ms --out {}",
        "--rung null:1 ".repeat(5),
        path.display()
    );
    let mut going = Going::spawn(in_scratch(&line, &scratch));
    going.until_says("[ 2/5]");
    going.signal(Signal::KILL);
    going.end();
    let left = crate::process::files_in(&scratch.path("tmp"));
    assert_eq!(left.len(), 1, "{left:?}");
    let directory = scratch.path("tmp").join(&left[0]);
    assert!(crate::schemas::ledger(&directory).len() > 1);
    let other = format!("{line} --burn 1us --resume {}", directory.display());
    let other = crate::process::ran(in_scratch(&other, &scratch));
    other.fails(2, &["--resume", "settings"]);
    let line = format!("{line} --resume {}", directory.display());
    let resumed = crate::process::ran(in_scratch(&line, &scratch));
    assert!(matches!(resumed.code, Some(0 | 3)), "{resumed:#?}");
    assert!(
        !resumed.err.contains("[ 2/5]") && resumed.err.contains("[ 5/5]"),
        "{}",
        resumed.err
    );
    assert_eq!(certificate(&path).rungs.len(), 5);
    assert!(!directory.exists());
}

fn certificate(path: &Path) -> Certificate {
    let text = fs::read_to_string(path).expect("saved");
    serde_json::from_str(&text).expect("a certificate")
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let check =
        |flags: &str, expect: &[&str]| infermeter(&format!("calibrate {flags}")).fails(2, expect);
    check(
        "--rung stream:4x50",
        &["--rung: `stream:4x50`", "did you mean `streams`?"],
    );
    check(
        "--rung streams:4",
        &["`streams:4` is not a load", "streams:100x50"],
    );
    check("--max-events 1", &["--max-events 1", "no rung"]);
    check("--duration 1ms", &["--duration", "100ms"]);
    check("--quick --full", &["--quick", "--full"]);
    check("--repeat 0", &["--repeat"]);
    check("--rung chunks:0", &["chunks:8"]);
    check("--io urin", &["--io", "uring"]);
}

#[test]
fn a_certificate_that_cannot_be_written_is_an_error_after_the_table() {
    let ran = infermeter("calibrate --rung null:1 --duration 100ms --out /proc/none/c.json");
    ran.fails(2, &["/proc/none/c.json", "--out"]);
    assert!(ran.out.contains("null:1"), "{}", ran.out);
}
