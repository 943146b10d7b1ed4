//! Which directories are merged, and what is in them.
//!
//! Compares none with another. Invariant: the parts are in the order of their slices, and each has a record that can be
//! read to its end: a journal that a killed rank left was made into one.

use crate::directories::names_in;
use crate::kept::KeptRun;
use crate::ranked::{RENDEZVOUS, is_of_ranks, rank_directories, ranks_in};
use anyhow::{Context, Result, bail};
use infermeter_core::run::RunManifest;
use infermeter_core::schedule::Slice;
use infermeter_ranks::meeting::{LAUNCH, gathering, results};
use infermeter_ranks::store;
use infermeter_record::MANIFEST_FILE;
use std::path::{Path, PathBuf};

/// The record of one part of a load.
#[derive(Debug)]
pub(super) struct Part {
    /// Where it is.
    pub(super) directory: PathBuf,
    /// What it says of itself, with its end.
    pub(super) manifest: RunManifest,
    /// Which part.
    pub(super) slice: Slice,
}

impl Part {
    /// The directory, for messages.
    pub(super) fn shown(&self) -> String {
        self.directory.display().to_string()
    }
}

/// What was named.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Directories of ranks.
    pub(super) directories: Vec<PathBuf>,
    /// Folders in which ranks have met.
    pub(super) meetings: Vec<PathBuf>,
}

/// The directories of ranks that these are, or hold.
///
/// # Errors
/// For one that neither is one nor holds one.
pub(super) fn given(paths: &[PathBuf]) -> Result<Given> {
    let mut given = Given::default();
    for path in paths {
        if !path.is_dir() {
            bail!(
                "{} is not a directory: name those that the ranks wrote, or the one that holds them",
                path.display()
            );
        }
        if path.join(LAUNCH).is_file() {
            given.meetings.push(path.clone());
            given.directories.extend(some(path, delivered(path)?)?);
        } else if is_of_ranks(path) {
            given.meetings.extend(met_in(&path.join(RENDEZVOUS)));
            let ranks = rank_directories(path)?;
            given.directories.extend(some(path, ranks)?);
        } else if path.join(MANIFEST_FILE).is_file() {
            given.meetings.extend(path.parent().and_then(met_in));
            given.directories.push(path.clone());
        } else {
            given.directories.extend(some(path, below(path)?)?);
        }
    }
    Ok(given)
}

/// The folder, where ranks have met there.
pub(super) fn met_in(folder: &Path) -> Option<PathBuf> {
    folder.join(LAUNCH).is_file().then(|| folder.to_owned())
}

fn some(path: &Path, found: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    if found.is_empty() {
        bail!(
            "{} holds no record of a rank: name the directories that the ranks wrote",
            path.display()
        );
    }
    Ok(found)
}

/// Directories in this one that hold a run.
fn below(path: &Path) -> Result<Vec<PathBuf>> {
    let ranks = ranks_in(path)?;
    if !ranks.is_empty() {
        return Ok(ranks);
    }
    let names = names_in(path)?.into_iter();
    let found = names.map(|name| path.join(name));
    Ok(found
        .filter(|directory| directory.join(MANIFEST_FILE).is_file())
        .collect())
}

/// Records that were left where ranks have met, to their last file.
fn delivered(path: &Path) -> Result<Vec<PathBuf>> {
    let store = store::folder(path)?;
    let seen = gathering(&*store)?;
    let left = seen
        .map(|seen| seen.delivered)
        .unwrap_or_default()
        .into_iter();
    let found = left.map(|one| path.join(results(one.index).trim_end_matches('/')));
    Ok(found
        .filter(|directory| directory.join(MANIFEST_FILE).is_file())
        .collect())
}

/// Opens each, in the order of their slices.
///
/// # Errors
/// When one cannot be read.
pub(super) fn opened(directories: &[PathBuf]) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for directory in directories {
        let of = || format!("{}", directory.display());
        let manifest = KeptRun::open(directory)
            .and_then(KeptRun::into_manifest)
            .with_context(of)?;
        if !manifest.clients.is_empty() {
            bail!(
                "{} is merged already: name the directories of its ranks",
                directory.display()
            );
        }
        parts.push(Part {
            directory: directory.clone(),
            slice: slice_of(&manifest),
            manifest,
        });
    }
    parts.sort_by_key(|part| part.slice.index());
    Ok(parts)
}

/// The part of the load that a record is of.
fn slice_of(manifest: &RunManifest) -> Slice {
    let schedule = manifest.schedule.map(|facts| facts.slice);
    let rank = manifest.rank.as_ref().map(|rank| rank.slice);
    schedule.or(rank).unwrap_or(Slice::WHOLE)
}

/// Numbers parts anew that are not those of one load: as many as there are, in the order in which they come.
pub(super) fn renumber(parts: &mut [Part]) {
    let of = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let unlike = parts.iter().any(|part| part.slice.of() != of);
    let twice = parts.windows(2).any(|two| two[0].slice == two[1].slice);
    if unlike || twice {
        for (part, slice) in parts.iter_mut().zip(Slice::all(of)) {
            part.slice = slice;
        }
    }
}
