//! A record that lost its last rows, and a recorder that does not know: the schedule does.

use crate::process::{Run, Scratch, finding, infermeter, light, manifest, mock, run_with, words};
use infermeter_core::record::RequestRecord;
use infermeter_record::{JournalWriter, PARQUET_FILE, RecordsWriter};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Where rows get lost.
#[derive(Debug, Clone, Copy)]
enum Lost {
    FromTheParquet,
    FromTheJournal,
}

/// What the recorder, and whoever handed records to it, says of a run that lost `rows`.
#[derive(Debug, Clone, Copy)]
enum Counts {
    /// Those of the whole run.
    Kept,
    /// The recorder never knew of them.
    Recorder,
    /// Nobody did.
    All,
}

const CLASS: &str = "fixed";

/// A run that has ended, to be damaged again and again.
struct Ended {
    run: Run,
    records: Vec<RequestRecord>,
    manifest: Value,
}

impl Ended {
    fn of(line: &str) -> Self {
        let run = run_with(words(line), |_| {});
        Self {
            records: run.records(),
            manifest: manifest(&run.dir),
            run,
        }
    }

    /// What `conservation` says after it lost its last `rows`.
    fn said(&self, (lost, counts): (Lost, Counts), rows: usize) -> String {
        let dir = &self.run.dir;
        let _ = fs::remove_file(dir.join(PARQUET_FILE));
        write(dir, &self.records[..self.records.len() - rows], lost);
        let manifest = reduced(self.manifest.clone(), counts, rows as u64);
        fs::write(dir.join("run.json"), format!("{manifest:#}\n")).expect("written");
        let report = infermeter(&format!("report {} --json", dir.display()));
        let findings = report.json();
        if !findings["findings"]
            .to_string()
            .contains("\"conservation\"")
        {
            return String::new();
        }
        assert_eq!(report.code, Some(3), "{report:#?}");
        let found = finding(&findings, "conservation");
        found["evidence"].as_str().expect("text").to_owned()
    }
}

fn write(dir: &Path, kept: &[RequestRecord], lost: Lost) {
    match lost {
        Lost::FromTheParquet => {
            let mut writer = RecordsWriter::create(dir, &[CLASS.to_owned()]).expect("created");
            for record in kept {
                writer.append(record.clone()).expect("appended");
            }
            writer.finish().expect("finished");
        }
        Lost::FromTheJournal => {
            let mut writer = JournalWriter::create(dir).expect("created");
            for record in kept {
                writer.append(record).expect("appended");
            }
            writer.flush().expect("flushed");
        }
    }
}

fn reduced(mut manifest: Value, counts: Counts, rows: u64) -> Value {
    let reduce = |count: &mut Value| *count = (count.as_u64().expect("a count") - rows).into();
    let progress = &mut manifest["progress"];
    if !matches!(counts, Counts::Kept) {
        reduce(&mut progress["scheduled"]);
    }
    if matches!(counts, Counts::All) {
        reduce(&mut progress["counted"]["handed_over"]);
    }
    manifest
}

#[test]
fn a_lost_tail_is_noticed_whatever_the_recorder_counted() {
    let open = light(mock(), "--no-probe --model mock/fixed").join(" ");
    let closed = format!(
        "run {} --no-probe --model mock/fixed --concurrency 2 --requests 20 --warmup 4req \
         --threads 1 --workload fixed:16,4",
        mock()
    );
    let sessions = format!("{open} --sessions turns=3 --sessions think=20ms");
    let [open, closed, sessions] = [open, closed, sessions].map(|line| Ended::of(&line));
    for lost in [Lost::FromTheParquet, Lost::FromTheJournal] {
        for counts in [Counts::Kept, Counts::Recorder] {
            for (run, rows) in [(&open, 1), (&closed, 3), (&sessions, 2)] {
                let evidence = run.said((lost, counts), rows);
                let words = "handed to the recorder";
                assert!(evidence.contains(words), "{lost:?} {counts:?} {evidence:?}");
            }
        }
        // Nobody counted: the schedule still knows what must begin, and what ends a window.
        for (run, rows) in [(&open, 1), (&open, 3), (&closed, 18)] {
            let evidence = run.said((lost, Counts::All), rows);
            let known = ["in the schedule", "asked for"];
            let known = known.iter().any(|words| evidence.contains(words));
            assert!(known, "{lost:?} {evidence:?}");
        }
    }
}

#[test]
fn a_whole_record_agrees_with_its_schedule() {
    for more in ["", "--sessions turns=3", "--slo e2e.p50<9s"] {
        let line = light(mock(), &format!("--no-probe --model mock/fixed {more}")).join(" ");
        let run = Ended::of(&line);
        assert_eq!(run.said((Lost::FromTheParquet, Counts::Kept), 0), "");
    }
}

#[test]
fn facts_of_the_schedule_stand_in_the_manifest() {
    let scratch = Scratch::new();
    let out = scratch.path("run");
    let line = light(mock(), "--no-probe --model mock/fixed").join(" ");
    infermeter(&format!("{line} --out {}", out.display()));
    let manifest = manifest(&out);
    let facts = &manifest["schedule"];
    assert_eq!(facts["begins"]["arrivals"]["measure"], 6, "{facts}");
    assert_eq!(facts["sessions"], false);
    let counted = &manifest["progress"]["counted"];
    assert_eq!(counted["handed_over"], manifest["progress"]["scheduled"]);
}
