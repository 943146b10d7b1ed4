//! The hash of what was sent: two runs with one hash sent the same bodies, byte for byte.
//!
//! It covers warm-up and window; how far the drain gets depends on the server. Invariant: neither the
//! order in which requests were made or ended nor the number of threads changes it.

use infermeter_core::record::RequestRecord;
use infermeter_core::request::RequestId;
use infermeter_core::schedule::Phase;
use sha2::{Digest, Sha256};
use std::sync::Mutex;

/// Bytes kept of each body's hash.
const KEPT: usize = 16;

/// Collects bodies as they are made, off the measuring path.
#[derive(Debug, Default)]
pub(crate) struct SentBodies(Mutex<Vec<(RequestId, [u8; KEPT])>>);

impl SentBodies {
    /// Notes the body of a request, which follows the head in `bytes`.
    pub fn note(&self, id: RequestId, bytes: &[u8]) {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let body = head.map_or(bytes, |at| &bytes[at + 4..]);
        let mut kept = [0; KEPT];
        kept.copy_from_slice(&Sha256::digest(body)[..KEPT]);
        if let Ok(mut all) = self.0.lock() {
            all.push((id, kept));
        }
    }

    /// SHA-256 over id (8 bytes, little endian) and hash of the body (the first 16 bytes of its
    /// SHA-256) of the requests with these ids, in order of their ids; hex. `None` when none was sent.
    pub fn hash(self, mut sent: Vec<RequestId>) -> Option<String> {
        let mut all = self.0.into_inner().ok()?;
        all.sort_unstable();
        sent.sort_unstable();
        let mut hasher = Sha256::new();
        for id in &sent {
            let at = all.binary_search_by_key(id, |(id, _)| *id).ok()?;
            hasher.update(id.to_le_bytes());
            hasher.update(all[at].1);
        }
        let digest = hasher.finalize();
        let hex = || digest.iter().map(|byte| format!("{byte:02x}")).collect();
        (!sent.is_empty()).then(hex)
    }
}

/// The request belongs to the hash.
pub(crate) fn counts(record: &RequestRecord) -> bool {
    record.send_start.is_some() && record.phase != Phase::Drain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(order: &[(u64, &str)], sent: &[u64]) -> Option<String> {
        let bodies = SentBodies::default();
        for (id, body) in order {
            bodies.note(
                *id,
                format!("POST / HTTP/1.1\r\nx: {id}\r\n\r\n{body}").as_bytes(),
            );
        }
        bodies.hash(sent.to_vec())
    }

    #[test]
    fn order_does_not_matter_and_bodies_do() {
        let one = hash(&[(0, "a"), (1, "b"), (2, "c")], &[0, 1]);
        assert!(one.is_some());
        assert_eq!(hash(&[(2, "other"), (1, "b"), (0, "a")], &[1, 0]), one);
        assert_ne!(hash(&[(0, "a"), (1, "c")], &[0, 1]), one);
        assert_ne!(hash(&[(0, "b"), (1, "a")], &[0, 1]), one);
        assert_eq!(hash(&[(0, "a")], &[]), None);
    }
}
