//! `infermeter merge`: what the ranks of a run left becomes that run, and what is not of one run is refused.

use crate::kept_records::copy_of;
use crate::process::{Ran, Scratch, infermeter, manifest};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{ClockOffset, OffsetSource, RankFacts, RunManifest, RunState};
use infermeter_core::schedule::Slice;
use infermeter_record::{
    JOURNAL_FILE, JournalWriter, PARQUET_FILE, RecordsWriter, SERVER_METRICS_FILE, read_manifest,
    read_records, write_manifest,
};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A kept run, and the same as ranks would have left it.
struct Dealt {
    scratch: Scratch,
    whole: PathBuf,
    ranks: Vec<PathBuf>,
}

impl Dealt {
    fn to(of: u32) -> Self {
        let scratch = Scratch::new();
        let whole = copy_of(&scratch, "open");
        let report = infermeter(&format!("report {}", whole.display()));
        assert!(report.code.is_some(), "{report:#?}");
        let kept = read_manifest(&whole).expect("readable");
        let records = read_records(&whole).expect("readable");
        let ranks = scratch.path("around/ranks");
        let ranks = Slice::all(of).map(|slice| {
            let directory = ranks.join(slice.index().to_string());
            let own = records.iter().filter(|record| slice.takes(record.id));
            rank(&directory, &kept, slice, own.cloned().collect());
            directory
        });
        let ranks: Vec<PathBuf> = ranks.collect();
        // Rank 0 asks the server for all.
        fs::copy(
            whole.join(SERVER_METRICS_FILE),
            ranks[0].join(SERVER_METRICS_FILE),
        )
        .expect("copied");
        Self {
            scratch,
            whole,
            ranks,
        }
    }

    fn merged(&self, more: &str) -> Ran {
        let ranks: Vec<String> = self.ranks.iter().map(|r| r.display().to_string()).collect();
        infermeter(&format!("merge {} {more}", ranks.join(" ")))
    }

    fn out(&self) -> PathBuf {
        self.scratch.path("merged")
    }

    fn change(&self, rank: usize, change: impl FnOnce(&mut RunManifest)) {
        let directory = &self.ranks[rank];
        let mut manifest = read_manifest(directory).expect("readable");
        change(&mut manifest);
        write_manifest(directory, &manifest).expect("written");
    }
}

fn rank(directory: &Path, kept: &RunManifest, slice: Slice, own: Vec<RequestRecord>) {
    fs::create_dir_all(directory).expect("made");
    let mut manifest = kept.clone();
    let progress = manifest.progress.as_mut().expect("it ended");
    progress.scheduled = own.len() as u64;
    manifest.rank = Some(RankFacts {
        slice,
        host: format!("node-{}", slice.index()),
        machine: None,
        pid: 1,
        arch: "x86_64".to_owned(),
        version: kept.infermeter_version.clone(),
        program: None,
        told_by: "flags".to_owned(),
        clock: Some(ClockOffset {
            offset_ns: 0,
            bound_ns: 0,
            by: OffsetSource::SameKernel,
        }),
        start_asked_ns: None,
    });
    (manifest.summary, manifest.verdict, manifest.seal) = (None, None, None);
    write_manifest(directory, &manifest).expect("written");
    let mut writer = RecordsWriter::create(directory, &kept.classes).expect("created");
    own.into_iter()
        .for_each(|record| writer.append(record).expect("written"));
    writer.finish().expect("finished");
}

/// Every figure but those of the client.
fn figures(ran: &Ran) -> Value {
    let mut summary = ran.json()["summary"].clone();
    let members = summary.as_object_mut().expect("an object");
    assert!(members.remove("client").is_some());
    summary
}

fn report(directory: &Path) -> Ran {
    infermeter(&format!("report {} --json", directory.display()))
}

#[test]
fn ranks_become_the_run_that_they_are() {
    let dealt = Dealt::to(3);
    let whole = report(&dealt.whole);
    let out = dealt.out();
    let merged = dealt.merged(&format!("--out {} --json", out.display()));
    assert_eq!(merged.code, whole.code, "{merged:#?}");
    assert_eq!(figures(&merged), figures(&whole));
    assert!(merged.err.contains("Merged 3 ranks into"), "{}", merged.err);
    let clients = manifest(&out)["clients"].clone();
    assert_eq!(clients.as_array().map(Vec::len), Some(3));
    assert_eq!(clients[2]["rank"]["host"], "node-2");
    // What is made of any run is made of this one.
    assert_eq!(figures(&report(&out)), figures(&whole));
    let said = infermeter(&format!("report {}", out.display())).out;
    assert!(
        said.contains("Ranks: 3") && said.contains("node-1"),
        "{said}"
    );
    let verified = infermeter(&format!("verify {}", out.display()));
    assert_eq!(verified.code, Some(0), "{verified:#?}");
    let bundle = dealt.scratch.path("merged.tar.gz");
    for (line, code) in [
        (
            format!("bundle {} --out {}", out.display(), bundle.display()),
            0,
        ),
        (format!("verify {}", bundle.display()), 0),
        (
            format!(
                "export {} --format csv --out {}",
                out.display(),
                dealt.scratch.path("csv").display()
            ),
            0,
        ),
        (
            format!(
                "export {} --format vllm --out {}",
                out.display(),
                dealt.scratch.path("v.json").display()
            ),
            0,
        ),
    ] {
        let ran = infermeter(&line);
        assert_eq!(ran.code, Some(code), "{line}: {ran:#?}");
    }
    let listed = infermeter(&format!("list {}", out.display()));
    assert_eq!(listed.code, Some(0), "{listed:#?}");
    assert!(listed.out.contains("merged"), "{}", listed.out);
    let compared = infermeter(&format!(
        "compare {} {}",
        dealt.whole.display(),
        out.display()
    ));
    // One run a side decides nothing; that they had one load is known.
    assert!(!compared.err.contains("error:"), "{compared:#?}");
}

#[test]
fn a_directory_with_ranks_is_merged_where_it_is() {
    let dealt = Dealt::to(2);
    let around = dealt.scratch.path("around");
    let listed = infermeter(&format!("list {} --json", dealt.scratch.path("").display()));
    let words = "the records of 2 ranks were not merged: `infermeter merge ";
    let entries = listed.json()["entries"].clone();
    let mut entries = entries.as_array().expect("a list").iter();
    let why = entries.find_map(|entry| entry["why"].as_str());
    assert!(why.is_some_and(|why| why.contains(words)), "{listed:#?}");
    for _ in 0..2 {
        let ran = infermeter(&format!("merge {} --json", around.display()));
        assert_eq!(figures(&ran), figures(&report(&dealt.whole)));
    }
    let page = dealt.scratch.path("page.html");
    let ran = infermeter(&format!(
        "merge {} --html={}",
        around.display(),
        page.display()
    ));
    assert!(ran.out.contains("Ranks: 2"), "{ran:#?}");
    let page = fs::read_to_string(page).expect("written");
    assert!(page.contains("node-1") && page.contains("over all ranks, by one clock"));
}

#[test]
fn what_cannot_be_merged_is_named() {
    let dealt = Dealt::to(2);
    let out = format!("--out {}", dealt.out().display());
    dealt.merged("").fails(
        2,
        &["--out is missing: name the directory of the merged run"],
    );
    infermeter("merge").fails(2, &["DIR"]);
    let gone = dealt.scratch.path("gone");
    infermeter(&format!("merge {} {out}", gone.display())).fails(
        2,
        &["gone is not a directory: name those that the ranks wrote"],
    );
    let empty = dealt.scratch.path("empty");
    fs::create_dir(&empty).expect("made");
    infermeter(&format!("merge {} {out}", empty.display()))
        .fails(2, &["empty holds no record of a rank"]);
    let first = dealt.ranks[0].display();
    infermeter(&format!("merge {first} {first} {out}"))
        .fails(2, &["are both part 0 of 2", "--force"]);
    infermeter(&format!("merge {0} {0} {out}", dealt.whole.display()))
        .fails(2, &["each has a whole load", "infermeter compare"]);
    assert!(!dealt.out().exists());
    dealt
        .merged(&format!("--out {}", dealt.whole.display()))
        .fails(2, &["exists already"]);
}

#[test]
fn ranks_of_two_plans_are_refused_and_may_be_forced() {
    let dealt = Dealt::to(2);
    dealt.change(1, |manifest| manifest.plan_hash = "ffff".to_owned());
    let out = format!("--out {}", dealt.out().display());
    let [first, second] = [0, 1].map(|rank: usize| dealt.ranks[rank].display().to_string());
    dealt.merged(&out).fails(
        2,
        &[
            "their plan hash differs: ",
            "ffff (",
            &first,
            &second,
            "--force",
        ],
    );
    assert!(!dealt.out().exists());
    let forced = dealt.merged(&format!("{out} --force"));
    assert_eq!(forced.code, Some(3), "{forced:#?}");
    assert!(forced.out.contains("merged-by-force"), "{}", forced.out);
}

#[test]
fn a_torn_journal_is_completed_to_its_last_whole_frame() {
    let dealt = Dealt::to(2);
    let directory = &dealt.ranks[1];
    let records = read_records(directory).expect("readable");
    fs::remove_file(directory.join(PARQUET_FILE)).expect("removed");
    dealt.change(1, |manifest| {
        manifest.state = RunState::Running;
        (manifest.progress, manifest.client_health) = (None, None);
    });
    let mut journal = JournalWriter::create(directory).expect("created");
    let kept = &records[..records.len() / 2];
    kept.iter()
        .for_each(|record| journal.append(record).expect("appended"));
    journal.flush().expect("flushed");
    drop(journal);
    let torn = OpenOptions::new()
        .append(true)
        .open(directory.join(JOURNAL_FILE));
    torn.expect("there").write_all(&[7; 100]).expect("torn");
    let out = dealt.out();
    let ran = dealt.merged(&format!("--out {} --json", out.display()));
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    let merged = ran.json();
    let findings = merged["findings"].as_array().expect("a list");
    let of = |code: &str| {
        let found = findings.iter().find(|finding| finding["code"] == code);
        let found = found.unwrap_or_else(|| panic!("no {code} in {findings:#?}"));
        found["evidence"].as_str().expect("text").to_owned()
    };
    assert!(of("recovered").contains("100 bytes of a batch cut short"));
    assert!(of("ranks-missing").contains("rank 1 was killed after"));
    let rows = read_records(&out).expect("readable");
    let of_killed = rows.iter().filter(|row| row.client == Some(1)).count();
    assert_eq!(of_killed, kept.len());
    assert!(!directory.join(JOURNAL_FILE).exists());
}

#[test]
fn a_rank_that_is_not_there_is_missed() {
    let dealt = Dealt::to(3);
    fs::remove_dir_all(&dealt.ranks[1]).expect("removed");
    let around = dealt.scratch.path("around");
    let meeting = around.join("rendezvous");
    fs::create_dir(&meeting).expect("made");
    let ran = infermeter(&format!("merge {} --json", around.display()));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let missing = |ran: &Ran| {
        let findings = ran.json()["findings"].clone();
        let findings = findings.as_array().expect("a list").clone();
        let mut found = findings
            .into_iter()
            .filter(|f| f["code"] == "ranks-missing");
        found.next().expect("one is missing")
    };
    assert_eq!(missing(&ran)["severity"], "error");
    let own = manifest(&dealt.ranks[0]);
    let launch = json!({
        "format_version": 1,
        "launch": {
            "run_id": own["run_id"], "salt": 1, "plan_hash": own["plan_hash"], "version": "1", "started_unix_ns": 1,
        },
        "of": 3, "token": "0".repeat(32), "by": own["rank"],
    });
    fs::write(meeting.join("launch.json"), launch.to_string()).expect("written");
    let start = r#"{"format_version": 1, "decided_unix_ns": 1,
        "decision": {"start": {"at_unix_ns": 1, "without": [{"index": 1, "came": false}]}}}"#;
    fs::write(meeting.join("start.json"), start).expect("written");
    let known = missing(&infermeter(&format!("merge {} --json", around.display())));
    assert_eq!(known["severity"], "warning");
    let evidence = known["evidence"].as_str().expect("text");
    assert!(
        evidence.contains("rank 1 was not there at the start"),
        "{evidence}"
    );
    assert!(evidence.contains("About 67 % of the load"), "{evidence}");
}
