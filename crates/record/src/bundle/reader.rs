//! Unpacks a bundle that may come from anyone.
//!
//! Invariants: only plain files with plain paths are unpacked, each once and no longer than the list says; before
//! the list is read and its lengths are accepted nothing is written.

use super::error::BundleError;
use super::{BUNDLE_FILE, BUNDLE_VERSION, BundleManifest, BundledFile, FileProblem, is_plain};
use crate::error::RecordError;
use crate::json_file::{LONGEST_JSON, is_read_whole};
use crate::seal::Hashing;
use flate2::bufread::GzDecoder;
use infermeter_core::text::inert;
use serde::Deserialize;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::rc::Rc;

/// Most files of a bundle.
const MOST_FILES: usize = 20_000;
/// Most files that are in the archive and not in the list. Each is named.
const MOST_UNLISTED: usize = 1_000;
/// Longest list of a bundle's files, bytes.
const LONGEST_LIST: u64 = 16 << 20;
/// Most that all files may come to: a hundred million chunks are about 2 GiB.
const MOST_BYTES: u64 = 64 << 30;
/// Up to here nobody asks how well an archive compresses.
const UNSUSPICIOUS: u64 = 1 << 30;
/// Beyond that, no more than so many times the archive's own length: rows are compressed already.
const MOST_TIMES: u64 = 100;
/// Most that a header and padding take for each file; the end of an archive is padded to twenty blocks.
const AROUND_A_FILE: u64 = 16 << 10;

/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A bundle that was unpacked.
#[derive(Debug, Clone, PartialEq)]
pub struct Unpacked {
    /// What it says of itself.
    pub manifest: BundleManifest,
    /// Files that are not what it says.
    pub problems: Vec<(String, FileProblem)>,
}

/// Unpacks `archive` into `into`, an empty directory.
///
/// # Errors
/// For whatever is no bundle, reaches out of that directory, or is more than is accepted.
pub fn unpack(archive: &Path, into: &Path) -> Result<Unpacked, BundleError> {
    let file = File::open(archive).map_err(RecordError::io("open", archive))?;
    let length = file.metadata().map_err(RecordError::io("read", archive))?;
    unpack_from(BufReader::new(file), length.len(), archive, into)
}

/// The same of bytes that are `length` long; `archive` is what messages call them.
///
/// # Errors
/// As [`unpack`].
pub(crate) fn unpack_from(
    mut bytes: impl BufRead,
    length: u64,
    archive: &Path,
    into: &Path,
) -> Result<Unpacked, BundleError> {
    let damaged = BundleError::damaged(archive);
    let begins = bytes.fill_buf().map_err(&damaged)?.starts_with(&GZIP);
    if !begins {
        return Err(BundleError::NotABundle(archive.to_owned()));
    }
    let left = Rc::new(Cell::new(LONGEST_LIST + AROUND_A_FILE));
    let mut tar = tar::Archive::new(Capped {
        inner: GzDecoder::new(bytes),
        left: Rc::clone(&left),
    });
    let unpacking = Unpacking {
        archive,
        into,
        length,
    };
    let mut entries = tar.entries().map_err(&damaged)?.raw(true);
    let first = entries.next().transpose().map_err(&damaged)?;
    let listed = unpacking.list(first)?;
    // Everything that comes now is bounded by what the list says.
    left.set(listed.bytes + AROUND_A_FILE * (listed.manifest.files.len() as u64 + 2));
    let awaited = listed.awaited();
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(&damaged)?;
        match unpacking.file(entry, &awaited, &mut seen)? {
            Some((_, FileProblem::Unlisted)) if problems.len() >= MOST_UNLISTED => {
                return Err(unpacking.too_large(format!(
                    "it has more than {MOST_UNLISTED} files that are not what its list says"
                )));
            }
            problem => problems.extend(problem),
        }
    }
    let mut rest = tar.into_inner();
    // The sum at the end of the archive is compared where its end is read.
    io::copy(&mut rest, &mut io::sink()).map_err(&damaged)?;
    let mut behind = rest.inner.into_inner();
    if !behind.fill_buf().map_err(&damaged)?.is_empty() {
        return Err(damaged(io::Error::other("something stands behind its end")));
    }
    let all = listed.manifest.files.iter().map(|file| &file.path);
    let missing = all.filter(|path| !seen.contains(*path));
    problems.extend(missing.map(|path| (path.clone(), FileProblem::Missing)));
    problems.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Unpacked {
        manifest: listed.manifest,
        problems,
    })
}

/// The list of a bundle, and what its files come to.
struct Listed {
    /// The directory that all paths begin with.
    top: String,
    manifest: BundleManifest,
    bytes: u64,
}

/// The files that may come.
struct Awaited<'a> {
    top: &'a str,
    by_path: BTreeMap<&'a str, &'a BundledFile>,
}

impl Listed {
    fn awaited(&self) -> Awaited<'_> {
        let files = self.manifest.files.iter();
        Awaited {
            top: &self.top,
            by_path: files.map(|file| (file.path.as_str(), file)).collect(),
        }
    }
}

/// What every version of the list has.
#[derive(Deserialize)]
struct Versioned {
    format_version: u64,
}

struct Unpacking<'a> {
    archive: &'a Path,
    into: &'a Path,
    length: u64,
}

type Entry<'a, R> = tar::Entry<'a, Capped<R>>;

impl Unpacking<'_> {
    fn list<R: Read>(&self, entry: Option<Entry<'_, R>>) -> Result<Listed, BundleError> {
        let none = || BundleError::NotABundle(self.archive.to_owned());
        let mut entry = entry.ok_or_else(none)?;
        let path = self.plain(&entry)?;
        let top = path
            .strip_suffix(BUNDLE_FILE)
            .and_then(|top| top.strip_suffix('/'));
        let top = top.filter(|top| !top.contains('/')).ok_or_else(none)?;
        if entry.size() > LONGEST_LIST {
            return Err(self.too_large(format!("{BUNDLE_FILE} is longer than that of any record")));
        }
        let mut text = Vec::new();
        let damaged = BundleError::damaged(self.archive);
        entry.read_to_end(&mut text).map_err(damaged)?;
        let manifest = self.parsed(&text)?;
        Ok(Listed {
            top: top.to_owned(),
            bytes: self.accepted(&manifest.files)?,
            manifest,
        })
    }

    fn parsed(&self, text: &[u8]) -> Result<BundleManifest, BundleError> {
        let bad = |cause: serde_json::Error| self.bad_list(inert(&cause.to_string(), 300));
        let Versioned { format_version } = serde_json::from_slice(text).map_err(bad)?;
        if format_version > u64::from(BUNDLE_VERSION) {
            return Err(BundleError::NewerVersion {
                path: self.archive.to_owned(),
                found: format_version,
            });
        }
        serde_json::from_slice(text).map_err(bad)
    }

    /// What the files come to, where that is accepted.
    fn accepted(&self, files: &[BundledFile]) -> Result<u64, BundleError> {
        if files.len() > MOST_FILES {
            return Err(self.too_large(format!("it has more than {MOST_FILES} files")));
        }
        let mut paths = BTreeSet::new();
        let mut bytes: u64 = 0;
        for file in files {
            if !is_plain(&file.path) {
                return Err(BundleError::entry(self.archive, &file.path, NOT_PLAIN));
            }
            let name = file.path.rsplit('/').next().unwrap_or_default();
            if is_read_whole(name) && file.bytes > LONGEST_JSON {
                return Err(self.too_large(format!(
                    "its {} has {} bytes, and {LONGEST_JSON} is the most that is accepted of such a file",
                    file.path, file.bytes
                )));
            }
            if !paths.insert(&file.path) {
                return Err(self.bad_list(format!("it has {} twice", file.path)));
            }
            bytes = bytes.saturating_add(file.bytes);
        }
        let most = MOST_BYTES.min(UNSUSPICIOUS.max(self.length.saturating_mul(MOST_TIMES)));
        match bytes > most {
            true => Err(self.too_large(format!(
                "its {} bytes unpack to {bytes}, and {most} is the most that is accepted of such an archive",
                self.length
            ))),
            false => Ok(bytes),
        }
    }

    /// Unpacks an entry. What is not as the list says is a problem, unless it is more than that.
    fn file<R: Read>(
        &self,
        entry: Entry<'_, R>,
        awaited: &Awaited<'_>,
        seen: &mut BTreeSet<String>,
    ) -> Result<Option<(String, FileProblem)>, BundleError> {
        let whole = self.plain(&entry)?;
        let path = whole
            .strip_prefix(awaited.top)
            .and_then(|p| p.strip_prefix('/'));
        let Some(path) = path.filter(|path| *path != BUNDLE_FILE) else {
            return Err(BundleError::entry(
                self.archive,
                &whole,
                "lies outside of its directory",
            ));
        };
        let Some(file) = awaited.by_path.get(path) else {
            return Ok(Some((path.to_owned(), FileProblem::Unlisted)));
        };
        if !seen.insert(path.to_owned()) {
            return Err(BundleError::entry(self.archive, path, "is in it twice"));
        }
        if entry.size() > file.bytes {
            return Err(BundleError::entry(
                self.archive,
                path,
                "is longer than the list says",
            ));
        }
        let digest = self.put(entry, path)?;
        Ok((digest != file.sha256).then(|| (path.to_owned(), FileProblem::Changed)))
    }

    /// Writes a file; its digest.
    fn put(&self, entry: impl Read, path: &str) -> Result<String, BundleError> {
        // Nobody knows the place that it is unpacked to, and it is soon gone.
        let unpack = RecordError::io_of("unpack", self.archive);
        let target = self.into.join(path);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(&unpack)?;
        }
        let mut file = File::create_new(&target).map_err(&unpack)?;
        let mut entry = Hashing::of(entry);
        let mut piece = vec![0; 1 << 16];
        loop {
            let n = entry
                .read(&mut piece)
                .map_err(BundleError::damaged(self.archive))?;
            if n == 0 {
                return Ok(entry.digest());
            }
            file.write_all(&piece[..n]).map_err(&unpack)?;
        }
    }

    /// The path of an entry that is a plain file with a plain path.
    fn plain<R: Read>(&self, entry: &Entry<'_, R>) -> Result<String, BundleError> {
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let problem = match entry.header().entry_type() {
            tar::EntryType::Regular if is_plain(&path) => return Ok(path),
            tar::EntryType::Regular if climbs(&path) => "leads out of the archive",
            tar::EntryType::Regular => NOT_PLAIN,
            tar::EntryType::Symlink | tar::EntryType::Link => "is a link",
            _ => "is not a plain file",
        };
        Err(BundleError::entry(self.archive, &path, problem))
    }

    fn too_large(&self, problem: String) -> BundleError {
        BundleError::TooLarge {
            path: self.archive.to_owned(),
            problem,
        }
    }

    fn bad_list(&self, problem: String) -> BundleError {
        BundleError::BadList {
            path: self.archive.to_owned(),
            problem,
        }
    }
}

const NOT_PLAIN: &str = "has a path that no file of a bundle has";

fn climbs(path: &str) -> bool {
    path.starts_with('/') || path.split('/').any(|name| name == "..")
}

/// A reader that gives so many bytes and then fails, where the end of the archive should have come.
struct Capped<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        // One byte beyond tells an archive that ends here from one that goes on.
        let n = match most {
            0 => self.inner.read(&mut [0])?,
            most => self.inner.read(&mut into[..most])?,
        };
        match most {
            0 if n > 0 => Err(io::Error::other("it unpacks to more than its list says")),
            _ => {
                self.left.set(left - n as u64);
                Ok(n)
            }
        }
    }
}
