//! The requests that have been sent and not answered: the dispatcher's table of streams.
//!
//! It knows no sockets. Invariant: a [`StreamId`] is the place of one request until that is taken out; the
//! instant at which a place has to be looked at outlives its requests, so that the heap of time-outs does not
//! grow with their number.

use crate::exchange::StreamId;
use crate::prepared::Prepared;
use crate::response::ResponseReader;
use crate::transport::LinkId;
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;

/// A request on its way.
pub(super) struct InFlight {
    pub(super) record: RequestRecord,
    pub(super) reader: ResponseReader,
    /// What it asks for. Its bytes are with the transport.
    pub(super) prepared: Prepared,
    /// Its bytes, where it may be sent again.
    pub(super) again: Option<Vec<u8>>,
    pub(super) link: LinkId,
    /// Bytes of the answer beyond which more is taken from the budget.
    pub(super) allowed: usize,
    /// Bytes taken from the budget.
    pub(super) taken: usize,
    /// Number of its last byte among those the socket was given, once all are.
    pub(super) last_byte: Option<u32>,
}

#[derive(Default)]
struct Slot {
    request: Option<Box<InFlight>>,
    /// Entry in the heap of time-outs that is in force.
    looked_at: Option<Offset>,
}

/// The table.
#[derive(Default)]
pub(super) struct Streams {
    slots: Vec<Slot>,
    free: Vec<StreamId>,
}

impl Streams {
    pub(super) fn insert(&mut self, request: Box<InFlight>) -> StreamId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            StreamId(self.slots.len() as u32 - 1)
        });
        self.slots[id.0 as usize].request = Some(request);
        id
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut InFlight> {
        self.slots.get_mut(id.0 as usize)?.request.as_deref_mut()
    }

    pub(super) fn remove(&mut self, id: StreamId) -> Option<Box<InFlight>> {
        let request = self.slots.get_mut(id.0 as usize)?.request.take()?;
        self.free.push(id);
        Some(request)
    }

    /// When the place has to be looked at.
    pub(super) fn looked_at(&mut self, id: StreamId) -> Option<&mut Option<Offset>> {
        Some(&mut self.slots.get_mut(id.0 as usize)?.looked_at)
    }

    /// The clock's origin has moved: no time-out is armed any more.
    pub(super) fn forget_looks(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.looked_at = None);
    }

    /// Those that hold a request.
    pub(super) fn all(&self) -> Vec<StreamId> {
        let held = |n: &u32| self.slots[*n as usize].request.is_some();
        let all = (0..self.slots.len() as u32).filter(held);
        all.map(StreamId).collect()
    }
}
