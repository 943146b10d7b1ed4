//! `blank-first`: a blank goes out as the first token of a stream as soon as the request is there.
//!
//! Usage counts it. Of words it takes the place of one; before a text that is set it stands in addition, where there is
//! room.

use super::stages::Story;
use super::trick::{Acts, POLICY, Trick};

pub(super) const TRICK: Trick = Trick {
    name: "blank-first",
    share: POLICY,
    above: 0,
    acts: Acts::Story(act),
};

fn act(story: &mut Story<'_>) -> bool {
    let told = &mut story.told;
    let has_room = match told.script.is_set() {
        true => told.length.tokens < story.max_tokens,
        false => told.length.visible() > 1,
    };
    if !has_room || !story.streams {
        return false;
    }
    if !told.script.is_set() {
        told.length.tokens -= 1;
    }
    story.manner.blank = true;
    true
}
