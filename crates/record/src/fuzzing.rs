//! The entry point of the fuzz target. It panics where a property is broken: for tests alone.

use crate::journal::reader::JournalReader;
use crate::journal::{FRAME_HEADER_BYTES, HEADER_BYTES};
use std::path::Path;

/// A journal: whatever the bytes, every whole batch or none. As they are, and once more with
/// checksums that fit, because behind a wrong one nothing is decoded.
pub fn journal(data: &[u8]) {
    read(data);
    read(&mended(data));
}

fn read(data: &[u8]) {
    let Ok(mut reader) = JournalReader::over(data, data.len() as u64, Path::new("fuzz")) else {
        return;
    };
    while let Ok(Some(batch)) = reader.next_batch() {
        assert!(!batch.is_empty());
    }
}

/// Frames as their lengths have them, each with the checksum of its payload.
fn mended(data: &[u8]) -> Vec<u8> {
    let mut out = data.to_vec();
    let mut at = HEADER_BYTES;
    while let Some(length) = out.get(at..at + 4) {
        let length: [u8; 4] = length.try_into().unwrap_or_default();
        let payload = at + FRAME_HEADER_BYTES;
        let end = payload.saturating_add(u32::from_le_bytes(length) as usize);
        let Some(sum) = out.get(payload..end).map(crc32fast::hash) else {
            break;
        };
        out[at + 4..payload].copy_from_slice(&sum.to_le_bytes());
        at = end;
    }
    out
}
