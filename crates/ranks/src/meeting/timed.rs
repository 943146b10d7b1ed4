//! The meeting place as ranks use it: files of a meeting instead of bytes, and how long the place let them wait.
//!
//! Invariant: what one look found wrong with the place (it may be busy, or a server just restarts) ends nothing; what
//! several in a row did ends the wait.

use super::MeetingError;
use crate::files::{self, FileError, Kept};
use crate::store::{Put, Store, StoreError};
use infermeter_core::clock::monotonic_ns;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

/// How often something is attempted that the place refuses.
const TRIES: u32 = 4;
/// How long it is left alone before that.
#[cfg(not(test))]
const REST: Duration = Duration::from_millis(250);
/// A place in memory recovers at once.
#[cfg(test)]
const REST: Duration = Duration::ZERO;

/// A meeting place.
#[derive(Debug)]
pub(super) struct Timed {
    store: Box<dyn Store>,
    longest_ns: AtomicI64,
}

impl Timed {
    pub(super) fn new(store: Box<dyn Store>) -> Self {
        Self {
            store,
            longest_ns: AtomicI64::new(0),
        }
    }

    /// The place itself.
    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// What it is called.
    pub(super) fn place(&self) -> String {
        self.store.describe()
    }

    /// The longest that an answer took, nanoseconds.
    pub(super) fn longest_ns(&self) -> i64 {
        self.longest_ns.load(Ordering::Relaxed)
    }

    /// Gives a file its name, unless another file has it. (Every file says who wrote it and when: one that is the same was
    /// put by an attempt whose answer was lost.)
    pub(super) fn put<T: Kept>(&self, name: &str, file: &T) -> Result<Put, MeetingError> {
        let bytes = files::written(file).map_err(|cause| not_ours(self.store(), cause))?;
        match self.patiently(|store| store.put_new(name, &bytes))? {
            Put::New => Ok(Put::New),
            Put::Taken => match self.patiently(|store| store.get(name))?.as_ref() == Some(&bytes) {
                true => Ok(Put::New),
                false => Ok(Put::Taken),
            },
        }
    }

    /// The file that has a name; `None` where it is free.
    pub(super) fn get<T: Kept>(&self, name: &str) -> Result<Option<T>, MeetingError> {
        let bytes = self.patiently(|store| store.get(name))?;
        understood(self.store(), name, bytes)
    }

    /// The same of a file that another rank has left.
    pub(super) fn left<T: Kept>(&self, name: &str) -> Result<Option<Left<T>>, MeetingError> {
        left(self.get(name))
    }

    /// The names that begin so.
    pub(super) fn list(&self, prefix: &str) -> Result<Vec<String>, MeetingError> {
        self.patiently(|store| store.list(prefix))
    }

    fn patiently<T>(
        &self,
        attempt: impl Fn(&dyn Store) -> Result<T, StoreError>,
    ) -> Result<T, MeetingError> {
        let done = patiently(|| {
            let before = monotonic_ns();
            let done = attempt(&*self.store);
            self.longest_ns
                .fetch_max(monotonic_ns() - before, Ordering::Relaxed);
            done
        });
        Ok(done?)
    }
}

/// Attempts something again while a place says that it went wrong for once; the answer is the last.
pub(super) fn patiently<T>(
    mut attempt: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    for _ in 1..TRIES {
        match attempt() {
            Err(StoreError::Other { .. }) => thread::sleep(REST),
            done => return done,
        }
    }
    attempt()
}

/// The file that has a name at a place that nobody waits for; `None` where the name is free.
pub(super) fn file_of<T: Kept>(store: &dyn Store, name: &str) -> Result<Option<T>, MeetingError> {
    understood(store, name, patiently(|| store.get(name))?)
}

/// A file that a rank has left, or why nobody can use it.
pub(super) type Left<T> = Result<T, String>;

/// What one rank has left ends nothing of the others, whatever it is.
pub(super) fn left<T>(
    got: Result<Option<T>, MeetingError>,
) -> Result<Option<Left<T>>, MeetingError> {
    match got {
        Ok(file) => Ok(file.map(Ok)),
        Err(MeetingError::File { cause, .. }) => Ok(Some(Err(cause.to_string()))),
        Err(MeetingError::Store(cause @ StoreError::TooLarge { .. })) => {
            Ok(Some(Err(cause.to_string())))
        }
        Err(error) => Err(error),
    }
}

fn understood<T: Kept>(
    store: &dyn Store,
    name: &str,
    bytes: Option<Vec<u8>>,
) -> Result<Option<T>, MeetingError> {
    let read = bytes.map(|bytes| files::read(name, &bytes));
    read.transpose().map_err(|cause| not_ours(store, cause))
}

fn not_ours(store: &dyn Store, cause: FileError) -> MeetingError {
    MeetingError::File {
        place: store.describe(),
        cause,
    }
}
