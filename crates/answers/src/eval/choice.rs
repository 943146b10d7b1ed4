//! Answers that are a letter.
//!
//! Invariant: `A` and `I` in a sentence are words and no choice.

use crate::numbers::behind_mark;

/// The letter that an answer chooses, upper case: the first behind words that announce it; else the one that it begins
/// with, as in `B`, `(b)`, `B.`, `B) Paris`, `**B**`; else its last one that stands alone.
pub(super) fn chosen(answer: &str) -> Option<char> {
    let announced = behind_mark(answer).and_then(|behind| {
        let bare = behind.trim_start_matches(|c: char| !c.is_alphanumeric());
        leading(bare).or_else(|| alone(bare).next())
    });
    let bare = answer.trim_start_matches(|c: char| !c.is_alphanumeric());
    announced
        .or_else(|| leading(bare))
        .or_else(|| alone(answer).last())
}

/// The letter that a text begins with, where it is no word.
fn leading(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?;
    let rest = chars.as_str();
    let ends = rest.trim().is_empty()
        || rest.starts_with(['.', ')', ':', ',', ']', '}', '*', '`', '"', '\n', '\r', ';']);
    ends.then_some(letter.to_ascii_uppercase())
}

/// The capital letters of a text that stand alone, but for words of one letter.
fn alone(text: &str) -> impl Iterator<Item = char> + '_ {
    text.char_indices().filter_map(|(place, letter)| {
        if !letter.is_ascii_uppercase() {
            return None;
        }
        let before = text[..place].chars().next_back();
        let mut behind = text[place + 1..].chars();
        let (next, after) = (behind.next(), behind.next());
        let touches = |c: Option<char>| {
            c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '\'' | '\u{2019}' | '-'))
        };
        let is_word = matches!(letter, 'A' | 'I')
            && next == Some(' ')
            && after.is_some_and(char::is_alphanumeric);
        (!touches(before) && !touches(next) && !is_word).then_some(letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_is_found() {
        for answer in [
            "B",
            "b",
            "(B)",
            "(b)",
            "B.",
            "B) Paris",
            "**B**",
            "Answer: B",
            "The answer is B.",
            "The correct answer is (B) because A is wrong.",
            "\\boxed{B}",
            "A is wrong and so is C. I choose B",
            "I think it is B.",
            "A good question. It has to be (B).",
            "\u{7b54}\u{6848}\u{662f}B\u{3002}",
            "B: Paris\nA and C are no capitals.",
        ] {
            assert_eq!(chosen(answer), Some('B'), "{answer}");
        }
        for answer in [
            "",
            "none of them",
            "I am not sure",
            "A question without an end",
            "USA",
            "I'm lost",
        ] {
            assert_eq!(chosen(answer), None, "{answer}");
        }
        assert_eq!(chosen("A"), Some('A'));
        assert_eq!(chosen("It is A."), Some('A'));
    }
}
