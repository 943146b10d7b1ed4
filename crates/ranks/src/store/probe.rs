//! Whether a place keeps its promise: it can be written to, and creates a name once.
//!
//! Invariant: what it puts it takes back, where that is allowed.

use super::{Put, Store, StoreError};
use crate::fresh::fresh;

/// What the first puts, and what the second would have put.
const BYTES: [&[u8]; 2] = [b"first\n", b"second\n"];

/// Puts a fresh name twice: the second time has to be refused, and what is there has to be the first.
///
/// # Errors
/// When the place cannot be written to, or gave the name away twice.
pub(super) fn probe(store: &dyn Store) -> Result<(), StoreError> {
    let fresh = fresh().map_err(|cause| StoreError::Other {
        place: store.describe(),
        doing: "a fresh name".to_owned(),
        cause: cause.to_string(),
    })?;
    let name = format!("probe-{fresh}");
    let seen = look(store, &name);
    // A place where nothing may be taken back serves as well.
    let _ = store.remove(&name);
    match seen? {
        None => Ok(()),
        Some(why) => Err(StoreError::NoCreateIfAbsent {
            place: store.describe(),
            why: why.to_owned(),
        }),
    }
}

/// What the place did that it must not do.
fn look(store: &dyn Store, name: &str) -> Result<Option<&'static str>, StoreError> {
    if store.put_new(name, BYTES[0])? == Put::Taken {
        return Ok(Some("it says that a name which nobody has used is taken"));
    }
    if store.put_new(name, BYTES[1])? == Put::New {
        return Ok(Some("it gave a name away that was taken"));
    }
    match store.get(name)?.as_deref() == Some(BYTES[0]) {
        true => Ok(None),
        false => Ok(Some(
            "it does not give back what was put there a moment ago",
        )),
    }
}
