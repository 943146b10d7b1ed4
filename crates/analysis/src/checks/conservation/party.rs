//! Whose rows are compared with what: the whole run, and each of several clients that share its load.
//!
//! Finds no breach. Invariant: a row is one of the whole and, where there are several clients, of the one that its record
//! names.

use crate::ranks::parts_of;
use crate::run::Run;
use infermeter_core::run::{ClientHealth, ClientRun, Progress, RunState};
use infermeter_core::schedule::{ScheduleFacts, Slice, Window};
use infermeter_metrics::facts::RequestFacts;
use std::collections::BTreeMap;

/// Whose ids follow one another in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequence {
    /// By the numbers of this part of the load, without a gap.
    Every(Slice),
    /// Upwards: some are left out, or belong to others.
    Upwards,
}

/// Rows, and what is said of them.
pub(super) struct Party<'a> {
    /// `rank 3: `; empty of the whole.
    pub(super) name: String,
    pub(super) requests: Vec<&'a RequestFacts>,
    pub(super) progress: Option<&'a Progress>,
    pub(super) health: Option<&'a ClientHealth>,
    pub(super) schedule: Option<&'a ScheduleFacts>,
    /// Its own window. Several clients have none together: that of the run begins with the first of theirs and ends
    /// with the last.
    pub(super) window: Option<Window>,
    pub(super) sequence: Sequence,
    /// It went to its end.
    pub(super) is_whole: bool,
}

impl<'a> Party<'a> {
    /// The whole run, then each of several clients.
    pub(super) fn all(run: &'a Run) -> Vec<Self> {
        let manifest = &run.manifest;
        let clients: &[ClientRun] = match parts_of(manifest) {
            Some(_) => &manifest.clients,
            None => &[],
        };
        let ended = manifest.state == RunState::Finished;
        let slice = manifest.schedule.map(|s| s.slice).unwrap_or_default();
        let mut all = vec![Self {
            name: String::new(),
            requests: run.collected.requests.iter().collect(),
            progress: manifest.progress.as_ref(),
            health: manifest.client_health.as_ref(),
            schedule: manifest.schedule.as_ref(),
            window: manifest.window.filter(|_| clients.is_empty()),
            sequence: match clients {
                [] => Sequence::Every(slice),
                _ => Sequence::Upwards,
            },
            is_whole: ended && manifest.progress.as_ref().is_some_and(|p| !p.interrupted),
        }];
        let mut own = by_client(run);
        all.extend(clients.iter().map(|client| Self {
            name: format!("rank {}: ", client.slice.index()),
            requests: own.remove(&client.slice.index()).unwrap_or_default(),
            progress: Some(&client.progress),
            health: Some(&client.health),
            schedule: client.schedule.as_ref(),
            window: client.window.or(manifest.window),
            sequence: Sequence::Every(client.slice),
            is_whole: !client.progress.interrupted,
        }));
        all
    }

    /// Rows may be missing without anybody's fault: its record was made from its journal, or could not be written, which
    /// is a finding of its own.
    pub(super) fn may_lack_rows(&self) -> bool {
        let unwritten = self.health.is_some_and(|h| h.recorder_error.is_some());
        self.progress.is_none_or(|p| p.recovered) || unwritten
    }
}

fn by_client(run: &Run) -> BTreeMap<u32, Vec<&RequestFacts>> {
    let mut own: BTreeMap<u32, Vec<&RequestFacts>> = BTreeMap::new();
    for request in &run.collected.requests {
        if let Some(client) = request.client {
            own.entry(client).or_default().push(request);
        }
    }
    own
}
