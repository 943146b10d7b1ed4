//! How a run is executed: threads, cores, connections, sessions.

use crate::dependents::SessionRules;
use infermeter_client::engine::EngineConfig;
use infermeter_core::schedule::Slice;

/// How to execute a schedule.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// Worker threads.
    pub threads: usize,
    /// Core of each worker; shorter than `threads` leaves the rest unpinned.
    pub cores: Vec<usize>,
    /// Template of each worker's engine: connection numbers, clock and the cap's share are set
    /// per worker.
    pub engine: EngineConfig,
    /// Connections opened before the clock starts, over all workers.
    pub open_ahead: usize,
    /// How sessions go on.
    pub sessions: SessionRules,
    /// The trace ends with its rows: nothing keeps the load on in the drain.
    pub drain_without_load: bool,
}

impl RunSettings {
    /// The same for a part of a load: no other part has its connection numbers.
    pub(crate) fn of_slice(&self, slice: Slice) -> Self {
        let mut own = self.clone();
        own.engine.first_connection = slice.index();
        own.engine.connection_stride = slice.of();
        own
    }
}
