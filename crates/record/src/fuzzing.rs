//! The entry points of the fuzz targets. They panic where a property is broken: for tests alone.

use crate::bundle::unpack_from;
use crate::journal::reader::JournalReader;
use crate::journal::{FRAME_HEADER_BYTES, HEADER_BYTES};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::Path;

/// The archive inside a bundle's compression: whatever the bytes, nothing is written but below the place that is
/// given, and no more than the list says.
pub fn bundle(data: &[u8]) {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let bytes = gzip
        .write_all(data)
        .and_then(|()| gzip.finish())
        .expect("memory");
    let place = std::env::temp_dir().join(format!("infermeter-fuzz-{}", std::process::id()));
    let into = place.join("into");
    let read = unpack_from(
        bytes.as_slice(),
        bytes.len() as u64,
        Path::new("fuzz"),
        &into,
    );
    if place.exists() {
        let beside = fs::read_dir(&place).expect("a place").count();
        assert_eq!(beside, 1, "something was written beside the place");
        fs::remove_dir_all(&place).expect("removed");
    }
    if let Ok(unpacked) = read {
        let bytes: u64 = unpacked.manifest.files.iter().map(|file| file.bytes).sum();
        assert!(bytes <= 64 << 30);
    }
}

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
