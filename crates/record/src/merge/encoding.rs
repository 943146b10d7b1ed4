//! The thread that encodes row groups while the next ones are put together.
//!
//! Invariant: room that was used comes back, so that there are three row groups at most, however long the merge.

use crate::error::RecordError;
use crate::parquet::gathered::{Gathered, GatheredWriter};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// Row groups that may wait: one is encoded, one waits, one is filled.
const WAITING: usize = 1;

/// The thread, and the ways to it and back.
pub(super) struct Encoding<'scope> {
    full: SyncSender<Gathered>,
    empty: Receiver<Gathered>,
    thread: ScopedJoinHandle<'scope, Result<GatheredWriter, RecordError>>,
}

impl<'scope> Encoding<'scope> {
    /// Starts it with the file that it writes.
    pub(super) fn start(scope: &'scope Scope<'scope, '_>, writer: GatheredWriter) -> Self {
        let (full, groups) = sync_channel(WAITING);
        let (back, empty) = channel();
        Self {
            full,
            empty,
            thread: scope.spawn(move || encode(writer, &groups, &back)),
        }
    }

    /// Hands over a full row group, and gives room for the next one; `None` where the thread has ended, since it could
    /// not write.
    pub(super) fn hand_over(&self, group: Gathered) -> Option<Gathered> {
        self.full.send(group).ok()?;
        Some(self.empty.try_recv().unwrap_or_default())
    }

    /// Hands over the last row group, and waits until all is encoded.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(super) fn end(self, last: Gathered) -> Result<GatheredWriter, RecordError> {
        let Self {
            full,
            empty: _,
            thread,
        } = self;
        // One that could not write says so below.
        let _ = full.send(last);
        drop(full);
        match thread.join() {
            Ok(encoded) => encoded,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn encode(
    mut writer: GatheredWriter,
    groups: &Receiver<Gathered>,
    back: &Sender<Gathered>,
) -> Result<GatheredWriter, RecordError> {
    while let Ok(mut group) = groups.recv() {
        writer.write(&mut group)?;
        // At the end nobody needs the room.
        let _ = back.send(group);
    }
    Ok(writer)
}
