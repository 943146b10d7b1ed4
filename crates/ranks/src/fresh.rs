//! Names that nobody else has.

use std::fs::File;
use std::io::{self, Read};

/// Where the system has randomness.
const SOURCE: &str = "/dev/urandom";

/// 128 random bits, hex.
///
/// # Errors
/// When the system has no randomness.
pub(crate) fn fresh() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    File::open(SOURCE)
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|cause| {
            io::Error::new(cause.kind(), format!("{SOURCE} cannot be read: {cause}"))
        })?;
    Ok(hex(&bytes))
}

/// Bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that were written as hex digits; `None` where it is anything else, or of another length.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_it_was_written() {
        let one = fresh().expect("Linux has randomness");
        assert_eq!(one.len(), 32);
        let bytes: [u8; 16] = unhex(&one).expect("hex");
        assert_eq!(hex(&bytes), one);
        assert_ne!(fresh().expect("randomness"), one);
        for wrong in ["", "0", "0g", "000", "\u{e9}"] {
            assert_eq!(unhex::<1>(wrong), None, "{wrong}");
        }
    }
}
