//! A target that is ready for load. It outlives a run: ten runs on one target start, recognise and try it
//! once.
//!
//! What is found out about it is [`crate::found`]'s. Invariant: before each run but the first it is looked
//! whether anybody is still there.

use crate::experiment::{Experiment, Server};
use crate::found::{Found, found_unless_stopped};
use crate::host::Host;
use crate::mock_child::MockChild;
use crate::observer::Observer;
use crate::place::Cores;
use crate::run_id::RunIdentity;
use crate::spans::Tracing;
use anyhow::Result;
use infermeter_client::encode::RequestEncoder;
use infermeter_core::spans::TraceKey;
use std::sync::Arc;

/// A target ready for load: started where it is a simulator, reached, recognised, and tried. It outlives a
/// run: what was found out holds for every further run on it.
#[derive(Debug)]
pub struct Target {
    /// Cores of both sides.
    pub cores: Cores,
    /// The simulator that was started for it; ends with it.
    mock: Option<MockChild>,
    /// What was found out.
    found: Found,
    /// Where spans of its requests are received, where that was asked for.
    pub(crate) tracing: Option<Arc<Tracing>>,
    /// Runs that were begun on it.
    runs: usize,
}

impl Target {
    /// Gets the target of an experiment ready: starts the simulator, where it is one, which sends its spans to
    /// `tracing`.
    ///
    /// # Errors
    /// When it cannot be used, and when a signal came.
    pub(crate) fn ready(
        host: &Host,
        experiment: &Experiment,
        identity: &RunIdentity,
        tracing: Option<Arc<Tracing>>,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let cores = host.cores(experiment.is_simulated());
        let mock = match &experiment.target.server {
            Server::Simulator(mock) => {
                let spans = tracing.as_ref().map(|tracing| tracing.address());
                Some(MockChild::start(host.program(), mock, &cores.mock, spans)?)
            }
            Server::Served(_) => None,
        };
        host.keep_to(&cores);
        let started = Started {
            cores,
            mock,
            tracing,
        };
        Self::reached(experiment, identity, started, observer)
    }

    /// The same with a simulator that was started already.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub(crate) fn of_simulator(
        host: &Host,
        experiment: &Experiment,
        identity: &RunIdentity,
        mock: MockChild,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let started = Started {
            cores: host.cores(true),
            mock: Some(mock),
            tracing: None,
        };
        host.keep_to(&started.cores);
        Self::reached(experiment, identity, started, observer)
    }

    fn reached(
        experiment: &Experiment,
        identity: &RunIdentity,
        started: Started,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let url = started.mock.as_ref().map(|mock| mock.url.as_str());
        let found = found_unless_stopped(experiment, url, &identity.id, observer)?;
        Ok(Self {
            cores: started.cores,
            mock: started.mock,
            found,
            tracing: started.tracing,
            runs: 0,
        })
    }

    /// What is known of it.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Encodes the requests of a run: they name their traces where spans are received.
    pub(crate) fn encoder(&self, identity: &RunIdentity) -> RequestEncoder {
        let encoder = self.found.encoder.clone();
        match self.tracing {
            Some(_) => encoder.traced(TraceKey::of_run(&identity.id)),
            None => encoder,
        }
    }

    /// Ends the simulator and waits for its last lines.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn end(self) -> Result<()> {
        self.mock.map_or(Ok(()), MockChild::end)
    }

    /// A run begins. Before each but the first, it is looked whether anybody is still there, and the
    /// server's counters are read anew: those of the run before are in the old ones.
    ///
    /// # Errors
    /// When nobody accepts a connection any more.
    pub fn begin(&mut self, experiment: &Experiment, identity: &RunIdentity) -> Result<()> {
        self.runs += 1;
        if self.runs == 1 {
            return Ok(());
        }
        self.found.begin_run(experiment, identity)
    }
}

/// What a target begins with.
struct Started {
    cores: Cores,
    mock: Option<MockChild>,
    tracing: Option<Arc<Tracing>>,
}
