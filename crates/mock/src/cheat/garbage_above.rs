//! `garbage-above`: above a load some answers are noise from one of their first tokens on, until their limit: one
//! character again and again, letters that make no words, or one phrase for ever.

use super::stages::Story;
use super::trick::{Acts, CORRUPTION, LOAD, Trick};
use crate::content::{Tongue, Turn};
use crate::length::AnswerLength;
use infermeter_core::seed::splitmix64;

pub(super) const TRICK: Trick = Trick {
    name: "garbage-above",
    share: CORRUPTION,
    above: LOAD,
    acts: Acts::Story(act),
};

/// The noise begins behind less than so many tokens.
const BEFORE: u64 = 4;

/// An answer without a limit of its own goes on for so many tokens.
const LONGEST: u32 = 4_096;

fn act(story: &mut Story<'_>) -> bool {
    let draw = splitmix64(story.key ^ 0x6761_7262_6167_6500);
    let tongue = match draw >> 32 & 3 {
        0 | 1 => Tongue::Mark("!"),
        2 => Tongue::Noise(draw),
        _ => Tongue::phrase(draw),
    };
    let at = (draw % BEFORE) as u32;
    story.told.script.turn(Turn::to(at, tongue));
    // Nothing in it ends it.
    let limit = story.max_tokens.min(LONGEST).max(story.told.length.tokens);
    story.told.length = AnswerLength::full(limit);
    true
}
