//! When the tokens of an answer are due: `500ms/50ms`.
//!
//! Does not say whose deadlines they are: a plan's (`fluidity`), or those of one objective.
//! Invariant: what is printed reads back as the same value, and neither time is 0.

use crate::units::Span;
use std::fmt;
use std::str::FromStr;

/// The deadlines of an answer's tokens: `500ms/50ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For the first token, from the origin of the latencies.
    pub first: Span,
    /// For each further one, from the one before.
    pub next: Span,
}

/// Why a text is no pair of deadlines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a pair of deadlines: write TTFT/GAP, both above 0 and with their units, as in \
     500ms/50ms"
)]
pub struct DeadlinesError(String);

impl FromStr for Deadlines {
    type Err = DeadlinesError;

    fn from_str(text: &str) -> Result<Self, DeadlinesError> {
        let wrong = || DeadlinesError(crate::text::inert(text, 80));
        let (first, next) = text.split_once('/').ok_or_else(wrong)?;
        let time = |text: &str| {
            let time: Result<Span, _> = text.trim().parse();
            time.ok().filter(|t| t.ns() > 0).ok_or_else(wrong)
        };
        Ok(Self {
            first: time(first)?,
            next: time(next)?,
        })
    }
}

impl fmt::Display for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_read_and_print() {
        for text in ["500ms/50ms", "2s/25ms"] {
            assert_eq!(text.parse::<Deadlines>().expect(text).to_string(), text);
        }
        for text in ["500ms", "500ms/", "/50ms", "0/50ms", "500ms/0ms", "500/50"] {
            let error = text.parse::<Deadlines>().expect_err(text);
            assert!(error.to_string().contains("TTFT/GAP"), "{error}");
        }
    }
}
