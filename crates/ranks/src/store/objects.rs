//! An object store: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.
//!
//! Keys and addresses come from the environment, as the providers' own programs read them. A store answers in some ten
//! milliseconds, one question after the other. Invariant: a name is created under the condition that it does not exist, by
//! the store itself.

use super::error::{checked, checked_prefix};
use super::{MOST_BYTES, Put, Store, StoreError};
use infermeter_core::text::inert;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as Key;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig, WriteMultipart,
};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Bytes that are sent or fetched at a time. Providers take at most 10,000 parts of an object: 160 GB.
const PIECE: usize = 16 << 20;
/// Parts that are on their way at once.
const AT_ONCE: usize = 4;
/// How often a name that is neither free nor there is asked for again: another is just being given it.
const TRIES: u32 = 8;
/// How long a question is repeated that a store does not answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often.
const MOST_RETRIES: usize = 5;
/// Most bytes of what a store says.
const SAID_BYTES: usize = 400;

/// A prefix in an object store.
#[derive(Debug)]
pub(super) struct Objects {
    url: String,
    /// What the names stand below.
    prefix: Key,
    store: Box<dyn ObjectStore>,
    runtime: Runtime,
}

impl Objects {
    /// Opens a prefix; nothing is asked of the store yet.
    ///
    /// # Errors
    /// When the environment lacks what the provider needs.
    pub(super) fn open(url: &str) -> Result<Self, StoreError> {
        let other = |cause: String| StoreError::Other {
            place: inert(url, SAID_BYTES),
            doing: "to open the object store".to_owned(),
            cause: inert(&cause, SAID_BYTES),
        };
        let runtime = Builder::new_current_thread().enable_all().build();
        let path = url.split_once("://").map_or("", |(_, rest)| rest);
        let prefix = path.split_once('/').map_or("", |(_, prefix)| prefix);
        Ok(Self {
            url: url.to_owned(),
            prefix: Key::parse(prefix).map_err(|error| other(error.to_string()))?,
            store: provider(url).map_err(|error| other(error.to_string()))?,
            runtime: runtime.map_err(|error| other(error.to_string()))?,
        })
    }

    fn key(&self, name: &str) -> Key {
        let below = |key: Key, part: &str| key.join(part);
        name.split('/').fold(self.prefix.clone(), below)
    }

    fn error(&self, doing: String, cause: &Error) -> StoreError {
        let (place, said) = (self.describe(), whole(cause));
        match cause {
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StoreError::Rights {
                place,
                doing,
                cause: said,
            },
            _ => StoreError::Other {
                place,
                doing,
                cause: said,
            },
        }
    }

    async fn got(&self, key: &Key) -> Result<Option<object_store::GetResult>, Error> {
        match self.store.get(key).await {
            Err(Error::NotFound { .. }) => Ok(None),
            got => got.map(Some),
        }
    }

    /// Whether what is there is what was to be put: a store may have done what it was asked and its answer been lost.
    async fn is_own(&self, key: &Key, bytes: &[u8]) -> Result<Option<bool>, Error> {
        let Some(there) = self.got(key).await? else {
            return Ok(None);
        };
        if there.meta.size != bytes.len() as u64 {
            return Ok(Some(false));
        }
        let there = there.bytes().await?;
        Ok(Some(there[..] == *bytes))
    }

    async fn create(&self, key: &Key, bytes: &[u8]) -> Result<Put, Error> {
        let mut tries = 0;
        loop {
            let payload = PutPayload::from(bytes.to_vec());
            let put = self
                .store
                .put_opts(key, payload, PutMode::Create.into())
                .await;
            let taken = match put {
                Ok(_) => return Ok(Put::New),
                Err(taken @ Error::AlreadyExists { .. }) => taken,
                Err(error) => return Err(error),
            };
            tries += 1;
            match self.is_own(key, bytes).await? {
                Some(true) => return Ok(Put::New),
                Some(false) => return Ok(Put::Taken),
                None if tries >= TRIES => return Err(taken),
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn send(&self, key: &Key, mut file: File) -> Result<(), Sending> {
        let mut piece = vec![0; PIECE];
        let mut filled = fill(&mut file, &mut piece).map_err(Sending::File)?;
        if filled < piece.len() {
            piece.truncate(filled);
            self.store
                .put(key, piece.into())
                .await
                .map_err(Sending::Store)?;
            return Ok(());
        }
        let upload = self
            .store
            .put_multipart(key)
            .await
            .map_err(Sending::Store)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE);
        while filled > 0 {
            upload
                .wait_for_capacity(AT_ONCE)
                .await
                .map_err(Sending::Store)?;
            upload.write(&piece[..filled]);
            filled = match fill(&mut file, &mut piece) {
                Ok(filled) => filled,
                Err(cause) => {
                    // Parts that nobody completes cost their owner money.
                    let _ = upload.abort().await;
                    return Err(Sending::File(cause));
                }
            };
        }
        upload.finish().await.map(|_| ()).map_err(Sending::Store)
    }
}

/// Why a file could not be sent.
enum Sending {
    File(std::io::Error),
    Store(Error),
}

impl Store for Objects {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        let key = self.key(checked(name)?);
        match self.runtime.block_on(self.create(&key, bytes)) {
            Err(cause @ (Error::NotImplemented { .. } | Error::NotSupported { .. })) => {
                Err(StoreError::NoCreateIfAbsent {
                    place: self.describe(),
                    why: format!("it has no conditional writes ({})", whole(&cause)),
                })
            }
            put => put.map_err(|cause| self.error(format!("to write {name}"), &cause)),
        }
    }

    fn put_file(&self, name: &str, path: &Path) -> Result<(), StoreError> {
        let key = self.key(checked(name)?);
        let file = File::open(path).map_err(|cause| StoreError::local(path, cause))?;
        match self.runtime.block_on(self.send(&key, file)) {
            Ok(()) => Ok(()),
            Err(Sending::File(cause)) => Err(StoreError::local(path, cause)),
            Err(Sending::Store(cause)) => Err(self.error(format!("to write {name}"), &cause)),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = self.key(checked(name)?);
        let error = |cause: Error| self.error(format!("to read {name}"), &cause);
        self.runtime.block_on(async {
            let Some(found) = self.got(&key).await.map_err(error)? else {
                return Ok(None);
            };
            if found.meta.size > MOST_BYTES {
                return Err(StoreError::TooLarge {
                    place: self.describe(),
                    name: name.to_owned(),
                    most: MOST_BYTES,
                });
            }
            Ok(Some(found.bytes().await.map_err(error)?.to_vec()))
        })
    }

    fn get_file(&self, name: &str, path: &Path, most: u64) -> Result<(), StoreError> {
        let key = self.key(checked(name)?);
        let error = |cause: Error| self.error(format!("to read {name}"), &cause);
        let size = match self.runtime.block_on(self.store.head(&key)) {
            Ok(about) => about.size,
            Err(Error::NotFound { .. }) => {
                return Err(StoreError::Absent {
                    place: self.describe(),
                    name: name.to_owned(),
                });
            }
            Err(cause) => return Err(error(cause)),
        };
        if size > most {
            return Err(StoreError::TooLarge {
                place: self.describe(),
                name: name.to_owned(),
                most,
            });
        }
        let mut file = File::create_new(path).map_err(|cause| StoreError::local(path, cause))?;
        for start in (0..size).step_by(PIECE) {
            let end = size.min(start + PIECE as u64);
            let piece = self.store.get_range(&key, start..end);
            let piece = self.runtime.block_on(piece).map_err(error)?;
            file.write_all(&piece)
                .map_err(|cause| StoreError::local(path, cause))?;
        }
        file.sync_all()
            .map_err(|cause| StoreError::local(path, cause))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let prefix = checked_prefix(prefix)?;
        let folder = match prefix.rsplit_once('/') {
            Some((below, _)) => self.key(below),
            None => self.prefix.clone(),
        };
        let listed = self
            .runtime
            .block_on(self.store.list_with_delimiter(Some(&folder)));
        let listed = listed.map_err(|cause| self.error("to list it".to_owned(), &cause))?;
        let name_of = |key: &Key| {
            let name = text(key)
                .strip_prefix(text(&self.prefix))?
                .trim_start_matches('/');
            (name.starts_with(prefix) && checked(name).is_ok()).then(|| name.to_owned())
        };
        let mut names: Vec<String> = listed
            .objects
            .iter()
            .filter_map(|object| name_of(&object.location))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn modified_ns(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let key = self.key(checked(name)?);
        match self.runtime.block_on(self.store.head(&key)) {
            Ok(about) => Ok(about.last_modified.timestamp_nanos_opt()),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(cause) => Err(self.error(format!("to look at {name}"), &cause)),
        }
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let key = self.key(checked(name)?);
        match self.runtime.block_on(self.store.delete(&key)) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(cause) => Err(self.error(format!("to remove {name}"), &cause)),
        }
    }

    fn describe(&self) -> String {
        self.url.clone()
    }
}

/// The store of a URL, with what the environment says of its provider.
fn provider(url: &str) -> Result<Box<dyn ObjectStore>, Error> {
    let retry = RetryConfig {
        max_retries: MOST_RETRIES,
        retry_timeout: PATIENCE,
        ..RetryConfig::default()
    };
    Ok(match url.split_once("://") {
        Some(("gs", _)) => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(url);
            Box::new(builder.with_retry(retry).build()?)
        }
        Some(("az", _)) => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(url);
            Box::new(builder.with_retry(retry).build()?)
        }
        _ => {
            let builder = AmazonS3Builder::from_env().with_url(url);
            Box::new(builder.with_retry(retry).build()?)
        }
    })
}

fn text(key: &Key) -> &str {
    key.as_ref()
}

/// Reads until the piece is full or the file at its end; returns the bytes read.
fn fill(file: &mut File, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match file.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(filled)
}

/// What a store says, with its reasons.
fn whole(cause: &Error) -> String {
    let mut said = cause.to_string();
    let mut inner = std::error::Error::source(cause);
    while let Some(reason) = inner {
        let reason_said = reason.to_string();
        // Most say what their reasons say.
        if !said.contains(&reason_said) {
            // Writing to a string does not fail.
            let _ = write!(said, ": {reason_said}");
        }
        inner = reason.source();
    }
    inert(&said, SAID_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    fn in_memory(prefix: &str) -> Objects {
        Objects {
            url: format!("s3://bucket/{prefix}"),
            prefix: Key::from(prefix),
            store: Box::new(InMemory::new()),
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
        }
    }

    #[test]
    fn names_are_created_once_and_listed_below_the_prefix() {
        for prefix in ["", "runs/7"] {
            let store = in_memory(prefix);
            super::super::probe::probe(&store).expect("it creates a name once");
            assert_eq!(
                store.put_new("rank-00000.json", b"a").expect("put"),
                Put::New
            );
            assert_eq!(
                store.put_new("rank-00000.json", b"b").expect("put"),
                Put::Taken
            );
            // What was done and not heard of is done.
            assert_eq!(
                store.put_new("rank-00000.json", b"a").expect("put"),
                Put::New
            );
            store.put_new("result-00000/run.json", b"c").expect("put");
            assert_eq!(store.list("rank-").expect("listed"), ["rank-00000.json"]);
            assert_eq!(
                store.list("result-00000/").expect("listed"),
                ["result-00000/run.json"]
            );
            assert_eq!(store.list("").expect("listed"), ["rank-00000.json"]);
            assert!(
                store
                    .modified_ns("rank-00000.json")
                    .expect("looked")
                    .is_some()
            );
            assert_eq!(store.get("none").expect("looked"), None);
        }
    }

    #[test]
    fn large_files_go_in_pieces_and_come_back_whole() {
        let scratch = tempfile::tempdir().expect("a directory");
        let store = in_memory("runs/7");
        for length in [0, 5, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 7] {
            let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let (there, back) = (scratch.path().join("there"), scratch.path().join("back"));
            std::fs::write(&there, &bytes).expect("written");
            store.put_file("result-00000/f", &there).expect("put");
            assert!(
                length == 0
                    || store
                        .get_file("result-00000/f", &back, length as u64 - 1)
                        .is_err()
            );
            store
                .get_file("result-00000/f", &back, length as u64)
                .expect("got");
            assert!(std::fs::read(&back).expect("read") == bytes, "{length}");
            std::fs::remove_file(&back).expect("removed");
        }
    }

    #[test]
    fn a_provider_without_its_keys_says_so_when_it_is_asked() {
        assert!(Objects::open("s3://bucket/run-7").is_ok());
        let store = Objects::open("s3://bucket/run-7").expect("nothing is asked yet");
        assert_eq!(
            (text(&store.prefix), store.describe()),
            ("run-7", "s3://bucket/run-7".to_owned())
        );
        assert_eq!(text(&store.key("launch.json")), "run-7/launch.json");
    }
}
