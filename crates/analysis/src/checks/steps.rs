//! What a step response could not tell: steps that never settle or are too short, and replicas that were not read.
//!
//! Invariant: a run whose rate has no steps finds nothing of steps.

use super::{Check, NOTE, of_server as check};
use crate::run::Run;
use crate::steps::{StepEnd, StepResponse};
use crate::summary::Summary;
use infermeter_core::environment::MetricsPlace;
use infermeter_core::finding::Finding;
use infermeter_core::number::counted;
use infermeter_core::text::inert;

/// The first of some steps, and how many there are.
fn first(summary: &Summary, end: StepEnd) -> Option<(&StepResponse, u64)> {
    let steps = summary.steps.as_ref()?;
    Some((steps.ending(end).next()?, steps.ending(end).count() as u64))
}

fn place(step: &StepResponse) -> String {
    format!(
        "{} to {}/s from second {:.0} to {:.0}",
        step.rate_before, step.rate, step.from_s, step.to_s
    )
}

/// The objectives did not hold again before the next step.
pub(super) const NEVER_SETTLED: Check = check("step-never-settled", NOTE, None, never_settled);

fn never_settled(_: &Run, summary: &Summary) -> Option<Finding> {
    let (step, n) = first(summary, StepEnd::NeverSettled)?;
    let share = step
        .attainment
        .map(|share| format!(", {:.1} % of its requests met them", share.value * 100.0));
    Some(NEVER_SETTLED.found(
        "After a step of the rate the objectives did not hold again before the step ended: there is no time to settle.",
        format!("{}; the first: {}{}.", counted(n, "step"), place(step), share.unwrap_or_default()),
        "Make the step longer than the autoscaler needs, or give it more replicas; a rate that the service never \
         carries has no time to settle.",
    ))
}

/// A step has too few parts.
pub(super) const TOO_SHORT: Check = check("steps-too-short", NOTE, None, too_short);

fn too_short(_: &Run, summary: &Summary) -> Option<Finding> {
    let (step, n) = first(summary, StepEnd::TooShort)?;
    Some(TOO_SHORT.found(
        "A step of the rate is too short, or has too few requests, for its response to be told.",
        format!("{}; the first: {}, {}.", counted(n, "step"), place(step), counted(step.requests as u64, "request")),
        "Parts of a step have a second and 30 requests at least, and five parts say something: make the step longer.",
    ))
}

/// The number of replicas was asked for and never came.
pub(super) const REPLICAS_UNREAD: Check = check("replicas-not-read", NOTE, None, replicas_unread);

fn replicas_unread(run: &Run, _: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    if plan.replicas_from.is_none() && plan.replicas_command.is_none() {
        return None;
    }
    let server = run.server.as_ref();
    let read = server.and_then(|server| Some((server, server.replica_page()?)));
    let readings = || read.iter().flat_map(|(server, page)| server.of_page(*page));
    if readings().any(|reading| reading.error.is_none()) {
        return None;
    }
    let failed = readings().find_map(|reading| reading.error.as_deref());
    let missing = match &run.manifest.environment.target.replicas {
        Some(MetricsPlace::NotAvailable { not_available }) => Some(&**not_available),
        Some(MetricsPlace::Known { .. }) | None => None,
    };
    let why = failed.or(missing).unwrap_or("it was not asked");
    Some(REPLICAS_UNREAD.found(
        "The number of replicas was never read: there are no replica-seconds.",
        format!("{} readings; {}.", readings().count(), inert(why, 200)),
        "Try the command or the page by hand, as the user that infermeter runs as.",
    ))
}
