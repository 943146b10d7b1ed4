//! `run.json`: the manifest of a run.
//!
//! Does not decide what is in it. Invariant: the file is whole whenever it is there, and one written
//! by a newer infermeter is refused before its contents are interpreted.

use crate::atomic::{AtomicFile, Room};
use crate::error::RecordError;
use crate::json_file::text_of_json;
use crate::names::MANIFEST_FILE;
use crate::seal::sealed;
use infermeter_core::run::{FORMAT_VERSION, RunManifest};
use serde::Deserialize;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What every version of the file has.
#[derive(Deserialize)]
struct Versioned {
    format_version: u64,
}

/// The name of the room for it.
const ROOM_FILE: &str = "run.json.room";

/// Room for what a run learns: its end, the client's view of itself, findings.
const ROOM_BYTES: usize = 4 << 10;
/// The same for each thread.
const ROOM_BYTES_PER_THREAD: usize = 1 << 10;

/// Room for the last `run.json`, taken when a run begins: a disk that fills up meanwhile must not keep
/// it from saying so.
#[derive(Debug)]
pub struct ManifestRoom(Room);

impl ManifestRoom {
    /// Takes it in `dir`, for a manifest that begins as `first`.
    pub fn take(dir: &Path, first: &RunManifest, threads: usize) -> Result<Self, RecordError> {
        let first = text_of(first, &dir.join(MANIFEST_FILE))?;
        let bytes = first.len() + ROOM_BYTES + threads * ROOM_BYTES_PER_THREAD;
        Ok(Self(Room::take(dir, ROOM_FILE, bytes)?))
    }

    /// [`write_manifest`], in this room.
    pub fn write(self, manifest: &RunManifest) -> Result<(), RecordError> {
        write(AtomicFile::in_room(self.0, MANIFEST_FILE), manifest)
    }
}

/// Removes the room that a killed run left in `dir`.
pub fn free_room(dir: &Path) {
    // It is in nobody's way where it cannot be removed.
    fs::remove_file(dir.join(ROOM_FILE)).ok();
}

/// Writes `run.json` into `dir`, in place of the one there; sealed where the manifest has a seal.
pub fn write_manifest(dir: &Path, manifest: &RunManifest) -> Result<(), RecordError> {
    write(AtomicFile::create(dir, MANIFEST_FILE)?, manifest)
}

fn write(mut file: AtomicFile, manifest: &RunManifest) -> Result<(), RecordError> {
    let path = file.target().to_owned();
    let text = text_of(manifest, &path)?;
    file.write_all(&text)
        .map_err(RecordError::io("write", &path))?;
    file.commit()
}

fn text_of(manifest: &RunManifest, path: &Path) -> Result<Vec<u8>, RecordError> {
    let mut text = sealed(manifest).map_err(|cause| RecordError::NotJson {
        path: path.to_owned(),
        cause,
    })?;
    text.push(b'\n');
    Ok(text)
}

/// Reads `run.json` of `dir`.
pub fn read_manifest(dir: &Path) -> Result<RunManifest, RecordError> {
    let path = dir.join(MANIFEST_FILE);
    let text = text_of_json(&path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => RecordError::NoManifest(dir.to_owned()),
        _ => RecordError::io("read", &path)(cause),
    })?;
    let versioned: Versioned = parse(&text, &path)?;
    if versioned.format_version > u64::from(FORMAT_VERSION) {
        return Err(RecordError::NewerVersion {
            path,
            found: versioned.format_version,
            newest: u64::from(FORMAT_VERSION),
        });
    }
    parse(&text, &path)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a [u8], path: &Path) -> Result<T, RecordError> {
    serde_json::from_slice(text).map_err(|cause| RecordError::BadManifest {
        path: PathBuf::from(path),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::manifest;

    fn check_error(text: &str, expected: &str) {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(MANIFEST_FILE), text).expect("written");
        let error = read_manifest(dir.path()).expect_err("no manifest");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains(MANIFEST_FILE), "{error}");
    }

    #[test]
    fn reads_what_it_writes() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut written = manifest();
        write_manifest(dir.path(), &written).expect("written");
        assert_eq!(read_manifest(dir.path()).expect("read"), written);
        written.run_id = "another".to_owned();
        write_manifest(dir.path(), &written).expect("written over");
        assert_eq!(read_manifest(dir.path()).expect("read"), written);
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn says_what_is_wrong() {
        check_error("{\"format_version\": 1,\n  oops}", "line 2 column 3");
        check_error("{\"format_version\": 1}", "missing field");
        check_error("{}", "missing field `format_version`");
        check_error("{\"format_version\": 99, \"new\": []}", "newer infermeter");
    }

    #[test]
    fn a_directory_without_one_is_no_run() {
        let dir = tempfile::tempdir().expect("a directory");
        let error = read_manifest(dir.path()).expect_err("none there");
        assert!(
            error
                .to_string()
                .ends_with("is not a run directory: no run.json"),
            "{error}"
        );
    }
}
