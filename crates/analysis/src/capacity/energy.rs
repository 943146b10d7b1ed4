//! The energy of a fleet, from the power that one instance drew at a measured rate.
//!
//! The lowest level whose rate is not below that of an instance of the fleet stands for it: at that rate an instance
//! draws as much at least. Boards of GPUs alone are in it. Invariant: where that level's power is not known, the fleet's is
//! not, and never 0.

use super::levels::Level;
use schemars::JsonSchema;
use serde::Serialize;

/// Hours of a day over watts of a kilowatt.
const KWH_PER_DAY: f64 = 24.0 / 1_000.0;
/// What rounding may take off a rate that a level has.
const ROUNDING: f64 = 1e-9;

/// The energy of a fleet's GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CapacityEnergy")]
pub struct FleetEnergy {
    /// The level whose power stands for an instance, requests per second.
    pub at_level: f64,
    /// Mean power of one instance at that level, watts.
    pub instance_w: f64,
    /// Of all instances together, watts.
    pub fleet_w: f64,
    /// Energy in a day, kilowatt-hours.
    pub kwh_per_day: f64,
    /// What that costs; absent without a price of a kilowatt-hour.
    pub cost_per_day: Option<f64>,
}

impl FleetEnergy {
    /// Of so many instances, each of which takes `per_instance` requests per second. `levels` ascend.
    pub(super) fn of(
        levels: &[Level],
        instances: u64,
        per_instance: f64,
        kwh: Option<f64>,
    ) -> Option<Self> {
        let covers = |level: &&Level| level.rate >= per_instance * (1.0 - ROUNDING);
        let level = levels.iter().find(covers)?;
        let instance_w = level.mean_power_w?;
        let fleet_w = instance_w * instances as f64;
        let kwh_per_day = fleet_w * KWH_PER_DAY;
        Some(Self {
            at_level: level.rate,
            instance_w,
            fleet_w,
            kwh_per_day,
            cost_per_day: kwh.map(|price| price * kwh_per_day),
        })
    }
}
