//! Characters that make no text in any language: bytes read in the wrong encoding, pieces of a vocabulary as they lie in
//! its file, fragments of many writing systems, signs at random.
//!
//! Random words of one language are left alone. Invariant: one pass over the text for each question.

use infermeter_core::answer::Writing;

/// Pairs as a wrong encoding leaves them.
const LEAST_PAIRS: usize = 6;
/// One of so many characters begins such a pair at least: an answer that explains them has fewer.
const MOST_CHARACTERS_A_PAIR: usize = 64;
/// Marks of a vocabulary.
const LEAST_MARKS: usize = 12;
/// Letters of two systems within one word.
const LEAST_GLUED: usize = 6;
/// One of so many letters stands beside one of another system at least.
const MOST_LETTERS_A_GLUED: usize = 100;
/// Changes from one system to another, neither of them Latin: lists of languages have fewer.
const LEAST_CHANGES: usize = 30;
/// One of so many letters is such a change at least.
const MOST_LETTERS_A_CHANGE: usize = 16;
/// Signs at random are judged from so many on.
const LEAST_SIGNS: usize = 200;
/// Of the 32 signs of ASCII that are no letters or digits, so many occur in any few hundred random ones; code has fewer.
const LEAST_KINDS: u32 = 26;
/// Of a hundred neighbours, so many are a letter and something of another kind: of random ones 65, of code 30.
const LEAST_CHANGED: usize = 55;
/// Of a hundred bytes, so many at most are blank.
const MOST_BLANK: usize = 8;

/// It is noise of one of these kinds.
pub(super) fn is_noise(text: &str) -> bool {
    if is_random(text) {
        return true;
    }
    !text.is_ascii() && (is_misread(text) || is_raw(text) || is_mixture(text))
}

/// UTF-8 that was read as Latin-1 or Windows-1252, and written again.
fn is_misread(text: &str) -> bool {
    let (mut pairs, mut all, mut before) = (0, 0, ' ');
    for character in text.chars() {
        all += 1;
        pairs += usize::from(('\u{c2}'..='\u{f4}').contains(&before) && is_trail(character));
        before = character;
    }
    pairs >= LEAST_PAIRS && pairs * MOST_CHARACTERS_A_PAIR >= all
}

/// What a byte behind the first one of a character becomes. Letters and quotes that languages put behind an accented
/// letter are left out.
fn is_trail(character: char) -> bool {
    match character {
        '\u{a0}' | '\u{ad}' | 'ª' | '«' | '°' | '·' | 'º' | '»' | '¿' | '¡' => false,
        '€' | '‚' | '†' | '‡' | 'ˆ' | '‰' | '‹' | '˜' | '™' => true,
        other => ('\u{80}'..='\u{bf}').contains(&other),
    }
}

/// Pieces of a vocabulary, with the marks that stand for blanks in its file.
fn is_raw(text: &str) -> bool {
    let marks = text
        .chars()
        .filter(|c| matches!(c, 'Ġ' | 'Ċ' | '▁'))
        .count();
    marks >= LEAST_MARKS && marks > text.bytes().filter(|byte| *byte == b' ').count()
}

/// Fragments of many writing systems.
fn is_mixture(text: &str) -> bool {
    let (mut letters, mut glued, mut changes) = (0, 0, 0);
    let (mut before, mut last) = (None, None);
    for character in text.chars() {
        let system = Writing::of(character).map(|writing| System::of(writing, character));
        if let Some(now) = system {
            letters += 1;
            glued += usize::from(before.is_some_and(|before| now.is_glued_to(before)));
            let differs =
                |last: System| last != now && last != System::LATIN && now != System::LATIN;
            changes += usize::from(last.is_some_and(differs));
            last = system;
        }
        before = system;
    }
    let often =
        |count: usize, least, most_letters| count >= least && count * most_letters >= letters;
    often(glued, LEAST_GLUED, MOST_LETTERS_A_GLUED)
        || often(changes, LEAST_CHANGES, MOST_LETTERS_A_CHANGE)
}

/// A writing system, those that we have no name for told apart by their block.
#[derive(Clone, Copy, PartialEq, Eq)]
struct System(u32);

impl System {
    const LATIN: Self = Self(Writing::Latin as u32);

    fn of(writing: Writing, character: char) -> Self {
        match writing {
            // One text mixes them.
            Writing::Kana | Writing::Hangul => Self(Writing::Han as u32),
            Writing::Other => Self(0x100 + (u32::from(character) >> 8)),
            named => Self(named as u32),
        }
    }

    /// They stand side by side, as no word has them. Beside Latin letters that is usual for systems without blanks, in
    /// formulas, and behind articles and prepositions.
    fn is_glued_to(self, before: Self) -> bool {
        let usual = [
            Writing::Han,
            Writing::Thai,
            Writing::Greek,
            Writing::Arabic,
            Writing::Hebrew,
        ];
        let beside = |system: Self| usual.iter().any(|writing| system.0 == *writing as u32);
        let latin = self == Self::LATIN || before == Self::LATIN;
        self != before && !(latin && (beside(self) || beside(before)))
    }
}

/// Printable signs at random.
fn is_random(text: &str) -> bool {
    let (mut blank, mut signs, mut neighbours, mut changed) = (0_usize, 0_usize, 0_usize, 0_usize);
    let (mut kinds, mut before) = (0_u128, Kind::Blank);
    for byte in text.bytes() {
        let kind = Kind::of(byte);
        match kind {
            Kind::Blank => blank += 1,
            Kind::Other => {
                kinds |= 1 << (byte & 0x7f);
                signs += 1;
            }
            _ => signs += 1,
        }
        if kind != Kind::Blank && before != Kind::Blank {
            neighbours += 1;
            changed += usize::from(kind != before && (kind.is_letter() || before.is_letter()));
        }
        before = kind;
    }
    signs >= LEAST_SIGNS
        && kinds.count_ones() >= LEAST_KINDS
        && blank * 100 <= MOST_BLANK * (blank + signs)
        && changed * 100 >= LEAST_CHANGED * neighbours
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    Blank,
    Other,
}

impl Kind {
    fn of(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' => Self::Lower,
            b'A'..=b'Z' => Self::Upper,
            b'0'..=b'9' => Self::Digit,
            // Of other characters there is nothing to tell here.
            b' ' | b'\t' | b'\r' | b'\n' | 0x80.. => Self::Blank,
            _ => Self::Other,
        }
    }

    fn is_letter(self) -> bool {
        matches!(self, Self::Lower | Self::Upper)
    }
}
