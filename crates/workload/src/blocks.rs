//! Prompts made of segments: a slot with the run's salt, segments of text that prompts share, and
//! an end of the prompt's own, so that a server's prefix cache finds in them what it is meant to.
//!
//! It does not read traces, decide what is shared, nor check counts against a tokenizer.
//!
//! Invariant: a segment's text is a function of (table, key, number), and a shorter segment is the
//! beginning of the longer one. The first segment begins with a slot that spells the run's salt, of
//! the same length in all prompts: inside a run sharing stays, and two runs with different salts
//! share no first block, so nothing at all.

use crate::noise::{Noise, Untidy};
use crate::prompt::{BYTES_PER_PIECE, Sentence, below, spell};
use crate::words::WordTable;
use infermeter_core::seed::splitmix64;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a segment is written in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style<'a> {
    /// Sentences, for tokenizers known to cut at spaces and punctuation.
    Sentences,
    /// Words alone: a tokenizer from a file may take a word and its full stop for one token, and
    /// all segments after it would begin too early.
    Words,
    /// As people write, for the same tokenizers as sentences.
    Noisy(&'a Noise),
}

/// How a text is written, and how much of it.
#[derive(Clone, Copy)]
struct Written<'a> {
    table: &'a WordTable,
    style: Style<'a>,
    pieces: u32,
}

/// Names a text: equal keys and numbers are equal text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextKey {
    /// What kind of text it is, and the seed.
    pub key: u64,
    /// Which of its kind: a hash id, a system prompt's number, a request's id.
    pub number: u64,
}

/// A part of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Its text.
    pub text: TextKey,
    /// Its length.
    pub pieces: u32,
}

/// One prompt, its segments aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentedPrompt {
    /// The number in the slot, fresh for every run.
    pub salt: u64,
    /// What follows the last segment.
    pub rest: TextKey,
}

impl SegmentedPrompt {
    /// Writes exactly `pieces` pieces, the rest of them after the last of `segments`.
    pub(crate) fn compose(
        &self,
        table: &WordTable,
        style: Style<'_>,
        segments: impl Iterator<Item = Segment>,
        pieces: u32,
    ) -> String {
        let mut text = String::with_capacity(pieces as usize * BYTES_PER_PIECE);
        let mut left = pieces;
        let rest = Segment {
            text: self.rest,
            pieces: u32::MAX,
        };
        for segment in segments.chain([rest]) {
            let pieces = left.min(segment.pieces);
            if pieces > 0 {
                let written = Written {
                    table,
                    style,
                    pieces,
                };
                self.append(&mut text, segment.text, written);
            }
            left -= pieces;
        }
        text
    }

    /// Appends `pieces` pieces of a text: its number in words, then sentences. The first of a
    /// prompt has the slot before them.
    fn append(
        &self,
        text: &mut String,
        TextKey { key, number }: TextKey,
        Written {
            table,
            style,
            pieces,
        }: Written<'_>,
    ) {
        let mut used = 0;
        let mut opening = match style {
            Style::Sentences => &table.capital,
            Style::Words | Style::Noisy(_) => &table.inner,
        };
        if text.is_empty() {
            used = table.slot.spell(text, self.salt, pieces);
            opening = &table.inner;
        }
        used += spell(
            text,
            table,
            opening,
            splitmix64(number ^ key),
            pieces - used,
        );
        let mut rng = ChaCha8Rng::seed_from_u64(key);
        rng.set_stream(number);
        let mut sentence = Sentence::after(used, &mut rng);
        let mut untidy = Untidy::default();
        for _ in used..pieces {
            // Whatever is still to come, the text is the same: a beginning of a segment stays one.
            text.push_str(match style {
                Style::Sentences => sentence.next(table, &mut rng, u32::MAX),
                Style::Words => &table.inner[below(&mut rng, table.inner.len() as u32) as usize],
                Style::Noisy(noise) => untidy.next(noise, table, &mut rng),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn pieces(text: &str) -> Vec<String> {
        let apart = text.replace(',', " ,").replace('.', " .");
        apart.split_whitespace().map(str::to_owned).collect()
    }

    fn prompt(ids: &[u64], count: u32, salt: u64, row: u64) -> Vec<String> {
        let prompt = SegmentedPrompt {
            salt,
            rest: TextKey {
                key: 8,
                number: row,
            },
        };
        let segments = ids.iter().map(|id| Segment {
            text: TextKey {
                key: 7,
                number: *id,
            },
            pieces: 16,
        });
        pieces(&prompt.compose(&WordTable::built_in(), Style::Sentences, segments, count))
    }

    #[test]
    fn equal_numbers_are_equal_texts() {
        let one = prompt(&[1, 2, 3], 48, 5, 0);
        let other = prompt(&[1, 2, 4], 40, 5, 1);
        assert_eq!(one[..32], other[..32]);
        assert_ne!(one[32..40], other[32..]);
        assert_eq!(prompt(&[9, 3], 32, 5, 2)[16..], one[32..]);
    }

    #[test]
    fn a_partial_segment_is_the_beginning_of_the_whole_one() {
        let whole = prompt(&[1, 2, 3], 48, 5, 0);
        for count in 1..=48 {
            assert_eq!(prompt(&[1, 2, 3], count, 5, 1), whole[..count as usize]);
        }
    }

    #[test]
    fn salts_change_the_first_segment_alone() {
        let (one, other) = (prompt(&[1, 2], 32, 5, 0), prompt(&[1, 2], 32, 6, 0));
        let slot = (0..32).filter(|at| one[*at] != other[*at]);
        assert!(slot.clone().count() > 0 && slot.clone().all(|at| at < 8));
        assert_eq!(one[16..], other[16..]);
    }

    #[test]
    fn what_follows_the_segments_is_the_prompts_own() {
        let (one, other) = (prompt(&[1], 20, 5, 0), prompt(&[1], 20, 5, 1));
        assert_eq!(one[..16], other[..16]);
        assert_ne!(one[16..], other[16..]);
    }

    proptest! {
        #[test]
        fn the_count_is_exact(
            ids in vec(any::<u64>(), 1..20),
            count in 1_u32..400,
            salt in any::<u64>(),
        ) {
            let text = prompt(&ids, count, salt, 3);
            prop_assert_eq!(text.len(), count as usize);
        }
    }
}
