//! Records of the parts of one run become that run.
//!
//! Each process that shared a load (a rank) left a directory as any run does. Their rows are merged in id order, what they
//! say of themselves is put together, and the result is judged like a run that was just measured: every figure comes from
//! the merged rows, none from figures of a part. Measures nothing and moves no instant. Invariant: of a run that one
//! process could have measured the merged record gives the same figures, to the last bit, but for what concerns the
//! clients themselves.

mod doubts;
mod findings;
mod meeting;
mod missing;
mod parts;
mod whole;

#[cfg(test)]
mod tests;

use crate::finish::{Ended, judged, write_readings};
use anyhow::Result;
use infermeter_core::run::RunManifest;
use infermeter_record::{
    MANIFEST_FILE, MergedRows, PARQUET_FILE, ParquetRecords, RESPONSES_FILE, RecordError, RowsOf,
    RunDirectory, SERVER_METRICS_FILE, SERVER_METRICS_PARQUET, SPANS_FILE, merge_records,
    merge_responses, merge_spans, seal, take_over, write_manifest,
};
use infermeter_sys::limits;
use meeting::Meeting;
use parts::Part;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Descriptors that a record takes while it is read, at most: its file, and a page of it.
const DESCRIPTORS_OF_EACH: u64 = 4;
/// Descriptors beside those.
const DESCRIPTORS: u64 = 64;

/// What becomes of directories that do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubts {
    /// Nothing is merged.
    Refuse,
    /// They are merged all the same, and a finding says so.
    Note,
}

/// Merges the records of ranks, and judges the result; a part may also be a directory that holds those of several
/// ranks. `out` is made, unless the parts lie in it: then what was merged there before is replaced.
///
/// # Errors
/// When a directory holds no rank, they are not of one run, a record cannot be read, or the result cannot be written.
pub fn merge(parts: &[PathBuf], out: &Path) -> Result<Ended> {
    merge_with(parts, out, Doubts::Refuse)
}

/// The same, with a say in what becomes of directories that do not belong together.
///
/// # Errors
/// As [`merge`]; what [`Doubts::Note`] lets through is none.
pub fn merge_with(parts: &[PathBuf], out: &Path, doubts: Doubts) -> Result<Ended> {
    let mut given = parts::given(parts)?;
    given
        .meetings
        .extend(parts::met_in(&out.join(parts::RENDEZVOUS)));
    let mut parts = parts::opened(&given.directories)?;
    let doubted = doubts::of(&parts);
    if let Some(first) = doubted.first().filter(|_| doubts == Doubts::Refuse) {
        anyhow::bail!("{first}");
    }
    if !doubted.is_empty() {
        parts::renumber(&mut parts);
    }
    let place = Place::of(out, &parts)?;
    let merged = fill(out, &parts, &given.meetings, &doubted);
    if merged.is_err() && place == Place::New {
        // What is half a record is none.
        let _ = fs::remove_dir_all(out);
    }
    merged
}

/// Where the result goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A directory that was made for it.
    New,
    /// The directory in which the parts lie.
    AroundParts,
}

impl Place {
    fn of(out: &Path, parts: &[Part]) -> Result<Self> {
        let canonical = |path: &Path| fs::canonicalize(path).ok();
        let inside = canonical(out).is_some_and(|whole| {
            let mut parts = parts.iter().map(|part| canonical(&part.directory));
            parts.all(|part| part.is_some_and(|part| part != whole && part.starts_with(&whole)))
        });
        if !inside {
            RunDirectory::create(out)?;
            return Ok(Self::New);
        }
        // What was merged before is the same once more, or less.
        for name in [
            MANIFEST_FILE,
            PARQUET_FILE,
            RESPONSES_FILE,
            SPANS_FILE,
            SERVER_METRICS_FILE,
            SERVER_METRICS_PARQUET,
        ] {
            remove(&out.join(name))?;
        }
        Ok(Self::AroundParts)
    }
}

fn remove(path: &Path) -> Result<(), RecordError> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(RecordError::Io {
            action: "remove",
            path: path.to_owned(),
            cause,
        }),
        _ => Ok(()),
    }
}

/// Writes rows, what lies beside them, and `run.json`.
fn fill(out: &Path, parts: &[Part], meetings: &[PathBuf], doubted: &[String]) -> Result<Ended> {
    let mut manifest = whole::manifest(parts);
    let rows = rows(out, parts, &manifest)?;
    beside(out, parts, &manifest)?;
    let own = [
        missing::finding(parts, &Meeting::read(meetings)),
        findings::twice(&rows, parts),
        findings::by_force(doubted),
    ];
    manifest.run_findings.extend(own.into_iter().flatten());
    let records = ParquetRecords::open(out)?;
    let mut judged = judged(manifest, out, &records, None)?;
    judged.manifest.seal = Some(seal(out)?);
    write_manifest(out, &judged.manifest)?;
    Ok(Ended {
        judged,
        unwritten: None,
    })
}

fn rows(out: &Path, parts: &[Part], manifest: &RunManifest) -> Result<MergedRows, RecordError> {
    // All of them are open at once.
    limits::raise_fd_limit(DESCRIPTORS + parts.len() as u64 * DESCRIPTORS_OF_EACH);
    let several = !manifest.clients.is_empty();
    let sources: Vec<RowsOf<'_>> = parts
        .iter()
        .map(|part| RowsOf {
            directory: &part.directory,
            client: several.then(|| part.slice.index()),
            addresses: whole::numbers(&part.manifest.addresses, &manifest.addresses),
        })
        .collect();
    merge_records(&sources, out, &manifest.classes)
}

/// Answers and spans of all; what is read of the server once is that of the first that has it.
fn beside(out: &Path, parts: &[Part], manifest: &RunManifest) -> Result<()> {
    let directories: Vec<&Path> = parts.iter().map(|part| part.directory.as_path()).collect();
    let plan = &manifest.plan;
    if plan.save_responses || plan.has_live_history() {
        merge_responses(&directories, out)?;
    }
    merge_spans(&directories, out)?;
    take_over(&directories, out, SERVER_METRICS_FILE)?;
    write_readings(out)
}
