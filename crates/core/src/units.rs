//! Spans of time as a user writes them: `30s`, `500ms`, `2m`, `1h30m`, `1.5h`, `100us`.
//!
//! Invariant: what is printed reads back as the same span, to the nanosecond.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A non-negative span of time, nanoseconds. Written and read as text with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

/// Units, each before the ones that it begins with.
const UNITS: [(&str, i64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
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
#[error("`{0}` is not a span of time: write a number and a unit, as in 30s, 500ms, 1h30m, 100us")]
pub struct SpanError(String);

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let bad = || SpanError(crate::text::inert(text, 80));
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self(0));
        }
        let (mut total, mut above) = (0_i64, i64::MAX);
        loop {
            let (number, scale, behind) = split(rest).ok_or_else(bad)?;
            let last = behind.is_empty();
            // `30m1h` and `1.5h30m` are slips rather than ways to write a time.
            let part = (scale < above).then(|| nanoseconds(number, scale, last));
            let part = part.flatten().ok_or_else(bad)?;
            total = total.checked_add(part).ok_or_else(bad)?;
            if last {
                return Ok(Self(total));
            }
            (rest, above) = (behind, scale);
        }
    }
}

/// The first number, its unit in nanoseconds, and what follows.
fn split(text: &str) -> Option<(&str, i64, &str)> {
    let is_unit = |c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E');
    let (number, rest) = text.split_at(text.find(is_unit)?);
    let (unit, scale) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
    Some((number.trim(), *scale, rest[unit.len()..].trim_start()))
}

/// A number of units. Whole numbers are exact; only the last part of a time may have a fraction.
fn nanoseconds(number: &str, scale: i64, may_be_fraction: bool) -> Option<i64> {
    if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
        return number.parse::<i64>().ok()?.checked_mul(scale);
    }
    let value: f64 = number.parse().ok().filter(|_| may_be_fraction)?;
    let ns = value * scale as f64;
    (0.0..=9.0e18).contains(&ns).then(|| ns.round() as i64)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in UNITS.iter().rev() {
            if self.0 % scale == 0 {
                return write!(f, "{}{unit}", self.0 / scale);
            }
        }
        Ok(())
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

crate::text_schema!(r"^[0-9.]+(ns|us|ms|s|m|h)$" => Span);

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
            ("1h30m", 5_400_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1h 2m 3.5s", 3_723_500_000_000),
            ("1s500ms", 1_500_000_000),
            ("1h90m", 9_000_000_000_000),
            ("1e3s", 1_000_000_000_000),
            ("9007199254740993ns", 9_007_199_254_740_993),
        ] {
            assert_eq!(text.parse::<Span>(), Ok(Span(ns)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_span() {
        for text in [
            "",
            "5",
            "-1s",
            "NaNs",
            "infs",
            "s",
            "1 week",
            "1e30h",
            "1h30",
            "30m1h",
            "1h1h",
            "1.5h30m",
            "1h-5m",
            "30sec",
            "1:30",
            "h30m",
            "9e18s",
            "9223372036854775808ns",
            "2562047h999m",
        ] {
            let error = text.parse::<Span>().expect_err(text).to_string();
            assert!(error.contains("1h30m"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_reads_back(ns in 0..i64::MAX, scale in 0..UNITS.len()) {
            let (_, scale) = UNITS[scale];
            for span in [Span(ns), Span(ns - ns % scale)] {
                proptest::prop_assert_eq!(span.to_string().parse(), Ok(span));
            }
        }

        #[test]
        fn parts_add_up(h in 0..1000_i64, m in 0..60_i64, s in 0..60_i64, ms in 0..1000_i64) {
            let text = format!("{h}h{m}m{s}s{ms}ms");
            let expected = Span::millis(((h * 60 + m) * 60 + s) * 1000 + ms);
            proptest::prop_assert_eq!(text.parse(), Ok(expected));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-zA-Z.+µ -]{0,12}") {
            let _ = text.parse::<Span>();
        }
    }
}
