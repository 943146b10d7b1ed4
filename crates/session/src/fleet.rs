//! N instances behind a balancer: an engine model is fitted to the levels of an experiment, tried on a level
//! that it has not seen, and run in virtual time as a fleet.
//!
//! levels -> steps -> law -> limits and delay -> backtest -> fleets
//!
//! Nothing is measured here. Invariant: where the model does not predict the level that was held out, no fleet
//! is simulated, and the answer says why.

mod backtest;
mod explain;
mod fit;
mod load;
mod model;
mod pooled;
mod replay;
mod seen;
mod steps;

pub use seen::SeenRun;

use infermeter_analysis::capacity::{Balancing, Capacity, EngineFit, FitUse, Sizing};
use load::FleetLoad;
use model::EngineModel;

/// Rates that a fit needs: two to fit to, one to be tried on.
const LEAST_RATES: usize = 3;

/// How far above what the levels had the sequences of a simulated instance may lie before that is said.
const BEYOND: f64 = 1.1;

/// Fills in what simulated fleets say: an engine model, how it did in the backtest, and the instances that each
/// target rate needs.
pub fn simulate(runs: &[SeenRun], capacity: &mut Capacity) {
    let too_long: Vec<String> = runs.iter().filter_map(SeenRun::too_long).collect();
    let runs: Vec<&SeenRun> = runs.iter().filter(|run| run.too_long().is_none()).collect();
    capacity.not_covered.extend(too_long);
    let (model, used) = usable(&runs, capacity);
    capacity.engine = Some(used);
    let Some(model) = model else {
        return;
    };
    let load = FleetLoad::of(&runs);
    for sizing in &mut capacity.sizings {
        match pooled::too_large(sizing, &load) {
            Some(why) => capacity.not_covered.push(why),
            None => {
                let balancings = [Balancing::RoundRobin, Balancing::LeastLoaded];
                let sized = balancings.map(|how| pooled::size(&model, sizing, &load, how));
                sizing.simulated = sized.into();
            }
        }
    }
    let beyond = capacity
        .sizings
        .iter()
        .filter_map(|sizing| beyond(&model.fit, sizing));
    let beyond: Vec<String> = beyond.collect();
    capacity.not_covered.extend(beyond);
}

/// A model that predicts what it has not seen, with its backtest; or why there is none.
fn usable(runs: &[&SeenRun], capacity: &Capacity) -> (Option<EngineModel>, FitUse) {
    let without = |why: String| FitUse::No {
        why,
        fit: None,
        backtest: None,
    };
    if let Some(why) = unfit(runs) {
        return (None, without(why));
    }
    let highest = capacity.instance.as_ref().and_then(|i| i.levels.met);
    let Some(rate) = highest else {
        return (None, without("no level meets the objectives".to_owned()));
    };
    let no_law = "the gaps between tokens follow no law of steps";
    let (others, held): (Vec<&SeenRun>, Vec<&SeenRun>) =
        runs.iter().partition(|run| run.rate != rate);
    let Some(tried) = explain::model(&others) else {
        return (None, without(no_law.to_owned()));
    };
    let backtest = backtest::of(&tried, &held);
    if !backtest.holds() {
        let refused = FitUse::No {
            why: backtest::why(&backtest),
            fit: Some(tried.fit),
            backtest: Some(backtest),
        };
        return (None, refused);
    }
    let Some(model) = explain::model(runs) else {
        return (None, without(no_law.to_owned()));
    };
    let fit = model.fit.clone();
    (Some(model), FitUse::Yes { fit, backtest })
}

/// Why no model can be fitted to these runs.
fn unfit(runs: &[&SeenRun]) -> Option<String> {
    let rates = seen::rates(runs).len();
    let too_few = || {
        (rates < LEAST_RATES).then(|| {
            format!(
                "it needs {LEAST_RATES} rates, two to fit to and one to be tried on; there are {rates}"
            )
        })
    };
    runs.iter().find_map(|run| run.unfit()).or_else(too_few)
}

/// What a chosen fleet has that no level had.
fn beyond(fit: &EngineFit, sizing: &Sizing) -> Option<String> {
    let chosen = sizing.simulated.iter().filter_map(|size| {
        let instances = size.instances?;
        size.trials
            .iter()
            .find(|trial| trial.instances == instances)
    });
    let most = chosen.map(|trial| trial.most_sequences).max()?;
    (f64::from(most) > f64::from(fit.most_sequences) * BEYOND).then(|| {
        format!(
            "at {} requests/s a simulated instance has up to {most} sequences at once, the levels had {}: there the \
             fleet rests on the law, not on a measurement",
            sizing.target_rate, fit.most_sequences
        )
    })
}

#[cfg(test)]
mod tests;
