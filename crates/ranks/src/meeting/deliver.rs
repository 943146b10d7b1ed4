//! Leaving a record at the meeting place: every file of a run directory, and a mark last.
//!
//! Invariant: where the mark is, all files were there before it, with the lengths and hashes that it names.

use super::timed::patiently;
use super::{Meeting, MeetingError};
use crate::digest::digest;
use crate::files::names::{Of, results};
use crate::files::{DeliveredFile, DoneFile, FORMAT_VERSION, checked_name};
use crate::store::Put;
use infermeter_core::clock::realtime_ns;
use infermeter_core::text::inert;
use std::fs;
use std::io;
use std::path::Path;

/// Most bytes of a path in a message.
const SHOWN_BYTES: usize = 300;

/// Leaves the files of a directory, and says so.
///
/// # Errors
/// When a file cannot be read or not be left there.
pub(super) fn deliver(meeting: &Meeting, directory: &Path) -> Result<(), MeetingError> {
    let mut names = Vec::new();
    names_in(directory, "", &mut names)?;
    names.sort_unstable();
    let (index, mut files) = (meeting.index(), Vec::with_capacity(names.len()));
    for name in names {
        let path = directory.join(&name);
        let known = digest(&path).map_err(|cause| on(&path, cause))?;
        let there = format!("{}{name}", results(index));
        patiently(|| meeting.store().put_file(&there, &path))?;
        files.push(DeliveredFile {
            name,
            bytes: known.bytes,
            sha256: known.sha256,
        });
    }
    let done = DoneFile {
        format_version: FORMAT_VERSION,
        run_id: meeting.launch.launch.run_id.clone(),
        index,
        of: meeting.launch.of,
        done_unix_ns: realtime_ns(),
        files,
        clock_at_end: meeting.clocks.at_end(),
    };
    let name = Of::Done.name(index);
    let there: Option<DoneFile> = match meeting.timed.put(&name, &done)? {
        Put::New => return Ok(()),
        Put::Taken => meeting.timed.get(&name)?,
    };
    // It has been left before: that is well if it was the same.
    match there.is_some_and(|there| there.files == done.files) {
        true => Ok(()),
        false => Err(MeetingError::Altered {
            place: meeting.timed.place(),
            index,
            what: "other files were left there before".to_owned(),
        }),
    }
}

/// Adds the names of the files of a directory and of those below it, but of hidden ones.
fn names_in(directory: &Path, before: &str, names: &mut Vec<String>) -> Result<(), MeetingError> {
    let error = |cause: io::Error| on(directory, cause);
    for entry in fs::read_dir(directory).map_err(error)? {
        let entry = entry.map_err(error)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{before}{name}");
        if let Err(why) = checked_name(&name) {
            let why = io::Error::other(format!(
                "its name cannot be used at a meeting place: it {why}"
            ));
            return Err(on(&path, why));
        }
        match fs::metadata(&path)
            .map_err(|cause| on(&path, cause))?
            .is_dir()
        {
            true => names_in(&path, &format!("{name}/"), names)?,
            false => names.push(name),
        }
    }
    Ok(())
}

/// What the system says of a file of this host.
pub(super) fn on(path: &Path, cause: io::Error) -> MeetingError {
    MeetingError::System {
        what: inert(&path.display().to_string(), SHOWN_BYTES),
        cause,
    }
}
