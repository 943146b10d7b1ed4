//! `usage-half` and `usage-double`: usage counts half of an answer's tokens, or all of them twice.

use super::stages::Story;
use super::trick::{Acts, POLICY, Trick};

pub(super) const HALF: Trick = Trick {
    name: "usage-half",
    share: POLICY,
    above: 0,
    acts: Acts::Story(|story| claim(story, 50)),
};

pub(super) const DOUBLE: Trick = Trick {
    name: "usage-double",
    share: POLICY,
    above: 0,
    acts: Acts::Story(|story| claim(story, 200)),
};

fn claim(story: &mut Story<'_>, percent: u32) -> bool {
    story.manner.usage_percent = percent;
    true
}
