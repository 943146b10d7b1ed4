//! `cheap-above`: above a load a cheaper model answers. It says less, says something else, and is wrong more often.

use super::stages::Intent;
use super::trick::{Acts, LOAD, POLICY, Trick};
use crate::length::open_unit;
use infermeter_core::seed::splitmix64;

pub(super) const TRICK: Trick = Trick {
    name: "cheap-above",
    share: POLICY,
    above: LOAD,
    acts: Acts::Intent(act),
};

/// The share of the questions that it answers wrongly.
const WRONG: f64 = 0.6;

/// Its natural answers have this share of the other one's length.
const BREVITY: f64 = 0.6;

/// Another model's text.
const OTHER_MODEL: u64 = 0x0073_6d61_6c6c_6572;

fn act(intent: &mut Intent) -> bool {
    intent.key = splitmix64(intent.key ^ OTHER_MODEL);
    intent.brevity = BREVITY;
    if let Some(wrong) = &intent.wrong
        && open_unit(splitmix64(intent.key)) <= WRONG
    {
        intent.wish = wrong.clone();
    }
    true
}
