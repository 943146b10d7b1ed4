//! Writing systems, as far as answers are told apart by them.
//!
//! Does not know languages. Invariant: a character has one writing system, or none (digits, punctuation, symbols).

use serde::{Deserialize, Serialize};

/// A writing system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writing {
    /// Latin letters.
    Latin,
    /// Cyrillic letters.
    Cyrillic,
    /// Greek letters.
    Greek,
    /// Arabic letters.
    Arabic,
    /// Hebrew letters.
    Hebrew,
    /// Devanagari.
    Devanagari,
    /// Thai letters.
    Thai,
    /// Chinese characters.
    Han,
    /// Japanese syllables.
    Kana,
    /// Korean syllables.
    Hangul,
    /// Letters of any other.
    Other,
}

impl Writing {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Latin,
        Self::Cyrillic,
        Self::Greek,
        Self::Arabic,
        Self::Hebrew,
        Self::Devanagari,
        Self::Thai,
        Self::Han,
        Self::Kana,
        Self::Hangul,
        Self::Other,
    ];

    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latin => "latin",
            Self::Cyrillic => "cyrillic",
            Self::Greek => "greek",
            Self::Arabic => "arabic",
            Self::Hebrew => "hebrew",
            Self::Devanagari => "devanagari",
            Self::Thai => "thai",
            Self::Han => "han",
            Self::Kana => "kana",
            Self::Hangul => "hangul",
            Self::Other => "other",
        }
    }

    /// The one with this name in files.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|writing| writing.as_str() == name)
    }

    /// That of a letter; `None` for what is no letter.
    pub fn of(character: char) -> Option<Self> {
        if character.is_ascii() {
            return character.is_ascii_alphabetic().then_some(Self::Latin);
        }
        if !character.is_alphabetic() {
            return None;
        }
        Some(match u32::from(character) {
            0x00AA..=0x024F | 0x1E00..=0x1EFF | 0x2C60..=0x2C7F | 0xA720..=0xA7FF => Self::Latin,
            0xFB00..=0xFB06 | 0xFF21..=0xFF3A | 0xFF41..=0xFF5A => Self::Latin,
            0x0370..=0x03FF | 0x1F00..=0x1FFF => Self::Greek,
            0x0400..=0x052F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Self::Cyrillic,
            0x0590..=0x05FF | 0xFB1D..=0xFB4F => Self::Hebrew,
            0x0600..=0x06FF
            | 0x0750..=0x077F
            | 0x08A0..=0x08FF
            | 0xFB50..=0xFDFF
            | 0xFE70..=0xFEFF => Self::Arabic,
            0x0900..=0x097F | 0xA8E0..=0xA8FF => Self::Devanagari,
            0x0E00..=0x0E7F => Self::Thai,
            0x3040..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9D => Self::Kana,
            0x1100..=0x11FF | 0x3130..=0x318F | 0xA960..=0xA97F | 0xAC00..=0xD7FF => Self::Hangul,
            0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3400..=0x4DBF | 0x4E00..=0x9FFF => Self::Han,
            0xF900..=0xFAFF | 0x20000..=0x3134F => Self::Han,
            _ => Self::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_a_writing_and_nothing_else_has() {
        let known = [
            ('a', Writing::Latin),
            ('é', Writing::Latin),
            ('ß', Writing::Latin),
            ('я', Writing::Cyrillic),
            ('λ', Writing::Greek),
            ('ש', Writing::Hebrew),
            ('ع', Writing::Arabic),
            ('न', Writing::Devanagari),
            ('ก', Writing::Thai),
            ('語', Writing::Han),
            ('の', Writing::Kana),
            ('カ', Writing::Kana),
            ('한', Writing::Hangul),
            ('ა', Writing::Other),
        ];
        for (letter, writing) in known {
            assert_eq!(Writing::of(letter), Some(writing), "{letter}");
        }
        for other in ['1', ' ', '.', '€', '。', '😀', '\u{fffd}', '\n'] {
            assert_eq!(Writing::of(other), None, "{other}");
        }
        for writing in Writing::ALL {
            assert_eq!(Writing::parse(writing.as_str()), Some(writing));
        }
    }
}
