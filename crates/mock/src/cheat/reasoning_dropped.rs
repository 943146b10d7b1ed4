//! `reasoning-dropped`: an answer without the reasoning that the others begin with.

use super::stages::Intent;
use super::trick::{Acts, CORRUPTION, Trick};

pub(super) const TRICK: Trick = Trick {
    name: "reasoning-dropped",
    share: CORRUPTION,
    above: 0,
    acts: Acts::Intent(act),
};

fn act(intent: &mut Intent) -> bool {
    std::mem::take(&mut intent.reasons)
}
