//! The evaluation that is made here: small arithmetic, and one thing in a text.
//!
//! It shows that answers stay what they are under load, and nothing about a model. Invariant: the rows are the same on
//! every machine and in every version.

use super::{Expected, Row, regex};
use crate::marker::marker;
use infermeter_core::seed::splitmix64;

/// Rows in all.
const ROWS: u64 = 200;
/// They are drawn from it; another one makes another evaluation.
const SEED: u64 = 0x6275_696c_742d_696e;

/// Sentences in which something is to be found.
const SENTENCES: [&str; 12] = [
    "The harbour was quiet that morning.",
    "Two ferries left before noon.",
    "Nobody had swept the long pier.",
    "A clerk counted the empty crates.",
    "The bakery opened a little late.",
    "Rain was expected towards evening.",
    "Children fed the gulls with bread.",
    "The lighthouse had been painted white.",
    "An old map hung in the office.",
    "The market sold pears and cheese.",
    "A train stopped without a reason.",
    "The museum was closed on Mondays.",
];

pub(super) fn rows() -> Vec<Row> {
    (0..ROWS).filter_map(row).collect()
}

/// Row by number; all of them can be made, which a test holds.
fn row(number: u64) -> Option<Row> {
    let draw = |place: u64| splitmix64(splitmix64(SEED ^ number).wrapping_add(place));
    match number % 2 {
        0 => Some(sum(draw(0) % 3, 12 + draw(1) % 88, 2 + draw(2) % 88)),
        _ => found(draw(0), draw(1)),
    }
}

fn sum(sign: u64, first: u64, second: u64) -> Row {
    // Without numbers below zero.
    let (first, second) = (first.max(second), first.min(second));
    let (sign, value) = match sign {
        0 => ("plus", first + second),
        1 => ("minus", first - second),
        _ => ("times", first * second),
    };
    let text = format!("What is {first} {sign} {second}? Answer with the number and nothing else.");
    let expected = Expected::Number {
        value: value as f64,
        tolerance: 0.0,
    };
    Row::of_user(text, expected)
}

fn found(key: u64, order: u64) -> Option<Row> {
    let marker = marker(key);
    let count = SENTENCES.len() as u64;
    let begin = order % count;
    let mut text = String::new();
    for place in 0..8 {
        if place == (order >> 8) % 8 {
            text.push_str(&format!("The marker of this text is {marker}. "));
        }
        text.push_str(SENTENCES[((begin + place) % count) as usize]);
        text.push(' ');
    }
    text.push_str("What is the marker of the text above? Answer with the marker and nothing else.");
    // With its brackets or without.
    let expected = regex(marker.trim_matches(['[', ']'])).ok()?;
    Some(Row::of_user(text, Expected::Regex(expected)))
}
