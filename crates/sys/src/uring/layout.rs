//! What a multishot `recvmsg` writes into its buffer: a header, the room for control messages, the
//! payload (`struct io_uring_recvmsg_out` of linux/io_uring.h; no name is asked for).
//!
//! Does no IO. Invariant: any bytes are accepted, and lengths in them are never trusted.

use super::What;
use crate::cmsg;
use crate::stamp::Received;
use std::io;

/// `namelen`, `controllen`, `payloadlen`, `flags`, 32 bits each.
const HEADER: usize = 16;

/// Sizes that the requests were made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Room for control messages.
    pub(super) control: usize,
    /// Bytes of the whole buffer.
    pub(super) buffer: usize,
}

impl Layout {
    /// Reads what the kernel has written.
    pub(super) fn parse(self, bytes: &[u8]) -> What {
        let Some((name, control, payload)) = header(bytes) else {
            return What::Failed(malformed());
        };
        let start = HEADER + self.control;
        let Some(rest) = bytes.len().checked_sub(start) else {
            return What::Failed(malformed());
        };
        if name != 0 || payload > rest {
            return What::Failed(malformed());
        }
        let control = &bytes[HEADER..HEADER + control.min(self.control)];
        What::Received {
            received: Received {
                len: payload,
                realtime_ns: cmsg::stamp(control),
            },
            payload: start..start + payload,
            full: start + payload >= self.buffer,
        }
    }
}

fn header(bytes: &[u8]) -> Option<(usize, usize, usize)> {
    let field = |at: usize| {
        let four = bytes.get(at..)?.first_chunk()?;
        usize::try_from(u32::from_ne_bytes(*four)).ok()
    };
    field(12)?;
    Some((field(0)?, field(4)?, field(8)?))
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the kernel's receive header makes no sense",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        control: 64,
        buffer: 128,
    };

    fn bytes(name: u32, control: u32, payload: u32, rest: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = [name, control, payload, 0]
            .iter()
            .flat_map(|field| field.to_ne_bytes())
            .collect();
        bytes.resize(HEADER + rest, b'x');
        bytes
    }

    #[track_caller]
    fn check(bytes: &[u8], expect: Option<(usize, bool)>) {
        let found = match LAYOUT.parse(bytes) {
            What::Received {
                payload,
                full,
                received,
            } => {
                assert_eq!(payload.len(), received.len);
                assert!(payload.end <= bytes.len());
                Some((received.len, full))
            }
            _ => None,
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn lengths_are_checked() {
        check(&bytes(0, 0, 5, 64 + 5), Some((5, false)));
        check(&bytes(0, 64, 0, 64), Some((0, false)));
        check(&bytes(0, 0, 48, 64 + 48), Some((48, true)));
        check(&bytes(0, u32::MAX, 1, 64 + 1), Some((1, false)));
        check(&bytes(0, 0, 6, 64 + 5), None);
        check(&bytes(0, 0, u32::MAX, 64 + 5), None);
        check(&bytes(1, 0, 5, 64 + 5), None);
        check(&bytes(0, 0, 0, 63), None);
        for len in 0..HEADER {
            check(&bytes(0, 0, 0, 64)[..len], None);
        }
    }

    #[test]
    fn any_bytes_are_accepted() {
        // A linear congruential generator: reproducible noise, with small fields mixed in.
        let mut state = 1_u64;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as u32
        };
        for _ in 0..20_000 {
            let len = (next() % 160) as usize;
            let mut noise: Vec<u8> = (0..len).map(|_| next() as u8).collect();
            if next() % 2 == 0 {
                let plausible = bytes(next() % 2, next() % 200, next() % 100, 0);
                let n = plausible.len().min(noise.len());
                noise[..n].copy_from_slice(&plausible[..n]);
            }
            if let What::Received { payload, .. } = LAYOUT.parse(&noise) {
                assert!(payload.end <= noise.len());
            }
        }
    }
}
