//! Images made up: PNG with tiles of random colours.
//!
//! Each row of tiles is sent once and repeated by the filter "up", so that files stay small and are
//! quick to make, while every decoder has all pixels to handle.
//!
//! Invariant: the bytes are a function of size and key.

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use infermeter_core::seed::splitmix64;
use std::io::Write;

/// Pixels of a tile in each direction.
const TILE: u32 = 16;
/// Bytes of a pixel: red, green, blue.
const PIXEL: usize = 3;

// Filters of a row (PNG specification, chapter 9).
const FILTER_NONE: u8 = 0;
const FILTER_UP: u8 = 2;

/// A PNG of `width` times `height` pixels.
pub(super) fn png(width: u32, height: u32, key: u64) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut head = Vec::with_capacity(13);
    head.extend_from_slice(&width.to_be_bytes());
    head.extend_from_slice(&height.to_be_bytes());
    // 8 bits a channel, true colour, the only compression and filter method, not interlaced.
    head.extend_from_slice(&[8, 2, 0, 0, 0]);
    push_chunk(&mut png, b"IHDR", &head);
    push_chunk(&mut png, b"IDAT", &pixels(width, height, key));
    push_chunk(&mut png, b"IEND", &[]);
    png
}

fn push_chunk(png: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    // A side has 8,192 pixels at most: this fits.
    png.extend_from_slice(&(data.len() as u32).to_be_bytes());
    let from = png.len();
    png.extend_from_slice(name);
    png.extend_from_slice(data);
    let mut crc = Crc::new();
    crc.update(&png[from..]);
    png.extend_from_slice(&crc.sum().to_be_bytes());
}

/// The rows, each behind its filter, compressed.
fn pixels(width: u32, height: u32, key: u64) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut row = vec![0; 1 + width as usize * PIXEL];
    let mut random = key;
    let mut write = |row: &[u8]| {
        let written = zlib.write_all(row);
        debug_assert!(written.is_ok(), "memory takes all bytes");
    };
    for y in 0..height {
        match y % TILE {
            0 => {
                row[0] = FILTER_NONE;
                for tile in row[1..].chunks_mut(TILE as usize * PIXEL) {
                    random = splitmix64(random);
                    let colour = random.to_le_bytes();
                    for (i, byte) in tile.iter_mut().enumerate() {
                        *byte = colour[i % PIXEL];
                    }
                }
            }
            1 => {
                row.fill(0);
                row[0] = FILTER_UP;
            }
            _ => {}
        }
        write(&row);
    }
    zlib.finish().unwrap_or_default()
}
