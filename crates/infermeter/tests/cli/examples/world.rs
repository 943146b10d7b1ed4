//! The files that the book's commands name, in a folder for each page that is run.

use crate::process::{Scratch, command, mock, ran, words};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Directories of runs: all of them are one record that an earlier version wrote.
const RUNS: [&str; 7] = [
    "runs/20261122-133000-1a2b3c4d",
    "runs/20261122-155153-c4f7eb02",
    "runs/a",
    "runs/one",
    "runs/today",
    "runs/before",
    "runs/after",
];
const RECORD: &str = "crates/infermeter/tests/records/open";

/// Directories of sweeps: all of them are one that is measured once.
const SWEEPS: [&str; 4] = ["runs/sweep-a", "runs/sweep", "runs/open", "runs/closed"];

/// Files, and which of the repository's they are.
const FILES: [(&str, &str); 10] = [
    ("result.json", "crates/audit/tests/golden/vllm.json"),
    ("baseline.json", "crates/audit/tests/golden/vllm.json"),
    (
        "candidate.json",
        "crates/audit/tests/golden/vllm-plain.json",
    ),
    ("results/one.json", "crates/audit/tests/golden/vllm.json"),
    (
        "results/two.jsonl",
        "crates/audit/tests/golden/sglang.jsonl",
    ),
    (
        "profile_export.jsonl",
        "crates/audit/tests/golden/aiperf-requests.jsonl",
    ),
    ("azure.csv", "fuzz/seeds/trace/plain.csv"),
    (
        "conversation_trace.jsonl",
        "fuzz/seeds/trace/mooncake.jsonl",
    ),
    ("prompts.jsonl", "fuzz/seeds/trace/prompts.jsonl"),
    ("logs/spans.jsonl", "fuzz/seeds/logs/spans-otlp.jsonl"),
];

/// Files of a line or two.
const TEXTS: [(&str, &str); 1] = [("night.csv", "input_tokens,output_tokens\n40,8\n200,16\n")];

/// Lays everything into a folder.
pub fn lay(folder: &Path) {
    for run in RUNS {
        for file in ["run.json", "requests.parquet", "server-metrics.jsonl"] {
            copy(
                &Path::new(ROOT).join(RECORD).join(file),
                &folder.join(run).join(file),
            );
        }
    }
    for sweep in SWEEPS {
        copy_all(&measured().path("sweep"), &folder.join(sweep));
    }
    for (name, from) in FILES {
        copy(&Path::new(ROOT).join(from), &folder.join(name));
    }
    for (name, text) in TEXTS {
        fs::write(folder.join(name), text).expect("written");
    }
}

/// A folder with a sweep of a few requests.
fn measured() -> &'static Scratch {
    static SWEEP: OnceLock<Scratch> = OnceLock::new();
    SWEEP.get_or_init(|| {
        let scratch = Scratch::new();
        let out = scratch.path("sweep");
        let line = format!(
            "sweep {} --rates 20,40,80 --requests 10 --warmup 0 --workload fixed:16,4 --quiet --out {}",
            mock(),
            out.display()
        );
        let swept = ran(command(&words(&line)));
        assert!(out.join("sweep.json").exists(), "{swept:?}");
        scratch
    })
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy_all(&path, &name),
            false => copy(&path, &name),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("created");
    fs::copy(from, to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
}
