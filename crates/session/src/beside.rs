//! What goes on beside a run: the server's metrics are read, and its own figures are shown.
//!
//! Neither is a part of the measurement. Invariant: called from the thread that watches the run, and from no
//! worker.

use crate::expose::{Exposed, RunFigures};
use crate::server_metrics::Watching;
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::run::RunManifest;
use infermeter_core::schedule::{Phase, Schedule};
use infermeter_runner::progress::Snapshot;
use std::sync::Arc;

/// Whoever is told how a run goes.
#[derive(Debug)]
pub(crate) struct Beside {
    /// Those that read the server's metrics, where it has any.
    watching: Option<Watching>,
    /// The figures of the page, where there is one.
    figures: Option<Arc<RunFigures>>,
}

impl Beside {
    /// These, for the run that `manifest` is of.
    pub fn of(
        watching: Option<Watching>,
        exposed: Option<&Exposed>,
        manifest: &RunManifest,
    ) -> Self {
        Self {
            watching,
            figures: exposed.map(|exposed| exposed.begin(manifest)),
        }
    }

    /// Where ended requests are counted.
    pub fn figures(&self) -> Option<&RunFigures> {
        self.figures.as_deref()
    }

    /// The run's clock is set.
    pub fn start_at(&self, clock: Clock) {
        if let Some(watching) = &self.watching {
            watching.start_at(clock);
        }
        if let Some(figures) = &self.figures {
            figures.start(&clock);
        }
    }

    /// A phase of the load began.
    pub fn phase(&self, phase: Phase) {
        if let Some(watching) = &self.watching {
            watching.phase(phase);
        }
        if let Some(figures) = &self.figures {
            figures.phase(phase);
        }
    }

    /// How the load goes.
    pub fn progress(&self, snapshot: &Snapshot) {
        if let Some(figures) = &self.figures {
            figures.progress(snapshot);
        }
    }

    /// The load of `schedule` ended at `at`: the page's figures are those of the record from now on.
    pub fn end(&self, schedule: &Schedule, at: Offset) {
        if let Some(figures) = &self.figures {
            figures.end(schedule, at);
        }
    }

    /// Waits for the last readings of the server's metrics, for a moment.
    pub fn last_readings(self) {
        if let Some(watching) = self.watching {
            watching.end();
        }
    }
}
