//! `early-stop`: answers of words end at half their length, as if that was all, whatever was asked for.

use super::stages::Story;
use super::trick::{Acts, POLICY, Trick};
use crate::length::AnswerLength;

pub(super) const TRICK: Trick = Trick {
    name: "early-stop",
    share: POLICY,
    above: 0,
    acts: Acts::Story(act),
};

/// Shorter answers are told whole, tokens.
const LEAST_TOKENS: u32 = 8;

fn act(story: &mut Story<'_>) -> bool {
    let told = &mut story.told;
    let visible = told.length.visible();
    if told.script.is_set() || visible < LEAST_TOKENS {
        return false;
    }
    told.length = AnswerLength::stopped(visible / 2);
    true
}
