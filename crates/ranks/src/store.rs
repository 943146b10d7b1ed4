//! The place where ranks meet: a shared folder, or an object store.
//!
//! It knows names and bytes, and nothing of what is in them. Invariant: a name that was put is whole and never changes, and
//! of several who put one at once exactly one is told that it is new; a place that cannot promise that is refused when it
//! is opened.

mod error;
#[cfg(test)]
pub(crate) mod fake;
mod folder;
#[cfg(feature = "object-store")]
mod objects;
mod place;
mod probe;
#[cfg(test)]
mod tests;

pub use error::StoreError;

use folder::Folder;
use place::Place;
use std::fmt::Debug;
use std::path::Path;

/// Most bytes of what is put and got whole: files of a meeting have some thousand.
pub(crate) const MOST_BYTES: u64 = 4 << 20;

/// Whether a name was free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was, and has the bytes now.
    New,
    /// Somebody had it, and what it has is as it was.
    Taken,
}

/// Names with bytes. Names are as `result-00003/run.json`: letters, digits, `.`, `-`, `_`, no part begins with a dot.
pub trait Store: Debug + Send + Sync {
    /// Gives bytes a name, unless it is taken. Afterwards they are there for all, whatever becomes of this host.
    ///
    /// # Errors
    /// When the name is none, and when the place cannot be written to.
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<Put, StoreError>;

    /// Gives the bytes of a file a name, in place of what had it: for names that belong to one rank. However large it is,
    /// memory holds a piece of it.
    ///
    /// # Errors
    /// When the name is none, the file cannot be read, or the place not be written to.
    fn put_file(&self, name: &str, path: &Path) -> Result<(), StoreError>;

    /// The bytes of a name, `None` where it is free.
    ///
    /// # Errors
    /// When the name is none, has more bytes than the files of a meeting, or cannot be read.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes the bytes of a name into a file that does not exist yet, and no more than `most` of them.
    ///
    /// # Errors
    /// When the name is none, is free, has more bytes, or cannot be read; when the file cannot be written.
    fn get_file(&self, name: &str, path: &Path, most: u64) -> Result<(), StoreError>;

    /// The names that begin so, of the folder that the last slash in `prefix` ends, in order; none of folders below it.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// When a name was last written, by the clock of the place, nanoseconds since the Unix epoch; `None` where it is free.
    ///
    /// # Errors
    /// When the name is none, or the place does not say it.
    fn modified_ns(&self, name: &str) -> Result<Option<i64>, StoreError>;

    /// Takes a name back: for what was put to find out something. One that is free is none the less gone.
    ///
    /// # Errors
    /// When the name is none, or the place does not allow it.
    fn remove(&self, name: &str) -> Result<(), StoreError>;

    /// The place, as it was given.
    fn describe(&self) -> String;
}

/// Opens a place: a folder, which is made if it is missing, `file://` with the path of one, or `s3://`, `gs://` and `az://`
/// with the feature `object-store`. It is tried whether it can be written to and creates a name once.
///
/// # Errors
/// When it is no place, cannot be written to, or does not create a name once.
pub fn open(place: &str) -> Result<Box<dyn Store>, StoreError> {
    let store = match Place::of(place)? {
        Place::Folder(path) => Box::new(Folder::open(&path)?) as Box<dyn Store>,
        Place::Objects(url) => objects(&url)?,
    };
    probe::probe(&*store)?;
    Ok(store)
}

/// A folder that is known to be a place, whatever its name looks like: nothing is tried there.
///
/// # Errors
/// When it cannot be made, or is something else.
pub fn folder(path: &Path) -> Result<Box<dyn Store>, StoreError> {
    Ok(Box::new(Folder::open(path)?))
}

#[cfg(feature = "object-store")]
fn objects(url: &str) -> Result<Box<dyn Store>, StoreError> {
    Ok(Box::new(objects::Objects::open(url)?))
}

#[cfg(not(feature = "object-store"))]
fn objects(url: &str) -> Result<Box<dyn Store>, StoreError> {
    Err(StoreError::NotBuilt {
        place: url.to_owned(),
    })
}
