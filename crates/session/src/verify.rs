//! A run's figures, computed again from its record and compared with those that it states.
//!
//! Changes nothing in its directory. Invariant: a record that would have to be completed first is named, not
//! completed.

use crate::bundle::unfinished;
use crate::kept::KeptRun;
use anyhow::Result;
use infermeter_analysis::{Recomputed, VerifiedFile, VerifiedPart, Versions};
use infermeter_core::text::inert;
use infermeter_record::{Alteration, LeftOut, altered, read_manifest};
use serde_json::{Value, json};
use std::path::Path;

/// Members that say where or when something was.
pub const PASSING: [&str; 2] = ["directory", "goes_on"];

/// Longest reason, bytes.
const MOST_BYTES: usize = 600;

/// A run, verified; `name` is its place in the record.
pub fn run(directory: &Path, name: &str) -> VerifiedPart {
    let part = VerifiedPart {
        name: name.to_owned(),
        stated_by: String::new(),
        recomputed: None,
        unreadable: String::new(),
    };
    match compared(directory) {
        Ok((stated_by, recomputed)) => VerifiedPart {
            stated_by,
            recomputed: Some(recomputed),
            ..part
        },
        Err(error) => VerifiedPart {
            unreadable: inert(&format!("{error:#}"), MOST_BYTES),
            ..part
        },
    }
}

fn compared(directory: &Path) -> Result<(String, Recomputed)> {
    if let Some(why) = unfinished(directory)? {
        anyhow::bail!(
            "{why}: `infermeter report {}` completes it",
            directory.display()
        );
    }
    let stated = read_manifest(directory)?;
    let kept = KeptRun::open(directory)?;
    let observed = kept.manifest.run_findings.clone();
    let judged = kept.judge(None)?.manifest;
    let versions = versions(&stated.infermeter_version);
    let mut found = Recomputed::default();
    let none = Value::Null;
    let summaries =
        [&stated.summary, &judged.summary].map(|summary| summary.as_ref().unwrap_or(&none));
    found.of("/summary", summaries[0], summaries[1], versions, &PASSING);
    found.of(
        "/verdict",
        &json!(stated.verdict),
        &json!(judged.verdict),
        versions,
        &PASSING,
    );
    found.of_findings(&stated.findings, &judged.findings, &observed);
    Ok((stated.infermeter_version, found))
}

/// Whether figures that this version of infermeter states can be told from those of another.
pub fn versions(stated_by: &str) -> Versions {
    match stated_by == env!("CARGO_PKG_VERSION") {
        true => Versions::Same,
        false => Versions::Differ,
    }
}

/// Files of a run that are not what its seal says, and how many are.
///
/// # Errors
/// When they cannot be read.
pub fn seal(directory: &Path, name: &str) -> Result<(u64, Vec<VerifiedFile>)> {
    let sealed = read_manifest(directory)?.seal.map_or(0, |seal| seal.len());
    let left_out = LeftOut::read(directory)?.files.len();
    let altered = altered(directory)?;
    let good = sealed.saturating_sub(left_out + altered.len()) as u64;
    let problems = altered.into_iter().map(|(file, how)| VerifiedFile {
        path: match name.is_empty() {
            true => file,
            false => format!("{name}/{file}"),
        },
        problem: match how {
            Alteration::Changed => "it is not what its run sealed".to_owned(),
            Alteration::Missing => "its run sealed it, and it is not there".to_owned(),
        },
    });
    Ok((good, problems.collect()))
}
