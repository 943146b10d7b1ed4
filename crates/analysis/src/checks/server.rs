//! The server's own metrics against the client's records.

use super::Check;
use super::percent;
use crate::run::Run;
use crate::server::Agreement;
use crate::summary::Summary;
use infermeter_core::environment::MetricsPlace;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::text::inert;

/// The server has other requests than the client sends.
pub(super) const LITTLES_LAW_DISAGREES: Check = Check {
    code: "littles-law-disagrees",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: littles_law,
};

fn littles_law(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = summary.server.as_ref()?.littles_law?;
    if found.answer != Agreement::Disagrees {
        return None;
    }
    let (message, advice) = if found.difference > 0.0 {
        (
            "The server has more requests than this client sends: someone else is loading it.",
            "Measure when the server has no other load. Requests that the client gave up may \
             still run there; several clients of one test are no fault, if their results are \
             read together.",
        )
    } else {
        (
            "The server has fewer requests than this client waits for: they queue in front of it.",
            "Look for a proxy or a gateway that queues, and for the server's own front end at its \
             limit. If several replicas answer, name the page that counts them all \
             (--server-metrics URL), or leave it out (off).",
        )
    };
    let error = found.sampling_error.unwrap_or_default();
    let share = (found.client > 0.0).then(|| found.difference.abs() / found.client);
    let share = share.map_or_else(String::new, |share| format!(" ({})", percent(share)));
    Some(LITTLES_LAW_DISAGREES.found(
        message,
        format!(
            "Running and waiting {:.2} on average by {} readings of the server's gauges, {:.2} in \
             flight by the records; {:+.2} ± {error:.2} at the same instants{share}, at most {:.2} \
             expected, {:.2} of it on the way.",
            found.server,
            found.n,
            found.client,
            found.difference,
            found.tolerance.unwrap_or_default(),
            found.network_share,
        ),
        advice,
    ))
}

/// The metrics page that the plan names was never read.
pub(super) const SERVER_METRICS_UNREAD: Check = Check {
    code: "server-metrics-unread",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: metrics_unread,
};

fn metrics_unread(run: &Run, summary: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    if plan.server_metrics.urls().is_empty() {
        return None;
    }
    if let Some(MetricsPlace::Known { unread, .. }) =
        &run.manifest.environment.target.server_metrics
        && let Some(first) = unread.first()
    {
        let (url, why) = (inert(&first.url, 160), inert(&first.why, 160));
        return Some(SERVER_METRICS_UNREAD.found(
            "A metrics page that the plan names could not be read: what is told of the server is \
             without it.",
            format!(
                "{} of {} pages; {url}: {why}.",
                unread.len(),
                plan.server_metrics.urls().len()
            ),
            "Check the address given to --server-metrics from this machine.",
        ));
    }
    let why = summary.server.as_ref()?.not_available.as_ref()?;
    Some(SERVER_METRICS_UNREAD.found(
        "The server's metrics page that the plan names could not be read: nothing is known of the \
         server's own view.",
        format!("{}.", inert(why, 160)),
        "Check the address given to --server-metrics from this machine.",
    ))
}

#[cfg(test)]
mod tests;
