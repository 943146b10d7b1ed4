//! Words of the server that findings quote: how often each came, over the completed measured requests.
//!
//! Judges nothing. Invariant: at most `MOST_WORDS` are told apart, whatever a server says; the rest are
//! counted together.

use infermeter_core::finish::FinishReason;
use infermeter_core::record::{Outcome, RequestRecord};
use std::collections::BTreeMap;

/// Words told apart.
pub(crate) const MOST_WORDS: usize = 8;

/// How many answers said each word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    known: BTreeMap<String, u64>,
    others: u64,
}

impl Words {
    fn add(&mut self, word: &str, answers: u64) {
        if let Some(count) = self.known.get_mut(word) {
            *count += answers;
        } else if self.known.len() < MOST_WORDS {
            self.known.insert(word.to_owned(), answers);
        } else {
            self.others += answers;
        }
    }

    fn merge(&mut self, other: &Self) {
        other.known.iter().for_each(|(word, n)| self.add(word, *n));
        self.others += other.others;
    }

    /// Each word with its count, the most frequent first, and what was not told apart.
    pub fn list(&self) -> Vec<(&str, u64)> {
        let mut list: Vec<(&str, u64)> = self.known.iter().map(|(w, n)| (w.as_str(), *n)).collect();
        list.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        if self.others > 0 {
            list.push(("others", self.others));
        }
        list
    }
}

/// What servers said that nobody understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownWords {
    /// Reasons to finish.
    pub finish_reasons: Words,
    /// Members of deltas.
    pub members: Words,
}

impl UnknownWords {
    /// Takes what one measured request's answer said.
    pub(crate) fn take(&mut self, record: &RequestRecord) {
        if record.outcome != Outcome::Completed {
            return;
        }
        let word = record.finish_reason.as_deref();
        if let Some(word) = word.filter(|word| FinishReason::of(word) == FinishReason::Other) {
            self.finish_reasons.add(word, 1);
        }
        let names = record.unknown_members.iter().flat_map(|n| n.split(','));
        names.for_each(|name| self.members.add(name, 1));
    }

    /// Adds what another part of the run said.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.finish_reasons.merge(&other.finish_reasons);
        self.members.merge(&other.members);
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_WORDS, Words};

    #[test]
    fn few_words_are_told_apart() {
        let mut words = Words::default();
        for i in 0..20_u64 {
            words.add(&format!("w{i}"), 1);
        }
        words.add("w1", 4);
        let mut twice = words.clone();
        twice.merge(&words);
        let list = twice.list();
        assert_eq!(list.len(), MOST_WORDS + 1);
        assert_eq!((list[0], list[MOST_WORDS]), (("w1", 10), ("others", 24)));
    }
}
