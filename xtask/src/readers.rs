//! `cargo xtask readers`: exports are opened by the readers that people use: pandas, junitparser, llm-d's model and
//! its JSON Schema.
//!
//! Needs Python and a package index; without them nothing is opened, which is said. The packages go below `target`,
//! in the versions of `xtask/readers/requirements.txt`.

use crate::ci::scratch_directory;
use crate::command::succeed;
use crate::running::{PROGRAM, build_program};
use crate::venv::interpreter;
use anyhow::Result;
use std::process::{Command, Stdio};

/// A run that an earlier version wrote, with every phase and a few hundred requests.
const RECORD: &str = "crates/infermeter/tests/records/open";
/// The readers.
const REQUIREMENTS: &str = "xtask/readers/requirements.txt";

/// Exports a record and opens what came of it.
pub fn run() -> Result<()> {
    let packages = ["--requirement", REQUIREMENTS];
    let Some(python) = interpreter("target/readers", &packages) else {
        println!("    no Python, or no package index: no export was opened");
        return Ok(());
    };
    build_program()?;
    let directory = scratch_directory("readers");
    let record = directory.join("record");
    std::fs::create_dir_all(&record)?;
    for entry in std::fs::read_dir(RECORD)? {
        let path = entry?.path();
        if let Some(file) = path.file_name() {
            std::fs::copy(&path, record.join(file))?;
        }
    }
    let mut check = Command::new(python);
    check.arg("xtask/readers/check.py");
    for (format, name) in [
        ("csv", "tables"),
        ("junit", "junit.xml"),
        ("llm-d", "report.json"),
    ] {
        let out = directory.join(name);
        let mut export = Command::new(PROGRAM);
        export
            .arg("export")
            .arg(&record)
            .args(["--format", format, "--out"]);
        succeed(export.arg(&out).stderr(Stdio::null()))?;
        check.arg(out);
    }
    succeed(&mut check)
}
