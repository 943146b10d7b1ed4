//! The built-in vocabulary: 2,048 common English words that are one token each.
//!
//! `words.txt` was made once. It holds words of Debian's `wamerican-small` list (made from SCOWL,
//! see WORDS-NOTICE.md) in lower-case ASCII whose forms `" word"`, `" Word"`
//! and `"Word"` are entries of both `o200k_base` and `cl100k_base`, and whose form `" word"` is one
//! of `p50k_base` and `r50k_base` too (vocabulary files as shipped by tiktoken-rs). Words of
//! violence, sex, drugs, faith and party politics were taken out by hand, the 2,048 with the lowest
//! o200k rank kept, and sorted. Both tokenizers cut text at a space before a word and at
//! punctuation, and never split a whole piece that is in the vocabulary: a text made of these words
//! and of `,` and `.` has one token per piece. `cargo test -p infermeter-workload exact_tokens`
//! verifies that.
//!
//! It does not write text; see [`crate::prompt`].
//!
//! Invariant: the order of the words is part of the workload's value: changing the file changes
//! every prompt.

use crate::slot::SlotWords;
use std::collections::HashSet;

/// The list, one word per line, sorted.
const BUILT_IN: &str = include_str!("words.txt");

/// Words in the three forms that a text needs. Each entry costs one token where it stands.
#[derive(Debug, Clone)]
pub(crate) struct WordTable {
    /// Begins a prompt: `Word`.
    pub first: Vec<Box<str>>,
    /// Begins a later sentence: ` Word`.
    pub capital: Vec<Box<str>>,
    /// Stands inside a sentence: ` word`.
    pub inner: Vec<Box<str>>,
    /// Spell the salt at the beginning of a prompt.
    pub slot: SlotWords,
}

impl WordTable {
    /// The whole built-in list.
    pub fn built_in() -> Self {
        Self::of_words(BUILT_IN.lines())
    }

    /// The built-in list, and words of a vocabulary's own behind it.
    pub fn with(more: &[String]) -> Self {
        let known: HashSet<&str> = BUILT_IN.lines().collect();
        let new = more.iter().map(String::as_str);
        let new = new.filter(|word| !known.contains(word));
        Self::of_words(BUILT_IN.lines().chain(new))
    }

    fn of_words<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let (mut first, mut capital, mut inner) = (Vec::new(), Vec::new(), Vec::new());
        for word in words {
            let capitalised = capitalise(word);
            capital.push(format!(" {capitalised}").into());
            first.push(capitalised.into());
            inner.push(format!(" {word}").into());
        }
        Self::of(first, capital, inner)
    }

    /// A table of words in their three forms.
    pub fn of(first: Vec<Box<str>>, capital: Vec<Box<str>>, inner: Vec<Box<str>>) -> Self {
        Self {
            slot: SlotWords::among(&first, &inner),
            first,
            capital,
            inner,
        }
    }
}

/// `word` with its first letter in upper case, where its script has one.
fn capitalise(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_unique_lower_case_ascii() {
        let words: Vec<&str> = BUILT_IN.lines().collect();
        assert_eq!(words.len(), 2_048);
        assert!(words.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(
            words
                .iter()
                .all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase()))
        );
    }

    #[test]
    fn the_forms_differ_only_by_space_and_case() {
        let table = WordTable::built_in();
        assert_eq!(&*table.inner[0], " a");
        assert_eq!(&*table.capital[0], " A");
        assert_eq!(&*table.first[0], "A");
    }
}
