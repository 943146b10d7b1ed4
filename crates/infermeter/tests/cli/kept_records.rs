//! Records that earlier versions wrote (`tests/records/`): every later version reads them and finds
//! the same figures in them. And what it says of records that somebody changed.

use crate::process::{Ran, Scratch, infermeter, mock, run};
use infermeter_analysis::{Run, Summary, judge, summarize};
use infermeter_core::record::{Outcome, Reason, RequestError, RequestRecord};
use infermeter_core::schedule::{Phase, Slice};
use infermeter_core::source::RecordSource;
use infermeter_core::source::merged::MergedRecords;
use infermeter_record::{
    PARQUET_FILE, ParquetRecords, RecordError, RecordsWriter, read_manifest, read_records,
};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/records");

/// A copy of a kept record: reading one may write into it.
pub(crate) fn copy_of(scratch: &Scratch, name: &str) -> PathBuf {
    let to = scratch.path(name);
    fs::create_dir(&to).expect("created");
    for file in fs::read_dir(Path::new(KEPT).join(name)).expect("listed") {
        let file = file.expect("an entry");
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
    to
}

fn report(dir: &Path) -> Ran {
    infermeter(&format!("report {} --json", dir.display()))
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("a list");
    findings.iter().filter_map(|f| f["code"].as_str()).collect()
}

/// What was measured, and means of some latencies in milliseconds.
struct Expected {
    name: &'static str,
    measured: u64,
    means: &'static [(&'static str, f64)],
}

const EXPECTED: [Expected; 9] = [
    Expected {
        name: "open",
        measured: 43,
        means: &[
            ("ttft/intended", 31.390748162790697),
            ("tpot", 6.148273437209303),
            ("e2e/send", 53.46542458139535),
        ],
    },
    Expected {
        name: "closed",
        measured: 46,
        means: &[
            ("ttft/send", 29.78644597826087),
            ("tpot", 5.9889462652173915),
            ("e2e/send", 59.731177304347824),
        ],
    },
    Expected {
        name: "sessions",
        measured: 38,
        means: &[
            ("ttft/intended", 366.5514473157894),
            ("tpot", 6.215893736842106),
            ("e2e/intended", 397.6309160000002),
        ],
    },
    Expected {
        name: "no-stream",
        measured: 43,
        means: &[
            ("e2e/send", 57.044779116279074),
            ("ntpot/send", 9.507463186046511),
        ],
    },
    Expected {
        name: "messages",
        measured: 43,
        means: &[
            ("ttft/intended", 11.86928581395349),
            ("tpot", 6.861863809302325),
            ("e2e/send", 45.93834344186047),
        ],
    },
    Expected {
        name: "responses",
        measured: 43,
        means: &[
            ("ttft/intended", 11.923658023255815),
            ("tpot", 6.945762079069768),
            ("e2e/send", 46.403419279069766),
        ],
    },
    Expected {
        name: "embeddings",
        measured: 43,
        means: &[("e2e/send", 12.412630395348838)],
    },
    Expected {
        name: "rerank",
        measured: 43,
        means: &[("e2e/send", 14.978873651162791)],
    },
    Expected {
        name: "killed",
        measured: 38,
        means: &[
            ("ttft/intended", 49.27291034210526),
            ("tpot", 5.139912384210526),
            ("e2e/send", 62.27431565789473),
        ],
    },
];

#[test]
fn records_of_earlier_versions_are_read() {
    let scratch = Scratch::new();
    for Expected {
        name,
        measured,
        means,
    } in EXPECTED
    {
        let dir = copy_of(&scratch, name);
        let report = report(&dir).json();
        let summary = &report["summary"];
        assert_eq!(summary["requests"]["measured"]["completed"], measured);
        for (metric, expected) in means {
            let path = format!("/latency/{metric}/mean/value");
            let mean = summary.pointer(&path).and_then(Value::as_f64);
            let mean = mean.unwrap_or_else(|| panic!("{name}: no {path}"));
            let off = (mean - expected).abs() / expected;
            assert!(off < 1e-9, "{name}: {metric} {mean}, not {expected}");
        }
        let codes = codes(&report);
        for code in ["record-altered", "conservation"] {
            assert!(!codes.contains(&code), "{name}: {codes:?}");
        }
        assert_eq!(codes.contains(&"recovered"), name == "killed", "{codes:?}");
        let audit = infermeter(&format!("audit {} --json", dir.display()));
        let checks = audit.json()["checks"].clone();
        let altered = checks.as_array().expect("a list").iter();
        let mut altered = altered.filter(|c| c["code"] == "record-altered");
        assert_eq!(altered.next().expect("asked")["answer"], "pass", "{name}");
    }
}

/// The kept open loop with its rows changed: what `conservation` says of it.
fn conservation_after(change: impl FnOnce(&mut Vec<RequestRecord>)) -> String {
    let scratch = Scratch::new();
    let dir = copy_of(&scratch, "open");
    let mut records = read_records(&dir).expect("readable");
    change(&mut records);
    rewrite(&dir, records);
    let report = report(&dir).json();
    let findings = report["findings"].as_array().expect("a list");
    let mut found = findings.iter().filter(|f| f["code"] == "conservation");
    let evidence = found.next().map(|f| f["evidence"].as_str().expect("text"));
    evidence.unwrap_or_default().to_owned()
}

fn rewrite(dir: &Path, records: Vec<RequestRecord>) {
    fs::remove_file(dir.join("requests.parquet")).expect("removed");
    let mut writer = RecordsWriter::create(dir, &["fixed".to_owned()]).expect("created");
    for record in records {
        writer.append(record).expect("appended");
    }
    writer.finish().expect("finished");
}

fn measured(records: &mut [RequestRecord]) -> &mut RequestRecord {
    let mut measured = records.iter_mut().filter(|r| r.phase == Phase::Measure);
    measured.nth(3).expect("a measured request")
}

#[test]
fn rows_that_contradict_themselves_are_seen_without_a_seal() {
    assert_eq!(conservation_after(|_| {}), "");
    type Change = fn(&mut Vec<RequestRecord>);
    let changes: [(&str, Change); 6] = [
        ("end of the answer", |all| {
            let row = measured(all);
            row.finished = row.finished.map(|at| at.plus(-2_000_000));
        }),
        ("end of the answer", |all| {
            measured(all).chunks.pop();
        }),
        ("phase other than", |all| {
            measured(all).phase = Phase::Warmup
        }),
        ("outcome and reason", |all| {
            measured(all).outcome = Outcome::Failed
        }),
        ("outcome and reason", |all| {
            measured(all).error = Some(RequestError {
                reason: Reason::HttpStatus,
                text: String::new(),
            });
        }),
        ("differ in number", |all| {
            all.pop();
        }),
    ];
    for (words, change) in changes {
        let said = conservation_after(change);
        assert!(said.contains(words), "no `{words}` in `{said}`");
    }
}

/// The finding of this code, severity and evidence, if there is one.
fn altered(report: &Value) -> Option<(String, String)> {
    let findings = report["findings"].as_array().expect("a list");
    let found = findings.iter().find(|f| f["code"] == "record-altered")?;
    let text = |name: &str| found[name].as_str().expect("text").to_owned();
    Some((text("severity"), text("evidence")))
}

#[test]
fn a_sealed_record_shows_every_change() {
    let run = run(mock(), "");
    assert_eq!(altered(&report(&run.dir).json()), None);
    let path = run.dir.join("run.json");
    let text = fs::read_to_string(&path).expect("text");
    let before = "\"model\": \"mock/fixed\"";
    assert!(text.contains(before), "{text}");
    fs::write(&path, text.replace(before, "\"model\": \"another\"")).expect("written");
    let edited = ("warning".to_owned(), "run.json was edited.".to_owned());
    assert_eq!(altered(&report(&run.dir).json()), Some(edited.clone()));
    // It was written anew, and still says so.
    assert_eq!(altered(&report(&run.dir).json()), Some(edited));
    let mut records = run.records();
    records[0].requested_prompt_tokens += 1;
    rewrite(&run.dir, records);
    let rows = "requests.parquet is not the file that the run wrote.";
    let rows = ("error".to_owned(), rows.to_owned());
    assert_eq!(altered(&report(&run.dir).json()), Some(rows));
    let audit = infermeter(&format!("audit {} --markdown", run.dir.display()));
    assert_eq!(audit.code, Some(3), "{audit:#?}");
    assert!(audit.out.contains("`record-altered`"), "{}", audit.out);
}

/// What a summary says is read back from run.json as it was written, and so is the environment.
#[test]
fn what_was_written_is_read_back() {
    let scratch = Scratch::new();
    for name in ["open", "closed", "sessions", "no-stream", "killed"] {
        let dir = copy_of(&scratch, name);
        report(&dir);
        let manifest = read_manifest(&dir).expect("a manifest");
        let written = manifest.summary.as_ref().expect("a summary");
        let read = Summary::read(&manifest)
            .expect("its summary")
            .expect("there");
        let read = serde_json::to_string(&read).expect("JSON");
        let written = serde_json::to_string(written).expect("JSON");
        assert_eq!(read, written, "{name}");
        let bytes = fs::read_to_string(dir.join("run.json")).expect("read");
        let as_read: Value = serde_json::from_str(&bytes).expect("JSON");
        let environment = serde_json::to_value(&manifest.environment).expect("JSON");
        assert_eq!(environment, as_read["environment"], "{name}");
    }
}

/// What is printed of a run: figures and findings, as text.
fn printed<S: RecordSource<Error = RecordError>>(dir: &Path, records: &S) -> [String; 2] {
    let manifest = read_manifest(dir).expect("a manifest");
    let run = Run::read(manifest, records).expect("readable");
    let summary = summarize(&run, records).expect("readable");
    let findings = judge(&run, &summary);
    [
        serde_json::to_string(&summary).expect("JSON"),
        serde_json::to_string(&findings).expect("JSON"),
    ]
}

#[test]
fn slices_of_kept_records_that_are_merged_give_what_the_whole_gives() {
    type Key = fn(&RequestRecord) -> u64;
    let by_id: Key = |record| record.id;
    let by_session: Key = |record| record.turn.map_or(record.id, |turn| turn.session);
    let scratch = Scratch::new();
    for Expected { name, .. } in EXPECTED {
        let dir = copy_of(&scratch, name);
        report(&dir); // a journal becomes rows
        let records = read_records(&dir).expect("readable");
        let whole = printed(&dir, &ParquetRecords::open(&dir).expect("opened"));
        for (of, key) in [(2, by_id), (3, by_session), (7, by_id), (7, by_session)] {
            let slice = |slice: Slice| {
                let place = Scratch::new();
                let dir = place.path("slice");
                fs::create_dir(&dir).expect("created");
                fs::write(dir.join(PARQUET_FILE), "").expect("written");
                let own = records.iter().filter(|r| slice.takes(key(r)));
                rewrite(&dir, own.cloned().collect());
                (ParquetRecords::open(&dir).expect("opened"), place)
            };
            let (slices, _places): (Vec<_>, Vec<_>) = Slice::all(of).map(slice).unzip();
            let merged = MergedRecords::of(slices);
            assert_eq!(printed(&dir, &merged), whole, "{name}: {of} slices");
        }
    }
}
