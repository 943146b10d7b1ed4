//! `truncate-prompt`: the model reads the second half of a prompt, and usage counts all of it.
//!
//! What stands in the first half is not known to the model, and costs no prefill.

use super::stages::Reading;
use super::trick::{Acts, POLICY, Trick};

pub(super) const TRICK: Trick = Trick {
    name: "truncate-prompt",
    share: POLICY,
    above: 0,
    acts: Acts::Reading(act),
};

/// Shorter prompts are read whole, tokens: cutting them would save nothing.
const LEAST_TOKENS: u32 = 96;

/// The share of the text that is not read.
const UNREAD: f64 = 0.5;

fn act(reading: &mut Reading) -> bool {
    if reading.computed < LEAST_TOKENS {
        return false;
    }
    reading.computed /= 2;
    reading.unread = UNREAD;
    true
}
