//! Manifests of `launch k8s`, held against the strict schemas of several versions of Kubernetes.
//!
//! No cluster is there, and none is asked. Needs Python and a package index; the package goes below `target`, in the
//! version of `xtask/launchers/requirements.txt`.

use super::{Bench, Outcome, load};
use crate::command::output;
use crate::venv::interpreter;
use anyhow::Result;
use std::process::Command;

/// The oldest that has everything, some between, the newest that the package knows.
const VERSIONS: [&str; 5] = ["1.29.0", "1.31.0", "1.33.0", "1.35.0", "1.37.0"];
/// What holds them against a schema.
const REQUIREMENTS: &str = "xtask/launchers/requirements.txt";
/// An image that nobody fetches.
const IMAGE: &str = "registry.example/infermeter:0.1.0";

/// Launches whose manifests differ in what they have.
const LAUNCHES: [&[&str]; 2] = [
    &[
        "--storage-claim",
        "shared-runs",
        "--namespace",
        "benchmarks",
        "--secret",
        "llm-key",
        "--time",
        "30m",
    ],
    &[
        "--rendezvous",
        "s3://bucket/runs/{launch}",
        "--service-account",
        "writer",
        "--cpu",
        "4",
        "--memory",
        "2Gi",
    ],
];

/// Validates the manifests of every launch by every version.
///
/// # Errors
/// For a manifest that a schema does not take, with what it said.
pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    let packages = ["--requirement", REQUIREMENTS];
    let Some(python) = interpreter("target/launchers", &packages) else {
        let why = "no Python, or no package index: no manifest was held against a schema";
        return Ok(Outcome::LeftOut(why.to_owned()));
    };
    for (index, flags) in LAUNCHES.iter().enumerate() {
        let mut launch = Command::new(&bench.infermeter);
        launch
            .args(["launch", "k8s", "--ranks", "8", "--image", IMAGE])
            .args(*flags)
            .arg("--")
            .args(load::words("http://vllm.serving:8000"));
        let file = bench.directory.join(format!("launch-{index}.yaml"));
        std::fs::write(&file, output(&mut launch)?)?;
        let mut validate = Command::new(&python);
        validate
            .arg("xtask/launchers/validate.py")
            .arg(&file)
            .args(VERSIONS);
        output(&mut validate)?;
    }
    Ok(Outcome::Passed(format!(
        "the manifests of {} launches are as the strict schemas of Kubernetes {} say",
        LAUNCHES.len(),
        VERSIONS.join(", ")
    )))
}
