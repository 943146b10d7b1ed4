//! `refused-as-200`: a request is turned away, in the words of an answer and with the status of one.

use super::stages::Intent;
use super::trick::{Acts, CORRUPTION, Trick};
use crate::content::Wish;
use infermeter_core::seed::splitmix64;

pub(super) const TRICK: Trick = Trick {
    name: "refused-as-200",
    share: CORRUPTION,
    above: 0,
    acts: Acts::Intent(act),
};

/// What is said instead of an answer.
const REFUSALS: [&str; 4] = [
    "Error: the server is overloaded. Please try again later.",
    "Too many requests. Please slow down and try again later.",
    "Service unavailable. Please try again later.",
    "{\"error\": {\"message\": \"The server is overloaded\", \"code\": 503}}",
];

fn act(intent: &mut Intent) -> bool {
    let place = splitmix64(intent.key ^ 0x0074_6f6f_6d61_6e79) % REFUSALS.len() as u64;
    intent.wish = Wish::Exactly(REFUSALS[place as usize].to_owned());
    intent.reasons = false;
    intent.reading.computed = 1;
    true
}
