//! Client and server on one machine.

use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Finding, Severity};

/// Client and server share cores: each slows the other. The facade says so in
/// `environment.target`: the address is a loopback one, or another of this host's.
pub(super) fn client_beside_server(run: &Run, _: &Summary) -> Option<Finding> {
    let target = &run.manifest.environment.target;
    let loopback = target.loopback == Some(true);
    if run.manifest.plan.is_mock() {
        return Some(Finding::new(
            Severity::Note,
            "host-shared-with-mock",
            "The simulator runs on the client's own machine.",
            format!("Target {}.", run.manifest.plan.target),
            "Fine for trying things out; figures of the client itself are worse than on a machine \
             of its own.",
        ));
    }
    (loopback || target.same_host == Some(true)).then(|| {
        let whose = if run.manifest.plan.target.starts_with("unix:") {
            "a socket of this host"
        } else if loopback {
            "a loopback address"
        } else {
            "an address of this host"
        };
        Finding::new(
            Severity::Warning,
            "host-shared-with-server",
            "Client and server share one machine: each takes CPU time from the other, and there is \
             no network between them.",
            format!("Target {} is {whose}.", run.manifest.plan.target),
            "Run the client on another machine, or keep the two on separate cores (taskset) and \
             say so.",
        )
    })
}
