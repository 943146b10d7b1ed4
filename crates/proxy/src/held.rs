//! The room that kept bytes take, wherever they go.
//!
//! It keeps no bytes itself. Invariant: room comes back when the last who holds it lets go, and not before.

use crate::counts::Tally;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Room that kept bytes take among [`Limits::kept_bytes_together`]: it comes back with the last of these.
///
/// [`Limits::kept_bytes_together`]: crate::Limits::kept_bytes_together
#[derive(Clone, Default)]
pub struct Held(Option<Arc<Room>>);

impl Held {
    /// Holds `len` bytes that were counted in `tally`.
    pub(crate) fn new(tally: &Arc<Tally>, len: usize) -> Self {
        Self(Some(Arc::new(Room {
            tally: Arc::clone(tally),
            len: len as u64,
        })))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0.as_ref().map_or(0, |room| room.len);
        write!(f, "Held({len} bytes)")
    }
}

/// It is no fact about a request.
impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Held {}

struct Room {
    tally: Arc<Tally>,
    len: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.tally.kept_bytes.fetch_sub(self.len, Relaxed);
    }
}
