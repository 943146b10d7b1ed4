//! Limits of the system: a full disk, and too few file descriptors.

use crate::process::{
    LIGHT, Scratch, UNPROBED, files_in, finding, infermeter, limited, manifest, mock, ran, words,
};
use infermeter_core::record::Outcome;
use infermeter_core::schedule::Phase;
use infermeter_record::read_records;

/// A run under a limit on the size of files, which acts as a full disk does: the journal, run.json
/// and the Parquet file cannot grow beyond it.
fn with_room(kib: u32, line: &str, out: &str) -> crate::process::Ran {
    let arguments = words(&format!("run {} {UNPROBED} {line} --out {out}", mock()));
    ran(limited(
        &format!("trap '' XFSZ; ulimit -f {kib}"),
        &arguments,
    ))
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
        2,
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
    ran.fails(
        2,
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
    assert!(matches!(ran.code, Some(2 | 3)), "{ran:#?}");
    assert!(ran.out.starts_with("Verdict: Invalid"), "{}", ran.out);
    for said in ["record-incomplete", "requests.journal", "File too large"] {
        assert!(ran.out.contains(said), "{}", ran.out);
    }
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
