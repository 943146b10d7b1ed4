//! A meeting place in memory, for tests: shared by all of its clones, and as bad as it is asked to be.

use super::error::{checked, checked_prefix};
use super::{MOST_BYTES, Put, Store, StoreError};
use infermeter_core::clock::realtime_ns;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A place in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fake {
    /// What is in it.
    pub names: Arc<Mutex<BTreeMap<String, Kept>>>,
    /// It gives a name to whoever asks for it.
    pub no_create_if_absent: bool,
    /// Nothing may be taken back.
    pub keeps_all: bool,
    /// Its clock minus that of this host, nanoseconds.
    pub ahead_ns: i64,
    /// A name that is free to whoever looks for it, as a server's client remembers it.
    pub unseen: Option<String>,
    /// Every other question goes wrong.
    pub stumbles: Arc<AtomicBool>,
    /// The last one did.
    pub stumbled: Arc<AtomicBool>,
}

/// What a name has.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    modified_ns: i64,
}

impl Fake {
    fn names(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts whatever the name has already.
    pub(crate) fn force(&self, name: &str, bytes: &[u8]) {
        let kept = Kept {
            bytes: bytes.to_owned(),
            modified_ns: realtime_ns() + self.ahead_ns,
        };
        self.names().insert(name.to_owned(), kept);
    }

    /// The text of a name that is there.
    pub(crate) fn text(&self, name: &str) -> String {
        let names = self.names();
        String::from_utf8_lossy(&names.get(name).expect("there").bytes).into_owned()
    }

    fn stumble(&self, doing: &str) -> Result<(), StoreError> {
        let stumbles = self.stumbles.load(Ordering::Relaxed)
            && !self.stumbled.fetch_xor(true, Ordering::Relaxed);
        match stumbles {
            false => Ok(()),
            true => Err(StoreError::Other {
                place: self.describe(),
                doing: doing.to_owned(),
                cause: "it is busy".to_owned(),
            }),
        }
    }

    fn absent(&self, name: &str) -> StoreError {
        StoreError::Absent {
            place: self.describe(),
            name: name.to_owned(),
        }
    }
}

impl Store for Fake {
    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        self.stumble("to put")?;
        let mut names = self.names();
        if names.contains_key(checked(name)?) && !self.no_create_if_absent {
            return Ok(Put::Taken);
        }
        let kept = Kept {
            bytes: bytes.to_owned(),
            modified_ns: realtime_ns() + self.ahead_ns,
        };
        names.insert(name.to_owned(), kept);
        Ok(Put::New)
    }

    fn put_file(&self, name: &str, path: &Path) -> Result<(), StoreError> {
        self.stumble("to put a file")?;
        let bytes = fs::read(path).map_err(|cause| StoreError::local(path, cause))?;
        self.force(checked(name)?, &bytes);
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.stumble("to get")?;
        let names = self.names();
        let found = names.get(checked(name)?).map(|kept| kept.bytes.clone());
        let found = found.filter(|_| self.unseen.as_deref() != Some(name));
        match found {
            Some(bytes) if bytes.len() as u64 > MOST_BYTES => Err(StoreError::TooLarge {
                place: self.describe(),
                name: name.to_owned(),
                most: MOST_BYTES,
            }),
            found => Ok(found),
        }
    }

    fn get_file(&self, name: &str, path: &Path, most: u64) -> Result<(), StoreError> {
        self.stumble("to get a file")?;
        let found = self
            .names()
            .get(checked(name)?)
            .map(|kept| kept.bytes.clone());
        let bytes = found.ok_or_else(|| self.absent(name))?;
        if bytes.len() as u64 > most {
            return Err(StoreError::TooLarge {
                place: self.describe(),
                name: name.to_owned(),
                most,
            });
        }
        fs::write(path, bytes).map_err(|cause| StoreError::local(path, cause))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.stumble("to list")?;
        let prefix = checked_prefix(prefix)?;
        let below = |name: &&String| {
            let rest = name.strip_prefix(prefix);
            rest.is_some_and(|rest| !rest.contains('/'))
        };
        Ok(self.names().keys().filter(below).cloned().collect())
    }

    fn modified_ns(&self, name: &str) -> Result<Option<i64>, StoreError> {
        Ok(self
            .names()
            .get(checked(name)?)
            .map(|kept| kept.modified_ns))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        if self.keeps_all {
            return Err(StoreError::Rights {
                place: self.describe(),
                doing: format!("to remove {name}"),
                cause: "it keeps all".to_owned(),
            });
        }
        self.names().remove(checked(name)?);
        Ok(())
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}
