//! Records of the parts of one run become that run.
//!
//! Each process that shared a load (a rank) left a directory as any run does. Their rows are merged in id order, what they
//! say of themselves is put together, and the result is judged like a run that was just measured: every figure comes from
//! the merged rows, none from figures of a part. Measures nothing and moves no instant. Invariant: of a run that one
//! process could have measured the merged record gives the same figures, to the last bit, but for what concerns the
//! clients themselves.

mod doubts;
mod drain;
mod findings;
mod meeting;
mod missing;
mod parts;
mod place;
mod whole;

#[cfg(test)]
mod tests;

use crate::finish::{Ended, judged, write_readings};
use crate::ranked::RENDEZVOUS;
use anyhow::Result;
use drain::Ends;
use infermeter_core::run::RunManifest;
use infermeter_record::{
    MergedRows, ParquetRecords, RecordError, RowsOf, SERVER_METRICS_FILE, SERVER_METRICS_PARQUET,
    merge_records, merge_responses, merge_spans, seal, take_away, take_over, write_manifest,
};
use infermeter_sys::limits;
use meeting::Meeting;
use parts::Part;
use place::Place;
use std::fs;
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
/// ranks. `out` is made, unless the parts lie in it: then what was merged from ranks of this run there before is replaced.
///
/// # Errors
/// When a directory holds no rank, they are not of one run, a record cannot be read, `out` holds something else, or the
/// result cannot be written.
pub fn merge(parts: &[PathBuf], out: &Path) -> Result<Ended> {
    merge_with(parts, out, Doubts::Refuse)
}

/// The same, with a say in what becomes of directories that do not belong together.
///
/// # Errors
/// As [`merge`]; what [`Doubts::Note`] lets through is none.
pub fn merge_with(parts: &[PathBuf], out: &Path, doubts: Doubts) -> Result<Ended> {
    let mut given = parts::given(parts)?;
    given.meetings.extend(parts::met_in(&out.join(RENDEZVOUS)));
    let mut parts = parts::opened(&given.directories)?;
    let doubted = doubts::of(&parts);
    if let Some(first) = doubted.first().filter(|_| doubts == Doubts::Refuse) {
        anyhow::bail!("{first}");
    }
    if !doubted.is_empty() {
        parts::renumber(&mut parts);
    }
    let place = Place::of(out, &parts, doubts)?;
    let merged = fill(out, &parts, &given.meetings, &doubted);
    if merged.is_err() && place == Place::New {
        // What is half a record is none.
        let _ = fs::remove_dir_all(out);
    }
    merged
}

/// Writes rows, what lies beside them, and `run.json` last: where one of them cannot be written, what was merged there
/// before is still called what it was.
fn fill(out: &Path, parts: &[Part], meetings: &[PathBuf], doubted: &[String]) -> Result<Ended> {
    let mut manifest = whole::manifest(parts);
    let ends = Ends::of(parts);
    let rows = rows(out, parts, &manifest, &ends)?;
    beside(out, parts)?;
    let own = [
        missing::finding(parts, &Meeting::read(meetings)),
        ends.finding(&rows),
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

fn rows(
    out: &Path,
    parts: &[Part],
    manifest: &RunManifest,
    ends: &Ends,
) -> Result<MergedRows, RecordError> {
    // All of them are open at once.
    limits::raise_fd_limit(DESCRIPTORS + parts.len() as u64 * DESCRIPTORS_OF_EACH);
    let several = !manifest.clients.is_empty();
    let sources: Vec<RowsOf<'_>> = parts
        .iter()
        .map(|part| RowsOf {
            directory: &part.directory,
            client: several.then(|| part.slice.index()),
            addresses: whole::numbers(&part.manifest.addresses, &manifest.addresses),
            others_end: ends.before(part.slice.index()),
        })
        .collect();
    merge_records(&sources, out, &manifest.classes)
}

/// Answers and spans of all; what is read of the server once is that of the first that has it. Of what was merged there
/// before nothing stays.
fn beside(out: &Path, parts: &[Part]) -> Result<()> {
    let directories: Vec<&Path> = parts.iter().map(|part| part.directory.as_path()).collect();
    merge_responses(&directories, out)?;
    merge_spans(&directories, out)?;
    take_over(&directories, out, SERVER_METRICS_FILE)?;
    // It is made of that file.
    take_away(out, SERVER_METRICS_PARQUET)?;
    write_readings(out)
}
