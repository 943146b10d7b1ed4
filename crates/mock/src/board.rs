//! What the simulated engines' devices draw: a board's power by what its engine's step does.
//!
//! The law: idle, a board draws a share of its published power. While a step reads weights and caches it draws more,
//! while one computes prompts all of it; a step that does both lies in between, by the time that the engine's law gives
//! to each. That prompts draw the most and decoding clearly less is what published measurements of LLM inference say;
//! the shares here are round numbers, not a measurement. Devices of one engine share its work evenly.
//!
//! Invariant: energy is the integral of power, exactly: both are linear in the same times.

use crate::engine::{Activity, Engine};
use crate::preset::PresetFacts;

/// Share of its published power that a board draws between steps, clocks up.
const IDLE: f64 = 0.15;
/// Share of what lies above that which a step draws that only decodes.
const DECODING: f64 = 0.6;
/// Share of the memory's bandwidth that such a step uses: as the presets derive its length.
const BANDWIDTH: f64 = 0.7;
/// Share of the tensor cores' cycles that prompts use, the same.
const TENSOR: f64 = 0.65;

/// One board at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Board {
    /// Watts.
    pub power_w: f64,
    /// Watts that it may draw.
    pub limit_w: f64,
    /// Joules since the start.
    pub energy_j: f64,
    /// A step is in progress.
    pub busy: bool,
    /// Share of the memory's bandwidth in use.
    pub dram_active: f64,
    /// Share of the tensor cores' cycles in use.
    pub tensor_active: f64,
}

/// The boards of an engine, all alike, at an instant of the engine's clock, so long after the start.
pub(crate) fn board(facts: &PresetFacts, engine: &Engine, now_ns: i64, since_ns: i64) -> Board {
    let limit_w = facts.board_w;
    let step = engine.prompts_share_now(now_ns);
    Board {
        power_w: step.map_or(IDLE * limit_w, |prompts| power_w(limit_w, prompts)),
        limit_w,
        energy_j: energy_j(limit_w, engine.activity(now_ns), since_ns as f64),
        busy: step.is_some(),
        dram_active: step.map_or(0.0, |prompts| (1.0 - prompts) * BANDWIDTH),
        tensor_active: step.map_or(0.0, |prompts| prompts * TENSOR),
    }
}

/// During a step of which this share goes to prompts.
fn power_w(limit_w: f64, prompts: f64) -> f64 {
    let range = (1.0 - IDLE) * limit_w;
    IDLE * limit_w + range * (DECODING + (1.0 - DECODING) * prompts)
}

fn energy_j(limit_w: f64, activity: Activity, since_ns: f64) -> f64 {
    let range = (1.0 - IDLE) * limit_w;
    let above = DECODING * activity.busy_ns + (1.0 - DECODING) * activity.prompts_ns;
    (IDLE * limit_w * since_ns + range * above) / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_the_integral_of_power() {
        // Ten seconds: four idle, five of decoding, one in which half the time goes to prompts.
        let activity = Activity {
            busy_ns: 6e9,
            prompts_ns: 0.5e9,
        };
        let by_power = 4.0 * IDLE * 700.0 + 5.0 * power_w(700.0, 0.0) + power_w(700.0, 0.5);
        let found = energy_j(700.0, activity, 10e9);
        assert!((found - by_power).abs() < 1e-6, "{found} {by_power}");
        assert_eq!(power_w(700.0, 1.0), 700.0);
        assert_eq!(energy_j(700.0, Activity::default(), 1e9), 105.0);
    }
}
