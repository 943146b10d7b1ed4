//! Where the origin of a request's latencies lies.
//!
//! Does not choose the origin. Invariant: what was never sent has no send.

use crate::facts::RequestFacts;
use infermeter_core::clock::Offset;
pub use infermeter_core::origin::Origin;

/// This origin of one request; absent where it was never sent.
pub fn instant(origin: Origin, record: &RequestFacts) -> Option<Offset> {
    match origin {
        Origin::Intended => Some(record.intended),
        Origin::Send => record.send_start,
    }
}
