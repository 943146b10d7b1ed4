//! The writing systems of a text, and whether it goes over from one into another.
//!
//! A flip is one only where the prompt has nothing of the second system, and neither prompt nor answer names a language
//! that is written so: who asks for a translation gets one. Into Latin letters nothing flips: names, code and formulas are
//! written so everywhere. Invariant: a word or a sentence in quotes is too short to be a flip.

use infermeter_core::answer::Writing;

/// Letters that tell anything.
const LEAST_LETTERS: usize = 20;
/// Letters at the beginning and at the end that are compared.
const STRETCH: usize = 40;
/// Of a hundred letters of a stretch, as many are of one system.
const MOST_OF_IT: usize = 90;
/// Letters of another system in the middle of an answer, more than those of others there: two or three sentences.
const LONG_STRETCH: usize = 120;
/// What names a language stands near the beginning or the end of a prompt, bytes: filler between them says nothing.
const NAMED_WITHIN: usize = 2_048;

/// Languages by the beginnings of their English names, in lower case.
const LANGUAGES: [(&str, Writing); 24] = [
    ("russia", Writing::Cyrillic),
    ("ukrain", Writing::Cyrillic),
    ("bulgaria", Writing::Cyrillic),
    ("serbia", Writing::Cyrillic),
    ("belarus", Writing::Cyrillic),
    ("kazakh", Writing::Cyrillic),
    ("mongolia", Writing::Cyrillic),
    ("cyrillic", Writing::Cyrillic),
    ("greek", Writing::Greek),
    ("arabic", Writing::Arabic),
    ("persian", Writing::Arabic),
    ("farsi", Writing::Arabic),
    ("urdu", Writing::Arabic),
    ("hebrew", Writing::Hebrew),
    ("hindi", Writing::Devanagari),
    ("marathi", Writing::Devanagari),
    ("nepali", Writing::Devanagari),
    ("sanskrit", Writing::Devanagari),
    ("thai", Writing::Thai),
    ("chinese", Writing::Han),
    ("mandarin", Writing::Han),
    ("cantonese", Writing::Han),
    ("japan", Writing::Kana),
    ("korea", Writing::Hangul),
];
/// Words behind which any system may come.
const ANY: [&str; 4] = ["translat", "multilingual", "bilingual", "languages"];

/// The writing systems that a text has letters of, or names a language of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Writings(u16);

impl Writings {
    const ALL: Self = Self((1 << Writing::ALL.len()) - 1);

    /// Those of a text.
    pub fn of(text: &str) -> Self {
        let near = |end: usize| {
            (0..=end)
                .rev()
                .find(|end| text.is_char_boundary(*end))
                .unwrap_or(0)
        };
        let start = &text[..near(text.len().min(NAMED_WITHIN))];
        let end = &text[near(text.len().saturating_sub(NAMED_WITHIN))..];
        Self::written(text)
            .union(Self::named(start))
            .union(Self::named(end))
    }

    fn written(text: &str) -> Self {
        if text.is_ascii() {
            let latin = text.bytes().any(|byte| byte.is_ascii_alphabetic());
            return Self(u16::from(latin) << Writing::Latin as u16);
        }
        let letters = text.chars().filter_map(Writing::of);
        Self(letters.fold(0, |all, writing| all | 1 << writing as u16))
    }

    /// Those of the languages that a text names.
    fn named(text: &str) -> Self {
        let words = text.split(|c: char| !c.is_ascii_alphabetic());
        words.map(named_by).fold(Self::default(), Self::union)
    }

    fn has(self, writing: Writing) -> bool {
        let of_family = |other: &Writing| family(*other) == family(writing);
        let mut family = Writing::ALL.into_iter().filter(of_family);
        family.any(|writing| self.0 & 1 << writing as u16 != 0)
    }

    /// Both together.
    #[must_use]
    pub fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

fn named_by(word: &str) -> Writings {
    let begins = |name: &str| {
        word.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    if ANY.iter().any(|name| begins(name)) {
        return Writings::ALL;
    }
    let found = LANGUAGES.iter().filter(|(name, _)| begins(name));
    Writings(found.fold(0, |all, (_, writing)| all | 1 << *writing as u16))
}

/// The writing system of most letters; `None` with too few of them.
pub(crate) fn main_writing(text: &str) -> Option<Writing> {
    let mut counts = [0_usize; Writing::ALL.len()];
    if text.is_ascii() {
        let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
        return (letters >= LEAST_LETTERS).then_some(Writing::Latin);
    }
    let letters = text.chars().filter_map(Writing::of);
    letters.for_each(|writing| counts[writing as usize] += 1);
    main_of(&counts, LEAST_LETTERS).map(|(writing, _)| writing)
}

fn main_of(counts: &[usize], least: usize) -> Option<(Writing, usize)> {
    let all: usize = counts.iter().sum();
    let most = Writing::ALL
        .into_iter()
        .zip(counts)
        .max_by_key(|(_, n)| **n)?;
    (all >= least).then_some((most.0, *most.1))
}

/// It begins in one writing system and goes on in another, for which there is no reason.
pub(crate) fn flips(text: &str, prompt: Writings) -> bool {
    if text.is_ascii() {
        return false;
    }
    let letters = || text.chars().filter_map(Writing::of);
    let Some(begins) = one_of(letters()) else {
        return false;
    };
    let foreign = |writing: Writing| {
        writing != Writing::Latin && family(writing) != family(begins) && !prompt.has(writing)
    };
    let ends = one_of(text.chars().rev().filter_map(Writing::of));
    let second = ends.filter(|ends| foreign(*ends));
    let second = second.or_else(|| long_stretch(letters(), foreign));
    second.is_some_and(|second| !Writings::named(text).has(second))
}

/// The system of the first letters, where most of them are of one.
fn one_of(letters: impl Iterator<Item = Writing>) -> Option<Writing> {
    let mut counts = [0_usize; Writing::ALL.len()];
    let stretch = letters.take(STRETCH);
    stretch.for_each(|writing| counts[writing as usize] += 1);
    let (writing, count) = main_of(&counts, STRETCH)?;
    (count * 100 >= MOST_OF_IT * STRETCH).then_some(writing)
}

/// A foreign system that a long stretch is written in.
fn long_stretch(
    letters: impl Iterator<Item = Writing>,
    foreign: impl Fn(Writing) -> bool,
) -> Option<Writing> {
    let (mut of, mut length) = (None, 0_usize);
    for writing in letters {
        let goes_on = of.is_none_or(|of| family(of) == family(writing));
        if goes_on && foreign(writing) {
            of = Some(writing);
            length += 1;
        } else {
            length = length.saturating_sub(1);
            of = of.filter(|_| length > 0);
        }
        if length >= LONG_STRETCH {
            return of;
        }
    }
    None
}

/// Systems that one text mixes.
fn family(writing: Writing) -> u8 {
    match writing {
        Writing::Han | Writing::Kana | Writing::Hangul => 1,
        other => 2 + other as u8,
    }
}
