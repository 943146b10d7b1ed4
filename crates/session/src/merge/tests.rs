//! Runs in virtual time, dealt out to ranks and merged: every figure is that of the whole, to the last bit.

use super::parts::Part;
use super::{Doubts, merge, merge_with};
use crate::experiment::Experiment;
use crate::finish::finish;
use crate::judged::Judged;
use crate::kept::KeptRun;
use crate::load::Load;
use crate::measure::{Measure, Site};
use crate::ranked::testing::launched;
use crate::ranked::{RENDEZVOUS, gather};
use crate::run_id::RunIdentity;
use crate::virtually::Virtual;
use infermeter_core::clock::Offset;
use infermeter_core::finding::{Severity, Verdict};
use infermeter_core::plan::Plan;
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{ClockOffset, OffsetSource, Progress, RankFacts, RunManifest, RunState};
use infermeter_core::schedule::{Begins, Phase, ScheduleFacts, Slice, Window};
use infermeter_core::seed::splitmix64;
use infermeter_metrics::fixture::Run;
use infermeter_record::{
    JournalWriter, MANIFEST_FILE, PARQUET_FILE, RESPONSES_FILE, RecordsWriter, SPANS_FILE,
    read_manifest, read_records, write_manifest,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A part with nothing in its directory.
pub(super) fn part(index: u32, of: u32) -> Part {
    let slice = Slice::new(index, of).expect("a slice");
    let mut manifest = Run::open(1.0, 10).build().manifest;
    manifest.rank = Some(facts(slice));
    Part {
        directory: PathBuf::from(format!("rank-{index}")),
        manifest,
        slice,
    }
}

fn facts(slice: Slice) -> RankFacts {
    RankFacts {
        slice,
        host: format!("node-{}", slice.index()),
        machine: None,
        pid: 7,
        arch: "x86_64".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program: None,
        told_by: "flags".to_owned(),
        clock: Some(ClockOffset {
            offset_ns: 0,
            bound_ns: 0,
            by: OffsetSource::SameKernel,
        }),
        start_asked_ns: None,
    }
}

/// A run that one process measured, in a directory.
struct Whole {
    scratch: TempDir,
    load: Load,
    manifest: RunManifest,
    records: Vec<RequestRecord>,
}

impl Whole {
    fn measured(change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = Plan {
            target: "mock:llama-8b-h100".to_owned(),
            warmup: "2s".parse().ok(),
            workload: "fixed:60,8".parse().expect("a workload"),
            salt: Some(7),
            ..Plan::defaults()
        };
        change(&mut plan);
        let scratch = tempfile::tempdir().expect("a directory");
        let directory = scratch.path().join("whole");
        fs::create_dir(&directory).expect("made");
        let experiment = Experiment::of(&plan).expect("a plan");
        let identity = RunIdentity::fresh(plan.salt).expect("an id");
        let load = Load::of(&experiment, identity.salt).expect("a load");
        let site = Site {
            identity,
            plan,
            directory: directory.clone(),
            part: None,
        };
        let measured = Virtual.measure(&experiment, &site).expect("measured");
        finish(measured, &directory, None).expect("finished");
        Self {
            load,
            manifest: read_manifest(&directory).expect("readable"),
            records: read_records(&directory).expect("readable"),
            scratch,
        }
    }

    fn directory(&self) -> PathBuf {
        self.scratch.path().join("whole")
    }

    /// Its rows, dealt out to so many ranks: each session stays whole.
    fn dealt(&self, of: u32) -> Vec<PathBuf> {
        let roots: BTreeMap<u64, u64> = self.roots();
        let order: Vec<u64> = {
            let mut order: Vec<u64> = roots.values().copied().collect();
            order.sort_unstable();
            order.dedup();
            order
        };
        let number = |id: u64| {
            let place = order.binary_search(&roots[&id]);
            place.expect("a root") as u64
        };
        self.dealt_by(of, &|id| (number(id) % u64::from(of)) as u32)
    }

    /// For each request the one that began its session.
    fn roots(&self) -> BTreeMap<u64, u64> {
        let mut roots = BTreeMap::new();
        for record in &self.records {
            let root = record.parent.and_then(|parent| roots.get(&parent).copied());
            roots.insert(record.id, root.unwrap_or(record.id));
        }
        roots
    }

    fn dealt_by(&self, of: u32, owner: &dyn Fn(u64) -> u32) -> Vec<PathBuf> {
        let ranks = self.scratch.path().join(format!("ranks-of-{of}"));
        Slice::all(of)
            .map(|slice| {
                let own = self.records.iter();
                let own = own.filter(|record| owner(record.id) == slice.index());
                let own: Vec<RequestRecord> = own.cloned().collect();
                let directory = ranks.join(slice.index().to_string());
                self.rank(&directory, slice, own);
                directory
            })
            .collect()
    }

    fn rank(&self, directory: &Path, slice: Slice, own: Vec<RequestRecord>) {
        fs::create_dir_all(directory).expect("made");
        write_manifest(directory, &self.manifest_of(slice, &own)).expect("written");
        let mut writer = RecordsWriter::create(directory, &self.manifest.classes).expect("created");
        for record in own {
            writer.append(record).expect("written");
        }
        writer.finish().expect("finished");
    }

    /// Ranks in the directory of their whole, as workers leave them.
    fn around(&self, of: u32) -> PathBuf {
        let around = self.out("around");
        fs::create_dir_all(around.join("ranks")).expect("made");
        for part in self.dealt(of) {
            let name = part.file_name().expect("a number");
            fs::rename(&part, around.join("ranks").join(name)).expect("moved");
        }
        around
    }

    /// What a rank with these rows says of itself. What it was to begin its part of the schedule says, and not its rows.
    fn manifest_of(&self, slice: Slice, own: &[RequestRecord]) -> RunManifest {
        let progress = self.manifest.progress.clone().expect("it ended");
        let first = slice.index() == 0;
        RunManifest {
            schedule: Some(self.load.cut(slice).expect("a part").schedule.facts()),
            window: self.window_of(own),
            progress: Some(Progress {
                scheduled: own.len() as u64,
                drain_not_reached: if first { progress.drain_not_reached } else { 0 },
                unfinished_sessions: match first {
                    true => progress.unfinished_sessions.clone(),
                    false => Vec::new(),
                },
                ..progress
            }),
            rank: Some(facts(slice)),
            verdict: None,
            findings: Vec::new(),
            summary: None,
            seal: None,
            ..self.manifest.clone()
        }
    }

    /// The window of a rank with these rows: that of the schedule, and of a closed loop from its own first measured request
    /// to its own first of the drain. (Ranks that each measure for themselves may go on beyond the end of the whole.)
    fn window_of(&self, own: &[RequestRecord]) -> Option<Window> {
        let whole = self.manifest.window?;
        if matches!(self.manifest.schedule?.begins, Begins::Arrivals(_)) {
            return Some(whole);
        }
        let first = |phase: Phase| {
            let mut own = own.iter().filter(|record| record.phase == phase);
            own.next().map(|record| record.intended)
        };
        Some(Window {
            start: first(Phase::Measure)?,
            end: whole.end.min(first(Phase::Drain).unwrap_or(whole.end)),
        })
    }

    fn out(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }
}

/// Every figure and every chart of a run but for what concerns the client.
fn figures(judged: &Judged) -> (Value, Value) {
    let mut summary = serde_json::to_value(&judged.summary).expect("JSON");
    let members = summary.as_object_mut().expect("an object");
    assert!(members.remove("client").is_some(), "it has a client");
    let series = serde_json::to_value(judged.series.as_ref().expect("pictured"));
    (summary, series.expect("JSON"))
}

fn pictured(directory: &Path) -> Judged {
    let kept = KeptRun::open(directory).expect("a run");
    kept.pictured().expect("judged")
}

/// Which findings, and how heavy: what is seen of a rank's rows is said of the rank.
fn weights(judged: &Judged) -> Vec<(&str, Severity)> {
    let findings = judged.manifest.findings.iter();
    findings.map(|f| (f.code.as_str(), f.severity)).collect()
}

fn check(change: impl FnOnce(&mut Plan), holds: impl FnOnce(&Whole)) {
    let whole = Whole::measured(change);
    holds(&whole);
    let expected = pictured(&whole.directory());
    let (summary, series) = figures(&expected);
    for of in [1, 2, 3, 8] {
        let out = whole.out(&format!("merged-{of}"));
        let ended = merge(&whole.dealt(of), &out).expect("merged");
        assert!(ended.unwritten.is_none());
        let merged = pictured(&out);
        let (own_summary, own_series) = figures(&merged);
        assert_eq!(own_summary, summary, "{of} ranks");
        assert_eq!(own_series, series, "{of} ranks");
        assert_eq!(merged.verdict, expected.verdict, "{of} ranks");
        assert_eq!(weights(&merged), weights(&expected), "{of} ranks");
        same_rows(&whole, &out, of);
        let ranks = &merged.summary.client.ranks;
        let each = ranks.as_ref().map_or(1, |ranks| ranks.each.len());
        assert_eq!(each, of as usize);
    }
}

/// The rows are those of the whole, but for who sent them.
fn same_rows(whole: &Whole, out: &Path, of: u32) {
    let mut rows = read_records(out).expect("readable");
    for row in &mut rows {
        assert_eq!(row.client.is_some(), of > 1);
        row.client = None;
    }
    assert!(rows == whole.records, "rows of {of} ranks differ");
}

#[test]
fn an_open_loop_is_what_its_parts_are() {
    check(
        |plan| {
            plan.rate = Some(40.0);
            plan.duration = "20s".parse().ok();
        },
        |whole| assert!(whole.records.len() > 800),
    );
}

#[test]
fn a_closed_loop_is_what_its_parts_are() {
    check(
        |plan| {
            // As many slots as all numbers of ranks divide, so that each has its part of warm-up and window.
            plan.concurrency = Some(24);
            plan.warmup = "48req".parse().ok();
            plan.requests = Some(480);
        },
        |whole| {
            assert!(whole.records.len() > 48 + 480);
            let parts = whole.dealt(3);
            let window = |part: &PathBuf| read_manifest(part).expect("readable").window;
            assert_ne!(window(&parts[0]), window(&parts[1]), "each has its own");
            assert_eq!(said(&pictured(&whole.directory()), "conservation"), "");
        },
    );
}

#[test]
fn what_was_found_of_answers_is_that_of_the_whole() {
    check(
        |plan| {
            plan.target = "mock:llama-8b-h100?cheat=garbage-above:20%@2".to_owned();
            plan.workload = "fixed:200,40".parse().expect("a workload");
            plan.rate = Some(40.0);
            plan.duration = "20s".parse().ok();
            plan.check_answers = true;
            plan.canaries = "20%".parse().ok();
            plan.slo = [
                "answers.corrupted<0.1%",
                "canary.accuracy>99%",
                "ttft.p99<1s",
            ]
            .map(|text| text.parse().expect("an objective"))
            .to_vec();
        },
        |whole| {
            let answers = || {
                whole
                    .records
                    .iter()
                    .filter_map(|record| record.answer.as_ref())
            };
            assert!(answers().any(|answer| answer.question.is_some()));
            assert!(answers().any(|answer| answer.doubts.are_corrupt()));
            let summary = pictured(&whole.directory()).summary;
            let found = summary.answers.expect("they were checked");
            assert!(
                found.levels.len() > 1 && found.length_shift.is_some(),
                "{found:#?}"
            );
        },
    );
}

/// What the finding of this code says; nothing where there is none.
fn said(judged: &Judged, code: &str) -> String {
    let mut findings = judged.manifest.findings.iter();
    let found = findings.find(|finding| finding.code == code);
    found.map_or_else(String::new, |finding| finding.evidence.clone())
}

/// Removes the row of a request from a rank that says nothing of that.
fn lose(directory: &Path, id: u64) {
    let mut records = read_records(directory).expect("readable");
    let before = records.len();
    records.retain(|record| record.id != id);
    assert_eq!(records.len() + 1, before);
    let classes = read_manifest(directory).expect("readable").classes;
    let mut writer = RecordsWriter::create(directory, &classes).expect("created");
    for record in records {
        writer.append(record).expect("written");
    }
    writer.finish().expect("finished");
}

#[test]
fn a_row_that_a_rank_has_lost_is_missed_by_its_part_of_the_schedule() {
    let closed = Whole::measured(|plan| {
        plan.concurrency = Some(6);
        plan.warmup = "12req".parse().ok();
        plan.requests = Some(120);
    });
    let open = Whole::measured(|plan| {
        plan.rate = Some(40.0);
        plan.duration = "5s".parse().ok();
    });
    for (whole, expect) in [
        (
            closed,
            "rank 1: measure: 39 requests on record, 40 at least",
        ),
        (open, "rank 1: measure: "),
    ] {
        let parts = whole.dealt(3);
        let measured =
            |record: &&RequestRecord| record.phase == Phase::Measure && record.id % 3 == 1;
        let lost = whole.records.iter().find(measured).expect("one").id;
        lose(&parts[1], lost);
        let out = whole.out("lost");
        merge(&parts, &out).expect("merged");
        let said = said(&pictured(&out), "conservation");
        assert!(said.contains(expect), "{said}");
    }
}

#[test]
fn sessions_are_what_their_parts_are() {
    check(
        |plan| {
            plan.rate = Some(5.0);
            plan.duration = "20s".parse().ok();
            plan.sessions = vec!["turns=4".to_owned(), "think=200ms".to_owned()];
        },
        |whole| assert!(whole.records.iter().any(|record| record.parent.is_some())),
    );
}

#[test]
fn several_classes_and_failures_are_what_their_parts_are() {
    check(
        |plan| {
            plan.target = "mock:llama-8b-h100?faults=status=503@10%".to_owned();
            plan.rate = Some(10.0);
            plan.duration = "15s".parse().ok();
            plan.workload = "mix:chat=0.7,summarization=0.3".parse().expect("a mixture");
        },
        |whole| {
            assert_eq!(whole.manifest.classes.len(), 2);
            assert!(whole.records.iter().any(|record| record.error.is_some()));
        },
    );
}

/// However rows are dealt out, what is merged has every figure of the whole.
#[test]
fn rows_that_are_dealt_at_random_make_the_whole() {
    let whole = Whole::measured(|plan| {
        plan.rate = Some(10.0);
        plan.duration = "8s".parse().ok();
        plan.workload = "chat".parse().expect("a workload");
    });
    let expected = figures(&pictured(&whole.directory()));
    for seed in 0..8_u64 {
        let of = 2 + (seed % 5) as u32;
        let owner = |id: u64| (splitmix64(seed << 32 | id) % u64::from(of)) as u32;
        let parts = whole.dealt_by(of, &owner);
        let out = whole.out(&format!("merged-{seed}"));
        merge(&parts, &out).expect("merged");
        assert_eq!(figures(&pictured(&out)), expected, "seed {seed}");
        fs::remove_dir_all(whole.scratch.path().join(format!("ranks-of-{of}"))).expect("removed");
    }
}

fn small() -> Whole {
    Whole::measured(|plan| {
        plan.rate = Some(20.0);
        plan.duration = "5s".parse().ok();
        plan.warmup = "0".parse().ok();
    })
}

#[test]
fn a_folder_of_ranks_is_merged_into_the_directory_around_it() {
    let whole = small();
    let around = whole.around(3);
    // Once more: what was merged before is replaced, and what was not merged again is gone.
    for _ in 0..2 {
        let ended = merge(std::slice::from_ref(&around), &around).expect("merged");
        assert_eq!(ended.judged.manifest.clients.len(), 3);
        assert!(!around.join(RESPONSES_FILE).exists() && !around.join(SPANS_FILE).exists());
        for name in [RESPONSES_FILE, SPANS_FILE] {
            fs::write(around.join(name), "").expect("written");
        }
    }
    assert!(around.join(PARQUET_FILE).is_file());
    let elsewhere =
        merge(std::slice::from_ref(&around), &whole.directory()).expect_err("a run is there");
    assert!(
        elsewhere.to_string().contains("exists already"),
        "{elsewhere}"
    );
    let none = merge(&[whole.scratch.path().join("none")], &whole.out("x")).expect_err("none");
    assert!(none.to_string().contains("is not a directory"), "{none}");
    assert!(!whole.out("x").exists());
}

/// What is in a directory, by name.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("readable");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let files = paths.filter(|path| path.is_file());
    files
        .map(|path| (path.clone(), fs::read(&path).expect("readable")))
        .collect()
}

#[test]
fn a_run_that_was_not_merged_is_not_written_over() {
    let whole = small();
    let plain = whole.directory();
    let ranks: Vec<PathBuf> = whole
        .dealt(2)
        .iter()
        .map(|part| {
            let inside = plain.join(part.file_name().expect("a number"));
            fs::rename(part, &inside).expect("moved");
            inside
        })
        .collect();
    let before = contents(&plain);
    for doubts in [Doubts::Refuse, Doubts::Note] {
        let error = merge_with(&ranks, &plain, doubts).expect_err("a run is there");
        assert!(error.to_string().contains("exists already"), "{error}");
        assert_eq!(contents(&plain), before);
    }
    // Nor one that cannot be read.
    fs::write(plain.join(MANIFEST_FILE), "{").expect("written");
    merge(&ranks, &plain).expect_err("something is there");
}

#[test]
fn what_was_merged_from_another_run_is_written_over_by_force_alone() {
    let whole = small();
    let around = whole.around(2);
    let given = std::slice::from_ref(&around);
    merge(given, &around).expect("merged");
    let mut merged = read_manifest(&around).expect("readable");
    merged.run_id = "other".to_owned();
    write_manifest(&around, &merged).expect("written");
    let error = merge(given, &around).expect_err("of another run");
    assert!(error.to_string().contains("exists already"), "{error}");
    merge_with(given, &around, Doubts::Note).expect("by force");
    let merged = read_manifest(&around).expect("readable");
    assert_eq!(merged.run_id, whole.manifest.run_id);
}

#[test]
fn one_rank_that_has_the_whole_load_is_merged_again() {
    let whole = small();
    let around = whole.around(1);
    for _ in 0..2 {
        let ended = gather(&around).expect("merged");
        assert!(ended.unusable.is_empty());
        assert!(ended.ended.judged.manifest.clients.is_empty());
    }
}

#[test]
fn what_cannot_be_merged_again_leaves_what_was_merged() {
    let whole = small();
    let around = whole.around(2);
    let given = std::slice::from_ref(&around);
    merge(given, &around).expect("merged");
    let before = contents(&around);
    let damaged = around.join("ranks/1").join(PARQUET_FILE);
    let mut bytes = fs::read(&damaged).expect("there");
    let half = bytes.len() / 2;
    bytes[4..half].fill(0xa5);
    fs::write(&damaged, bytes).expect("written");
    merge(given, &around).expect_err("a record is damaged");
    assert_eq!(contents(&around), before);
}

#[test]
fn nothing_is_merged_in_between_the_records_of_ranks() {
    let whole = small();
    let around = whole.around(2);
    let given = std::slice::from_ref(&around);
    for out in ["ranks", "ranks/new", "ranks/0/new"] {
        let out = around.join(out);
        let existed = out.exists();
        let error = merge(given, &out).expect_err("ranks are around it");
        assert!(error.to_string().contains("among the records"), "{error}");
        assert_eq!(out.exists(), existed);
    }
    // What lies there all the same is no rank.
    fs::create_dir(around.join("ranks/new")).expect("made");
    fs::write(around.join("ranks/new").join(MANIFEST_FILE), "{").expect("written");
    for given in [around.clone(), around.join("ranks")] {
        let out = whole.out("elsewhere");
        let ended = merge(&[given], &out).expect("merged");
        assert_eq!(ended.judged.manifest.clients.len(), 2);
        fs::remove_dir_all(&out).expect("removed");
    }
}

/// Ranks of which one or more say that they are of another run, gathered: of which nothing could be used.
fn unusable(around: &Path, odd: &[&str], change: impl Fn(&mut RunManifest)) -> Vec<String> {
    for rank in odd {
        let directory = around.join("ranks").join(rank);
        let mut manifest = read_manifest(&directory).expect("readable");
        change(&mut manifest);
        write_manifest(&directory, &manifest).expect("written");
    }
    let gathered = gather(around).expect("merged");
    let clients = gathered.ended.judged.manifest.clients.len();
    assert_eq!(clients + gathered.unusable.len(), 3);
    gathered.unusable
}

#[test]
fn a_record_of_another_run_costs_that_rank_and_is_named() {
    let whole = small();
    let odd = unusable(&whole.around(3), &["2"], |m| m.run_id = "other".to_owned());
    assert!(odd[0].contains("ranks/2: it is of another run"), "{odd:?}");
    let whole = small();
    let odd = unusable(&whole.around(3), &["0"], |m| {
        m.plan_hash = "other".to_owned()
    });
    assert!(odd[0].contains("its plan hash is other, and"), "{odd:?}");
    // The launch says which run it is, whatever most are of.
    let whole = small();
    let around = whole.around(3);
    let (run_id, plan_hash) = (&whole.manifest.run_id, &whole.manifest.plan_hash);
    launched(&around.join(RENDEZVOUS), 3, run_id, plan_hash);
    let odd = unusable(&around, &["0", "1"], |m| m.run_id = "other".to_owned());
    assert_eq!(odd.len(), 2, "{odd:?}");
}

#[test]
fn ranks_that_ended_apart_are_said() {
    let whole = small();
    let parts = whole.dealt(2);
    let mut manifest = read_manifest(&parts[0]).expect("readable");
    let progress = manifest.progress.as_mut().expect("it ended");
    // The window has 5 s: a tenth of the other's requests was due later.
    progress.ended = Offset(4_000_000_000);
    write_manifest(&parts[0], &manifest).expect("written");
    let out = whole.out("apart");
    merge(&parts, &out).expect("merged");
    let judged = pictured(&out);
    assert!(said(&judged, "drain-uneven").contains("The first was rank 0, after 4.0 s"));
    let weights = weights(&judged);
    assert!(weights.contains(&("drain-uneven", Severity::Warning)));
}

/// What is said of parts of which one was changed.
fn refused(whole: &Whole, change: impl Fn(&mut RunManifest)) -> String {
    let parts = whole.dealt(2);
    let mut manifest = read_manifest(&parts[1]).expect("readable");
    change(&mut manifest);
    write_manifest(&parts[1], &manifest).expect("written");
    let out = whole.out("refused");
    let error = merge(&parts, &out).expect_err("not of one run");
    assert!(!out.exists(), "nothing is left");
    let forced = merge_with(&parts, &out, Doubts::Note).expect("merged by force");
    let codes = |code: &str| {
        let findings = &forced.judged.manifest.findings;
        findings.iter().any(|finding| finding.code == code)
    };
    assert!(codes("merged-by-force"), "{error}");
    assert_eq!(forced.judged.verdict, Verdict::Invalid);
    fs::remove_dir_all(&out).expect("removed");
    let said = format!("{error:#}");
    for part in &parts {
        assert!(said.contains(&part.display().to_string()), "{said}");
    }
    said
}

#[test]
fn what_is_not_of_one_run_is_refused_or_said() {
    let whole = small();
    let said = refused(&whole, |manifest| manifest.plan_hash = "other".to_owned());
    assert!(said.contains("plan hash differs"), "{said}");
    let said = refused(&whole, |manifest| manifest.run_id = "other".to_owned());
    assert!(said.contains("run id differs"), "{said}");
    let said = refused(&whole, |manifest| {
        manifest.infermeter_version = "99.0.0".to_owned();
    });
    assert!(said.contains("version of infermeter differs"), "{said}");
    let of_three = Slice::new(1, 3).expect("a slice");
    let said = refused(&whole, |manifest| set_slice(manifest, of_three));
    assert!(said.contains("number of parts differs: 2 ("), "{said}");
    let first = Slice::new(0, 2).expect("a slice");
    let said = refused(&whole, |manifest| set_slice(manifest, first));
    assert!(said.contains("are both part 0 of 2"), "{said}");
}

fn set_slice(manifest: &mut RunManifest, slice: Slice) {
    manifest.schedule = manifest
        .schedule
        .map(|facts| ScheduleFacts { slice, ..facts });
    manifest.rank = Some(facts(slice));
}

#[test]
fn separate_runs_are_sent_to_compare() {
    let (one, other) = (small(), small());
    let both = [one.directory(), other.directory()];
    let error = merge(&both, &one.out("both")).expect_err("two runs");
    assert!(error.to_string().contains("infermeter compare"), "{error}");
}

#[test]
fn a_rank_that_left_nothing_is_missed() {
    let whole = small();
    let parts = whole.dealt(4);
    let out = whole.out("three");
    let ended = merge(&[&parts[..2], &parts[3..]].concat(), &out).expect("merged");
    let finding = ended.judged.manifest.findings.iter();
    let finding = finding.clone().find(|f| f.code == "ranks-missing");
    let evidence = &finding.expect("one is missing").evidence;
    assert!(
        evidence.contains("of rank 2 there is no record"),
        "{evidence}"
    );
    assert_eq!(ended.judged.verdict, Verdict::Invalid);
    let conservation = ended.judged.manifest.findings.iter();
    assert!(!conservation.clone().any(|f| f.code == "conservation"));
    let ranks = ended.judged.summary.client.ranks.expect("ranks");
    assert_eq!(ranks.missing, [2]);
}

#[test]
fn the_journal_of_a_rank_that_was_killed_is_completed_first() {
    let whole = small();
    let parts = whole.dealt(2);
    let records = read_records(&parts[1]).expect("readable");
    fs::remove_file(parts[1].join(PARQUET_FILE)).expect("removed");
    let mut manifest = read_manifest(&parts[1]).expect("readable");
    manifest.state = RunState::Running;
    (manifest.progress, manifest.client_health) = (None, None);
    write_manifest(&parts[1], &manifest).expect("written");
    let mut journal = JournalWriter::create(&parts[1]).expect("created");
    for record in &records[..records.len() / 2] {
        journal.append(record).expect("appended");
    }
    journal.flush().expect("flushed");
    drop(journal);
    let out = whole.out("killed");
    let ended = merge(&parts, &out).expect("merged");
    let manifest = &ended.judged.manifest;
    assert_eq!(manifest.state, RunState::Interrupted);
    let codes: Vec<&str> = manifest.findings.iter().map(|f| f.code.as_str()).collect();
    for code in ["ranks-missing", "recovered", "interrupted"] {
        assert!(codes.contains(&code), "{codes:?}");
    }
    let recovered = manifest.findings.iter().find(|f| f.code == "recovered");
    let evidence = &recovered.expect("raised").evidence;
    assert!(evidence.starts_with("rank 1: "), "{evidence}");
    let rows = read_records(&out).expect("readable").len();
    assert_eq!(rows, whole.records.len() - records.len().div_ceil(2));
}

#[test]
fn a_merged_run_is_sealed_and_is_not_merged_again() {
    let whole = small();
    let out = whole.out("merged");
    merge(&whole.dealt(2), &out).expect("merged");
    let (good, problems) = crate::verify::seal(&out, "").expect("readable");
    assert!(good >= 2 && problems.is_empty(), "{problems:?}");
    let part = crate::verify::run(&out, "");
    let recomputed = part.recomputed.expect("recomputed");
    assert_eq!(recomputed.differ, 0, "{recomputed:?}");
    let error = merge(&[out], &whole.out("again")).expect_err("merged");
    assert!(error.to_string().contains("merged already"), "{error}");
}
