//! The slot that a prompt begins with: a number in words, of fixed length in tokens and bytes.
//!
//! It does not choose the number: that is the salt of the run, or of one request.
//!
//! Invariant: two numbers are never spelled alike, and where the tokenizer has enough words of one
//! length, a slot takes the same tokens and the same bytes whatever its number. So the salt of a
//! prompt can be exchanged without touching anything behind it.

use infermeter_core::seed::splitmix64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Words of one length that are enough: eight of them spell 64 bits.
const ENOUGH: usize = 256;

/// Where the number in a slot comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKey {
    /// The run: all prompts with it go on sharing what they share.
    Run,
    /// A number of the prompt's own (or its session's): it shares nothing with another number's.
    Own(u64),
}

impl SlotKey {
    /// The number that the slot spells in a run with this salt: another one for each key.
    pub(crate) fn number(self, salt: u64) -> u64 {
        match self {
            Self::Run => salt,
            // A bijection: no two prompts of a run have the same slot.
            Self::Own(key) => splitmix64(key ^ salt),
        }
    }
}

impl Serialize for SlotKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Run => serializer.serialize_str("run"),
            Self::Own(key) => serializer.serialize_u64(*key),
        }
    }
}

impl<'de> Deserialize<'de> for SlotKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}

/// Reads `"run"` or a number.
struct KeyVisitor;

impl serde::de::Visitor<'_> for KeyVisitor {
    type Value = SlotKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"run\" or a whole number")
    }

    fn visit_u64<E>(self, key: u64) -> Result<SlotKey, E> {
        Ok(SlotKey::Own(key))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<SlotKey, E> {
        match name {
            "run" => Ok(SlotKey::Run),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(name), &self)),
        }
    }
}

/// The words that slots are spelled in.
#[derive(Debug, Clone)]
pub(crate) struct SlotWords {
    /// Begins the slot: `Word`.
    first: Vec<Box<str>>,
    /// Goes on: ` word`.
    inner: Vec<Box<str>>,
}

impl SlotWords {
    /// Those of the commonest length among `first` and among `inner`; all of them where those are
    /// too few.
    pub fn among(first: &[Box<str>], inner: &[Box<str>]) -> Self {
        Self {
            first: of_one_length(first),
            inner: of_one_length(inner),
        }
    }

    /// Appends `number`, as many words as fit into `pieces`; returns their count.
    pub(crate) fn spell(&self, text: &mut String, number: u64, pieces: u32) -> u32 {
        let mut rest = u128::from(number);
        let mut range = 1_u128 << 64;
        let mut digits = 0;
        while range > 1 && digits < pieces {
            let words = if digits == 0 {
                &self.first
            } else {
                &self.inner
            };
            let base = words.len() as u128;
            text.push_str(&words[(rest % base) as usize]);
            rest /= base;
            range = range.div_ceil(base);
            digits += 1;
        }
        digits
    }
}

fn of_one_length(words: &[Box<str>]) -> Vec<Box<str>> {
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    for word in words {
        *lengths.entry(word.len()).or_default() += 1;
    }
    let commonest = lengths.into_iter().max_by_key(|(_, count)| *count);
    let length = commonest.filter(|(_, count)| *count >= ENOUGH);
    let kept = |word: &str| length.is_none_or(|(length, _)| word.len() == length);
    words.iter().filter(|word| kept(word)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use crate::words::WordTable;
    use std::collections::HashSet;

    #[test]
    fn slots_take_eight_words_of_five_letters() {
        let words = WordTable::built_in().slot;
        let slots: HashSet<String> = (0..20_000_u64)
            .map(|number| {
                let mut text = String::new();
                let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                assert_eq!(words.spell(&mut text, number, u32::MAX), 8);
                assert_eq!(text.len(), 8 * 5 + 7);
                text
            })
            .collect();
        assert_eq!(slots.len(), 20_000);
    }

    #[test]
    fn a_small_table_takes_more_words() {
        let full = WordTable::built_in();
        let small = super::SlotWords::among(&full.first[..64], &full.inner[..64]);
        assert_eq!(small.spell(&mut String::new(), 0, u32::MAX), 11);
    }

    #[test]
    fn what_does_not_fit_is_left_away() {
        let mut text = String::new();
        let words = WordTable::built_in().slot;
        assert_eq!(words.spell(&mut text, u64::MAX, 3), 3);
        assert_eq!(text.split(' ').count(), 3);
    }
}
