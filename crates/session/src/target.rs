//! A target that is ready for load. It outlives a run: ten runs on one target start, recognise and try it
//! once.
//!
//! What is found out about it is [`crate::found`]'s. Invariant: before each run but the first it is looked
//! whether anybody is still there.

use crate::experiment::{Experiment, Server};
use crate::found::{Asker, Found, found_unless_stopped};
use crate::host::Host;
use crate::mock_child::MockChild;
use crate::observer::Observer;
use crate::place::Cores;
use crate::ranked::Part;
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
    /// Where spans of its requests are received, where that was asked for and is this process's affair.
    pub(crate) tracing: Option<Arc<Tracing>>,
    /// Requests name their traces.
    traced: bool,
    /// Runs that were begun on it.
    runs: usize,
}

impl Target {
    /// Gets the target of an experiment ready: starts the simulator, where it is one that nobody else has started,
    /// which sends its spans to `tracing`.
    ///
    /// # Errors
    /// When it cannot be used, and when a signal came.
    pub(crate) fn ready(
        host: &Host,
        experiment: &Experiment,
        wanted: Wanted<'_>,
        tracing: Option<Arc<Tracing>>,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let elsewhere = wanted.part.and_then(|part| part.simulator.clone());
        let cores = host.cores(experiment.is_simulated() && elsewhere.is_none());
        let mock = match (&experiment.target.server, &elsewhere) {
            (Server::Simulator(mock), None) => {
                let spans = tracing.as_ref().map(|tracing| tracing.address());
                Some(MockChild::start(host.program(), mock, &cores.mock, spans)?)
            }
            (Server::Simulator(_), Some(_)) | (Server::Served(_), _) => None,
        };
        host.keep_to(&cores);
        let started = Started {
            cores,
            simulator: elsewhere.or_else(|| mock.as_ref().map(|mock| mock.url.clone())),
            mock,
            tracing,
        };
        Self::reached(experiment, wanted, started, observer)
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
            simulator: Some(mock.url.clone()),
            mock: Some(mock),
            tracing: None,
        };
        host.keep_to(&started.cores);
        let wanted = Wanted {
            identity,
            part: None,
        };
        Self::reached(experiment, wanted, started, observer)
    }

    fn reached(
        experiment: &Experiment,
        wanted: Wanted<'_>,
        started: Started,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let asker = Asker {
            run_id: wanted.identity.id.clone(),
            rank: wanted.part.map_or(0, |part| part.slice.index()),
        };
        let url = started.simulator.as_deref();
        let found = found_unless_stopped(experiment, url, asker, observer)?;
        Ok(Self {
            cores: started.cores,
            mock: started.mock,
            found,
            tracing: started.tracing,
            // Spans of all ranks' requests go to the first.
            traced: experiment.target.spans.is_some(),
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
        match self.traced {
            true => encoder.traced(TraceKey::of_run(&identity.id)),
            false => encoder,
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

/// For what a target is got ready.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The first run on it.
    pub identity: &'a RunIdentity,
    /// The part of a load that is sent to it from here; absent: all of it.
    pub part: Option<&'a Part>,
}

/// What a target begins with.
struct Started {
    cores: Cores,
    /// URL of the simulator, where it is one.
    simulator: Option<String>,
    /// The simulator, where it was started here.
    mock: Option<MockChild>,
    tracing: Option<Arc<Tracing>>,
}
