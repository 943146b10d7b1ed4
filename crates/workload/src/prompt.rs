//! Text of a chosen number of pieces, each piece one token: sentences of common words.
//!
//! It does not check the count against a tokenizer; [`crate::tokenizer`] does where it has to.
//!
//! Invariant: the text is a function of (table, slot, key, id, pieces), and behind the slot of
//! (table, key, id, pieces) alone. The slot's number is one that no other prompt of the run has, so
//! that no two of them share a first block of a prefix cache, whatever the random words after it.

use crate::words::WordTable;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Words of a sentence: at least this many,
const SENTENCE_MIN: u32 = 6;
/// and at most this many more.
const SENTENCE_SPREAD: u32 = 9;
/// One in so many places for a comma has one.
const COMMA_ONE_IN: u32 = 9;
/// Bytes per piece to reserve; the built-in words take 6.8 on average.
pub(crate) const BYTES_PER_PIECE: usize = 8;

/// What the words of a prompt are drawn by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn {
    /// The seed, and what kind of text it is.
    pub key: u64,
    /// The request.
    pub id: u64,
}

/// Writes the prompt of request `id`: exactly `pieces` pieces. Variants begin with the same slot
/// and go on differently, for a tokenizer that merges some neighbours.
pub(crate) fn compose(
    table: &WordTable,
    slot: u64,
    of: Drawn,
    pieces: u32,
    variant: u64,
) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(of.key.wrapping_add(variant));
    rng.set_stream(of.id);
    let mut text = String::with_capacity(pieces as usize * BYTES_PER_PIECE);
    let used = table.slot.spell(&mut text, slot, pieces);
    let mut sentence = Sentence::after(used, &mut rng);
    let mut left = pieces - used;
    while left > 0 {
        text.push_str(sentence.next(table, &mut rng, left));
        left -= 1;
    }
    text
}

/// Spells a 64-bit number in the words of the table, the first digit in those of `opening`, as
/// many digits as fit into `pieces`; returns their count. 2,048 words need six digits.
pub(crate) fn spell(
    text: &mut String,
    table: &WordTable,
    opening: &[Box<str>],
    number: u64,
    pieces: u32,
) -> u32 {
    let mut rest = u128::from(number);
    let mut range = 1_u128 << 64;
    let mut digits = 0;
    while range > 1 && digits < pieces {
        let words = if digits == 0 { opening } else { &table.inner };
        let base = words.len() as u128;
        text.push_str(&words[(rest % base) as usize]);
        rest /= base;
        range = range.div_ceil(base);
        digits += 1;
    }
    digits
}

/// Where the text stands in its current sentence.
pub(crate) struct Sentence {
    words: u32,
    planned: u32,
    after_comma: bool,
}

impl Sentence {
    /// A sentence that has `words` words already.
    pub(crate) fn after(words: u32, rng: &mut ChaCha8Rng) -> Self {
        Self {
            words,
            planned: SENTENCE_MIN.max(words) + below(rng, SENTENCE_SPREAD),
            after_comma: false,
        }
    }

    /// The next piece, when `left` pieces are still wanted, this one included. A full stop never
    /// follows another or a comma, and the last piece of a text is a full stop.
    pub(crate) fn next<'t>(
        &mut self,
        table: &'t WordTable,
        rng: &mut ChaCha8Rng,
        left: u32,
    ) -> &'t str {
        if left == 1 || (self.words >= self.planned && !self.after_comma && left > 3) {
            self.words = 0;
            self.planned = SENTENCE_MIN + below(rng, SENTENCE_SPREAD);
            return ".";
        }
        let room = self.words > 1 && self.words + 2 < self.planned && left > 3;
        if room && !self.after_comma && below(rng, COMMA_ONE_IN) == 0 {
            self.after_comma = true;
            return ",";
        }
        let words = if self.words == 0 {
            &table.capital
        } else {
            &table.inner
        };
        self.words += 1;
        self.after_comma = false;
        &words[below(rng, words.len() as u32) as usize]
    }
}

/// A number below `n`, by multiply and shift: the bias is under n / 2^32.
pub(crate) fn below(rng: &mut ChaCha8Rng, n: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(n)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    fn pieces_of(text: &str) -> usize {
        text.split(' ').filter(|w| !w.is_empty()).count() + text.matches([',', '.']).count()
    }

    #[test]
    fn a_prompt_is_pinned() {
        let table = WordTable::built_in();
        assert_eq!(
            compose(&table, 5, Drawn { key: 1, id: 0 }, 24, 0),
            "Again about about about about about about about within, danger out \
             hall. Sport essay refer language clock approved tail concrete recipe."
        );
    }

    proptest! {
        #[test]
        fn the_count_is_exact_and_the_text_well_formed(
            key in any::<u64>(),
            id in any::<u64>(),
            pieces in 1_u32..400,
        ) {
            let text = compose(&WordTable::built_in(), 7, Drawn { key, id }, pieces, 0);
            assert_eq!(pieces_of(&text), pieces as usize);
            assert!(text.starts_with(|c: char| c.is_ascii_uppercase()));
            assert!(!text.contains(",.") && !text.contains("..") && !text.contains(",,"));
            assert_eq!(text.ends_with('.'), pieces > 8);
        }
    }

    #[test]
    fn sentences_have_six_to_seventeen_words_and_a_capital() {
        let text = compose(&WordTable::built_in(), 3, Drawn { key: 3, id: 3 }, 5_000, 0);
        let (whole, _last_one_may_be_short) = text[..text.len() - 1].rsplit_once('.').expect("two");
        for sentence in whole.split('.') {
            let sentence = sentence.trim_start();
            assert!(sentence.starts_with(|c: char| c.is_ascii_uppercase()));
            let words = sentence.split(' ').count();
            assert!((6..=17).contains(&words), "{words}: {sentence}");
        }
    }

    #[test]
    fn a_slot_changes_nothing_behind_it() {
        let table = WordTable::built_in();
        let (one, other) = (
            compose(&table, 1, Drawn { key: 3, id: 3 }, 90, 0),
            compose(&table, 2, Drawn { key: 3, id: 3 }, 90, 0),
        );
        assert_ne!(one[..47], other[..47]);
        assert_eq!(one[47..], other[47..]);
    }
}
