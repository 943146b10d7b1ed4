//! Errors of the small languages inside a plan's values (rate profiles, workloads), and the pieces
//! that their readers share.
//!
//! It knows no key of the plan.
//!
//! Invariant: an error names the character at which reading stopped, what stands there and what is
//! needed; the text in it is inert.

use crate::text::{closest, inert};
use std::fmt;
use std::ops::RangeInclusive;

/// Why a value cannot be read: where, what stands there, what is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Character of the value, from 1.
    pub column: usize,
    /// What stands there, inert; empty at the end of the value.
    pub found: String,
    /// What is needed, as a sentence without its full stop.
    pub needed: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.found.is_empty() {
            write!(f, "character {}, nothing: {}", self.column, self.needed)
        } else {
            write!(
                f,
                "character {}, `{}`: {}",
                self.column, self.found, self.needed
            )
        }
    }
}

impl std::error::Error for SyntaxError {}

/// A value being read; its parts are slices of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a>(pub &'a str);

impl<'a> Source<'a> {
    /// The error at `part`, which is a slice of the value.
    pub fn error(self, part: &str, needed: impl Into<String>) -> SyntaxError {
        let start = (part.as_ptr() as usize).saturating_sub(self.0.as_ptr() as usize);
        let before = self.0.get(..start).unwrap_or_default();
        SyntaxError {
            column: before.chars().count() + 1,
            found: inert(part, 80),
            needed: needed.into(),
        }
    }

    /// A finite number inside `range`, written with a digit first.
    pub fn number(
        self,
        part: &'a str,
        range: RangeInclusive<f64>,
        needed: &str,
    ) -> Result<f64, SyntaxError> {
        let part = trimmed(part);
        let digit = part.starts_with(|c: char| c.is_ascii_digit());
        let number = part.parse::<f64>().ok().filter(|_| digit);
        number
            .filter(|n| range.contains(n))
            .ok_or_else(|| self.error(part, needed))
    }

    /// `LOW..HIGH` with whole numbers inside `range`, not falling.
    pub fn whole_range(
        self,
        part: &'a str,
        range: RangeInclusive<u32>,
        needed: &str,
    ) -> Result<(u32, u32), SyntaxError> {
        let part = trimmed(part);
        let whole = |text: &str| text.trim().parse().ok().filter(|n| range.contains(n));
        let ends = part.split_once("..");
        ends.and_then(|(low, high)| Some((whole(low)?, whole(high)?)))
            .filter(|(low, high)| low <= high)
            .ok_or_else(|| self.error(part, needed))
    }
}

/// The name before the first `:`, and what follows it.
pub(super) fn split_name(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((name, body)) => (name.trim(), Some(body)),
        None => (text.trim(), None),
    }
}

/// A slice without the blanks around it.
pub(super) fn trimmed(part: &str) -> &str {
    part.trim()
}

/// `; did you mean X?` where a known name is near.
pub(super) fn meant(name: &str, known: &[&'static str]) -> String {
    closest(name, known.iter().copied())
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "é:5,x";
        let part = text.rsplit(',').next().expect("a part");
        let error = Source(text).error(part, "a number is needed");
        assert_eq!(error.to_string(), "character 5, `x`: a number is needed");
        let end = Source(text).error(&text[text.len()..], "more is needed");
        assert_eq!(end.to_string(), "character 6, nothing: more is needed");
    }

    #[test]
    fn numbers_begin_with_a_digit_and_lie_in_their_range() {
        let number = |text: &'static str| Source(text).number(text, 0.0..=10.0, "no");
        assert_eq!(number("5"), Ok(5.0));
        assert_eq!(number(" 0.5 "), Ok(0.5));
        for text in ["", ".5", "-1", "+1", "inf", "NaN", "11", "5x"] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}
