//! `language-flip`: an answer of words goes on in another language, and in its letters.

use super::stages::Story;
use super::trick::{Acts, CORRUPTION, Trick};
use crate::content::{Tongue, Turn};
use infermeter_core::seed::splitmix64;

pub(super) const TRICK: Trick = Trick {
    name: "language-flip",
    share: CORRUPTION,
    above: 0,
    acts: Acts::Story(act),
};

/// Tokens before the flip, at least, and by how many more at most.
const BEFORE: u64 = 14;
const SPREAD: u64 = 6;

fn act(story: &mut Story<'_>) -> bool {
    let draw = splitmix64(story.key ^ 0x666c_6970_0000);
    let at = (BEFORE + draw % SPREAD) as u32;
    let told = &mut story.told;
    let content = told
        .length
        .visible()
        .saturating_sub(told.script.reasoning());
    if told.script.is_set() || content <= 2 * at {
        return false;
    }
    told.script.turn(Turn::to(at, Tongue::foreign(draw)));
    true
}
