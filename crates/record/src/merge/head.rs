//! The next row of one record, decoded ahead by a thread of its own.
//!
//! Invariant: room that was used comes back, so that a record has a few batches in memory and no more.

use crate::error::RecordError;
use crate::parquet::lanes::Lanes;
use crate::parquet::reader::ParquetRecords;
use crate::parquet::rows::{Batch, blank};
use infermeter_core::record::RequestRecord;
use infermeter_core::request::RequestId;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// Batches that may wait: one to take while the next is decoded.
const WAITING: usize = 1;

/// The batch at hand, and the thread that decodes further ones.
pub(super) struct Head<'scope> {
    batch: Batch,
    /// The next row of it.
    next: usize,
    batches: Receiver<Batch>,
    used: Sender<Batch>,
    reader: Option<ScopedJoinHandle<'scope, Result<(), RecordError>>>,
}

/// A row, taken out of its batch.
pub(super) struct Row<'a> {
    /// Without chunks.
    pub(super) record: RequestRecord,
    /// Where its chunks are.
    pub(super) lanes: &'a Lanes,
    /// Which row of these it is.
    pub(super) number: usize,
}

impl<'scope> Head<'scope> {
    /// Starts to decode.
    pub(super) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        records: &'env ParquetRecords,
    ) -> Self {
        let (full, batches) = sync_channel(WAITING);
        let (used, empty) = channel();
        Self {
            batch: Batch::default(),
            next: 0,
            batches,
            used,
            reader: Some(scope.spawn(move || read(records, &full, &empty))),
        }
    }

    /// The id of the next row, which [`Self::take`] takes; `None` at the end.
    ///
    /// # Errors
    /// Why nothing more could be read.
    pub(super) fn id(&mut self) -> Result<Option<RequestId>, RecordError> {
        while self.next == self.batch.records.len() {
            match self.batches.recv() {
                Ok(batch) => {
                    self.next = 0;
                    // A reader that has come to its end needs no room.
                    let _ = self.used.send(std::mem::replace(&mut self.batch, batch));
                }
                Err(_) => return self.ended().map(|()| None),
            }
        }
        Ok(self.batch.records.get(self.next).map(|record| record.id))
    }

    /// Takes the next row, which there must be.
    pub(super) fn take(&mut self) -> Row<'_> {
        let number = self.next;
        self.next += 1;
        Row {
            record: std::mem::replace(&mut self.batch.records[number], blank()),
            lanes: &self.batch.lanes,
            number,
        }
    }

    fn ended(&mut self) -> Result<(), RecordError> {
        match self.reader.take().map(ScopedJoinHandle::join) {
            Some(Ok(read)) => read,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

/// Decodes into the channel, until all is there or nobody listens any more.
fn read(
    records: &ParquetRecords,
    full: &SyncSender<Batch>,
    empty: &Receiver<Batch>,
) -> Result<(), RecordError> {
    records.batches(&mut |batch| {
        let room = empty.try_recv().unwrap_or_default();
        match full.send(batch.give(room)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })
}
