//! Prompts made of blocks: equal hash ids become equal text of a fixed number of pieces, so that
//! a server's prefix cache finds in them what it found in the recorded prompts.
//!
//! It does not read traces, nor check counts against a tokenizer.
//!
//! Invariant: a block's text is a function of (table, key, hash id), and a shorter block is the
//! beginning of the longer one. The first block begins with a slot that spells the run's salt, of
//! the same length in all prompts: inside a run sharing stays, and two runs with different salts
//! share no first block, so nothing at all.

use crate::prompt::{BYTES_PER_PIECE, Sentence, below, spell};
use crate::words::WordTable;
use infermeter_core::seed::splitmix64;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Keeps what has no hash id apart from blocks that have one.
const TAIL_TAG: u64 = 0x7461_696c_7461_696c;

/// What a block is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Sentences, for tokenizers known to cut at spaces and punctuation.
    Sentences,
    /// Words alone: a tokenizer from a file may take a word and its full stop for one token, and
    /// all blocks after it would begin too early.
    Words,
}

/// One prompt, its hash ids aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockPrompt {
    /// Pieces of a block.
    pub block_tokens: u32,
    /// Key of the blocks' text, the same in every run with the same seed.
    pub key: u64,
    /// The number in the slot, fresh for every run.
    pub salt: u64,
    /// The row: what follows the last hash id belongs to it alone.
    pub row: u64,
}

impl BlockPrompt {
    /// Writes exactly `pieces` pieces. Where they exceed the blocks of `ids`, the last block goes
    /// on: up to a block's length it is shared like the block, beyond it belongs to the row.
    pub fn compose(
        &self,
        table: &WordTable,
        style: Style,
        ids: impl Iterator<Item = u64>,
        pieces: u32,
    ) -> String {
        let mut text = String::with_capacity(pieces as usize * BYTES_PER_PIECE);
        let mut left = pieces;
        let place = (table, style);
        for id in ids {
            let size = left.min(self.block_tokens);
            self.block(&mut text, place, (self.key, id), size);
            left -= size;
            if left == 0 {
                break;
            }
        }
        if left > 0 {
            let key = splitmix64(self.key ^ TAIL_TAG);
            self.block(&mut text, place, (key, self.row), left);
        }
        text
    }

    /// Appends `pieces` pieces of block `id`: its number in words, then sentences. The first of
    /// a prompt has the slot before them.
    fn block(
        &self,
        text: &mut String,
        (table, style): (&WordTable, Style),
        (key, id): (u64, u64),
        pieces: u32,
    ) {
        let mut used = 0;
        let mut opening = match style {
            Style::Sentences => &table.capital,
            Style::Words => &table.inner,
        };
        if text.is_empty() {
            used = table.slot.spell(text, self.salt, pieces);
            opening = &table.inner;
        }
        let number = splitmix64(id ^ key);
        used += spell(text, table, opening, number, pieces - used);
        let mut rng = ChaCha8Rng::seed_from_u64(key);
        rng.set_stream(id);
        let mut sentence = Sentence::after(used, &mut rng);
        for _ in used..pieces {
            // Whatever is still to come, the text is the same: a prefix of a block stays one.
            text.push_str(match style {
                Style::Sentences => sentence.next(table, &mut rng, u32::MAX),
                Style::Words => &table.inner[below(&mut rng, table.inner.len() as u32) as usize],
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
        let prompt = BlockPrompt {
            block_tokens: 16,
            key: 7,
            salt,
            row,
        };
        pieces(&prompt.compose(
            &WordTable::built_in(),
            Style::Sentences,
            ids.iter().copied(),
            count,
        ))
    }

    #[test]
    fn equal_ids_are_equal_blocks() {
        let one = prompt(&[1, 2, 3], 48, 5, 0);
        let other = prompt(&[1, 2, 4], 40, 5, 1);
        assert_eq!(one[..32], other[..32]);
        assert_ne!(one[32..40], other[32..]);
        assert_eq!(prompt(&[9, 3], 32, 5, 2)[16..], one[32..]);
    }

    #[test]
    fn a_partial_block_is_the_beginning_of_the_whole_one() {
        let whole = prompt(&[1, 2, 3], 48, 5, 0);
        for count in 1..=48 {
            assert_eq!(prompt(&[1, 2, 3], count, 5, 1), whole[..count as usize]);
        }
    }

    #[test]
    fn salts_change_the_first_block_alone() {
        let (one, other) = (prompt(&[1, 2], 32, 5, 0), prompt(&[1, 2], 32, 6, 0));
        let slot = (0..32).filter(|at| one[*at] != other[*at]);
        assert!(slot.clone().count() > 0 && slot.clone().all(|at| at < 8));
        assert_eq!(one[16..], other[16..]);
    }

    #[test]
    fn what_has_no_id_belongs_to_its_row() {
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
