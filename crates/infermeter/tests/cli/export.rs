//! `infermeter export` and `import`: every kept record in every format, what is refused, and a way there and back.

use crate::process::{LIGHT, Scratch, UNPROBED, files_in, infermeter, limited, mock, ran, words};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Formats whose one file is JSON.
const JSON: [&str; 5] = ["vllm", "vllm-sweep", "llm-d", "inferencex", "bencher"];

/// A copy of a kept record: a report may bring it up to date.
fn kept(scratch: &Scratch, name: &str) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/records")
        .join(name);
    let to = scratch.path(name);
    fs::create_dir_all(&to).expect("a directory");
    for entry in fs::read_dir(from).expect("a record") {
        let path = entry.expect("a file").path();
        if let Some(file) = path.file_name() {
            fs::copy(&path, to.join(file)).expect("copied");
        }
    }
    to.display().to_string()
}

#[test]
fn records_of_all_kinds_and_versions_go_out() {
    let scratch = Scratch::new();
    for name in [
        "open",
        "closed",
        "killed",
        "no-stream",
        "embeddings",
        "sessions",
    ] {
        let run = kept(&scratch, name);
        for format in JSON {
            let out = infermeter(&format!("export {run} --format {format}"));
            assert_eq!(out.code, Some(0), "{name}, {format}: {out:#?}");
            assert!(out.err.contains("leaves out:"), "{}", out.err);
            let value: Value = serde_json::from_str(&out.out).expect("JSON");
            assert!(!value.is_null());
        }
        let junit = infermeter(&format!("export {run} --format junit"));
        assert!(
            junit.out.contains("<testsuites name=\"infermeter\""),
            "{junit:#?}"
        );
        for format in ["csv", "aiperf"] {
            let folder = scratch.path(&format!("{name}-{format}"));
            let out = infermeter(&format!(
                "export {run} --format {format} --out {}",
                folder.display()
            ));
            assert_eq!(out.code, Some(0), "{name}, {format}: {out:#?}");
            assert!(out.out.is_empty());
        }
    }
}

#[test]
fn what_cannot_be_written_or_read_is_refused() {
    let scratch = Scratch::new();
    let run = kept(&scratch, "open");
    let there = scratch.file("there.json", "mine");
    let export = |more: &str| infermeter(&format!("export {run} {more}"));
    export(&format!("--format vllm --out {there}")).fails(2, &["exists", "--force"]);
    assert_eq!(fs::read_to_string(&there).expect("still"), "mine");
    let link = scratch.path("link.json");
    std::os::unix::fs::symlink(&there, &link).expect("a link");
    export(&format!("--format vllm --out {}", link.display())).fails(2, &["exists", "--force"]);
    assert_eq!(fs::read_to_string(&there).expect("still"), "mine");
    let forced = export(&format!("--format vllm --out {there} --force"));
    assert_eq!(forced.code, Some(0), "{forced:#?}");
    export("--format vllm --out /dev/full").fails(2, &["/dev/full", "No space left"]);
    export("--format csv").fails(2, &["--out DIR"]);
    export("--format vlm").fails(2, &["did you mean `vllm`"]);
    export("").fails(2, &["--format is missing", "junit"]);
    export("--format csv --fail-if error_rate>1%").fails(2, &["junit"]);
    infermeter("export --format csv").fails(2, &["DIR is missing"]);
    let empty = scratch.path("empty");
    fs::create_dir_all(&empty).expect("a directory");
    infermeter(&format!("export {} --format vllm", empty.display()))
        .fails(2, &["holds no run", "an experiment"]);
    fs::remove_file(scratch.path("open/requests.parquet")).expect("removed");
    export("--format vllm").fails(2, &["no record"]);
}

#[test]
fn a_full_disk_leaves_all_files_or_none() {
    let scratch = Scratch::new();
    let run = kept(&scratch, "open");
    // Room for the table of runs; those of figures and requests fill the disk with their last bytes (12.1 and
    // 12.2 KiB), once everything is written.
    let export = |more: &str| {
        let arguments = words(&format!("export {run} --format csv {more}"));
        ran(limited("trap '' XFSZ; ulimit -f 12", &arguments))
    };
    let says = ["figures.csv", "File too large"];
    let made = scratch.path("made");
    export(&format!("--out {}", made.display())).fails(2, &says);
    assert!(!made.exists());
    let there = scratch.path("there");
    fs::create_dir_all(&there).expect("a directory");
    fs::write(there.join("runs.csv"), "mine").expect("a file");
    export(&format!("--force --out {}", there.display())).fails(2, &says);
    assert_eq!(files_in(&there), ["runs.csv"]);
    assert_eq!(
        fs::read_to_string(there.join("runs.csv")).expect("still"),
        "mine"
    );
}

#[test]
fn an_experiment_goes_where_several_runs_do() {
    let scratch = Scratch::new();
    let at = scratch.path("twice").display().to_string();
    infermeter(&format!(
        "run {} {LIGHT} {UNPROBED} --repeat 2 --out {at}",
        mock()
    ));
    infermeter(&format!("export {at} --format vllm")).fails(2, &["run-01", "run-02", "csv"]);
    // Other tools' formats have no schema of ours.
    let exported = |format: &str| -> Value {
        let text = infermeter(&format!("export {at} --format {format}")).out;
        serde_json::from_str(&text).expect("JSON")
    };
    let sweep = exported("vllm-sweep");
    let runs: Vec<&Value> = sweep.as_array().expect("a list").iter().collect();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[1]["infermeter_run"], "twice/run-02");
    let bencher = exported("bencher");
    assert_eq!(bencher.as_object().expect("benchmarks").len(), 2);
    let junit = infermeter(&format!(
        "export {at}/run-01 --format junit --fail-if error_rate>1% --baseline {at}/run-02"
    ));
    assert!(junit.out.contains("infermeter.gate"), "{junit:#?}");
}

#[test]
fn an_import_is_a_run() {
    let scratch = Scratch::new();
    let run = kept(&scratch, "open");
    let file = scratch.path("theirs.json").display().to_string();
    infermeter(&format!("export {run} --format vllm --out {file}"));
    let into = scratch.path("imported").display().to_string();
    let imported = infermeter(&format!("import {file} --out {into} --json"));
    assert_eq!(imported.code, Some(0), "{imported:#?}");
    let again = infermeter(&format!("report {into} --json"));
    assert_eq!(
        again.json()["summary"],
        imported.json()["summary"],
        "computed again"
    );
    assert_eq!(again.json()["verdict"], "questionable");
    let codes = again.json()["findings"].to_string();
    assert!(codes.contains("\"imported\""), "{codes}");
    let of = |dir: &str| {
        let value = infermeter(&format!("report {dir} --json")).json();
        value["summary"]["latency"]["ttft"]["send"].clone()
    };
    let (theirs, ours) = (of(&into), of(&run));
    for figure in ["n", "min", "max", "std"] {
        assert_eq!(theirs[figure], ours[figure], "{figure}");
    }
    for command in ["list", "audit", "plot"] {
        let out = infermeter(&format!("{command} {into}"));
        assert!(matches!(out.code, Some(0 | 3)), "{command}: {out:#?}");
    }
    // Nobody knows whether both were sent the same.
    infermeter(&format!("compare {into} {run}")).fails(2, &["--force"]);
    let compared = infermeter(&format!("compare {into} {run} --force"));
    assert!(
        matches!(compared.code, Some(0 | 1 | 3 | 5)),
        "{compared:#?}"
    );
    infermeter(&format!("import {file} --out {into}")).fails(2, &["exists"]);
}

#[test]
fn an_import_without_a_date_is_of_no_day() {
    let scratch = Scratch::new();
    let run = kept(&scratch, "open");
    let file = scratch.path("theirs.json").display().to_string();
    infermeter(&format!("export {run} --format vllm --out {file}"));
    let into = scratch.path("undated").display().to_string();
    assert_eq!(
        infermeter(&format!("import {file} --out {into}")).code,
        Some(0)
    );
    let listed = infermeter(&format!("list {into}"));
    assert!(listed.out.contains("unknown"), "{listed:#?}");
    let listed = infermeter(&format!("list {into} --json")).json();
    assert!(listed["entries"][0]["begun"].is_null(), "{listed:#}");
    let history = scratch.path("history").display().to_string();
    let refused = infermeter(&format!("history add {history} {into}"));
    assert!(
        refused.code == Some(2) && refused.out.contains("--begun"),
        "{refused:#?}"
    );
    let junit = infermeter(&format!("export {into} --format junit"));
    assert!(!junit.out.contains("timestamp="), "{junit:#?}");
    // Whoever knows it says it.
    let dated = scratch.path("dated").display().to_string();
    let import = |begun: &str| infermeter(&format!("import {file} --out {dated} --begun {begun}"));
    import("yesterday").fails(2, &["--begun", "2026-11-20T09:30:00Z"]);
    assert_eq!(import("2026-11-20T10:30:00+01:00").code, Some(0));
    let listed = infermeter(&format!("list {dated} --json")).json();
    assert_eq!(listed["entries"][0]["begun"], "2026-11-20T09:30:00Z");
    let added = infermeter(&format!("history add {history} {dated}"));
    assert_eq!(added.code, Some(0), "{added:#?}");
}

#[test]
fn a_damaged_import_names_the_place_and_leaves_nothing() {
    let scratch = Scratch::new();
    let into = scratch.path("none");
    let import = |name: &str, text: &str| {
        let file = scratch.file(name, text);
        let ran = infermeter(&format!("import {file} --out {}", into.display()));
        assert!(!into.exists(), "{ran:#?}");
        ran
    };
    let line = r#"{"metadata": {"request_start_ns": 1, "benchmark_phase": "profiling"}, "metrics": {"request_latency": {"value": 5, "unit": "ms"}}}"#;
    let bad = line.replace("\"value\": 5", "\"value\": -5");
    import("cut.jsonl", &format!("{line}\n{}", &line[..60])).fails(2, &["line 2"]);
    import("bad.jsonl", &format!("{line}\n{line}\n{bad}")).fails(2, &["request 3", "-5 ms"]);
    let half = line.replace("request_latency", "other");
    import("half.jsonl", &half).fails(2, &["request 1", "neither a TTFT nor an E2E"]);
    import("cut.json", "{\"date\": \"2026\", \"ttfts\": [0.1, ").fails(2, &["line 1"]);
    import("empty.json", "").fails(2, &["empty"]);
    import("other.json", "{\"a\": 1}").fails(2, &["no known format"]);
    let folder = scratch.path("theirs");
    fs::create_dir_all(&folder).expect("a directory");
    let import = |path: &Path| infermeter(&format!("import {}", path.display()));
    import(&folder).fails(2, &["theirs is a folder", "name the file in it"]);
    import(&folder.join("none.json")).fails(2, &["there is no file", "none.json"]);
}
