//! Client and server on one machine.

use super::Check;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};

/// The simulator takes CPU time from the client.
pub(super) const HOST_SHARED_WITH_MOCK: Check = Check {
    code: "host-shared-with-mock",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: beside_simulator,
};

/// Client and server share cores: each slows the other. The facade says so in
/// `environment.target`: the address is a loopback one, or another of this host's.
pub const HOST_SHARED_WITH_SERVER: Check = Check {
    code: "host-shared-with-server",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: beside_server,
};

fn beside_simulator(run: &Run, _: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    plan.is_mock().then(|| {
        HOST_SHARED_WITH_MOCK.found(
            "The simulator runs on the client's own machine.",
            format!("Target {}.", plan.target),
            "Fine for trying things out; figures of the client itself are worse than on a machine \
             of its own.",
        )
    })
}

fn beside_server(run: &Run, _: &Summary) -> Option<Finding> {
    let target = &run.manifest.environment.target;
    let whose = match (target.loopback, target.same_host) {
        _ if run.manifest.plan.is_mock() => return None,
        (_, Some(true)) if run.manifest.plan.target.starts_with("unix:") => "a socket of this host",
        (Some(true), _) => "a loopback address",
        (_, Some(true)) => "an address of this host",
        _ => return None,
    };
    Some(HOST_SHARED_WITH_SERVER.found(
        "Client and server share one machine: each takes CPU time from the other, and there is \
         no network between them.",
        format!("Target {} is {whose}.", run.manifest.plan.target),
        "Run the client on another machine, or keep the two on separate cores (taskset) and \
         say so.",
    ))
}
