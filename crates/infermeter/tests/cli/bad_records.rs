//! Records that hold little, nothing, or something else than this version reads.

use crate::process::{Ran, Run, infermeter, mock, run};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason, RequestError, RequestRecord};
use infermeter_core::schedule::Phase;
use infermeter_record::RecordsWriter;
use std::fs;

/// Puts these records in the place of a run's own.
fn rewrite(run: &Run, records: Vec<RequestRecord>) {
    fs::remove_file(run.dir.join("requests.parquet")).expect("removed");
    let mut writer = RecordsWriter::create(&run.dir, &["fixed".to_owned()]).expect("created");
    for (id, mut record) in (0..).zip(records) {
        record.id = id;
        writer.append(record).expect("appended");
    }
    writer.finish().expect("finished");
}

/// A report on the records of a run after `change`: in full, and as JSON.
fn reports(change: impl FnOnce(Vec<RequestRecord>) -> Vec<RequestRecord>) -> [Ran; 2] {
    let run = run(mock(), "--slo 'ttft.p99<1s' --fluidity 1s/1s");
    rewrite(&run, change(run.records()));
    let dir = run.dir.display();
    ["--full", "--json"].map(|view| infermeter(&format!("report {dir} {view}")))
}

/// No word of the text is a number that is none.
#[track_caller]
fn all_numbers_are_some(ran: &Ran) {
    for word in ran.out.split(|c: char| !c.is_ascii_alphanumeric()) {
        let odd = ["nan", "inf"].contains(&word.to_ascii_lowercase().as_str());
        assert!(!odd, "{word} in {}", ran.out);
    }
}

/// Ends with `code`, says each of `words`, and has these findings among its own.
#[track_caller]
fn check(reports: &[Ran; 2], code: i32, words: &[&str], findings: &[&str]) {
    let [full, json] = reports;
    for ran in reports {
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        all_numbers_are_some(ran);
    }
    for word in words {
        assert!(full.out.contains(word), "no `{word}` in {}", full.out);
    }
    let json = json.json();
    let known = json["findings"].as_array().expect("a list");
    for code in findings {
        assert!(
            known.iter().any(|f| f["code"] == *code),
            "no {code}: {known:#?}"
        );
    }
}

#[test]
fn a_record_without_a_row_says_that_nothing_was_measured() {
    let reports = reports(|_| Vec::new());
    let words = ["Verdict: Invalid", "0 measured: 0 completed"];
    check(&reports, 3, &words, &["nothing-measured", "conservation"]);
    let json = reports[1].json();
    assert!(json["summary"]["latency"]["ttft"]["intended"].is_null());
    assert_eq!(json["summary"]["slo"][0]["status"], "undecided");
}

#[test]
fn one_request_is_reported_without_percentiles() {
    let reports = reports(|records| {
        let mut records = records;
        records.retain(|r| r.phase == Phase::Measure && r.outcome == Outcome::Completed);
        records.truncate(1);
        records
    });
    check(
        &reports,
        3,
        &["1 measured: 1 completed", "unknown"],
        &["conservation"],
    );
    let json = reports[1].json();
    let ttft = &json["summary"]["latency"]["ttft"]["intended"];
    assert_eq!(ttft["n"], 1);
    assert_eq!(ttft["min"], ttft["max"]);
    for absent in [
        &ttft["std"],
        &ttft["mean"],
        &ttft["percentiles"]["p50"]["value"],
    ] {
        assert!(absent.is_null(), "{ttft:#}");
    }
}

#[test]
fn failures_alone_have_no_latencies() {
    let reports = reports(|mut records| {
        for record in &mut records {
            record.outcome = Outcome::Failed;
            record.finish_reason = None;
            record.error = Some(RequestError {
                reason: Reason::Disconnected,
                text: "reset".to_owned(),
            });
        }
        records
    });
    check(
        &reports,
        4,
        &["0 completed, 6 failed", "disconnected"],
        &["failures"],
    );
    let latency = &reports[1].json()["summary"]["latency"];
    for absent in [
        &latency["ttft"]["intended"],
        &latency["tpot"],
        &latency["e2e"]["send"],
    ] {
        assert!(absent.is_null(), "{latency:#}");
    }
}

/// The record with every instant at a fixed distance from the intended one.
fn levelled(mut record: RequestRecord) -> RequestRecord {
    let at = |ms: i64| Offset(record.intended.0 + ms * 1_000_000);
    record.send_start = Some(at(0));
    record.sent = Some(at(1));
    record.connected = None;
    record.new_connection = Some(false);
    record.first_byte = Some(at(20));
    record.first_byte_seen = record.first_byte;
    for (i, chunk) in (0..).zip(&mut record.chunks) {
        chunk.at = at(20 + 10 * i);
        (chunk.seen, chunk.lower, chunk.read) = (chunk.at, chunk.at, i as u32);
    }
    record.finished = record.chunks.last().map(|c| c.at);
    record.closed = record.finished;
    record
}

#[test]
fn equal_requests_have_a_spread_of_nothing() {
    let reports = reports(|records| {
        let completed = records
            .into_iter()
            .filter(|r| r.outcome == Outcome::Completed);
        completed.map(levelled).collect()
    });
    for ran in &reports {
        all_numbers_are_some(ran);
    }
    let json = reports[1].json();
    let latency = &json["summary"]["latency"];
    for (metric, ms) in [("tpot", 10.0), ("chunk_gap", 10.0)] {
        let found = &latency[metric];
        let figures = [&found["min"], &found["max"]];
        assert!(figures.iter().all(|f| **f == ms), "{found:#}");
        assert_eq!(found["std"], 0.0);
    }
    let ttft = &latency["ttft"]["intended"];
    assert_eq!((&ttft["min"], &ttft["max"]), (&20.0.into(), &20.0.into()));
}

#[test]
fn a_record_of_a_newer_format_is_refused() {
    let run = run(mock(), "");
    let path = run.dir.join("requests.parquet");
    let mut bytes = fs::read(&path).expect("there");
    // The footer has the key, then the length and the text of its value.
    let key = b"format_version";
    let at = bytes
        .windows(key.len())
        .rposition(|w| w == key)
        .expect("a key");
    let value = bytes[at..]
        .iter()
        .position(|b| *b == b'1')
        .expect("a value");
    bytes[at + value] = b'9';
    fs::write(&path, bytes).expect("written");
    let report = infermeter(&format!("report {}", run.dir.display()));
    report.fails(2, &["requests.parquet", "version 9", "newer infermeter"]);
}
