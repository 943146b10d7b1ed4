//! Text as people type it: lower case, typos, fragments, several languages and scripts, bits of code.
//!
//! `noise.txt` was made once: pieces that are one token each under `o200k_base` and `cl100k_base`, as the
//! words of [`crate::words`] are. Words begin with a space and are letters alone, so that both tokenizers cut
//! before and behind them; a mark or a line break stands behind a word, never behind another. A test counts
//! every piece with both vocabularies.
//!
//! Invariant: the text is a function of (table, slot, key, id, pieces), and a shorter one is the beginning of
//! a longer one.

use crate::prompt::{BYTES_PER_PIECE, Drawn, below};
use crate::words::WordTable;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// `KIND WORD WORD ...` a line, without the words' spaces; marks have tabs between them, as some begin with a
/// space.
const BUILT_IN: &str = include_str!("noise.txt");

/// One in so many places behind a word has a mark,
const MARK_ONE_IN: u32 = 7;
/// or a line break.
const BREAK_ONE_IN: u32 = 31;
/// Words of one manner: at least this many,
const RUN_MIN: u32 = 3;
/// and at most this many more.
const RUN_SPREAD: u32 = 14;
/// Of ten stretches of words so many are plain; the others share the rest.
const PLAIN_IN_TEN: u32 = 4;

/// Untidy pieces.
#[derive(Debug, Clone)]
pub(crate) struct Noise {
    /// Words by manner: one language, one kind of code, slang and typos.
    manners: Vec<Vec<Box<str>>>,
    /// Stand behind a word.
    marks: Vec<Box<str>>,
}

impl Noise {
    /// The built-in pieces.
    pub fn built_in() -> Self {
        let (mut manners, mut marks) = (Vec::new(), Vec::new());
        for line in BUILT_IN.lines() {
            let Some((kind, pieces)) = line.split_once(' ') else {
                continue;
            };
            match kind {
                "marks" => marks = pieces.split('\t').map(Into::into).collect(),
                _ => manners.push(
                    pieces
                        .split(' ')
                        .map(|word| format!(" {word}").into())
                        .collect(),
                ),
            }
        }
        Self { manners, marks }
    }

    /// Writes exactly `pieces` pieces behind a slot.
    pub fn compose(&self, table: &WordTable, slot: u64, of: Drawn, pieces: u32) -> String {
        let mut rng = ChaCha8Rng::seed_from_u64(of.key);
        rng.set_stream(of.id);
        let mut text = String::with_capacity(pieces as usize * BYTES_PER_PIECE);
        let used = table.slot.spell(&mut text, slot, pieces);
        let mut untidy = Untidy::default();
        for _ in used..pieces {
            text.push_str(untidy.next(self, table, &mut rng));
        }
        text
    }
}

/// Where an untidy text stands.
#[derive(Debug, Default)]
pub(crate) struct Untidy {
    /// The manner, behind the plain one.
    manner: usize,
    /// Words left of it.
    left: u32,
    /// A word was the last piece.
    after_word: bool,
}

impl Untidy {
    /// The next piece.
    pub fn next<'t>(
        &mut self,
        noise: &'t Noise,
        table: &'t WordTable,
        rng: &mut ChaCha8Rng,
    ) -> &'t str {
        if std::mem::take(&mut self.after_word) {
            if below(rng, MARK_ONE_IN) == 0 {
                return one_of(&noise.marks, rng);
            }
            if below(rng, BREAK_ONE_IN) == 0 {
                return "\n";
            }
        }
        if self.left == 0 {
            self.left = RUN_MIN + below(rng, RUN_SPREAD);
            self.manner = match below(rng, 10) {
                0..PLAIN_IN_TEN => 0,
                _ => 1 + below(rng, noise.manners.len() as u32) as usize,
            };
        }
        self.left -= 1;
        self.after_word = true;
        match self
            .manner
            .checked_sub(1)
            .and_then(|manner| noise.manners.get(manner))
        {
            Some(words) => one_of(words, rng),
            None => one_of(&table.inner, rng),
        }
    }
}

fn one_of<'t>(pieces: &'t [Box<str>], rng: &mut ChaCha8Rng) -> &'t str {
    &pieces[below(rng, pieces.len() as u32) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::TokenCounter;
    use crate::tokenizer::Tokenizer;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn text(id: u64, pieces: u32) -> String {
        let of = Drawn { key: 5, id };
        Noise::built_in().compose(&WordTable::built_in(), 3, of, pieces)
    }

    #[test]
    fn every_piece_is_one_token_and_no_neighbours_merge() {
        let noise = Noise::built_in();
        assert!(
            noise.manners.len() >= 6 && noise.marks.len() >= 8,
            "{noise:?}"
        );
        for name in Tokenizer::NAMES {
            let tokenizer = Tokenizer::open(name).expect("built in");
            let counter = TokenCounter::load(&tokenizer).expect("loads");
            for word in noise.manners.iter().flatten() {
                let marked = noise.marks.iter().map(|mark| format!("{word}{mark}"));
                let text = format!("Again{}{word}\n{word}", marked.collect::<String>());
                assert_eq!(
                    counter.count(&text),
                    4 + 2 * noise.marks.len(),
                    "{name}: {text}"
                );
            }
            for id in 0..200 {
                let tokens = 1 + 17 * id as u32;
                assert_eq!(
                    counter.count(&text(id, tokens)),
                    tokens as usize,
                    "{name} {id}"
                );
            }
        }
    }

    #[test]
    fn it_is_untidy() {
        let text = text(1, 4_000);
        let scripts: [fn(char) -> bool; 3] = [
            |c| c.is_ascii_lowercase(),
            |c| ('а'..='я').contains(&c),
            |c| c == '\n',
        ];
        assert!(scripts.iter().all(|has| text.contains(*has)), "{text}");
        assert!(text.contains(" dont") || text.contains(" gonna"), "{text}");
    }

    proptest! {
        #[test]
        fn a_shorter_text_is_the_beginning_of_a_longer_one(id in any::<u64>(), pieces in 1_u32..300) {
            let (short, long) = (text(id, pieces), text(id, pieces + 40));
            prop_assert!(long.starts_with(&short));
            prop_assert_eq!(&short, &text(id, pieces));
        }
    }
}
