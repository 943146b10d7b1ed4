//! Whether the client was calibrated for the load.

use super::Check;
use super::count;
use crate::calibration::{CalibratedLoad, CalibrationSummary, Range};
use crate::limits::CALIBRATED_BOUND_US;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};

/// The load is above the highest one for which the error is known to be small.
pub const OUTSIDE_CALIBRATION: Check = Check {
    code: "outside-calibration",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: outside,
};

fn outside(_: &Run, summary: &Summary) -> Option<Finding> {
    let calibration = current(summary)?;
    let loads = calibration.loads.iter();
    let beyond: Vec<String> = loads
        .filter(|load| load.range == Range::Outside)
        .map(|load| match load.proven_per_s {
            Some(proven) => format!("{}, shown up to {}", rate(load), count(proven as u64)),
            None => format!("{}, where not even the lowest load held", rate(load)),
        })
        .collect();
    (!beyond.is_empty()).then(|| {
        OUTSIDE_CALIBRATION.found(
            format!(
                "The load is above the highest one at which this client's error p99 was shown to \
                 stay within {:.0} ms.",
                CALIBRATED_BOUND_US / 1e3
            ),
            format!("{} ({}).", beyond.join("; "), date(calibration)),
            "Run `infermeter calibrate --full`, lower the load, or share it between client machines.",
        )
    })
}

/// The load is one for which the error is known.
pub(super) const CALIBRATED: Check = Check {
    code: "calibrated",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: inside,
};

fn inside(_: &Run, summary: &Summary) -> Option<Finding> {
    let calibration = current(summary).filter(|c| c.is_inside())?;
    let error = calibration.error_p99_us()?;
    let loads: Vec<String> = calibration.loads.iter().map(rate).collect();
    Some(CALIBRATED.found(
        format!("This machine's client is calibrated for this load: error p99 {error:.0} us."),
        format!("{} ({}).", loads.join(", "), date(calibration)),
        "Nothing to do.",
    ))
}

/// There is a certificate, and it does not hold for this run.
pub(super) const CALIBRATION_STALE: Check = Check {
    code: "calibration-stale",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: stale,
};

fn stale(_: &Run, summary: &Summary) -> Option<Finding> {
    let calibration = summary.client.calibration.as_ref()?;
    (!calibration.stale.is_empty()).then(|| {
        CALIBRATION_STALE.found(
            "This machine's calibration does not hold for this run.",
            format!("{} ({}).", calibration.stale.join("; "), date(calibration)),
            "Run `infermeter calibrate` again.",
        )
    })
}

fn current(summary: &Summary) -> Option<&CalibrationSummary> {
    let calibration = summary.client.calibration.as_ref();
    calibration.filter(|c| c.stale.is_empty())
}

fn rate(load: &CalibratedLoad) -> String {
    if load.per_s < 10.0 {
        format!("{:.1} {}", load.per_s, load.kind.unit())
    } else {
        format!("{} {}", count(load.per_s as u64), load.kind.unit())
    }
}

fn date(calibration: &CalibrationSummary) -> String {
    calibration.created.as_ref().map_or_else(
        || "its date is unknown".to_owned(),
        |created| format!("calibrated {created}"),
    )
}
