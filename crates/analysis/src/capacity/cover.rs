//! What the levels did not cover, in words.
//!
//! Invariant: every sentence names the rate that it is about and what to measure.

use super::levels::{InstanceRate, Level};
use super::sizing::Sizing;
use crate::objective::SloStatus;

/// A step between a met and a missed level above this share leaves much open.
const WIDE_STEP: f64 = 0.25;

/// What was not covered, the gravest first.
pub fn not_covered(
    levels: &[Level],
    instance: Option<&InstanceRate>,
    sizings: &[Sizing],
) -> Vec<String> {
    let mut said = Vec::new();
    said.extend(only_one(levels));
    match instance {
        None => said.extend(none_met(levels)),
        Some(instance) => {
            said.extend(open_above(levels, instance));
            said.extend(wide_step(instance));
            said.extend(met_above(levels, instance));
            said.extend(unsure(levels, instance));
            let beyond = |sizing: &Sizing| good_unknown(levels, sizing);
            said.extend(sizings.iter().filter_map(beyond));
        }
    }
    said
}

fn only_one(levels: &[Level]) -> Option<String> {
    (levels.len() == 1).then(|| {
        "one level only: the highest rate lies at it or above, or somewhere below; measure at least three".to_owned()
    })
}

fn none_met(levels: &[Level]) -> Option<String> {
    let lowest = levels.first()?;
    let worst = lowest.objectives.iter().max_by_key(|o| o.status)?;
    let how = match (worst.status, worst.measured) {
        (SloStatus::Undecided, _) => "is undecided: the run has too few requests".to_owned(),
        (_, Some(value)) => format!(
            "is missed by {:.0} % ({} against {})",
            (value / worst.limit - 1.0).abs() * 100.0,
            written(value, &worst.unit),
            written(worst.limit, &worst.unit)
        ),
        (_, None) => "is missed among failed requests".to_owned(),
    };
    Some(format!(
        "no level meets the objectives: at the lowest, {} requests/s, {} {how}; measure lower rates",
        lowest.rate, worst.objective
    ))
}

/// `750.0 ms`, `98.2 %`.
fn written(value: f64, unit: &str) -> String {
    match unit {
        "" => format!("{:.1} %", value * 100.0),
        unit => format!("{value:.1} {unit}"),
    }
}

fn open_above(levels: &[Level], instance: &InstanceRate) -> Option<String> {
    let highest = levels.last()?;
    let what = match highest.status {
        SloStatus::Undecided => format!(
            "measure {} requests/s, which is undecided, for longer",
            highest.rate
        ),
        SloStatus::Met | SloStatus::Missed => format!("measure above {} requests/s", highest.rate),
    };
    (instance.levels.missed.is_none()).then(|| {
        format!(
            "no level misses the objectives: an instance takes {} requests/s or more, and the counts are upper \
             bounds; {what}",
            instance.rate
        )
    })
}

fn wide_step(instance: &InstanceRate) -> Option<String> {
    let (met, missed) = instance.levels.met.zip(instance.levels.missed)?;
    let is_wide = missed > met * (1.0 + WIDE_STEP) && instance.estimate.law().is_none();
    is_wide.then(|| {
        format!(
            "nothing was measured between {met} requests/s, which meets the objectives, and {missed}, which misses \
             them; a level between could need fewer instances"
        )
    })
}

fn met_above(levels: &[Level], instance: &InstanceRate) -> Option<String> {
    let highest = instance.levels.met?;
    let met = levels
        .iter()
        .rfind(|level| level.rate > highest && level.status == SloStatus::Met)?;
    Some(format!(
        "attainment is not monotone: {} requests/s meet the objectives, but a lower level misses them; the \
         highest rate is taken below that",
        met.rate
    ))
}

fn unsure(levels: &[Level], instance: &InstanceRate) -> Option<String> {
    if instance.low.is_some() {
        return None;
    }
    let lowest = levels.first()?.rate;
    Some(format!(
        "at every level an objective's interval holds its limit, even at {lowest} requests/s: there is no count at \
         95 % confidence; measure longer, or lower rates"
    ))
}

fn good_unknown(levels: &[Level], sizing: &Sizing) -> Option<String> {
    let highest = levels.last()?.rate;
    (sizing.per_instance > highest).then(|| {
        format!(
            "an instance would serve {:.3} requests/s, above the highest level of {highest}",
            sizing.per_instance
        )
    })
}
