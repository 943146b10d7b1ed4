//! Files of JSON that are read as a whole, and how long one may be.
//!
//! A record may come from anyone. Invariant: what is longer is neither read nor unpacked.

use crate::ledger::LEDGER_FILE;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Longest such file, bytes: no run comes near it. Values of JSON take some thirty times their text in memory.
pub(crate) const LONGEST_JSON: u64 = 64 << 20;

/// A file of this name is read as a whole: `run.json`, `left-out.json`, answers and the ledger.
pub(crate) fn is_read_whole(name: &str) -> bool {
    name.ends_with(".json") || name == LEDGER_FILE
}

/// The text of a file.
pub(crate) fn text_of_json(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(path)?;
    file.take(LONGEST_JSON + 1).read_to_end(&mut text)?;
    match text.len() as u64 > LONGEST_JSON {
        true => Err(io::Error::other("it is longer than any such file")),
        false => Ok(text),
    }
}
