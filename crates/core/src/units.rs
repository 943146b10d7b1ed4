//! Spans of time as a user writes them: `30s`, `500ms`, `2m`, `1.5h`, `100us`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A non-negative span of time, nanoseconds. Written and read as text with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

const UNITS: [(&str, i64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
];

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(s: i64) -> Self {
        Self(s * 1_000_000_000)
    }

    /// A span of whole milliseconds.
    pub const fn millis(ms: i64) -> Self {
        Self(ms * 1_000_000)
    }

    /// The span in nanoseconds.
    pub fn ns(self) -> i64 {
        self.0
    }

    /// The span in seconds.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// Why a text is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a span of time: write a number and a unit, as in 30s, 500ms, 2m, 100us")]
pub struct SpanError(String);

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let bad = || SpanError(crate::text::inert(text, 80));
        let trimmed = text.trim();
        if trimmed == "0" {
            return Ok(Self(0));
        }
        let (number, scale) = UNITS
            .iter()
            .find_map(|(unit, scale)| Some((trimmed.strip_suffix(unit)?, *scale)))
            .ok_or_else(bad)?;
        let value: f64 = number.trim().parse().map_err(|_| bad())?;
        let ns = value * scale as f64;
        if !(0.0..=9.0e18).contains(&ns) {
            return Err(bad());
        }
        Ok(Self(ns.round() as i64))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let descending = [
            ("h", 3_600_000_000_000),
            ("m", 60_000_000_000),
            ("s", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
        ];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in descending {
            if self.0 % scale == 0 {
                return write!(f, "{}{unit}", self.0 / scale);
            }
        }
        write!(f, "{}ns", self.0)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        for (text, ns) in [
            ("0", 0),
            ("30s", 30_000_000_000),
            ("500ms", 500_000_000),
            ("1.5m", 90_000_000_000),
            ("100us", 100_000),
            ("2h", 7_200_000_000_000),
            ("7ns", 7),
        ] {
            assert_eq!(text.parse::<Span>(), Ok(Span(ns)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_span() {
        for text in ["", "5", "-1s", "NaNs", "s", "1 week", "1e30h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["0s", "30s", "500ms", "90s", "100us", "2h", "7ns"] {
            let span: Span = text.parse().expect("a span");
            assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
