//! `crossed`: a client gets the answer of another request, the youngest in flight.

use super::stages::Story;
use super::trick::{Acts, CORRUPTION, Trick};

pub(super) const TRICK: Trick = Trick {
    name: "crossed",
    share: CORRUPTION,
    above: 0,
    acts: Acts::Story(act),
};

fn act(story: &mut Story<'_>) -> bool {
    let Some(other) = story.desk.other() else {
        return false;
    };
    story.replace(&other);
    true
}
