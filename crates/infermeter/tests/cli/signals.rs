//! Ctrl-C once and twice, SIGTERM, kill -9: what is recorded, and how the command ends.

use crate::process::{
    Going, Mock, Ran, Scratch, finding, infermeter, light, manifest, mock, wait_until, words,
};
use crate::server::{Server, good};
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use infermeter_record::read_records;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

/// A server whose answers wait until they are released.
struct Held {
    server: Server,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Held {
    fn start() -> Self {
        let gate: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let held = Arc::clone(&gate);
        let server = Server::start(move |request, out| {
            let (open, changed) = &*held;
            let mut open = open.lock().expect("no panic");
            while !*open {
                open = changed.wait(open).expect("no panic");
            }
            drop(open);
            good(request, out)
        });
        Self { server, gate }
    }

    fn release(&self) {
        *self.gate.0.lock().expect("no panic") = true;
        self.gate.1.notify_all();
    }
}

/// A run of ten minutes against `target`, until a test ends it.
fn long(target: &str, scratch: &Scratch, more: &str) -> (Going, PathBuf) {
    let dir = scratch.path("run");
    let line = format!(
        "run {target} --rate 50 --duration 10m --warmup 0 --workload fixed:16,4 --threads 1 \
         --no-probe --model mock/fixed --out {} {more}",
        dir.display()
    );
    (Going::start(&words(&line)), dir)
}

fn outcomes(records: &[RequestRecord], outcome: Outcome) -> Vec<&RequestRecord> {
    records.iter().filter(|r| r.outcome == outcome).collect()
}

/// The run was stopped: code 130, a report, a record that says so.
#[track_caller]
fn interrupted(ran: &Ran, dir: &Path) -> Vec<RequestRecord> {
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(ran.out.starts_with("Verdict: "), "{}", ran.out);
    let last = ran.out.lines().last().expect("lines");
    assert_eq!(last, format!("Interrupted; record in {}", dir.display()));
    let manifest = manifest(dir);
    assert_eq!(manifest["state"], "interrupted");
    assert_eq!(manifest["progress"]["interrupted"], true);
    finding(&manifest, "interrupted");
    let again = infermeter(&format!("report {}", dir.display()));
    assert_eq!(again.code, Some(130));
    read_records(dir).expect("a record")
}

/// One signal: what is in flight ends well, nothing new is sent, the rest is not sent.
fn drains_after(signal: Signal, more: &str) -> Vec<RequestRecord> {
    let (held, scratch) = (Held::start(), Scratch::new());
    let (mut going, dir) = long(&held.server.url, &scratch, more);
    wait_until(|| !held.server.seen().is_empty());
    going.signal(signal);
    going.until_says("stopping");
    let sent = held.server.seen().len();
    held.release();
    let records = interrupted(&going.end(), &dir);
    assert_eq!(held.server.seen().len(), sent, "sent after the signal");
    let completed = outcomes(&records, Outcome::Completed);
    assert_eq!(completed.len(), sent);
    let unsent = outcomes(&records, Outcome::NotSent);
    assert_eq!(completed.len() + unsent.len(), records.len());
    for record in &unsent {
        let reason = record.error.as_ref().map(|e| e.reason);
        assert_eq!(reason, Some(Reason::Interrupted));
        assert!(record.send_start.is_none() && record.attempts == 0);
    }
    assert!(
        records.len() > 20_000,
        "every request of the plan has its row"
    );
    records
}

#[test]
fn ctrl_c_once_lets_answers_finish() {
    drains_after(Signal::INT, "");
}

#[test]
fn sigterm_does_the_same() {
    drains_after(Signal::TERM, "");
}

#[test]
fn a_terminal_that_goes_away_ends_a_run_like_sigterm() {
    drains_after(Signal::HUP, "");
}

#[test]
fn ctrl_c_gives_up_what_waits_for_a_connection() {
    let records = drains_after(Signal::INT, "--max-connections 1");
    assert_eq!(outcomes(&records, Outcome::Completed).len(), 1);
}

#[test]
fn ctrl_c_twice_stops_at_once() {
    let (held, scratch) = (Held::start(), Scratch::new());
    let (mut going, dir) = long(&held.server.url, &scratch, "");
    wait_until(|| !held.server.seen().is_empty());
    going.signal(Signal::INT);
    going.until_says("stopping");
    going.signal(Signal::INT);
    let records = interrupted(&going.end(), &dir);
    let cancelled = outcomes(&records, Outcome::Cancelled);
    assert_eq!(cancelled.len(), held.server.seen().len());
    for record in cancelled {
        assert!(record.sent.is_some());
    }
    held.release();
}

#[test]
fn ctrl_c_ends_a_closed_loop() {
    let (held, scratch) = (Held::start(), Scratch::new());
    let dir = scratch.path("run");
    let line = format!(
        "run {} --concurrency 2 --duration 10m --warmup 0 --workload fixed:16,4 --threads 1 \
         --no-probe --model mock/fixed --out {}",
        held.server.url,
        dir.display()
    );
    let mut going = Going::start(&words(&line));
    wait_until(|| held.server.seen().len() == 2);
    going.signal(Signal::INT);
    going.until_says("stopping");
    held.release();
    let records = interrupted(&going.end(), &dir);
    assert_eq!(outcomes(&records, Outcome::Completed).len(), 2);
    assert_eq!(records.len(), 2);
}

#[test]
fn ctrl_c_in_a_terminal_leaves_the_simulator_alone() {
    let scratch = Scratch::new();
    let dir = scratch.path("run");
    let line = format!(
        "run mock:fixed --rate 20 --duration 10m --warmup 0 --workload fixed:16,20 --threads 1 \
         --out {}",
        dir.display()
    );
    let mut command = crate::process::command(&words(&line));
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut going = Going::spawn(command);
    going.until_says("sent ");
    // A terminal signals the whole group.
    let group = rustix::process::Pid::from_child(&going.child);
    rustix::process::kill_process_group(group, Signal::INT).expect("it lives");
    let records = interrupted(&going.end(), &dir);
    assert!(outcomes(&records, Outcome::Failed).is_empty());
    assert!(!outcomes(&records, Outcome::Completed).is_empty());
}

#[test]
fn a_signal_before_the_first_request_leaves_nothing() {
    let (held, scratch) = (Held::start(), Scratch::new());
    let dir = scratch.path("run");
    let mut arguments = light(&held.server.url, "--out");
    arguments.push(dir.display().to_string());
    let going = Going::start(&arguments);
    // The model list is asked for, and never answered.
    wait_until(|| !held.server.seen().is_empty());
    going.signal(Signal::INT);
    let ran = going.end();
    ran.fails(130, &["stopped before the first request"]);
    assert!(!dir.exists());
    held.release();
}

#[test]
fn a_killed_run_is_recovered_from_its_journal() {
    let scratch = Scratch::new();
    let (going, dir) = long(mock(), &scratch, "--save-responses");
    let journal = dir.join("requests.journal");
    wait_until(|| std::fs::metadata(&journal).is_ok_and(|m| m.len() > 2_000));
    // While it is being written nobody may take it for abandoned.
    let busy = infermeter(&format!("report {}", dir.display()));
    busy.fails(2, &["requests.journal", "still being written"]);
    assert_eq!(manifest(&dir)["state"], "running");
    going.signal(Signal::KILL);
    assert_eq!(going.end().code, None);

    // The first report, with an objective of its own, recovers; the second finds the same.
    for arguments in ["--slo e2e.p50<1h", ""] {
        let ran = infermeter(&format!("report {} {arguments}", dir.display()));
        assert_eq!(ran.code, Some(130), "{ran:#?}");
        assert!(ran.out.contains("recovered"), "{}", ran.out);
    }
    let records = read_records(&dir).expect("a record");
    assert!(records.len() > 5);
    let completed = outcomes(&records, Outcome::Completed).len();
    assert!(completed > 5);
    assert_eq!(completed + killed(&records).len(), records.len());
    let manifest = manifest(&dir);
    assert_eq!(manifest["state"], "interrupted");
    finding(&manifest, "recovered");
    assert!(!journal.exists());
    let responses = std::fs::read_to_string(dir.join("responses.jsonl")).expect("there");
    assert_eq!(responses.lines().count(), completed);
}

/// Requests that were in flight when the run was killed.
fn killed(records: &[RequestRecord]) -> Vec<&RequestRecord> {
    let mut cancelled = outcomes(records, Outcome::Cancelled);
    cancelled.retain(|r| r.error.as_ref().map(|e| e.reason) == Some(Reason::RunKilled));
    cancelled
}

/// The last instant on record of a killed run is this much behind its first send at least.
const HUNG_NS: i64 = 1_500_000_000;

#[test]
fn a_run_killed_while_its_server_hangs_says_what_was_in_flight() {
    let scratch = Scratch::new();
    // The first three answers come, all others never do.
    let server = Server::start(|request, out| match request.earlier + request.connection {
        0..3 => good(request, out),
        _ => loop {
            std::thread::park();
        },
    });
    let (going, dir) = long(&server.url, &scratch, "");
    wait_until(|| server.seen().len() > 20);
    std::thread::sleep(std::time::Duration::from_nanos(2 * HUNG_NS as u64));
    going.signal(Signal::KILL);
    going.end();
    let ran = infermeter(&format!("report {}", dir.display()));
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    let records = read_records(&dir).expect("a record");
    let killed = killed(&records);
    assert!(killed.len() > 15, "{} of {}", killed.len(), records.len());
    let ages = killed
        .iter()
        .filter_map(|r| Some(r.closed?.since(r.send_start?)));
    assert!(ages.max().expect("one") > HUNG_NS);
    // They count as failed, and the percentiles that count failures know it.
    let manifest = manifest(&dir);
    let found = finding(&manifest, "recovered")["evidence"].to_string();
    assert!(found.contains("were in flight, for"), "{found}");
    finding(&manifest, "failures");
    assert!(ran.out.contains("run_killed"), "{}", ran.out);
    assert!(!dir.join("run.json.room").exists());
}

#[test]
fn a_torn_journal_is_read_to_its_last_whole_batch() {
    let scratch = Scratch::new();
    let (going, dir) = long(mock(), &scratch, "");
    let journal = dir.join("requests.journal");
    wait_until(|| std::fs::metadata(&journal).is_ok_and(|m| m.len() > 2_000));
    going.signal(Signal::KILL);
    going.end();
    let mut bytes = std::fs::read(&journal).expect("there");
    bytes.truncate(bytes.len() - 1);
    std::fs::write(&journal, bytes).expect("written");
    let ran = infermeter(&format!("report {}", dir.display()));
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(ran.out.contains("cut short"), "{}", ran.out);
}

#[test]
fn a_killed_run_takes_its_simulator_along() {
    let scratch = Scratch::new();
    let (going, dir) = long("mock:fixed", &scratch, "");
    wait_until(|| dir.join("requests.journal").exists());
    let pid = going.child.id();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let simulator = children.expect("Linux tells").trim().to_owned();
    assert!(!simulator.is_empty());
    going.signal(Signal::KILL);
    going.end();
    wait_until(|| {
        let stat = std::fs::read_to_string(format!("/proc/{simulator}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z"))
    });
}

#[test]
fn a_server_that_dies_in_mid_run_is_reported() {
    let (dying, scratch) = (
        Mock::start("--preset fixed --ttft 2ms --step 1ms"),
        Scratch::new(),
    );
    let dir = scratch.path("run");
    let line = format!(
        "run {} --rate 50 --duration 3s --warmup 0 --workload fixed:16,4 --threads 1 --no-probe \
         --model mock/fixed --out {}",
        dying.url,
        dir.display()
    );
    let going = Going::start(&words(&line));
    let journal = dir.join("requests.journal");
    wait_until(|| std::fs::metadata(&journal).is_ok_and(|m| m.len() > 1_000));
    drop(dying);
    let ran = going.end();
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let records = read_records(&dir).expect("a record");
    assert!(!outcomes(&records, Outcome::Completed).is_empty());
    // Or held up: who tries to connect may always be a connection opened ahead.
    let unreachable = [Reason::ConnectFailed, Reason::ConnectBackoff];
    let met = |r: &RequestRecord| {
        let reason = r.error.as_ref().map(|e| e.reason);
        reason.is_some_and(|reason| unreachable.contains(&reason))
    };
    assert!(records.iter().any(met), "{ran:#?}");
    assert!(ran.out.contains("connect_"), "{}", ran.out);
}

#[test]
fn the_simulator_ends_with_a_signal() {
    let mut going = Going::start(&words("mock --port 0 --preset null"));
    going.until_says("Ctrl-C ends it");
    going.signal(Signal::INT);
    let ran = going.end();
    assert_eq!(ran.code, Some(0));
    assert!(ran.err.contains("served 0 requests"), "{}", ran.err);
}
