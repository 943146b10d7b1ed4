//! What the rounds to come can find, from the spread of the first ones.
//!
//! The pilot's rounds are the first of those that were planned, and they are tested with the others. That
//! keeps the tests' error: how many rounds there are was fixed before the first of them, and nothing that the
//! pilot shows changes it. Only what is printed depends on it.

use super::axis::{Axis, Scale};
use super::change::COMPARE_ALPHA;
use super::decide::POWER;
use super::{CompareSpec, LoadRounds, change_of};
use infermeter_stats::{SignedRankPower, detectable_by_t, spread_upper_bound};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The spread of so few rounds is known badly: its upper bound has this confidence.
const CONFIDENT: f64 = 0.8;

/// What the planned rounds can find in one figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PilotFigure {
    /// The figure.
    pub axis: Axis,
    /// Rounds that the spread is from.
    pub rounds: usize,
    /// Standard deviation of a round's log ratio (difference, for a share): the largest over loads and
    /// sides.
    pub std: f64,
    /// The most that this deviation plausibly is (80 % one-sided).
    pub std_upper: f64,
    /// The smallest change that the exact signed-rank test finds with a chance of 80 %, adjusted for the
    /// family's worst case; absent where the rounds cannot find any.
    pub detectable: Option<f64>,
    /// The same by the formula of the paired t test.
    pub detectable_by_t: Option<f64>,
}

/// What `planned` rounds can find, from the rounds so far.
pub fn pilot(asked: &CompareSpec, loads: &[LoadRounds<'_>], planned: usize) -> Vec<PilotFigure> {
    let alpha = COMPARE_ALPHA / asked.family(loads.len()).max(1) as f64;
    let power = SignedRankPower::new(planned, alpha).ok();
    let by_rank = power.and_then(|power| power.detectable(POWER));
    let by_t = detectable_by_t(planned, alpha, POWER).ok();
    let figure = |axis: &Axis| {
        let changes = loads.iter().flat_map(|load| {
            asked
                .others()
                .filter_map(|side| change_of(*axis, side, load))
        });
        let widest = changes
            .filter_map(|change| Some((change.std?, change.pairs)))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let (std, rounds) = widest?;
        let shown = |effect: f64| match axis.scale() {
            Scale::Ratio => (effect * std).exp_m1(),
            Scale::Difference => effect * std,
        };
        Some(PilotFigure {
            axis: *axis,
            rounds,
            std,
            std_upper: spread_upper_bound(std, rounds, CONFIDENT).ok()?,
            detectable: by_rank.map(shown),
            detectable_by_t: by_t.map(shown),
        })
    };
    asked.primary.iter().filter_map(figure).collect()
}
