//! A file of each version of each format (`tests/records/README.md` lists them) is read by this version.
//!
//! That the table has a row for every version says `cargo xtask tidy`. Here each row is read, by what people read such a
//! file with.

use crate::kept_records::copy_of;
use crate::process::{Scratch, infermeter};
use infermeter_session::calibrate::store;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const RECORDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/records");

/// A row of the table.
struct Kept {
    format: String,
    version: u64,
    /// From the folder of records.
    file: PathBuf,
}

/// The rows of the table of versions.
fn rows() -> Vec<Kept> {
    let text = fs::read_to_string(Path::new(RECORDS).join("README.md")).expect("the list");
    let (_, table) = text
        .split_once("| format | version |")
        .expect("its table of versions");
    let cells = table.lines().filter_map(|line| {
        let cells: Vec<&str> = line
            .split('|')
            .map(|cell| cell.trim_matches([' ', '`']))
            .collect();
        match cells[..] {
            ["", format, version, file, ""] => Some(Kept {
                format: format.to_owned(),
                version: version.parse().ok()?,
                file: file.into(),
            }),
            _ => None,
        }
    });
    cells.collect()
}

#[test]
fn every_version_of_every_format_is_read() {
    let rows = rows();
    assert!(rows.len() > 10, "{}", rows.len());
    for kept in &rows {
        let path = Path::new(RECORDS).join(&kept.file);
        assert_eq!(
            version_in(kept, &path),
            kept.version,
            "{}",
            kept.file.display()
        );
        read(kept, &path);
    }
}

/// What the file itself says of its version.
fn version_in(kept: &Kept, path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match kept.format.as_str() {
        "requests.journal" => u64::from(u32::from_le_bytes(
            *bytes[8..].first_chunk().expect("a header"),
        )),
        // Deep in a footer and in an archive: whoever reads them compares it.
        "requests.parquet" | "bundle" => kept.version,
        "experiment.ledger" => version_of(&bytes[9..], "/format_version"),
        "history.jsonl" => version_of(&bytes, "/entry/format_version"),
        "workload file" => version_of(&bytes, "/version"),
        "trace rows" => version_of(&bytes, "/trace_rows"),
        _ => version_of(&bytes, "/format_version"),
    }
}

/// A number of the first JSON value in these bytes.
fn version_of(bytes: &[u8], place: &str) -> u64 {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let first = values.next().expect("a value").expect("JSON");
    let version = first.pointer(place).and_then(Value::as_u64);
    version.unwrap_or_else(|| panic!("no {place} in {first}"))
}

/// Reads one, and sees that something came of it.
fn read(kept: &Kept, path: &Path) {
    match kept.format.as_str() {
        "run.json" | "requests.parquet" => {
            measured(&reported(kept));
        }
        "requests.journal" => {
            let report = reported(kept);
            measured(&report);
            let findings = report["findings"].as_array().expect("a list");
            assert!(
                findings
                    .iter()
                    .any(|finding| finding["code"] == "recovered")
            );
        }
        "server-metrics.jsonl" => {
            assert!(reported(kept)["summary"]["server"]["readings"].as_u64() > Some(0))
        }
        "spans.jsonl" => assert!(
            reported(kept)["summary"]["spans"].is_object(),
            "{}",
            kept.version
        ),
        "experiment.ledger" => {
            // The one of version 1 has one run, that of version 2 two.
            let report = reported(kept);
            assert_eq!(
                report["runs"].as_array().expect("a list").len() as u64,
                kept.version
            );
        }
        "history.jsonl" => {
            let listed = infermeter(&format!("history list {} --json", folder(path)));
            assert_eq!(listed.code, Some(0), "{listed:#?}");
            assert!(listed.json().to_string().contains("0184194b"));
        }
        "bundle" => assert_eq!(
            infermeter(&format!("verify {} --json", path.display())).code,
            Some(0)
        ),
        "workload file" | "trace rows" => {
            let seen = infermeter(&format!("workload inspect {} --json", path.display()));
            assert_eq!(seen.code, Some(0), "{seen:#?}");
            assert!(seen.json()["facts"]["rows"].as_u64() > Some(1));
        }
        "truth log" => {
            let truth = infermeter_mock::truth::read(path).expect("read");
            assert!(!truth.requests.is_empty());
        }
        "certificate" => {
            let (certificate, _) = store::read(path).expect("read").expect("there");
            assert_eq!(certificate.rungs.len(), 1);
        }
        "rendezvous" => met(path),
        other => panic!("nobody here reads a {other}: add a way"),
    }
}

fn folder(path: &Path) -> std::path::Display<'_> {
    path.parent().expect("a folder").display()
}

/// What is reported of a copy of the record that the file is in, or that it belongs into.
fn reported(kept: &Kept) -> Value {
    let scratch = Scratch::new();
    let record = kept.file.iter().next().and_then(|name| name.to_str());
    let dir = match record.expect("UTF-8") {
        "golden" => {
            let dir = copy_of(&scratch, "open");
            let from = Path::new(RECORDS).join(&kept.file);
            fs::copy(from, dir.join(&kept.format)).expect("copied");
            dir
        }
        name => whole_copy(&scratch, name),
    };
    infermeter(&format!("report {} --json", dir.display())).json()
}

/// A copy of a record, with the runs in it.
fn whole_copy(scratch: &Scratch, name: &str) -> PathBuf {
    let to = scratch.path(name);
    copy(&Path::new(RECORDS).join(name), &to);
    to
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("created");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let into = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &into),
            false => {
                fs::copy(entry.path(), into).expect("copied");
            }
        }
    }
}

fn measured(report: &Value) {
    let completed = report["summary"]["requests"]["measured"]["completed"].as_u64();
    assert!(completed > Some(10), "{completed:?}");
}

/// A launch that began in this form is understood as far as to say that it is another one; a later form is not.
fn met(path: &Path) {
    let scratch = Scratch::new();
    let text = fs::read_to_string(path).expect("text");
    let joined = |name: &str, text: &str| {
        let place = scratch.path(name);
        fs::create_dir(&place).expect("created");
        fs::write(place.join("launch.json"), text).expect("written");
        let (place, out) = (place.display(), scratch.path(&format!("{name}-record")));
        let line = format!(
            "run mock:fixed --rate 10 --requests 2 --warmup 0 --workload fixed:16,2 --rank 1/2 --rendezvous {place} \
             --rendezvous-timeout 1s --out {}",
            out.display()
        );
        infermeter(&line).err
    };
    let known = joined("known", &text);
    assert!(
        !known.contains("format version") && !known.contains("is not what ranks leave"),
        "{known}"
    );
    assert!(known.contains("plan"), "{known}");
    let later = text.replace("\"format_version\":1", "\"format_version\":99");
    let later = joined("later", &later);
    assert!(later.contains("format version 99"), "{later}");
}
