//! How well the instants are known.

use super::{Check, count, percent, waited_for_a_core};
use crate::limits::{CLOCK_STEP_MS, PROGRAM_STAMPED, UNCERTAIN_CHUNKS};
use crate::percentile::Percentile;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::text;

/// The client read so late that arrivals merged: their instants are known to an interval only.
pub const UNCERTAIN_INSTANTS: Check = Check {
    code: "uncertain-instants",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Tiered,
    limit: Some(UNCERTAIN_CHUNKS),
    test: uncertain_instants,
};

fn uncertain_instants(_: &Run, summary: &Summary) -> Option<Finding> {
    let censoring = &summary.client.censoring;
    let share = censoring.uncertain_share?;
    let severity = UNCERTAIN_INSTANTS.weigh(share)?;
    Some(UNCERTAIN_INSTANTS.weighing(
        severity,
        format!(
            "{} of the chunk instants are uncertain by more than {:.2} ms.",
            percent(share),
            censoring.bound_ms
        ),
        format!(
            "{} of {} chunks; the widest interval is {:.2} ms.{}",
            count(censoring.uncertain),
            count(censoring.chunks),
            censoring.widest_ms.unwrap_or(0.0),
            waited_for_a_core(summary)
        ),
        "The client read several arrivals at once: use more --threads or a quieter client machine.",
    ))
}

/// Instants are the program's: its own delay is inside them.
pub const PROGRAM_STAMPS: Check = Check {
    code: "program-stamps",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::NoteUpToLimit,
    limit: Some(PROGRAM_STAMPED),
    test: program_stamps,
};

fn program_stamps(run: &Run, summary: &Summary) -> Option<Finding> {
    let stamps = &summary.client.stamps;
    let all = stamps.kernel + stamps.program;
    if stamps.program == 0 {
        return None;
    }
    let share = stamps.program as f64 / all as f64;
    let severity = PROGRAM_STAMPS.weigh(share)?;
    let lag = Percentile::new(99.0).and_then(|p99| {
        let lag = summary.client.client_lag.as_ref()?;
        lag.order_statistic(p99)
    });
    let lag = lag.map_or_else(
        || " How late the program was is not known.".to_owned(),
        |ms| format!(" Where both stamps are known the program was {ms:.2} ms late at p99."),
    );
    let clients = run.manifest.clients.iter();
    let without = clients.filter(|client| !client.health.kernel_stamps);
    let without: Vec<u32> = without.map(|client| client.slice.index()).collect();
    let without = match without.as_slice() {
        [] => String::new(),
        ranks => format!(" The kernel did not stamp those of {}.", text::ranks(ranks)),
    };
    Some(PROGRAM_STAMPS.weighing(
        severity,
        "Responses were stamped by the program, not by the kernel: the client's own delay is \
         inside their latencies.",
        format!(
            "{} of {} responses ({}).{lag}{without}",
            count(stamps.program),
            count(all),
            percent(share)
        ),
        match run.manifest.plan.target.starts_with("unix:") {
            true => {
                "Sockets of this host have no kernel stamps: measure over TCP (http://127.0.0.1:PORT) \
                 where that delay matters."
            }
            false => {
                "Run the client on Linux, where SO_TIMESTAMPING works, outside a sandbox that hides \
                 it."
            }
        },
    ))
}

/// Stamps of sends were asked for, and some are missing.
pub(super) const DEPARTURES_MISSING: Check = Check {
    code: "departures-missing",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Warning),
    limit: None,
    test: departures_missing,
};

fn departures_missing(_: &Run, summary: &Summary) -> Option<Finding> {
    let departure = summary.client.departure.as_ref()?;
    if departure.missing == 0 {
        return None;
    }
    let all = departure.missing + departure.stamped;
    let severity = if departure.stamped == 0 {
        Severity::Warning
    } else {
        Severity::Note
    };
    Some(DEPARTURES_MISSING.weighing(
        severity,
        "Requests have no stamp of when they left, which --audit-send asked for.",
        format!("{} of {} requests.", count(departure.missing), count(all)),
        "Run where the network device stamps sends in software (ethtool -T names what it can do).",
    ))
}

/// The real-time clock, in which the kernel stamps, was set during the run.
pub const CLOCK_STEP: Check = Check {
    code: "clock-step",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: Some(CLOCK_STEP_MS),
    test: clock_step,
};

fn clock_step(_: &Run, summary: &Summary) -> Option<Finding> {
    let step = summary.client.threads.as_ref()?.clock_step_ms;
    (step > CLOCK_STEP_MS).then(|| {
        CLOCK_STEP.found(
            "The real-time clock was set during the run; kernel stamps around that instant are off \
             by up to the step.",
            format!(
                "Greatest step: {step:.2} ms.{}",
                summary
                    .client
                    .worst_rank(|threads| Some(threads.clock_step_ms))
            ),
            "Let the clock settle (chronyc tracking) before measuring.",
        )
    })
}
