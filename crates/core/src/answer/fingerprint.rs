//! An answer without its text: marks along it, which tell where two answers part.
//!
//! Each mark is two bytes of a hash over everything before it, so that answers with other beginnings have no later mark in
//! common but by chance. Two bytes for sixteen characters are too few to find the text again. Invariant: bounded, however
//! long the answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// FNV-1a, 64 bits: its offset basis and its prime.
const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// Hexadecimal digits of a mark.
const DIGITS: usize = 4;

/// Marks at most, but for the one over the whole.
const MOST: usize = 256;

/// Marks along an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fingerprint {
    /// Characters of the text.
    pub chars: u32,
    /// Four hexadecimal digits for each 16 characters, at most 256 times, and four over the whole.
    pub marks: String,
}

impl Fingerprint {
    /// Characters from one mark to the next.
    pub const EVERY: u32 = 16;

    /// That of a text.
    pub fn of(text: &str) -> Self {
        let (mut hash, mut chars) = (BASIS, 0_u32);
        let mut marks = String::new();
        let mut buffer = [0; 4];
        for character in text.chars() {
            for byte in character.encode_utf8(&mut buffer).bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
            }
            chars = chars.saturating_add(1);
            if chars.is_multiple_of(Self::EVERY) && marks.len() < MOST * DIGITS {
                mark(&mut marks, hash);
            }
        }
        mark(&mut marks, hash);
        Self { chars, marks }
    }

    /// Characters that both have in common at least, at their beginnings: a multiple of 16. `None` where they are equal.
    pub fn parts_from(&self, other: &Self) -> Option<u32> {
        if self == other {
            return None;
        }
        let pairs = self.along().zip(other.along());
        let same = pairs.take_while(|(own, other)| own == other).count();
        Some(u32::try_from(same).unwrap_or(u32::MAX) * Self::EVERY)
    }

    /// The marks but the one over the whole.
    fn along(&self) -> impl Iterator<Item = &[u8]> {
        let marks = self.marks.as_bytes();
        marks[..marks.len().saturating_sub(DIGITS)].chunks(DIGITS)
    }
}

/// The upper bits are mixed best.
fn mark(marks: &mut String, hash: u64) {
    let mixed = crate::seed::splitmix64(hash) >> 48;
    // Writing into a text does not fail.
    let _ = write!(marks, "{mixed:04x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_part_where_their_texts_do_to_sixteen_characters() {
        let text =
            "The harbour was quiet, and the boats lay on the sand until the tide came. ".repeat(8);
        let own = Fingerprint::of(&text);
        assert_eq!(own.chars, 592);
        assert_eq!(own.marks.len(), (592 / 16 + 1) * DIGITS);
        assert_eq!(own.parts_from(&Fingerprint::of(&text)), None);
        for place in [0, 3, 16, 100, 591] {
            let mut other: Vec<char> = text.chars().collect();
            other[place] = '#';
            let other = Fingerprint::of(&other.iter().collect::<String>());
            let expected = place as u32 / 16 * 16;
            assert_eq!(own.parts_from(&other), Some(expected), "at {place}");
        }
        let shorter = Fingerprint::of(&text[..40]);
        assert_eq!(own.parts_from(&shorter), Some(32));
        assert_eq!(Fingerprint::of("").parts_from(&own), Some(0));
    }

    #[test]
    fn long_answers_have_bounded_marks() {
        let long = "é".repeat(100_000);
        let own = Fingerprint::of(&long);
        assert_eq!(own.marks.len(), (MOST + 1) * DIGITS);
        let other = Fingerprint::of(&format!("{long}e"));
        assert_eq!(own.parts_from(&other), Some(MOST as u32 * 16));
    }
}
