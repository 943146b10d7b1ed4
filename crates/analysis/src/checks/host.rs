//! Client and server on one machine.

use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Finding, Severity};

/// Client and server share cores: each slows the other. The facade says so in
/// `environment.target.loopback`.
pub(super) fn client_beside_server(run: &Run, _: &Summary) -> Option<Finding> {
    let environment = &run.manifest.environment;
    let loopback = environment.pointer("/target/loopback");
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
    (loopback.and_then(|l| l.as_bool()) == Some(true)).then(|| {
        Finding::new(
            Severity::Warning,
            "host-shared-with-server",
            "Client and server share one machine: each takes CPU time from the other, and there is \
             no network between them.",
            format!("Target {} is a loopback address.", run.manifest.plan.target),
            "Run the client on another machine, or keep the two on separate cores (taskset) and \
             say so.",
        )
    })
}
