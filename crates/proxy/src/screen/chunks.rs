//! Where a chunked body ends.
//!
//! It follows the coding byte by byte and changes nothing. Invariant: every line ends in CRLF, sizes are hexadecimal
//! digits alone, and neither data, extensions nor trailers grow beyond their limits.

use super::Refusal;
use super::head::parted;

/// Hexadecimal digits of a size: 16 hold a u64.
const SIZE_DIGITS: usize = 16;
/// Bytes of an extension: nobody uses them, and a reader that skips them can be kept busy.
const EXTENSION_BYTES: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size { digits: usize },
    Extension { bytes: usize },
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
    Ended,
}

/// A chunked body that is coming.
#[derive(Debug)]
pub(super) struct Chunks {
    at: At,
    /// Of the size line, or left of the chunk.
    size: u64,
    /// Bytes of data that may still come.
    allowed: u64,
    /// The trailer line that is coming.
    line: Vec<u8>,
    trailer_bytes: usize,
    most_trailer_bytes: usize,
}

impl Chunks {
    pub(super) fn new(most_bytes: u64, most_trailer_bytes: usize) -> Self {
        Self {
            at: At::Size { digits: 0 },
            size: 0,
            allowed: most_bytes,
            line: Vec::new(),
            trailer_bytes: 0,
            most_trailer_bytes,
        }
    }

    pub(super) fn ended(&self) -> bool {
        self.at == At::Ended
    }

    /// Takes bytes up to the end of the body; how many those were.
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Refusal> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match self.at {
                At::Ended => break,
                At::Data => taken += self.data(rest.len()),
                _ => {
                    let byte = rest.first().copied().unwrap_or(0);
                    self.at = self.step(byte)?;
                    taken += 1;
                }
            }
        }
        out.extend_from_slice(bytes.get(..taken).unwrap_or(bytes));
        Ok(taken)
    }

    fn data(&mut self, there: usize) -> usize {
        let taken = usize::try_from(self.size).map_or(there, |left| left.min(there));
        self.size -= taken as u64;
        if self.size == 0 {
            self.at = At::DataCr;
        }
        taken
    }

    fn step(&mut self, byte: u8) -> Result<At, Refusal> {
        let malformed = Refusal::Malformed("a chunk that is not well formed");
        Ok(match (self.at, byte) {
            (At::Size { digits }, byte) if byte.is_ascii_hexdigit() => {
                if digits == SIZE_DIGITS {
                    return Err(malformed);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                self.size = (self.size << 4) | u64::from(digit);
                At::Size { digits: digits + 1 }
            }
            (At::Size { digits: 1.. }, b'\r') => At::SizeLf,
            (At::Size { digits: 1.. }, b';') => At::Extension { bytes: 0 },
            (At::Extension { .. }, b'\r') => At::SizeLf,
            (At::Extension { bytes }, 0x20..=0x7e | b'\t') if bytes < EXTENSION_BYTES => {
                At::Extension { bytes: bytes + 1 }
            }
            (At::SizeLf, b'\n') => self.sized()?,
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => {
                self.size = 0;
                At::Size { digits: 0 }
            }
            (At::Trailer, byte) => self.trailer(byte)?,
            _ => return Err(malformed),
        })
    }

    fn sized(&mut self) -> Result<At, Refusal> {
        if self.size == 0 {
            return Ok(At::Trailer);
        }
        self.allowed = self
            .allowed
            .checked_sub(self.size)
            .ok_or(Refusal::BodyTooLarge)?;
        Ok(At::Data)
    }

    fn trailer(&mut self, byte: u8) -> Result<At, Refusal> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > self.most_trailer_bytes {
            return Err(Refusal::HeadTooLarge);
        }
        self.line.push(byte);
        if byte != b'\n' {
            return Ok(At::Trailer);
        }
        let line = std::mem::take(&mut self.line);
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or(Refusal::Malformed("a CR or an LF alone"))?;
        if line.is_empty() {
            return Ok(At::Ended);
        }
        // A CR within the line is a control character: refused there.
        parted(line).map(|_| At::Trailer)
    }
}
