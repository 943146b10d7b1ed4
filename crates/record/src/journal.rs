//! The journal: record batches appended while a run goes on, readable to the last whole frame
//! after a crash.
//!
//! File: magic (8 bytes), format version (u32), then frames. Frame: payload length (u32), CRC-32 of
//! the payload (u32), payload. Payload: entries, each its length as a varint and so many bytes.
//! Fixed-width numbers are little endian. A frame is never empty, so that a tail of zeros (as some file
//! systems leave after a crash) is not taken for frames; every entry but the last begins and ends
//! within the first [`FRAME_TARGET_BYTES`].
//!
//! An entry is a byte that says what it is, then:
//! - 0: the record of a request that has ended, in the bytes of [`crate::codec`];
//! - 1: what is known of one that has begun, in the same bytes: one with a send start was in flight,
//!   one without waited for a connection. The same request may come again;
//! - 2: an instant (zigzag varint): what stands before it is all that was known then.
//!
//! In version 1 there is no such byte, and each entry is a record of a request that has ended.
//!
//! What has begun and not ended when a run is killed is what was in flight: without it the requests
//! that a server left hanging would be missing, and the killed run would look better than it was.
//!
//! Does not survive a power cut with certainty: frames are handed to the kernel, not to the disk,
//! because syncing every second would disturb the measurement. A killed process loses nothing that
//! was flushed.
//!
//! Invariant: a reader gives records of whole, checksummed frames only and never fails on what
//! follows them.

pub(crate) mod places;
pub(crate) mod reader;
pub(crate) mod writer;

#[cfg(test)]
mod tests;

/// The journal's name in a run directory.
pub const JOURNAL_FILE: &str = "requests.journal";

/// Version of the journal's format.
pub(crate) const JOURNAL_VERSION: u32 = 2;

const MAGIC: [u8; 8] = *b"imjourn\n";
pub(crate) const HEADER_BYTES: usize = 12;
pub(crate) const FRAME_HEADER_BYTES: usize = 8;

/// What an entry is.
const ENDED: u8 = 0;
const BEGUN: u8 = 1;
const AS_OF: u8 = 2;

/// A batch that reaches this size becomes a frame without waiting for a flush: large enough to
/// make the write call cheap, small enough to decode in a few megabytes.
const FRAME_TARGET_BYTES: usize = 1 << 20;

/// Longest entry. A record that is longer (only texts make it so) loses its texts.
const MAX_RECORD_BYTES: usize = 32 << 20;

/// Longest payload: the last record may begin just before the target. 16 is more than its length
/// prefix takes.
const MAX_PAYLOAD_BYTES: usize = FRAME_TARGET_BYTES + MAX_RECORD_BYTES + 16;

fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&JOURNAL_VERSION.to_le_bytes());
    header
}

/// How a journal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// With a whole frame.
    Clean,
    /// With bytes that are no whole, checksummed frame.
    Torn {
        /// Where they begin.
        at_byte: u64,
        /// How many there are.
        lost_bytes: u64,
    },
}
