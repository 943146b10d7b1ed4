//! Limits of the system: a full disk, and too few file descriptors.

use crate::process::{
    Going, LIGHT, Run, Scratch, UNPROBED, everything_in, files_in, finding, infermeter, limited,
    manifest, mock, ran, run, wait_until, words,
};
use infermeter_core::record::Outcome;
use infermeter_core::schedule::Phase;
use infermeter_record::read_records;

/// A run under a limit on the size of files, which acts as a full disk does: the journal, run.json
/// and the Parquet file cannot grow beyond it.
fn with_room(kib: u32, line: &str, out: &str) -> crate::process::Ran {
    with_room_for(
        kib,
        &format!("run {} {UNPROBED} {line} --out {out}", mock()),
    )
}

/// Any command under such a limit.
fn with_room_for(kib: u32, line: &str) -> crate::process::Ran {
    let limits = format!("trap '' XFSZ; ulimit -f {kib}");
    ran(limited(&limits, &words(line)))
}

#[test]
fn no_room_at_all_ends_the_run_before_it_begins() {
    let scratch = Scratch::new();
    let out = scratch.path("run");
    let ran = with_room(1, LIGHT, &out.display().to_string());
    ran.fails(2, &["run.json", "File too large"]);
    assert_eq!(ran.out, "");
    assert!(!out.exists());
}

#[test]
fn a_disk_that_fills_up_before_the_conversion_keeps_the_journal() {
    let scratch = Scratch::new();
    let out = scratch.path("run");
    let dir = out.display().to_string();
    // A trace has as many requests as rows: room for the first run.json (4 KiB) and the journal
    // (some 10), not for the Parquet file (some 20).
    let rows: String = (0..30)
        .map(|i| format!("2023-11-16 18:17:03.{:03},20,40\n", i * 20))
        .collect();
    let header = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    let trace = scratch.file("trace.csv", &format!("{header}{rows}"));
    let ran = with_room(15, &format!("--trace {trace} --warmup 0 --threads 1"), &dir);
    let advice = format!("`infermeter report {dir}` completes");
    ran.fails(
        3,
        &[
            "requests.parquet",
            "File too large",
            "requests.journal",
            &advice,
        ],
    );
    // The figures are there all the same.
    assert!(ran.out.starts_with("Verdict: "), "{}", ran.out);
    assert!(ran.out.contains("30 measured: 30 completed"), "{}", ran.out);
    assert_eq!(files_in(&out), ["requests.journal", "run.json"]);

    completes(&dir, 30);
    finding(&manifest(&out), "recovered");
}

#[test]
fn a_disk_that_fills_up_after_the_conversion_keeps_the_records() {
    let scratch = Scratch::new();
    let out = scratch.path("run");
    let dir = out.display().to_string();
    // Room for the Parquet file, not for the final run.json (40 KiB).
    let ran = with_room(20, LIGHT, &dir);
    let advice = format!("`infermeter report {dir}` completes");
    // The command was right, the measurement is not whole.
    ran.fails(
        3,
        &["run.json", "File too large", "requests.parquet", &advice],
    );
    assert!(ran.out.contains("6 measured: 6 completed"), "{}", ran.out);
    assert!(manifest(&out)["verdict"].is_null());

    completes(&dir, 6);
}

/// `report` makes the record whole, with every request and the verdict.
#[track_caller]
fn completes(dir: &str, measured: usize) {
    let ran = infermeter(&format!("report {dir}"));
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:#?}");
    let all = format!("{measured} measured: {measured} completed");
    assert!(ran.out.contains(&all), "{}", ran.out);
    let dir = std::path::Path::new(dir);
    let records = read_records(dir).expect("a record");
    let ids: Vec<u64> = records.iter().map(|r| r.id).collect();
    assert_eq!(ids, (0..records.len() as u64).collect::<Vec<_>>());
    assert_eq!(files_in(dir), ["requests.parquet", "run.json"]);
    let manifest = manifest(dir);
    assert_eq!(manifest["state"], "finished");
    assert!(manifest["verdict"].is_string());
}

#[test]
fn a_journal_that_cannot_grow_makes_the_run_invalid() {
    let scratch = Scratch::new();
    let out = scratch.path("run");
    let dir = out.display().to_string();
    // Half a second of long answers is more than 16 KiB.
    let load = "--rate 50 --duration 1s --warmup 0 --workload fixed:16,200 --threads 1";
    let ran = with_room(16, load, &dir);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.out.starts_with("Verdict: Invalid"), "{}", ran.out);
    for said in ["record-incomplete", "requests.journal", "File too large"] {
        assert!(ran.out.contains(said), "{}", ran.out);
    }
}

#[test]
fn what_could_not_be_written_is_known_to_a_later_report() {
    let scratch = Scratch::new();
    let out = scratch.path("run");
    let dir = out.display().to_string();
    // Room for run.json and what a run learns (10 KiB), not for the journal of all requests.
    let load = "--rate 50 --requests 60 --warmup 0 --workload fixed:16,200 --threads 1";
    let ran = with_room(16, load, &dir);
    assert!(ran.out.starts_with("Verdict: Invalid"), "{}", ran.out);
    let written = manifest(&out);
    assert_eq!(written["state"], "finished");
    let unwritten = written["client_health"]["unwritten"].clone();
    let missing = unwritten["records"].as_u64().expect("a number");
    assert_eq!(unwritten["measured"], 60);
    // The disk has room again.
    let again = infermeter(&format!("report {dir}"));
    assert_eq!(again.code, Some(3), "{again:#?}");
    let rows = read_records(&out).expect("a record").len() as u64;
    assert_eq!(written["progress"]["scheduled"], rows + missing);
    let found = finding(&manifest(&out), "record-incomplete");
    assert_eq!(found["severity"], "error");
    let evidence = found["evidence"].as_str().expect("text");
    assert!(
        evidence.starts_with(&format!("{missing} requests of ")),
        "{evidence}"
    );
    assert!(
        evidence.contains("of 60 measured requests are here"),
        "{evidence}"
    );
    let audited = infermeter(&format!("audit {dir}"));
    assert!(audited.out.contains("record-incomplete"), "{}", audited.out);
    assert!(
        audited.out.contains(&format!("{missing} requests of ")),
        "{}",
        audited.out
    );
}

#[test]
fn a_bundle_that_has_no_room_leaves_nothing() {
    let scratch = Scratch::new();
    let one = run(mock(), "");
    let before = everything_in(&one.dir);
    let folder = scratch.path("bundles");
    std::fs::create_dir(&folder).expect("created");
    let line = format!(
        "bundle {} --out {}",
        one.dir.display(),
        folder.join("one.tar.gz").display()
    );
    let full = with_room_for(2, &line);
    full.fails(2, &["one.tar.gz", "File too large"]);
    assert_eq!(full.out, "");
    assert_eq!(files_in(&folder), [""; 0]);
    assert_eq!(everything_in(&one.dir), before);
    // The disk has room again.
    assert_eq!(infermeter(&line).code, Some(0));
    let verified = infermeter(&format!("verify {}", folder.join("one.tar.gz").display()));
    assert_eq!(verified.code, Some(0), "{verified:#?}");
}

#[test]
fn a_history_that_has_no_room_stays_readable() {
    let scratch = Scratch::new();
    let folder = scratch.path("nightly");
    let file = folder.join("history.jsonl");
    let (one, two) = (run(mock(), ""), run(mock(), "--seed 2"));
    let add = |run: &Run| format!("history add {} {}", folder.display(), run.dir.display());
    let none = with_room_for(1, &add(&one));
    none.fails(2, &["history.jsonl", "File too large"]);
    assert_eq!(std::fs::metadata(&file).expect("there").len(), 0);
    assert_eq!(infermeter(&add(&one)).code, Some(0));
    let before = std::fs::read(&file).expect("there");
    // Room for a part of the second line.
    let full = with_room_for(before.len() as u32 / 1024 + 2, &add(&two));
    full.fails(2, &["history.jsonl", "File too large"]);
    assert_eq!(std::fs::read(&file).expect("there"), before);
    let listed = || infermeter(&format!("history list {} --json", folder.display()));
    let runs = |listed: &crate::process::Ran| -> usize {
        let plans = listed.json()["plans"].clone();
        let plans = plans.as_array().expect("a list").iter();
        plans
            .map(|plan| plan["runs"].as_array().expect("a list").len())
            .sum()
    };
    let list = listed();
    assert_eq!((list.code, runs(&list)), (Some(0), 1), "{list:#?}");
    assert_eq!(infermeter(&add(&two)).code, Some(0));
    assert_eq!(runs(&listed()), 2);
}

#[test]
fn a_directory_that_is_removed_during_the_run_is_named_and_the_report_printed() {
    let scratch = Scratch::new();
    let out = scratch.path("run");
    let dir = out.display().to_string();
    let load = "--rate 50 --duration 2s --warmup 0 --workload fixed:16,4 --threads 1";
    let arguments = words(&format!("run {} {UNPROBED} {load} --out {dir}", mock()));
    let going = Going::start(&arguments);
    let journal = out.join("requests.journal");
    wait_until(|| std::fs::metadata(&journal).is_ok_and(|m| m.len() > 500));
    std::fs::remove_dir_all(&out).expect("removed");
    let ran = going.end();
    ran.fails(3, &[&dir, "was removed while the run"]);
    assert!(!ran.err.contains("first request"), "{}", ran.err);
    assert!(ran.out.starts_with("Verdict: Invalid"), "{}", ran.out);
    assert!(ran.out.contains("record-removed"), "{}", ran.out);
    assert!(ran.out.contains(" completed"), "{}", ran.out);
    assert!(!out.exists());
}

#[test]
fn too_few_descriptors_are_raised_or_named() {
    let scratch = Scratch::new();
    let load = "--requests 150 --warmup 0 --workload fixed:16,4 --threads 1 --quiet";
    let arguments = |name: &str| {
        let out = scratch.path(name).display().to_string();
        words(&format!(
            "run {} {UNPROBED} --concurrency 120 {load} --out {out}",
            mock()
        ))
    };
    let hard = ran(limited("ulimit -n 100", &arguments("hard")));
    hard.fails(
        2,
        &["--concurrency 120", "100 file descriptors", "ulimit -n"],
    );
    assert!(!scratch.path("hard").exists());
    let soft = ran(limited("ulimit -S -n 100", &arguments("soft")));
    assert!(matches!(soft.code, Some(0 | 3)), "{soft:#?}");
    let records = read_records(&scratch.path("soft")).expect("a record");
    let measured = records.iter().filter(|r| r.phase == Phase::Measure);
    let completed = measured.filter(|r| r.outcome == Outcome::Completed);
    assert_eq!(completed.count(), 150, "{soft:#?}");
}
