//! Getting a record from the meeting place.
//!
//! Invariant: a file that has its name has the length and the hash that its rank gave it; what is half there has another
//! name, and what was there before is left alone.

use super::MeetingError;
use super::deliver::on;
use super::timed::{file_of, patiently};
use crate::digest::{Known, digest};
use crate::files::names::{LAUNCH, Of, results};
use crate::files::{DeliveredFile, DoneFile, LaunchFile, Owner};
use crate::fresh::fresh;
use crate::store::{Store, StoreError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Gets the record of a rank into a directory, which is made if it is missing. What it has already is not got again.
///
/// # Errors
/// When the rank has left none, or one of another run than the launch there; when a file is not what the rank has left, and
/// when the directory has another one.
pub fn fetch(store: &dyn Store, index: u32, into: &Path) -> Result<(), MeetingError> {
    let place = || store.describe();
    let done: Option<DoneFile> = file_of(store, &Of::Done.name(index))?;
    let done = done.ok_or_else(|| MeetingError::NoRecord {
        place: place(),
        index,
    })?;
    let altered = |what: String| MeetingError::Altered {
        place: place(),
        index,
        what,
    };
    let launch: Option<LaunchFile> = file_of(store, LAUNCH)?;
    let launch = launch
        .ok_or_else(|| altered(format!("{LAUNCH} is gone, and with it which run it is of")))?;
    let run_id = &launch.launch.run_id;
    if let Some(other) = done.owner().instead_of(Owner { index, run_id }) {
        return Err(altered(format!("its mark is {other}")));
    }
    for file in &done.files {
        let target = into.join(&file.name);
        let folder = target.parent().unwrap_or(into);
        fs::create_dir_all(folder).map_err(|cause| on(folder, cause))?;
        if target.exists() {
            is_there(file, &target)?;
            continue;
        }
        let there = format!("{}{}", results(index), file.name);
        let part = patiently(|| {
            let part = Part::beside(&target).map_err(|cause| StoreError::local(&target, cause))?;
            store.get_file(&there, &part.0, file.bytes)?;
            Ok(part)
        })?;
        let known = digest(&part.0).map_err(|cause| on(&part.0, cause))?;
        if let Some(how) = differs(file, &known) {
            return Err(altered(how));
        }
        fs::rename(&part.0, &target).map_err(|cause| on(&target, cause))?;
    }
    Ok(())
}

/// A file that was got before is the same.
fn is_there(file: &DeliveredFile, target: &Path) -> Result<(), MeetingError> {
    let known = digest(target).map_err(|cause| on(target, cause))?;
    match differs(file, &known) {
        None => Ok(()),
        Some(_) => Err(on(
            target,
            io::Error::new(
                io::ErrorKind::AlreadyExists,
                "another file of that name is there: get the record into another directory",
            ),
        )),
    }
}

/// In what a file is not the one that a rank has left.
fn differs(file: &DeliveredFile, known: &Known) -> Option<String> {
    let name = &file.name;
    if known.bytes != file.bytes {
        return Some(format!(
            "{name} has {} bytes and not {}",
            known.bytes, file.bytes
        ));
    }
    (known.sha256 != file.sha256).then(|| format!("{name} has other bytes"))
}

/// A file on its way. Dropped, it is gone, unless it has its name by then.
struct Part(PathBuf);

impl Part {
    fn beside(target: &Path) -> io::Result<Self> {
        Ok(Self(target.with_file_name(format!(".get-{}", fresh()?))))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
