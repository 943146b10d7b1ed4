//! What a run has that a format of other tools has no place for, said run by run.

use super::foreign::Foreign;
use super::run::ExportedRun;
use super::spread::{PERCENTILES, carries};
use infermeter_core::number::counted;

/// What an import did not bring along.
pub(crate) fn untimed(run: &ExportedRun<'_>) -> Option<String> {
    let what = match (run.is_timed(), run.is_dated()) {
        (false, _) => "when requests were sent",
        (true, false) => "the date: instants count from the first send",
        (true, true) => return None,
    };
    Some(format!("{what}: the imported file does not say it"))
}

/// What every format of the vLLM kind loses of this run.
pub(crate) fn of_run(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> Vec<String> {
    let mut losses = Vec::new();
    let n = foreign.completed;
    let upper = PERCENTILES
        .iter()
        .filter(|p| **p >= 50.0 && !carries(n, **p));
    let missing: Vec<String> = upper.map(|p| format!("p{p}")).collect();
    if !missing.is_empty() {
        let requests = counted(n, "request");
        losses.push(format!(
            "{}, which {requests} do not carry",
            missing.join(", ")
        ));
    }
    if foreign.not_sent > 0 {
        let requests = counted(foreign.not_sent, "request");
        losses.push(format!("{requests} that were scheduled and never sent"));
    }
    losses.extend(untimed(run));
    if foreign.input_lengths.is_none() && n > 0 {
        losses.push("prompt tokens: of some requests nobody knows them".to_owned());
    }
    if foreign.output_lengths.is_none() && n > 0 {
        losses.push("output tokens: of some answers nobody knows them".to_owned());
    }
    if run.manifest.classes.len() > 1 {
        losses.push("which class a request is of, and figures of each class".to_owned());
    }
    if run.summary.sessions.is_some() {
        losses.push("sessions and their turns".to_owned());
    }
    if !run.summary.slo.is_empty() {
        losses.push(
            "objectives: ours count failures as misses and begin with the intended send".to_owned(),
        );
    }
    losses
}
