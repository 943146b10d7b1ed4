//! The fewest instances of a simulated fleet that meet the objectives.
//!
//! Invariant: what is undecided does not meet them, and each number of instances is simulated once.

use super::load::FleetLoad;
use super::model::EngineModel;
use super::replay::{SEED, answered};
use infermeter_analysis::SloStatus;
use infermeter_analysis::capacity::{Balancing, FleetSize, FleetTrial, Sizing};
use infermeter_mock::engine::{Balance, Fleet};

/// Numbers of instances that are tried.
const MAX_TRIALS: usize = 10;

/// Requests around the measured ones above which a fleet is not simulated.
const MAX_AROUND: f64 = 100_000.0;

/// Why a fleet is not simulated.
pub(super) fn too_large(sizing: &Sizing, load: &FleetLoad) -> Option<String> {
    (load.around(sizing.planned) > MAX_AROUND).then(|| {
        format!(
            "a fleet for {} requests/s holds too many requests at once to be simulated: the linear count stands alone",
            sizing.target_rate
        )
    })
}

/// The instances that `sizing` needs behind such a balancer.
pub(super) fn size(
    model: &EngineModel,
    sizing: &Sizing,
    load: &FleetLoad,
    balancing: Balancing,
) -> FleetSize {
    let try_with = |instances: u64| trial(model, sizing.planned, load, instances, balancing);
    let (instances, trials) = fewest(sizing.need.instances, &try_with);
    FleetSize {
        balancing,
        instances,
        trials,
    }
}

/// From `start` on in growing steps to a number that meets the objectives and one that does not, then by halves.
fn fewest(
    start: u64,
    try_with: &dyn Fn(u64) -> Option<FleetTrial>,
) -> (Option<u64>, Vec<FleetTrial>) {
    let (mut meets, mut fails) = (None, 0);
    let (mut instances, mut step) = (start.max(1), 1);
    let mut trials = Vec::new();
    while trials.len() < MAX_TRIALS {
        let Some(tried) = try_with(instances) else {
            break;
        };
        trials.push(tried);
        match tried.status {
            SloStatus::Met => meets = Some(instances),
            SloStatus::Undecided | SloStatus::Missed => fails = instances,
        }
        instances = match meets {
            Some(meets) if meets == fails + 1 => break,
            Some(meets) if fails > 0 => fails.midpoint(meets),
            Some(meets) => meets.saturating_sub(step).max(1),
            None => fails + step,
        };
        step *= 2;
    }
    (meets, trials)
}

fn trial(
    model: &EngineModel,
    rate: f64,
    load: &FleetLoad,
    instances: u64,
    balancing: Balancing,
) -> Option<FleetTrial> {
    let load = load.at(rate)?;
    let balance = match balancing {
        Balancing::RoundRobin => Balance::RoundRobin,
        Balancing::LeastLoaded => Balance::LeastLoaded,
    };
    let replicas = u32::try_from(instances).ok()?;
    let mut fleet = Fleet::new(model.params(SEED), replicas).balanced(balance);
    let summary = answered(model, &mut fleet, &load.requests, &load.manifest);
    let most = fleet
        .replicas()
        .iter()
        .map(|engine| engine.gauges().running.max());
    Some(FleetTrial {
        instances,
        status: infermeter_analysis::objectives(&summary).unwrap_or(SloStatus::Undecided),
        attainment: summary.goodput.map(|goodput| goodput.attainment.value),
        most_sequences: most.max().unwrap_or(0) as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found from `start` on where `needed` instances meet the objectives, and in how many trials.
    fn check(start: u64, needed: u64, expect: (Option<u64>, usize)) {
        let (found, trials) = fewest(start, &|instances| {
            Some(FleetTrial {
                instances,
                status: if instances >= needed {
                    SloStatus::Met
                } else {
                    SloStatus::Missed
                },
                attainment: None,
                most_sequences: 0,
            })
        });
        assert_eq!(
            (found, trials.len()),
            expect,
            "{start} {needed}: {trials:?}"
        );
    }

    #[test]
    fn the_fewest_are_found_from_either_side() {
        check(5, 5, (Some(5), 2));
        check(5, 6, (Some(6), 2));
        check(5, 4, (Some(4), 4));
        check(1, 1, (Some(1), 1));
        check(40, 36, (Some(36), 6));
        check(3, 1, (Some(1), 3));
        check(1, 5_000, (None, 10));
    }
}
