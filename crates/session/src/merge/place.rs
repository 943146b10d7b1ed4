//! Where a merged record goes: into a directory that is made for it, or into the one in which its parts lie.
//!
//! Removes nothing. Invariant: what lies there already and was not merged from ranks of this run is not written over.

use super::Doubts;
use super::parts::Part;
use crate::ranked::{directory_of, folder_around};
use anyhow::{Result, bail};
use infermeter_record::{MANIFEST_FILE, RecordError, RunDirectory, read_manifest};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the result goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A directory that was made for it.
    New,
    /// The directory in which the parts lie.
    AroundParts,
}

impl Place {
    /// That of `out`, which is made where the parts do not lie in it.
    ///
    /// # Errors
    /// When something else is there, or ranks of another run are around it.
    pub(super) fn of(out: &Path, parts: &[Part], doubts: Doubts) -> Result<Self> {
        let whole = canonical(out).filter(|whole| lies_around(whole, parts));
        // A run may lie where its user keeps others in folders of these names, and be merged in its own directory.
        let foreign = folder_around(out).filter(|ranks| whole.as_ref().is_none_or(|w| w == ranks));
        if let Some(ranks) = foreign {
            bail!(
                "{} would lie among the records of ranks in {}: name a directory outside of it",
                out.display(),
                ranks.display()
            );
        }
        match whole {
            None => {
                RunDirectory::create(out)?;
                Ok(Self::New)
            }
            Some(_) if is_replaced(out, parts, doubts) => Ok(Self::AroundParts),
            Some(_) => Err(RecordError::DirectoryExists(out.to_owned()).into()),
        }
    }
}

fn canonical(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

fn lies_around(whole: &Path, parts: &[Part]) -> bool {
    let mut parts = parts.iter().map(|part| canonical(&part.directory));
    parts.all(|part| part.is_some_and(|part| part != whole && part.starts_with(whole)))
}

/// Nothing is there, or what was merged from ranks of this run before; by force, from any ranks.
fn is_replaced(out: &Path, parts: &[Part], doubts: Doubts) -> bool {
    if !out.join(MANIFEST_FILE).exists() {
        return true;
    }
    let Ok(old) = read_manifest(out) else {
        return false;
    };
    let same = parts.iter().any(|part| part.manifest.run_id == old.run_id);
    match old.clients.is_empty() {
        true => same && is_one_rank(out, parts),
        false => same || doubts == Doubts::Note,
    }
}

/// One rank that had the whole load: what is merged from it has no clients.
fn is_one_rank(out: &Path, parts: &[Part]) -> bool {
    let first = canonical(&directory_of(out, 0));
    match parts {
        [one] => one.slice.is_whole() && first.is_some() && canonical(&one.directory) == first,
        _ => false,
    }
}
