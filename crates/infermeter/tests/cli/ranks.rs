//! One plan on several processes: workers of one command, and ranks that something else has started.

use crate::process::{
    Going, Ran, Scratch, UNPROBED, command, infermeter, manifest, mock, wait_until, words,
};
use infermeter_core::schedule::Phase;
use infermeter_record::read_records;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// 40 measured requests in two seconds.
const LOAD: &str = "--rate 20 --arrival constant --requests 40 --warmup 0 --workload fixed:16,4 --threads 1 --seed 5";

/// Ids of the measured requests of a record, each once.
#[track_caller]
fn measured(directory: &Path) -> BTreeSet<u64> {
    let records = read_records(directory).expect("readable");
    let ids: Vec<u64> = records
        .iter()
        .filter(|r| r.phase == Phase::Measure)
        .map(|r| r.id)
        .collect();
    let once: BTreeSet<u64> = ids.iter().copied().collect();
    assert_eq!(once.len(), ids.len(), "an id has two rows");
    once
}

#[track_caller]
fn goes_well(ran: &Ran) {
    // A busy machine may spoil the measurement, and nothing else.
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
}

fn run(target: &str, out: &Path, more: &str) -> Ran {
    let out = out.display();
    infermeter(&format!(
        "run {target} {LOAD} {UNPROBED} --out {out} {more}"
    ))
}

#[test]
fn workers_measure_what_one_process_measures() {
    let scratch = Scratch::new();
    let (alone, shared) = (scratch.path("alone"), scratch.path("shared"));
    goes_well(&run("mock:fixed", &alone, ""));
    let ran = run("mock:fixed", &shared, "--workers 3");
    goes_well(&ran);
    assert!(ran.out.starts_with("Verdict: "), "{ran:#?}");
    assert!(ran.err.contains("3 workers"), "{ran:#?}");
    // One line is about all of them: there is none of a part.
    let shown: Vec<&str> = ran
        .err
        .lines()
        .filter(|line| line.contains("  sent "))
        .collect();
    assert!((1..5).contains(&shown.len()), "{ran:#?}");
    let ids = measured(&shared);
    assert_eq!(ids.len(), 40);
    assert_eq!(ids, measured(&alone));
    let merged = manifest(&shared);
    let clients = merged["clients"].as_array().expect("a list");
    assert_eq!(clients.len(), 3);
    for (index, client) in clients.iter().enumerate() {
        assert_eq!(
            client["slice"],
            serde_json::json!({"index": index, "of": 3})
        );
        assert_eq!(client["rank"]["told_by"], "workers");
        let own = shared.join("ranks").join(index.to_string());
        let own_ids = measured(&own);
        assert!(own_ids.iter().all(|id| id % 3 == index as u64));
        let own = manifest(&own);
        assert_eq!(own["run_id"], merged["run_id"]);
        assert_eq!(own["plan"]["target"], "mock:fixed");
        assert_eq!(
            own["rank"]["start_asked_ns"],
            clients[0]["rank"]["start_asked_ns"]
        );
    }
    let reported = infermeter(&format!("report {} --json", shared.display()));
    assert_eq!(reported.code, ran.code, "{reported:#?}");
}

#[test]
fn one_simulator_serves_all_workers() {
    let scratch = Scratch::new();
    let out = scratch.path("one");
    let ran = run("mock:fixed", &out, "--workers 2 --json");
    goes_well(&ran);
    assert_eq!(
        ran.json()["summary"]["requests"]["measured"]["completed"],
        40
    );
    let urls = [0, 1].map(|rank: u32| {
        let own = manifest(&out.join("ranks").join(rank.to_string()));
        own["environment"]["target"]["url"].clone()
    });
    assert_eq!(urls[0], urls[1]);
    // Only the first asks the server about itself.
    let pages = [0, 1].map(|rank: u32| {
        let own = manifest(&out.join("ranks").join(rank.to_string()));
        own["environment"]["target"]["gpu_metrics"]["not_available"].clone()
    });
    assert_eq!(pages[1], "rank 0 reads it");
    assert_ne!(pages[0], pages[1]);
}

/// Starts a rank with variables in its environment.
fn rank(line: &str, variables: &[(&str, &str)]) -> Going {
    let mut command = command(&words(line));
    command.envs(variables.iter().copied());
    Going::spawn(command)
}

fn line(scratch: &Scratch, more: &str) -> String {
    let (out, place) = (scratch.path("out"), scratch.path("place"));
    format!(
        "run {} {LOAD} {UNPROBED} --out {} --rendezvous {} {more}",
        mock(),
        out.display(),
        place.display()
    )
}

#[test]
fn ranks_that_others_start_know_themselves_by_the_environment() {
    let slurm = [
        [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "2")],
        [("SLURM_PROCID", "1"), ("SLURM_NTASKS", "2")],
    ];
    let plain = [
        [("RANK", "0"), ("WORLD_SIZE", "2")],
        [("RANK", "1"), ("WORLD_SIZE", "2")],
    ];
    for (variables, by) in [(slurm, "Slurm"), (plain, "RANK and WORLD_SIZE")] {
        let scratch = Scratch::new();
        let line = line(&scratch, "");
        let going = variables.map(|own| rank(&line, &own));
        let [first, second] = going.map(Going::end);
        goes_well(&first);
        assert_eq!(second.code, Some(0), "{second:#?}");
        assert!(first.out.starts_with("Verdict: "), "{first:#?}");
        for (ran, number) in [(&first, 0), (&second, 1)] {
            let said = format!("rank {number} of 2, by {by}");
            assert!(ran.err.contains(&said), "no `{said}`: {ran:#?}");
        }
        // The other one says where its record is, and nothing else.
        let out = scratch.path("out");
        let own = out.join("ranks").join("1");
        assert_eq!(second.out, format!("Record in {}\n", own.display()));
        assert_eq!(measured(&out).len(), 40);
        assert_eq!(measured(&own).len(), 20);
        assert_eq!(manifest(&own)["rank"]["told_by"], by);
    }
}

#[test]
fn a_rank_that_never_comes_is_named_and_nothing_is_measured() {
    let scratch = Scratch::new();
    let line = line(&scratch, "--rank 0/2 --rendezvous-timeout 500ms");
    let ran = infermeter(&line);
    ran.fails(2, &["rank 1"]);
    assert_eq!(ran.out, "");
    assert!(!scratch.path("out").join("run.json").exists());
}

#[test]
fn without_missing_begins_without_a_rank_and_says_so() {
    let scratch = Scratch::new();
    let line = line(
        &scratch,
        "--rank 0/2 --rendezvous-timeout 500ms --without-missing",
    );
    let ran = infermeter(&line);
    goes_well(&ran);
    let out = scratch.path("out");
    let ids = measured(&out);
    assert_eq!(ids.len(), 20);
    assert!(ids.iter().all(|id| id % 2 == 0));
    let findings = manifest(&out)["findings"].to_string();
    assert!(findings.contains("rank 1"), "{findings}");
}

#[test]
fn ranks_with_different_plans_do_not_begin() {
    let scratch = Scratch::new();
    let own = line(&scratch, "--rank 0/2 --rendezvous-timeout 20s");
    let other = line(&scratch, "--rank 1/2 --rendezvous-timeout 20s --timeout 9s");
    let going = [own, other].map(|line| rank(&line, &[]));
    let ended = going.map(Going::end);
    for ran in &ended {
        ran.fails(2, &[]);
    }
    assert!(
        ended.iter().any(|ran| ran.err.contains("plan")),
        "{ended:#?}"
    );
    assert!(!scratch.path("out").join("run.json").exists());
}

#[test]
fn a_meeting_place_is_good_for_one_launch() {
    let scratch = Scratch::new();
    let line = line(&scratch, "--rank 0/1 --rendezvous-timeout 5s");
    goes_well(&infermeter(&line));
    let place = scratch.path("place").display().to_string();
    let out = scratch.path("again").display().to_string();
    let again = line.replace(&scratch.path("out").display().to_string(), &out);
    infermeter(&again).fails(2, &[&place]);
    assert!(!scratch.path("again").join("run.json").exists());
}

/// The number of a rank's process, once it has begun.
fn begun(directory: &Path) -> Option<i32> {
    let text = fs::read_to_string(directory.join("run.json")).ok()?;
    let manifest: Value = serde_json::from_str(&text).ok()?;
    manifest["rank"]["start_asked_ns"].as_i64()?;
    manifest["rank"]["pid"].as_i64()?.try_into().ok()
}

#[test]
fn what_the_others_have_measured_outlives_a_killed_worker() {
    let scratch = Scratch::new();
    let out = scratch.path("killed");
    let line = format!(
        "run mock:fixed {LOAD} {UNPROBED} --workers 2 --out {}",
        out.display()
    );
    let going = Going::start(&words(&line));
    let second = out.join("ranks").join("1");
    wait_until(|| begun(&second).is_some());
    let pid = begun(&second).and_then(Pid::from_raw).expect("it has one");
    kill_process(pid, Signal::KILL).expect("it lives");
    let ran = going.end();
    assert!(ran.err.contains("worker 1: signal 9 ended it"), "{ran:#?}");
    assert!(ran.out.contains("Verdict: "), "{ran:#?}");
    let ids = measured(&out);
    let whole = (0..40).filter(|id| id % 2 == 0);
    assert!(whole.clone().all(|id| ids.contains(&id)), "{ids:?}");
    // What is there can be put together once more, and nothing else be asked for.
    let again = infermeter(&format!("run --resume {}", out.display()));
    assert_eq!(again.code, ran.code, "{again:#?}");
    assert_eq!(measured(&out), ids);
    let more = format!("run --resume {} --rate 9", out.display());
    infermeter(&more).fails(2, &["--rate", "measured already"]);
}

#[test]
fn what_makes_no_sense_with_several_processes_is_refused() {
    let fails = |flags: &str, expect: &[&str]| {
        infermeter(&format!("run {} {LOAD} {flags}", mock())).fails(2, expect);
    };
    fails(
        "--rank 1/2",
        &["--rank needs --rendezvous", "--rendezvous /shared/run-7"],
    );
    fails("--rendezvous here --rank 2/2", &["2/2"]);
    fails("--rendezvous here", &["nothing says which rank"]);
    fails("--rendezvous-timeout 1s", &["--rendezvous-timeout needs"]);
    fails("--workers 2 --rendezvous here", &["exclude each other"]);
    for more in ["--repeat 2", "--until ttft.p99+-5%", "--expose", "--live"] {
        // Workers say how they get on; ranks are elsewhere.
        if more != "--live" {
            fails(&format!("--workers 2 {more}"), &["exclude each other"]);
        }
        fails(
            &format!("--rendezvous here {more}"),
            &["exclude each other"],
        );
    }
    let scratch = Scratch::new();
    let file = scratch.file("plan.toml", "repeat = 3\n");
    fails(
        &format!("--workers 2 --config {file}"),
        &["`repeat`", "one run together"],
    );
    infermeter(&format!(
        "run {} --concurrency 2 --requests 4 --workers 3",
        mock()
    ))
    .fails(2, &["--workers", "2 slots cannot be cut into 3 slices"]);
}

#[test]
fn workers_meet_in_their_directory_whatever_it_is_called() {
    let scratch = Scratch::new();
    let line = format!("run mock:fixed {LOAD} {UNPROBED} --workers 2 --out s3://runs");
    let mut command = command(&words(&line));
    command.current_dir(scratch.path(""));
    let ran = Going::spawn(command).end();
    goes_well(&ran);
    assert_eq!(measured(&scratch.path("s3:").join("runs")).len(), 40);
}

#[test]
fn a_worker_in_silence_says_nothing_to_its_parent() {
    let scratch = Scratch::new();
    let ran = run("mock:fixed", &scratch.path("quiet"), "--workers 2 --quiet");
    goes_well(&ran);
    assert!(!ran.err.contains("sent "), "{ran:#?}");
    let ran = run("mock:fixed", &scratch.path("live"), "--workers 2 --live");
    goes_well(&ran);
    // There is no terminal here.
    assert!(ran.err.contains("  sent "), "{ran:#?}");
}

#[test]
fn workers_that_cannot_reach_the_server_say_it_once() {
    let scratch = Scratch::new();
    let out = scratch.path("none");
    let ran = run("http://127.0.0.1:9", &out, "--workers 2");
    ran.fails(4, &["127.0.0.1:9"]);
    assert!(!out.exists());
}
