//! `held-back`: tokens are held back, and what has gathered leaves at once, as often as the clock says.

use super::stages::Story;
use super::trick::{Acts, POLICY, Trick};
use infermeter_core::units::Span;

pub(super) const TRICK: Trick = Trick {
    name: "held-back",
    share: POLICY,
    above: 0,
    acts: Acts::Story(act),
};

/// Long enough for several tokens of any engine that anybody waits for.
const PERIOD: Span = Span::millis(100);

fn act(story: &mut Story<'_>) -> bool {
    story.manner.held = story.streams.then_some(PERIOD);
    story.streams
}
