//! Answers that have to be one text.
//!
//! Case, white space, quotes, Markdown and punctuation around it do not count. Invariant: what an answer says inside counts
//! word for word.

use crate::numbers::behind_mark;

/// An answer says a text and nothing else; or its last line does, or what stands behind the words that announce it.
pub(super) fn is_said(answer: &str, expected: &str) -> bool {
    let expected = plain(expected);
    let lines = answer.lines().rev().map(str::trim);
    let last = lines
        .filter(|line| !line.trim_matches('`').is_empty())
        .take(1);
    let announced = behind_mark(answer).into_iter();
    let announced = announced.flat_map(|behind| [behind, first_line(behind)]);
    let candidates = last.chain(announced).chain([answer]);
    let mut candidates = candidates.map(plain);
    candidates.any(|candidate| candidate == expected)
}

fn first_line(text: &str) -> &str {
    text.trim_start_matches(|c: char| !c.is_alphanumeric())
        .lines()
        .next()
        .unwrap_or_default()
}

/// A text without what does not count: in lower case, each run of white space as one space, nothing around it.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let joined = words.join(" ").to_lowercase();
    let around = |c: char| {
        c.is_whitespace() || (!c.is_alphanumeric() && !matches!(c, '+' | '-' | '%' | '°'))
    };
    let bare = joined.trim_matches(around);
    match bare.is_empty() {
        // An answer of signs alone.
        true => joined,
        false => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_does_not_count() {
        for answer in [
            "Paris",
            " paris.\n",
            "**Paris**",
            "\"Paris\"!",
            "```\nParis\n```",
            "Let me think about France.\n\nParis.",
            "The answer is Paris.",
            "Answer: **Paris**\n\nIt lies on the Seine.",
            "\\boxed{Paris}",
        ] {
            assert!(is_said(answer, "Paris"), "{answer}");
        }
        for answer in [
            "",
            "Paris is the capital",
            "Not Paris",
            "Pari",
            "Paris or London",
        ] {
            assert!(!is_said(answer, "Paris"), "{answer}");
        }
        assert!(is_said("New\u{a0} York", "new york"));
        assert!(is_said("\u{6771}\u{4eac}\u{3002}", "\u{6771}\u{4eac}"));
        assert!(is_said("<=>", "<=>"));
        assert!(!is_said("-5", "5"));
    }
}
