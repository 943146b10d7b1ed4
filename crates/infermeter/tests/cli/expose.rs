//! `--expose`: the page of live metrics during a run and at its end, beside what the record says.

use crate::process::{
    Going, Mock, Run, Scratch, infermeter, light, manifest, mock, run_with, words,
};
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::schedule::Phase;
use infermeter_probe::prometheus::samples;
use infermeter_record::read_records;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// What a command says in front of its page's URL.
const SAID: &str = "live metrics at ";
/// A load of two seconds that a slow machine can carry.
const SHOWN: &str = "--rate 40 --duration 2s --warmup 500ms --workload fixed:16,8 --threads 1 --no-probe \
                     --model mock/fixed --expose=:0";

/// Sends a question and reads the whole answer; absent where nobody listens any more.
fn ask(address: &str, question: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(question.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// The page, as it is at this moment.
fn page(address: &str) -> Option<String> {
    let question = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let answer = ask(address, &question)?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.to_lowercase().contains("text/plain; version=0.0.4"),
        "{head}"
    );
    Some(body.to_owned())
}

/// The host and port of a page's URL.
fn address(going: &mut Going) -> String {
    let url = going.says_behind(SAID);
    let address = url
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix("/metrics"));
    address
        .unwrap_or_else(|| panic!("{url} is not the URL of a page"))
        .to_owned()
}

/// The samples of a page whose name is this and which have these labels, added up.
fn sum(page: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let found = samples(page).filter(|sample| {
        sample.name == name
            && labels
                .iter()
                .all(|(label, value)| sample.label(label).as_deref() == Some(*value))
    });
    found.map(|sample| sample.value).sum()
}

/// Reads the page again and again until nobody serves it any more; the last one that came.
fn last_page(address: &str) -> String {
    let mut last = page(address).expect("a page");
    while let Some(next) = page(address) {
        for sample in samples(&next).filter(|sample| sample.name == "infermeter_run_info") {
            let id = sample.label("run_id").expect("an id");
            let total = |page: &str| sum(page, "infermeter_requests_total", &[("run_id", &id)]);
            assert!(total(&next) >= total(&last), "counters of a run only rise");
        }
        last = next;
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    last
}

/// The page says of every request what the record says.
#[track_caller]
fn agree(page: &str, records: &[RequestRecord]) {
    let mut expect: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for record in records {
        *expect
            .entry((record.phase.as_str(), record.outcome.as_str()))
            .or_default() += 1.0;
    }
    for ((phase, outcome), count) in expect {
        let labels = [("phase", phase), ("outcome", outcome)];
        assert_eq!(
            sum(page, "infermeter_requests_total", &labels),
            count,
            "{labels:?}"
        );
    }
    assert_eq!(
        sum(page, "infermeter_requests_total", &[]),
        records.len() as f64
    );
    let done = |r: &&RequestRecord| r.phase == Phase::Measure && r.outcome == Outcome::Completed;
    let done: Vec<&RequestRecord> = records.iter().filter(done).collect();
    let measured = [("phase", "measure")];
    let of = |name: &str| sum(page, name, &measured);
    let first = |r: &&RequestRecord| r.chunks[0].at.since(r.intended) as f64 / 1e9;
    let ttft: f64 = done.iter().map(first).sum();
    let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
    assert!(
        close(of("infermeter_time_to_first_token_seconds_sum"), ttft),
        "{ttft}"
    );
    let count = of("infermeter_time_to_first_token_seconds_count");
    assert_eq!(count, done.len() as f64);
    let tokens: f64 = done
        .iter()
        .filter_map(|r| r.output_tokens)
        .map(f64::from)
        .sum();
    let output = [measured[0], ("kind", "output")];
    assert_eq!(sum(page, "infermeter_tokens_total", &output), tokens);
    let gaps: usize = done.iter().map(|r| r.chunks.len() - 1).sum();
    assert_eq!(of("infermeter_chunk_gap_seconds_count"), gaps as f64);
}

#[test]
fn a_page_during_a_run_ends_as_the_record_does() {
    let scratch = Scratch::new();
    let dir = scratch.path("run");
    let line = format!(
        "run mock:fixed {SHOWN} --expose-linger 60s --out {}",
        dir.display()
    );
    let mut going = Going::start(&words(&line));
    let address = address(&mut going);
    let last = last_page(&address);
    let ran = going.end();
    assert!(matches!(ran.code, Some(0 | 3 | 5)), "{ran:#?}");
    let records = read_records(&dir).expect("a record");
    assert!(records.len() > 60, "{}", records.len());
    agree(&last, &records);
    let ended = [("phase", "ended")];
    assert_eq!(sum(&last, "infermeter_run_phase", &ended), 1.0);
    assert_eq!(sum(&last, "infermeter_requests_in_flight", &[]), 0.0);
    let manifest = manifest(&dir);
    let id = manifest["run_id"].as_str().expect("an id");
    let info = [
        ("run_id", id),
        ("load_model", "open_loop"),
        ("model", "mock/fixed"),
    ];
    assert_eq!(sum(&last, "infermeter_run_info", &info), 1.0);
    let due = sum(&last, "infermeter_requests_due_total", &[]);
    assert!(due >= records.len() as f64, "{due}");
}

/// A command of three runs, of which the page holds the last two; their records lie here.
#[track_caller]
fn three_runs(command: &str, records: [&str; 2]) {
    let scratch = Scratch::new();
    let line = format!(
        "{command} --duration 1s --warmup 0 {SHOWN} --expose-linger 60s --out {}",
        scratch.path("several").display()
    );
    let line = line.replace("--duration 2s --warmup 500ms", "");
    let mut going = Going::start(&words(&line));
    let address = address(&mut going);
    let last = last_page(&address);
    going.end();
    let infos = samples(&last).filter(|sample| sample.name == "infermeter_run_info");
    let ids: Vec<_> = infos.filter_map(|sample| sample.label("run_id")).collect();
    assert_eq!(ids.len(), 2, "the last run and the one before it");
    for run in records {
        let dir = scratch.path("several").join(run);
        let id = manifest(&dir)["run_id"].as_str().expect("an id").to_owned();
        let records = read_records(&dir).expect("a record");
        let total = sum(&last, "infermeter_requests_total", &[("run_id", &id)]);
        assert_eq!(total, records.len() as f64, "{run}");
    }
}

#[test]
fn several_runs_are_never_one_series() {
    let repeated = format!("run {} --repeat 3", mock());
    three_runs(&repeated, ["run-02", "run-03"]);
    let watched = format!("monitor {} --every 2s --runs 3", mock());
    three_runs(&watched, ["runs/slot-000002", "runs/slot-000003"]);
}

#[test]
fn readers_of_every_kind_hold_no_run_up() {
    let scratch = Scratch::new();
    let dir = scratch.path("run");
    let line = format!("run {} {SHOWN} --out {}", mock(), dir.display());
    let mut going = Going::start(&words(&line));
    let address = address(&mut going);
    // More than are served at once, and none of them says anything.
    let silent: Vec<TcpStream> = (0..1_000)
        .filter_map(|_| TcpStream::connect(&address).ok())
        .collect();
    let garbage = [
        "\0\x16\x03\x01\r\n\r\n",
        "GET\r\n\r\n",
        "GET /metrics FTP/9\r\n\r\n",
    ];
    for bytes in garbage {
        if let Ok(mut stream) = TcpStream::connect(&address) {
            let _ = stream.write_all(bytes.as_bytes());
        }
    }
    // One that asks and does not read.
    let mut slow = TcpStream::connect(&address).ok();
    if let Some(slow) = &mut slow {
        let _ = slow.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    let ran = going.end();
    assert!(matches!(ran.code, Some(0 | 3 | 5)), "{ran:#?}");
    drop((silent, slow));
    assert!(read_records(&dir).expect("a record").len() > 60);
}

#[test]
fn an_address_that_is_taken_ends_the_command_before_it_begins() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address");
    let run = run_with(light(mock(), &format!("--expose={at}")), |_| {});
    run.ran.fails(
        2,
        &[&format!("--expose={at}"), "in use", "name another port"],
    );
    assert!(!run.dir.exists(), "nothing was measured");
}

#[test]
fn what_cannot_be_an_address_is_said() {
    let target = mock();
    for (text, said) in [
        ("--expose=somewhere", "IP:PORT"),
        ("--expose=1.2.3.4:99999", "IP:PORT"),
        ("--expose-linger 5s", "--expose"),
        ("--expose=192.0.2.1:1", "name one of its own"),
    ] {
        let line = format!("run {target} --rate 50 --requests 2 --warmup 0 {text}");
        infermeter(&line).fails(2, &[said]);
    }
}

#[test]
fn an_open_address_is_told_and_the_plan_stays_the_same() {
    let server = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let run = |more: &str| run_with(light(&server.url, more), |_| {});
    let open = run("--expose=0.0.0.0:0 --quiet");
    assert!(
        open.ran
            .err
            .contains("whoever reaches it can read the page"),
        "{}",
        open.ran.err
    );
    assert!(open.ran.err.contains(SAID), "{}", open.ran.err);
    let closed = run("");
    let hash = |run: &Run| run.manifest()["plan_hash"].as_str().map(str::to_owned);
    assert_eq!(hash(&open), hash(&closed));
}
