//! From a rate to instances, accelerators and money.
//!
//! instances = ceil(rate x growth x (1 + headroom) / capacity of one instance). Invariant: money is counted on
//! the instances that the load needs with its headroom, and shared by the requests of the load without it.

use super::asked::{Asked, Traffic};
use super::energy::FleetEnergy;
use super::fleet::FleetSize;
use super::levels::{InstanceRate, Level};
use schemars::JsonSchema;
use serde::Serialize;

/// What rounding may add to a quotient that is a whole number.
const ROUNDING: f64 = 1e-9;

/// Instances for a load, each of which takes `capacity`; at least 1: a service with no instance serves nobody.
pub fn instances(load: f64, capacity: f64) -> u64 {
    let exact = load / capacity;
    (exact - exact * ROUNDING).ceil().max(1.0) as u64
}

/// Instances and their accelerators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Need {
    /// Instances, from the highest rate itself.
    pub instances: u64,
    /// From the low end of its interval; absent where there is none.
    pub instances_at_low: Option<u64>,
    /// Accelerators of `instances`; absent where an instance's are not known.
    pub gpus: Option<u64>,
    /// Accelerators of `instances_at_low`.
    pub gpus_at_low: Option<u64>,
}

impl Need {
    /// What a load needs.
    pub fn of(load: f64, instance: &InstanceRate, gpus_per_instance: Option<u32>) -> Self {
        let low = instance.low.filter(|low| *low > 0.0);
        let at_low = low.map(|low| instances(load, low));
        Self::counted(instances(load, instance.rate), at_low, gpus_per_instance)
    }

    /// The same with one instance more, so that one may fail.
    fn and_one(self, gpus_per_instance: Option<u32>) -> Self {
        let at_low = self.instances_at_low.map(|n| n + 1);
        Self::counted(self.instances + 1, at_low, gpus_per_instance)
    }

    fn counted(instances: u64, instances_at_low: Option<u64>, gpus: Option<u32>) -> Self {
        let gpus = |n: u64| gpus.map(|gpus| n * u64::from(gpus));
        Self {
            instances,
            instances_at_low,
            gpus: gpus(instances),
            gpus_at_low: instances_at_low.and_then(gpus),
        }
    }
}

/// What it costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CapacityCost")]
pub struct Cost {
    /// Price of an hour.
    pub hour: f64,
    /// Price of an hour with one instance more.
    pub hour_with_spare: f64,
    /// Price of a request.
    pub request: f64,
    /// Per million input tokens, if these alone are paid; absent where they are not known.
    pub million_input: Option<f64>,
    /// Per million output tokens, if these alone are paid.
    pub million_output: Option<f64>,
    /// Per million output tokens of requests that meet every objective; absent where no level covers the rate
    /// of one instance.
    pub million_good: Option<f64>,
}

/// What one target rate needs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Sizing {
    /// Requests per second, as asked.
    pub target_rate: f64,
    /// With growth, requests per second.
    pub load: f64,
    /// With growth and headroom, requests per second.
    pub planned: f64,
    /// What the load needs without headroom.
    pub bare: Need,
    /// What it needs with it.
    pub need: Need,
    /// One instance more.
    pub spare: Need,
    /// Requests per second of one instance while all of `need` are there.
    pub per_instance: f64,
    /// The same as a share of the highest rate.
    pub utilisation: f64,
    /// What it costs; absent without a price and the accelerators of an instance.
    pub cost: Option<Cost>,
    /// The energy of its GPUs; absent where no level that covers an instance's rate knows its power.
    pub energy: Option<FleetEnergy>,
    /// What simulated fleets need; empty where none was simulated.
    pub simulated: Vec<FleetSize>,
}

impl Sizing {
    /// What `target_rate` needs.
    pub fn of(
        target_rate: f64,
        asked: &Asked,
        instance: &InstanceRate,
        levels: &[Level],
        traffic: &Traffic,
    ) -> Self {
        let load = target_rate * asked.growth;
        let planned = load * (1.0 + asked.headroom);
        let gpus = asked.gpus_per_instance;
        let need = Need::of(planned, instance, gpus);
        let per_instance = load / need.instances as f64;
        let hour = asked.instance_hour().map(|price| Priced {
            hour: price * need.instances as f64,
            spare: price,
            requests: load * 3_600.0,
        });
        Self {
            target_rate,
            load,
            planned,
            bare: Need::of(load, instance, gpus),
            spare: need.and_one(gpus),
            per_instance,
            utilisation: per_instance / instance.rate,
            cost: hour.map(|hour| hour.cost(traffic, good_share(levels, per_instance))),
            energy: FleetEnergy::of(levels, need.instances, per_instance, asked.kwh),
            need,
            simulated: Vec::new(),
        }
    }
}

/// An hour of a fleet.
struct Priced {
    hour: f64,
    spare: f64,
    requests: f64,
}

impl Priced {
    fn cost(&self, traffic: &Traffic, good: Option<f64>) -> Cost {
        let million = |tokens: f64| self.hour / (self.requests * tokens) * 1e6;
        let some = |tokens: Option<f64>| tokens.filter(|tokens| *tokens > 0.0).map(million);
        let good_tokens = traffic
            .output_tokens
            .zip(good)
            .map(|(tokens, good)| tokens * good);
        Cost {
            hour: self.hour,
            hour_with_spare: self.hour + self.spare,
            request: self.hour / self.requests,
            million_input: some(traffic.input_tokens),
            million_output: some(traffic.output_tokens),
            million_good: some(good_tokens),
        }
    }
}

/// The attainment of the lowest level that is not below `rate`: what an instance at `rate` has at least.
fn good_share(levels: &[Level], rate: f64) -> Option<f64> {
    let covering = levels
        .iter()
        .find(|level| level.rate >= rate * (1.0 - ROUNDING));
    covering.and_then(|level| level.attainment)
}
