//! The number of replicas behind a target: who tells it. It is read during the run by a thread of
//! [`crate::server_metrics`].
//!
//! Who cannot be asked is a fact, never an error of the run. Invariant: nothing is asked before the load, so that a
//! replica that is to come is no reason to give up.

use crate::experiment::{Experiment, ReplicasSpec, Server};
use crate::server_metrics::{Asking, Readable, elsewhere, quick};
use infermeter_core::plan::ReplicasFrom;
use infermeter_core::server::ServerEngine;
use infermeter_probe::metrics_page::MetricsPage;
use infermeter_probe::replicas::ReplicaCount;
use infermeter_probe::watch::Source;

/// The simulator's own series of them.
const SIMULATED: &str = "infermeter_mock_replicas";

/// Who tells, where anybody is to; or else why nobody can.
pub(crate) fn find(
    experiment: &Experiment,
    asking: &Asking<'_>,
) -> Option<Result<Readable, String>> {
    let count = match (&experiment.target.replicas, &experiment.target.server) {
        (Some(ReplicasSpec::Command(command)), _) => Ok(ReplicaCount::Command(command.clone())),
        (Some(ReplicasSpec::Page(series)), _) => {
            elsewhere(experiment, &series.url, asking).map(|page| ReplicaCount::Page {
                page,
                series: series.clone(),
            })
        }
        (None, Server::Simulator(mock)) => {
            // What makes no simulator was refused before.
            mock.config().ok()?.autoscale?;
            Ok(of_simulator(asking.clone()))
        }
        (None, Server::Served(_)) => return None,
    };
    Some(count.map(|count| Readable {
        source: Source::Replicas(count),
        engines: vec![ServerEngine::Replicas],
    }))
}

/// All replicas of the simulator, loading and draining ones too.
fn of_simulator(asking: Asking<'_>) -> ReplicaCount {
    let Asking {
        target,
        headers,
        channel,
    } = asking;
    let page = MetricsPage::of(target.clone(), headers.clone(), quick(channel));
    let series = ReplicasFrom {
        url: page.url(),
        metric: SIMULATED.to_owned(),
        labels: Vec::new(),
    };
    ReplicaCount::Page { page, series }
}
