//! Text in and out: counting a prompt's tokens and speaking an answer's.
//!
//! No tokenizer here. Prompts made of English words, full stops and commas count exactly (one token
//! each in the common vocabularies); anything else is approximate, and the count is what the
//! simulator reports as usage.

use infermeter_core::seed::splitmix64;

/// Tokens of a text and a digest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Measure {
    /// Tokens.
    pub tokens: u32,
    /// Digest of what was counted, for seeding the answer.
    pub digest: u64,
}

impl Measure {
    /// Adds another measure behind this one.
    pub fn extend(&mut self, other: Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.digest = splitmix64(self.digest ^ other.digest.rotate_left(17));
    }

    /// Adds one token given by its id.
    pub fn extend_by_id(&mut self, id: u64) {
        self.extend(Self {
            tokens: 1,
            digest: id,
        });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Newline,
    Letter,
    Digit,
    Punctuation,
    Foreign,
}

fn class(byte: u8) -> Class {
    match byte {
        b'\n' | b'\r' => Class::Newline,
        b' ' | b'\t' => Class::Space,
        b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        0x80.. => Class::Foreign,
        _ => Class::Punctuation,
    }
}

/// Letters beyond this are no single word of a vocabulary.
const LONGEST_WORD: usize = 16;

/// Measures a text: a word, a punctuation mark and a run of line breaks are one token each; digits
/// count by threes, long letter runs by fives, bytes outside ASCII by threes.
pub(crate) fn measure(text: &str) -> Measure {
    let bytes = text.as_bytes();
    let mut tokens = 0_usize;
    let mut digest = 0xcbf2_9ce4_8422_2325_u64; // FNV-1a, per run instead of per byte
    let mut at = 0;
    while at < bytes.len() {
        let kind = class(bytes[at]);
        let start = at;
        at += 1;
        // An apostrophe belongs to the letters behind it: don't is don + 't.
        let kind = if bytes[start] == b'\'' && at < bytes.len() && class(bytes[at]) == Class::Letter
        {
            Class::Letter
        } else {
            kind
        };
        while kind != Class::Punctuation && at < bytes.len() && class(bytes[at]) == kind {
            at += 1;
        }
        let len = at - start;
        tokens += match kind {
            Class::Space => 0,
            Class::Newline | Class::Punctuation => 1,
            Class::Letter if len <= LONGEST_WORD => 1,
            Class::Letter => len.div_ceil(5),
            Class::Digit | Class::Foreign => len.div_ceil(3),
        };
        let sample = u64::from(bytes[start]) | u64::from(bytes[at - 1]) << 8 | (len as u64) << 16;
        digest = (digest ^ sample).wrapping_mul(0x0000_0100_0000_01b3);
    }
    Measure {
        tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        digest,
    }
}

/// Words that are one token, space included, in the Llama 3, cl100k and o200k vocabularies.
const WORDS: [&str; 64] = [
    " the", " of", " and", " to", " in", " is", " that", " for", " it", " as", " was", " with",
    " be", " by", " on", " not", " he", " his", " but", " are", " this", " or", " from", " they",
    " which", " you", " one", " her", " all", " she", " there", " would", " their", " we", " him",
    " been", " has", " when", " who", " will", " more", " no", " if", " out", " so", " what",
    " up", " said", " its", " about", " than", " into", " them", " can", " only", " other",
    " time", " new", " some", " could", " these", " two", " may", " first",
];

/// The text of an answer, token by token.
#[derive(Debug, Clone, Copy)]
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
    pub fn next_word(&mut self) -> &'static str {
        self.state = splitmix64(self.state);
        WORDS[(self.state >> 58) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stops_and_commas_count_one_each() {
        for (text, tokens) in [
            ("", 0),
            ("the", 1),
            (" the quick, brown fox. It", 7),
            ("international", 1),
            ("don't", 2),
            ("a\n\nb", 3),
            ("12345", 2),
            ("électricité", 3),
        ] {
            assert_eq!(measure(text).tokens, tokens, "{text:?}");
        }
    }

    #[test]
    fn the_digest_tells_texts_apart() {
        assert_ne!(measure("one two").digest, measure("one six").digest);
        assert_eq!(measure("one two"), measure("one two"));
    }

    #[test]
    fn an_answer_counts_as_many_tokens_as_it_has_words() {
        let mut speech = Speech::of(7);
        let text: String = (0..500).map(|_| speech.next_word()).collect();
        assert_eq!(measure(&text).tokens, 500);
        assert!(WORDS.iter().all(|w| w.starts_with(' ') && w.is_ascii()));
    }
}
