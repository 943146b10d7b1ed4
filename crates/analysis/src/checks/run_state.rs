//! Runs that did not go to their end, or were not written down.

use super::{Check, count, counted};
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};

/// The recorder could not write: data are lost.
pub const RECORD_INCOMPLETE: Check = Check {
    code: "record-incomplete",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Error),
    limit: None,
    test: recorder_error,
};

fn recorder_error(run: &Run, summary: &Summary) -> Option<Finding> {
    let health = run.manifest.client_health.as_ref()?;
    let error = health.recorder_error.as_ref()?;
    let missing = health.unwritten.map_or_else(String::new, |unwritten| {
        let scheduled = run.manifest.progress.as_ref().map(|p| p.scheduled);
        let of_all = scheduled.map_or_else(String::new, |n| format!(" of {}", count(n)));
        let since = unwritten.since.map_or_else(String::new, |at| {
            format!(", those that ended after {:.1} s", at.0 as f64 / 1e9)
        });
        format!(
            "{}{of_all} are missing{since}; {} of {} are here. ",
            counted(unwritten.records, "request"),
            count(summary.requests.measured.total),
            counted(unwritten.measured, "measured request"),
        )
    });
    let here = run.collected.requests.len() as u64;
    let all_here = run
        .manifest
        .progress
        .as_ref()
        .is_some_and(|p| p.scheduled == here);
    let (severity, message) = if health.unwritten.is_none() && all_here {
        let message =
            "The record could not be written for a while, and was later: nothing is missing.";
        (Severity::Note, message)
    } else {
        let message = "The record could not be written completely: requests are missing from every \
                       figure.";
        (Severity::Error, message)
    };
    Some(RECORD_INCOMPLETE.weighing(
        severity,
        message,
        format!("{missing}{error}"),
        "Free the disk (or choose another --out) and run again.",
    ))
}

/// The run was stopped, or its record recovered from the journal.
pub const INTERRUPTED: Check = Check {
    code: "interrupted",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: interrupted,
};

fn interrupted(run: &Run, summary: &Summary) -> Option<Finding> {
    let progress = run.manifest.progress.as_ref();
    let recovered = progress.is_none_or(|p| p.recovered);
    if !recovered && !progress.is_some_and(|p| p.interrupted) {
        return None;
    }
    let mut clients = run.manifest.clients.iter();
    let some_ended = clients.any(|client| !client.progress.interrupted);
    let message = if some_ended {
        "A part of the clients did not get to their end: what came of the requests that were in flight then is not \
         known."
    } else if recovered {
        "The run did not end: its record was recovered from the journal, and what came of the requests \
         that were in flight at the end is not known."
    } else {
        "The run was interrupted: figures cover the part of the window before that."
    };
    let window = match summary.window_s {
        Some(seconds) => format!("{seconds:.1} s of measured window remain"),
        None => "no measured window was reached".to_owned(),
    };
    let requests = &summary.requests;
    Some(INTERRUPTED.found(
        message,
        format!(
            "{window}; {} measured requests, {} of them not sent.",
            requests.measured.total, requests.measured.not_sent
        ),
        "Run again to the end before comparing these figures with others.",
    ))
}
