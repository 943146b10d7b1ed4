//! What is asked of a capacity plan, and what its requests are like.

use super::levels::{InstanceRate, Level};
use crate::cost::{self, HOUR_S};
use schemars::JsonSchema;
use serde::Serialize;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CapacityAsked")]
pub struct Asked {
    /// Rates to serve, requests per second.
    pub target_rates: Vec<f64>,
    /// The load grows by this factor.
    pub growth: f64,
    /// What is kept free on top, as a share of the load.
    pub headroom: f64,
    /// Price of an accelerator for an hour.
    pub gpu_hour: Option<f64>,
    /// Accelerators of one instance.
    pub gpus_per_instance: Option<u32>,
    /// Price of a kilowatt-hour.
    pub kwh: Option<f64>,
}

impl Asked {
    /// What an instance costs per hour.
    pub(super) fn instance_hour(&self) -> Option<f64> {
        cost::hour(self.gpu_hour, self.gpus_per_instance)
    }

    /// Output tokens for one unit of money where an instance takes all that it can under the objectives.
    pub(super) fn tokens_per_money(
        &self,
        instance: &InstanceRate,
        traffic: &Traffic,
    ) -> Option<f64> {
        let hour = instance.rate * traffic.output_tokens? * HOUR_S;
        Some(hour / self.instance_hour()?)
    }
}

/// Tokens of a request, mean over the completed ones of all levels. Absent where the server says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Traffic {
    /// Of its prompt.
    pub input_tokens: Option<f64>,
    /// Of its answer.
    pub output_tokens: Option<f64>,
}

impl Traffic {
    /// Over levels, each request counting once.
    pub fn of(levels: &[Level]) -> Self {
        let mean = |of: fn(&Level) -> Option<f64>| {
            let known = levels
                .iter()
                .filter_map(|level| Some((of(level)?, level.completed as f64)));
            let (sum, n) = known.fold((0.0, 0.0), |(sum, n), (mean, count)| {
                (sum + mean * count, n + count)
            });
            (n > 0.0).then(|| sum / n)
        };
        Self {
            input_tokens: mean(|level| level.input_tokens),
            output_tokens: mean(|level| level.output_tokens),
        }
    }
}
