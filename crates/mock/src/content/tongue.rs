//! Ways of speaking that a text may turn to: other words, noise, another language.
//!
//! Invariant: every token is JSON text as it stands, in need of no escaping.

use crate::text::Speech;
use infermeter_core::seed::splitmix64;

/// Russian words, and Chinese ones, which have no spaces between them.
static RUSSIAN: [&str; 16] = [
    " когда",
    " только",
    " может",
    " время",
    " человек",
    " потому",
    " сказал",
    " первый",
    " после",
    " между",
    " сейчас",
    " город",
    " вопрос",
    " работа",
    " хорошо",
    " нельзя",
];
static CHINESE: [&str; 16] = [
    "时间", "可以", "没有", "我们", "这个", "什么", "因为", "问题", "工作", "城市", "现在", "先生",
    "知道", "开始", "一个", "以后",
];

/// Phrases that are said again and again, a token each.
static PHRASES: [[&str; 4]; 4] = [
    [" and", " so", " it", " is"],
    [" the", " first", " of", " the"],
    [" that", " is", " what", " it"],
    [" to", " be", " or", " not"],
];

/// A way of speaking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tongue {
    /// Words of the simulator's own.
    Words(Speech),
    /// One piece of text again and again.
    Mark(&'static str),
    /// Letters that make no words.
    Noise(u64),
    /// A phrase again and again.
    Phrase {
        /// Its words.
        words: &'static [&'static str; 4],
        /// The next one.
        at: u8,
    },
    /// Words of another language.
    Foreign {
        /// Which there are.
        words: &'static [&'static str; 16],
        /// Draws the next one.
        state: u64,
    },
}

impl Tongue {
    /// One of the phrases.
    pub fn phrase(draw: u64) -> Self {
        Self::Phrase {
            words: &PHRASES[(draw >> 40) as usize % PHRASES.len()],
            at: 0,
        }
    }

    /// One of the other languages.
    pub fn foreign(draw: u64) -> Self {
        let words = [&RUSSIAN, &CHINESE][(draw >> 40) as usize & 1];
        Self::Foreign { words, state: draw }
    }
}

/// A turn that a text takes, behind so many of its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    at: u32,
    /// The first token behind it, where that is given.
    first: Option<&'static str>,
    tongue: Tongue,
    buffer: String,
}

impl Turn {
    /// To another way of speaking behind `at` tokens.
    pub fn to(at: u32, tongue: Tongue) -> Self {
        Self {
            at,
            first: None,
            tongue,
            buffer: String::new(),
        }
    }

    /// To other words, of which the first is given.
    pub fn aside(at: u32, first: &'static str, key: u64) -> Self {
        Self {
            first: Some(first),
            ..Self::to(at, Tongue::Words(Speech::of(key)))
        }
    }

    /// Whether the token of a place is behind it.
    #[inline]
    pub fn is_behind(&self, place: u32) -> bool {
        place >= self.at
    }

    /// The words that are said from now on, where it turned to words and the first has been said.
    pub fn words(&self) -> Option<Speech> {
        match (&self.tongue, self.first) {
            (Tongue::Words(speech), None) => Some(*speech),
            _ => None,
        }
    }

    /// The next token behind it.
    pub fn next(&mut self) -> &str {
        if let Some(first) = self.first.take() {
            return first;
        }
        match &mut self.tongue {
            Tongue::Words(speech) => speech.next_word(),
            Tongue::Mark(mark) => mark,
            Tongue::Noise(state) => {
                *state = splitmix64(*state);
                self.buffer.clear();
                self.buffer.push(' ');
                let letters = 6 + *state % 3;
                let letter = |place: u64| b'a' + (*state >> (5 * place + 8)) as u8 % 26;
                self.buffer
                    .extend((0..letters).map(|place| char::from(letter(place))));
                &self.buffer
            }
            Tongue::Phrase { words, at } => {
                let place = usize::from(*at) % words.len();
                *at = (place + 1) as u8;
                words[place]
            }
            Tongue::Foreign { words, state } => {
                *state = splitmix64(*state);
                words[(*state >> 60) as usize]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(turn: &mut Turn, tokens: u32) -> String {
        (0..tokens).map(|_| turn.next().to_owned()).collect()
    }

    #[test]
    fn each_way_of_speaking_is_its_own_and_the_same_each_time() {
        let mark = said(&mut Turn::to(0, Tongue::Mark("!")), 60);
        assert_eq!(mark, "!".repeat(60));
        let phrase = said(&mut Turn::to(0, Tongue::phrase(7)), 40);
        assert_eq!(phrase, phrase[..phrase.len() / 10].repeat(10));
        let noise = said(&mut Turn::to(0, Tongue::Noise(3)), 20);
        assert!(
            noise
                .split(' ')
                .skip(1)
                .all(|word| (6..9).contains(&word.len()))
        );
        for draw in [1, 1 << 40] {
            let foreign = said(&mut Turn::to(0, Tongue::foreign(draw)), 30);
            assert!(
                foreign.chars().all(|c| c == ' ' || !c.is_ascii()),
                "{foreign}"
            );
            assert_eq!(foreign, said(&mut Turn::to(0, Tongue::foreign(draw)), 30));
        }
    }

    #[test]
    fn an_aside_begins_with_its_word() {
        let mut turn = Turn::aside(3, " two", 9);
        assert!(!turn.is_behind(2) && turn.is_behind(3));
        assert_eq!((turn.words(), turn.next()), (None, " two"));
        let speech = turn.words().expect("words");
        assert_eq!(speech.ahead().word(0), turn.next());
    }

    #[test]
    fn no_token_needs_escaping() {
        let all = PHRASES.iter().flatten().chain(&RUSSIAN).chain(&CHINESE);
        for token in all {
            assert_eq!(crate::render::json_text(token), *token);
        }
    }
}
