//! Progress on a thread of its own.
//!
//! Who watches a run heeds signals and tells phases, and must not wait for a terminal: one that is stopped
//! (Ctrl-S, a stalled connection, a pager that does not read) takes nothing for as long as it likes. Invariant:
//! nothing here waits for the terminal, but for a moment at the end of a load.

use super::Progress;
use infermeter_core::plan::Plan;
use infermeter_runner::progress::Snapshot;
use infermeter_sys::affinity::yield_to_others;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// How long the last drawing may take: a terminal that works needs milliseconds.
const LAST_DRAWING: Duration = Duration::from_secs(1);

/// Shows snapshots of one load.
#[derive(Debug)]
pub(crate) struct Display {
    snapshots: SyncSender<Snapshot>,
    ended: Receiver<()>,
}

impl Display {
    /// As the plan asks for; `said` is what was told before.
    pub(crate) fn begin(plan: &Plan, said: Vec<String>) -> Self {
        let (snapshots, coming) = sync_channel::<Snapshot>(1);
        let (end, ended) = channel();
        let plan = plan.clone();
        thread::spawn(move || {
            yield_to_others();
            let mut progress = Progress::of(&plan, &said);
            for snapshot in coming {
                progress.show(&snapshot);
            }
            progress.end();
            // Who waits for it may have given up.
            let _ = end.send(());
        });
        Self { snapshots, ended }
    }

    /// Hands a snapshot over. While the terminal takes nothing those that come are left out.
    pub(crate) fn show(&self, snapshot: &Snapshot) {
        let _ = self.snapshots.try_send(snapshot.clone());
    }

    /// The load has ended: clears what was drawn. A terminal that takes nothing is left as it is.
    pub(crate) fn end(self) {
        drop(self.snapshots);
        if self.ended.recv_timeout(LAST_DRAWING).is_err() {
            #[cfg(feature = "live")]
            super::full::give_back_keys();
        }
    }
}
