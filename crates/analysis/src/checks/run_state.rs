//! Runs that did not go to their end, or were not written down.

use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Finding, Severity};

/// The recorder could not write: data are lost.
pub(super) fn recorder_error(run: &Run, _: &Summary) -> Option<Finding> {
    let error = run
        .manifest
        .client_health
        .as_ref()?
        .recorder_error
        .as_ref()?;
    Some(Finding::new(
        Severity::Error,
        "record-incomplete",
        "The record could not be written completely: requests are missing from every figure.",
        error.clone(),
        "Free the disk (or choose another --out) and run again.",
    ))
}

/// The run was stopped, or its record recovered from the journal.
pub(super) fn interrupted(run: &Run, summary: &Summary) -> Option<Finding> {
    let progress = run.manifest.progress.as_ref();
    let recovered = progress.is_none_or(|p| p.recovered);
    if !recovered && !progress.is_some_and(|p| p.interrupted) {
        return None;
    }
    let message = if recovered {
        "The run did not end: its record was recovered from the journal, and requests that were in \
         flight at the end are missing."
    } else {
        "The run was interrupted: figures cover the part of the window before that."
    };
    let window = match summary.window_s {
        Some(seconds) => format!("{seconds:.1} s of measured window remain"),
        None => "no measured window was reached".to_owned(),
    };
    let requests = &summary.requests;
    Some(Finding::new(
        Severity::Warning,
        "interrupted",
        message,
        format!(
            "{window}; {} measured requests, {} of them not sent.",
            requests.measured.total, requests.measured.not_sent
        ),
        "Run again to the end before comparing these figures with others.",
    ))
}
