//! The length and the SHA-256 of a file.
//!
//! Invariant: memory holds a piece of it, however large it is.

use crate::fresh::hex;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// What a file is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
}

/// Reads a file to its end.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn digest(path: &Path) -> io::Result<Known> {
    let (mut file, mut hasher, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&piece[..read]);
                bytes += read as u64;
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(Known {
        bytes,
        sha256: hex(&hasher.finalize()),
    })
}

/// The SHA-256 of a file, hex.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    digest(path).map(|known| known.sha256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_known_by_its_bytes() {
        let scratch = tempfile::tempdir().expect("a directory");
        let path = scratch.path().join("abc");
        fs::write(&path, "abc").expect("written");
        // `printf abc | sha256sum`
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let known = digest(&path).expect("readable");
        assert_eq!((known.bytes, known.sha256.as_str()), (3, sha256));
        assert!(digest(&scratch.path().join("none")).is_err());
    }
}
