//! The seal of a record: a digest of each of its files, so that a later change is seen.
//!
//! Does not judge what was changed, and does not protect against who changes the seal as well.
//! Invariant: a record that was copied, moved or read is unaltered; `run.json` may be laid out anew.

use crate::error::RecordError;
use crate::json_file::text_of_json;
use crate::names::MANIFEST_FILE;
use crate::parquet::PARQUET_FILE;
use crate::parquet::server_metrics::SERVER_METRICS_PARQUET;
use crate::responses::RESPONSES_FILE;
use crate::server_metrics::SERVER_METRICS_FILE;
use crate::spans::SPANS_FILE;
use infermeter_core::run::RunManifest;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The member of `run.json` that holds the digests.
const MEMBER: &str = "seal";

/// Of `run.json` that member alone: nothing else of it is kept in memory.
#[derive(Deserialize)]
struct Sealed {
    seal: Option<BTreeMap<String, String>>,
}

/// Files beside `run.json` that are sealed where they are there.
const SEALED: [&str; 5] = [
    PARQUET_FILE,
    SERVER_METRICS_FILE,
    SERVER_METRICS_PARQUET,
    SPANS_FILE,
    RESPONSES_FILE,
];

/// What became of a sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// Its contents are others.
    Changed,
    /// It is not there.
    Missing,
}

/// What says that files of a record were left out on purpose, or replaced by others without their texts.
pub const LEFT_OUT_FILE: &str = "left-out.json";

/// That file. It accounts for what the seal would call altered, and for nothing else: the rest is compared as ever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// By name: the SHA-256 of the file that stands in place of the sealed one; null where none does.
    pub files: BTreeMap<String, Option<String>>,
}

impl LeftOut {
    /// That of `dir`; empty where there is none.
    pub fn read(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(LEFT_OUT_FILE);
        match text_of_json(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|cause| RecordError::BadManifest { path, cause }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(RecordError::io("read", &path)(error)),
        }
    }

    /// Writes it into `dir`.
    pub fn write(&self, dir: &Path) -> Result<(), RecordError> {
        let path = dir.join(LEFT_OUT_FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|cause| RecordError::NotJson {
            path: path.clone(),
            cause,
        })?;
        fs::write(&path, text).map_err(RecordError::io("write", &path))
    }

    fn explains(&self, name: &str, found: Option<&str>) -> bool {
        name != MANIFEST_FILE
            && self
                .files
                .get(name)
                .is_some_and(|own| own.as_deref() == found)
    }
}

/// The digests of the record's files in `dir`, for the manifest that is written last:
/// [`crate::write_manifest`] adds that of `run.json` itself.
pub fn seal(dir: &Path) -> Result<BTreeMap<String, String>, RecordError> {
    let mut digests = BTreeMap::new();
    for name in SEALED {
        if let Some(digest) = digest_of(&dir.join(name))? {
            digests.insert(name.to_owned(), digest);
        }
    }
    Ok(digests)
}

/// Files of the record in `dir` that are not what they were when it was sealed, by name. Of a record
/// without a seal nothing can be said.
pub fn altered(dir: &Path) -> Result<Vec<(String, Alteration)>, RecordError> {
    let path = dir.join(MANIFEST_FILE);
    let text = text_of_json(&path).map_err(RecordError::io("read", &path))?;
    let manifest: Sealed =
        serde_json::from_slice(&text).map_err(|cause| RecordError::BadManifest { path, cause })?;
    let Some(sealed) = manifest.seal else {
        return Ok(Vec::new());
    };
    let set_aside = LeftOut::read(dir)?;
    let mut altered = Vec::new();
    for (name, digest) in &sealed {
        let found = match name.as_str() {
            MANIFEST_FILE => Some(digest_of_manifest(&text)),
            name if SEALED.contains(&name) => digest_of(&dir.join(name))?,
            // Of a newer version; its name may lead anywhere.
            _ => continue,
        };
        match found {
            found if set_aside.explains(name, found.as_deref()) => {}
            None => altered.push((name.clone(), Alteration::Missing)),
            Some(found) if *digest != found => {
                altered.push((name.clone(), Alteration::Changed));
            }
            Some(_) => {}
        }
    }
    Ok(altered)
}

/// The manifest as JSON, sealed where it carries the digests of the other files.
pub(crate) fn sealed(manifest: &RunManifest) -> serde_json::Result<Vec<u8>> {
    let mut manifest = manifest.clone();
    let seal = manifest.seal.take();
    let unsealed = serde_json::to_vec_pretty(&manifest)?;
    let Some(mut seal) = seal else {
        return Ok(unsealed);
    };
    let digest = hex(&Sha256::digest(compact(&unsealed)));
    seal.insert(MANIFEST_FILE.to_owned(), digest);
    manifest.seal = Some(seal);
    serde_json::to_vec_pretty(&manifest)
}

/// Digest of a manifest's text less its seal, however it is laid out. Numbers stay as they are
/// written: parsed and printed again, the last digit of one may be another.
fn digest_of_manifest(text: &[u8]) -> String {
    let mut text = compact(text);
    // The last member. Inside a string its quotes would have backslashes.
    let member = format!(",\"{MEMBER}\":{{");
    if let Some(at) = text
        .windows(member.len())
        .rposition(|w| w == member.as_bytes())
    {
        text.truncate(at);
        text.push(b'}');
    }
    hex(&Sha256::digest(text))
}

/// JSON without white space between its tokens.
fn compact(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for byte in text {
        if quoted || !byte.is_ascii_whitespace() {
            out.push(*byte);
        }
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
    }
    out
}

/// The SHA-256 of a file, hex; absent where there is none.
pub fn digest_of(path: &Path) -> Result<Option<String>, RecordError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RecordError::io("open", path)(error)),
    };
    let mut file = Hashing::of(file);
    io::copy(&mut file, &mut io::sink()).map_err(RecordError::io("read", path))?;
    Ok(Some(file.digest()))
}

/// A reader that digests what is read through it.
pub(crate) struct Hashing<R> {
    inner: R,
    digest: Sha256,
}

impl<R> Hashing<R> {
    pub(crate) fn of(inner: R) -> Self {
        Self {
            inner,
            digest: Sha256::new(),
        }
    }

    /// The SHA-256 of what was read, hex.
    pub(crate) fn digest(self) -> String {
        hex(&self.digest.finalize())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.digest.update(&into[..n]);
        Ok(n)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{read_manifest, write_manifest};
    use crate::testing::manifest;

    fn record() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(PARQUET_FILE), "rows").expect("written");
        let mut manifest = manifest();
        manifest.seal = Some(seal(dir.path()).expect("sealed"));
        write_manifest(dir.path(), &manifest).expect("written");
        dir
    }

    #[track_caller]
    fn check(dir: &Path, expected: &[(&str, Alteration)]) {
        let found = altered(dir).expect("readable");
        let found: Vec<(&str, Alteration)> = found.iter().map(|(n, a)| (n.as_str(), *a)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_nobody_touched_is_unaltered() {
        let record = record();
        check(record.path(), &[]);
        let again = read_manifest(record.path()).expect("read");
        write_manifest(record.path(), &again).expect("written again");
        check(record.path(), &[]);
        let path = record.path().join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).expect("text");
        fs::write(&path, compact(text.as_bytes())).expect("written in one line");
        check(record.path(), &[]);
    }

    #[test]
    fn a_change_of_any_file_is_seen() {
        let record = record();
        let rows = record.path().join(PARQUET_FILE);
        fs::write(&rows, "rowz").expect("written");
        check(record.path(), &[(PARQUET_FILE, Alteration::Changed)]);
        fs::remove_file(&rows).expect("removed");
        check(record.path(), &[(PARQUET_FILE, Alteration::Missing)]);
        fs::write(&rows, "rows").expect("written");
        let path = record.path().join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).expect("text");
        fs::write(&path, text.replace("localhost:8000", "localhost:9000")).expect("written");
        check(record.path(), &[(MANIFEST_FILE, Alteration::Changed)]);
    }

    #[test]
    fn what_was_left_out_on_purpose_is_no_alteration() {
        let record = record();
        let rows = record.path().join(PARQUET_FILE);
        let left_out = |stands: Option<String>| {
            let files = BTreeMap::from([(PARQUET_FILE.to_owned(), stands)]);
            LeftOut { files }.write(record.path()).expect("written");
        };
        fs::write(&rows, "rows without texts").expect("written");
        left_out(digest_of(&rows).expect("read"));
        check(record.path(), &[]);
        fs::write(&rows, "other rows").expect("written");
        check(record.path(), &[(PARQUET_FILE, Alteration::Changed)]);
        left_out(None);
        check(record.path(), &[(PARQUET_FILE, Alteration::Changed)]);
        fs::remove_file(&rows).expect("removed");
        check(record.path(), &[]);
    }

    #[test]
    fn a_manifest_that_is_longer_than_any_is_not_read() {
        let record = record();
        let path = record.path().join(MANIFEST_FILE);
        let file = File::create(&path).expect("opened");
        file.set_len(crate::json_file::LONGEST_JSON + 1)
            .expect("a hole");
        for error in [
            altered(record.path()).expect_err("too long"),
            read_manifest(record.path()).expect_err("too long"),
        ] {
            assert!(error.to_string().contains("longer than any"), "{error}");
        }
    }

    #[test]
    fn of_a_record_without_a_seal_nothing_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        write_manifest(dir.path(), &manifest()).expect("written");
        check(dir.path(), &[]);
    }
}
