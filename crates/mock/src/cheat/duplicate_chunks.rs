//! `duplicate-chunks`: each piece of text of a stream comes twice, so that there is more to see, and more often.

use super::stages::Story;
use super::trick::{Acts, POLICY, Trick};

pub(super) const TRICK: Trick = Trick {
    name: "duplicate-chunks",
    share: POLICY,
    above: 0,
    acts: Acts::Story(act),
};

fn act(story: &mut Story<'_>) -> bool {
    story.manner.twice = story.streams;
    story.streams
}
