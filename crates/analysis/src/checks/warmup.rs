//! The warm-up.

use super::counted;
use crate::limits::SHORT_WINDOW_S;
use crate::summary::Summary;
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::run::RunLog;

/// The measured window began on a cold server.
pub(super) fn no_warmup(_: &RunLog, summary: &Summary) -> Option<Finding> {
    (summary.warmup.requests == 0).then(|| {
        Finding::new(
            Severity::Warning,
            "no-warmup",
            "No warm-up: the measured window includes the start of load.",
            format!(
                "Asked for: {}; no request came before the window.",
                summary.warmup.asked
            ),
            "Leave --warmup at its default, or ask for at least 30s.",
        )
    })
}

/// The default warm-up of short windows.
pub(super) fn short_warmup(log: &RunLog, summary: &Summary) -> Option<Finding> {
    let plan = &log.manifest.plan;
    let short = plan.duration?.as_seconds() <= SHORT_WINDOW_S;
    (plan.warmup.is_none() && short && summary.warmup.requests > 0).then(|| {
        Finding::new(
            Severity::Note,
            "short-warmup",
            "The warm-up is the short one of windows up to 60 s.",
            format!(
                "{} before the window, {}.",
                seconds(summary),
                counted(summary.warmup.requests, "request")
            ),
            "Use --warmup 30s or a longer --duration for figures to publish.",
        )
    })
}

fn seconds(summary: &Summary) -> String {
    match summary.warmup.seconds {
        Some(s) => format!("{s:.1} s"),
        None => "Some time".to_owned(),
    }
}
