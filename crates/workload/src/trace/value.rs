//! Values of fields: token counts, instants in seconds or parts of them, scalars of JSON.
//!
//! Invariant: decimals are read exactly; nothing is rounded but to whole nanoseconds.

use super::error::TraceError;
use super::row::MAX_TOKENS;
use infermeter_core::text::inert;
use serde_json::Value;
use std::borrow::Cow;

/// A field with its place, to be read or complained about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub line: u64,
    pub column: &'static str,
    pub text: &'a str,
}

impl Field<'_> {
    /// What is wrong with it.
    pub fn not(self, needed: &'static str) -> TraceError {
        TraceError::Value {
            line: self.line,
            column: self.column,
            found: inert(self.text, 80),
            needed,
        }
    }

    /// A number of tokens that may be 0.
    pub(crate) fn tokens_or_none(self) -> Result<u32, TraceError> {
        match self.text.parse() {
            Ok(count @ 0..=MAX_TOKENS) => Ok(count),
            _ => Err(self.not("a whole number from 0 to 4,000,000")),
        }
    }

    /// A small count.
    pub fn count(self) -> Result<u32, TraceError> {
        let count = self.text.parse();
        count.map_err(|_| self.not("a whole number, 0 or more"))
    }

    /// A time in units of `unit_ns` nanoseconds, in nanoseconds.
    pub fn time(self, unit_ns: i64) -> Result<i64, TraceError> {
        decimal_ns(self.text, unit_ns).ok_or_else(|| self.not("a number, 0 or more,"))
    }
}

/// A decimal number of units in nanoseconds, rounded once (halves upwards); `None` where the text
/// is no such number or is negative.
pub(crate) fn decimal_ns(text: &str, unit_ns: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !(digits(whole) && digits(fraction)) {
        return scientific_ns(text, unit_ns);
    }
    // Beyond 18 digits a fraction of a unit is far below a nanosecond.
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_i128.pow(fraction.len() as u32);
    let unit = i128::from(unit_ns);
    let part: i128 = fraction.parse().ok()?;
    let whole: i128 = whole.parse::<i64>().ok()?.into();
    let ns = whole * unit + (part * unit * 2 + scale) / (2 * scale);
    i64::try_from(ns).ok()
}

/// The same for what is written with an exponent.
fn scientific_ns(text: &str, unit_ns: i64) -> Option<i64> {
    if !text.contains(['e', 'E']) {
        return None;
    }
    let ns = text.parse::<f64>().ok()? * unit_ns as f64;
    (ns.is_sign_positive() && ns < i64::MAX as f64).then(|| ns.round() as i64)
}

/// A scalar of JSON as text; other values as their JSON.
pub(super) fn scalar(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, unit, expect) in [
            ("0", 1_000_000_000, Some(0)),
            ("61.114", 1_000_000_000, Some(61_114_000_000)),
            ("27482", 1_000_000, Some(27_482_000_000)),
            (
                "1700158546.6805900",
                1_000_000_000,
                Some(1_700_158_546_680_590_000),
            ),
            ("0.0000000005", 1_000_000_000, Some(1)),
            ("0.00000000049999999999999", 1_000_000_000, Some(0)),
            ("1.5e3", 1_000_000, Some(1_500_000_000)),
            ("-1", 1_000_000, None),
            ("-1e3", 1_000_000, None),
            ("1e300", 1_000_000, None),
            ("99999999999999999999", 1, None),
            ("9223372036854775807", 1_000, None),
            ("", 1, None),
            ("1.", 1, None),
            ("1.2.3", 1, None),
            ("nan", 1, None),
            ("+5", 1, None),
        ] {
            assert_eq!(decimal_ns(text, unit), expect, "{text}");
        }
    }
}
