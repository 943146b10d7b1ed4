//! Text in and out: counting a prompt's tokens and speaking an answer's.
//!
//! No tokenizer here. Prompts made of English words, full stops and commas count exactly (one token
//! each in the common vocabularies); anything else is approximate, and the count is what the
//! simulator reports as usage.

mod meter;

pub(crate) use meter::{Counted, Meter};

use infermeter_core::seed::splitmix64;

/// What a run of equal characters is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Space,
    Newline,
    Letter,
    Digit,
    Punctuation,
    Foreign,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Punctuation; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'\n' | b'\r' => Class::Newline,
            b' ' | b'\t' => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            0x80.. => Class::Foreign,
            _ => Class::Punctuation,
        };
        byte += 1;
    }
    table
}

/// Letters beyond this are no single word of a vocabulary.
const LONGEST_WORD: usize = 16;

/// The run that begins at `start`, which lies inside `bytes`: its class and where it ends. An
/// apostrophe or underscore belongs to the letters behind it: `don't` is `don` + `'t`, `user_id` is
/// `user` + `_id`.
#[inline]
fn run_at(bytes: &[u8], start: usize) -> (Class, usize) {
    let mut class = CLASSES[usize::from(bytes[start])];
    let mut end = start + 1;
    if class == Class::Punctuation {
        let joins = matches!(bytes[start], b'\'' | b'_');
        let before_letters = bytes
            .get(end)
            .is_some_and(|next| CLASSES[usize::from(*next)] == Class::Letter);
        if joins && before_letters {
            class = Class::Letter;
        }
    }
    while end < bytes.len() && CLASSES[usize::from(bytes[end])] == class {
        end += 1;
    }
    (class, end)
}

/// Tokens of a run: a word, a short run of punctuation and a run of line breaks are one; digits
/// and punctuation count by threes, long letter runs by fives, bytes outside ASCII by threes.
#[inline]
fn run_tokens(class: Class, len: usize) -> usize {
    match class {
        Class::Space => 0,
        Class::Newline => 1,
        Class::Letter if len <= LONGEST_WORD => 1,
        Class::Letter => len.div_ceil(5),
        Class::Digit | Class::Foreign | Class::Punctuation => len.div_ceil(3),
    }
}

/// Calls `found` for each run of a text in order, with the white space before it, and its tokens.
/// White space at the end belongs to no run.
pub(crate) fn for_each_run(text: &str, mut found: impl FnMut(&str, usize)) {
    let mut from = 0;
    let mut at = 0;
    while at < text.len() {
        let (class, end) = run_at(text.as_bytes(), at);
        at = end;
        if class != Class::Space {
            // Runs end where the class changes, so never inside a character.
            found(
                text.get(from..at).unwrap_or_default(),
                run_tokens(class, at - from),
            );
            from = at;
        }
    }
}

/// Words that are one token, with or without the space, in the Llama 3, cl100k and o200k
/// vocabularies.
const WORDS: [&str; 64] = [
    " the", " of", " and", " to", " in", " is", " that", " for", " it", " as", " was", " with",
    " be", " by", " on", " not", " he", " his", " but", " are", " this", " or", " from", " they",
    " which", " you", " one", " her", " all", " she", " there", " would", " their", " we", " him",
    " been", " has", " when", " who", " will", " more", " no", " if", " out", " so", " what",
    " up", " said", " its", " about", " than", " into", " them", " can", " only", " other",
    " time", " new", " some", " could", " these", " two", " may", " first",
];

/// Letters of the longest word.
pub(crate) const LONGEST_SPOKEN: u32 = 5;

/// Letters of the shortest word.
pub(crate) const SHORTEST_SPOKEN: u32 = 2;

/// The text of an answer, token by token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Speech {
    state: u64,
}

impl Speech {
    /// The answer of a key. Equal keys, equal answers.
    pub fn of(key: u64) -> Self {
        Self {
            state: splitmix64(key),
        }
    }

    /// The next word: plain ASCII with a leading space, in need of no escaping in JSON.
    #[inline]
    pub fn next_word(&mut self) -> &'static str {
        self.state = splitmix64(self.state);
        WORDS[(self.state >> 58) as usize]
    }

    /// The word that comes next, beside those that might have come.
    pub fn ahead(self) -> Ahead {
        let state = splitmix64(self.state);
        Ahead {
            place: (state >> 58) as usize,
            draw: state,
        }
    }
}

/// What might be said next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ahead {
    place: usize,
    /// Equal for equal texts up to here, and alike for none.
    pub draw: u64,
}

impl Ahead {
    /// The word of a rank: 0 is the one that is said, the others are all different from it.
    pub fn word(self, rank: usize) -> &'static str {
        let step = (self.draw >> 32) as usize % (WORDS.len() / 2) * 2 + 1;
        // An odd step visits all of them before it comes back.
        WORDS[(self.place + rank * step) % WORDS.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> u32 {
        let mut meter = Meter::new(Counted::Tokens);
        meter.text(text);
        meter.tokens()
    }

    #[test]
    fn words_stops_and_commas_count_one_each() {
        for (text, expected) in [
            ("", 0),
            ("the", 1),
            (" the quick, brown fox. It", 7),
            ("international", 1),
            ("don't", 2),
            ("user_id", 2),
            ("a\n\nb", 3),
            ("12345", 2),
            ("électricité", 3),
            (r#"{"city":"the of","days":3}"#, 10),
        ] {
            assert_eq!(tokens(text), expected, "{text:?}");
        }
    }

    #[test]
    fn runs_cover_the_text_and_count_as_the_meter_counts() {
        for text in [
            "",
            " the  of, and",
            "a \n b",
            "électricité 12",
            r#"{"a":[1,2]}"#,
        ] {
            let mut whole = String::new();
            let mut sum = 0;
            for_each_run(text, |run, tokens| {
                whole.push_str(run);
                sum += tokens as u32;
            });
            assert_eq!((whole.as_str(), sum), (text, tokens(text)));
        }
    }

    #[test]
    fn an_answer_counts_as_many_tokens_as_it_has_words() {
        let mut speech = Speech::of(7);
        let text: String = (0..500).map(|_| speech.next_word()).collect();
        assert_eq!(tokens(&text), 500);
        let mut ahead = Speech::of(7);
        let foreseen: String = (0..500)
            .map(|_| {
                let word = ahead.ahead().word(0);
                assert!((1..20).all(|rank| ahead.ahead().word(rank) != word));
                ahead.next_word();
                word
            })
            .collect();
        assert_eq!(foreseen, text);
        let lengths = || WORDS.iter().map(|word| word.len() as u32 - 1);
        assert!(WORDS.iter().all(|w| w.starts_with(' ') && w.is_ascii()));
        assert_eq!(lengths().max(), Some(LONGEST_SPOKEN));
        assert_eq!(lengths().min(), Some(SHORTEST_SPOKEN));
    }
}
