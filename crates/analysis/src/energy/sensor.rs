//! What is known of the sensors behind power and energy, by the GPU's generation.
//!
//! From the literature, not measured here: Yang, Adamek and Armour, "Part-time power measurements: nvidia-smi's lack of
//! attention" (2023), found that an A100 or an H100 averages its power over 25 ms of each 100 ms, so that three
//! quarters of the time are not looked at. Invariant: what the source does not say of a generation is not known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A power sensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sensor {
    /// From one value to the next, ms.
    pub period_ms: f64,
    /// Time that a value averages over, ms.
    pub averages_ms: f64,
}

impl Sensor {
    /// Share of the time that it looks at.
    pub fn sampled_share(&self) -> f64 {
        self.averages_ms / self.period_ms
    }

    /// That of a GPU by the name of its model; `None` where nothing is known.
    pub(super) fn of(model: &str) -> Option<Self> {
        let part_time = ["A100", "H100"];
        let known = part_time.iter().any(|name| model.contains(name));
        known.then_some(Self {
            period_ms: 100.0,
            averages_ms: 25.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_that_look_part_of_the_time() {
        let share = |model| Sensor::of(model).map(|sensor| sensor.sampled_share());
        assert_eq!(share("NVIDIA H100 80GB HBM3"), Some(0.25));
        assert_eq!(share("NVIDIA A100-SXM4-80GB"), Some(0.25));
        assert_eq!(share("NVIDIA L40S"), None);
    }
}
