//! How many instances a load needs: arithmetic over what was measured at several rates.
//!
//! It measures and simulates nothing; what a simulated fleet says is filled in by whoever simulates it.
//! Invariant: nothing is said beyond the levels without saying that it is beyond them, and what was not
//! measured or declared (a price, accelerators, a rate) is absent, never 0.

mod asked;
mod cover;
mod day;
mod energy;
mod fleet;
mod levels;
mod sizing;

pub use asked::{Asked, Traffic};
pub use cover::not_covered;
pub use day::{Day, Demand, Hour, HourPeak};
pub use energy::FleetEnergy;
pub use fleet::{
    BACKTEST_WITHIN, Backtest, Balancing, EngineFit, FitUse, FleetSize, FleetTrial, LimitedBy,
    Predicted,
};
use levels::highest_met;
pub use levels::{InstanceRate, Level, ObjectiveAt};
pub use sizing::{Cost, Need, Sizing, instances};

use infermeter_core::run::FORMAT_VERSION;
use schemars::JsonSchema;
use serde::Serialize;

/// The answer to "how many accelerators does this load need?".
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Capacity {
    /// Version of the format.
    pub format_version: u32,
    /// The objectives, as written.
    pub objectives: Vec<String>,
    /// What was asked.
    pub asked: Asked,
    /// What was measured, by rate.
    pub levels: Vec<Level>,
    /// The rate that one instance takes under the objectives; absent where no level meets them.
    pub instance: Option<InstanceRate>,
    /// The requests of the levels.
    pub traffic: Traffic,
    /// Output tokens for one unit of money at that rate; absent without a price.
    pub output_tokens_per_money: Option<f64>,
    /// What each target rate needs.
    pub sizings: Vec<Sizing>,
    /// What a load that changes over the day needs.
    pub day: Option<Day>,
    /// The engine model behind the simulated fleets; absent where none was asked for.
    pub engine: Option<FitUse>,
    /// What the levels did not cover.
    pub not_covered: Vec<String>,
}

impl Capacity {
    /// Everything but what needs a simulation.
    pub fn of(
        asked: Asked,
        objectives: Vec<String>,
        levels: Vec<Level>,
        demand: Option<&Demand>,
    ) -> Self {
        let instance = highest_met(&levels);
        let traffic = Traffic::of(&levels);
        let found = instance.as_ref();
        let sizings: Vec<Sizing> = found.map_or_else(Vec::new, |instance| {
            let size = |rate: &f64| Sizing::of(*rate, &asked, instance, &levels, &traffic);
            asked.target_rates.iter().map(size).collect()
        });
        Self {
            format_version: FORMAT_VERSION,
            day: found
                .zip(demand)
                .map(|(instance, demand)| Day::of(demand, &asked, instance)),
            output_tokens_per_money: found.and_then(|i| asked.tokens_per_money(i, &traffic)),
            not_covered: not_covered(&levels, found, &sizings),
            engine: None,
            objectives,
            asked,
            levels,
            instance,
            traffic,
            sizings,
        }
    }
}

#[cfg(test)]
mod tests;
