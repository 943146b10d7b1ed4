//! Reading members of a JSON document that may be absent, null, text or not finite.
//!
//! A value of another kind than expected is absent, never an error and never 0.

use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Largest magnitude taken for a measured number: beyond it sums of squares overflow.
const MAX_MAGNITUDE: f64 = 1e150;

/// The member at a path of names (`a.b`); `None` where it is absent or null.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let found = path.split('.').try_fold(value, |v, key| v.get(key))?;
    (!found.is_null()).then_some(found)
}

/// A finite number, also as text ("547").
pub(crate) fn as_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|n: &f64| n.is_finite() && n.abs() <= MAX_MAGNITUDE)
}

/// The finite number at a path.
pub(crate) fn number(value: &Value, path: &str) -> Option<f64> {
    as_number(at(value, path)?)
}

/// The text at a path; numbers and truth values as they are written. What is no finite number is
/// no text either.
pub(crate) fn text(value: &Value, path: &str) -> Option<String> {
    match at(value, path)? {
        Value::String(text) if is_not_finite(text) => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Whether the number at a path is infinite, as `Infinity` or "inf".
pub(crate) fn is_infinite(value: &Value, path: &str) -> bool {
    let text = at(value, path).and_then(Value::as_str);
    let number: Option<f64> = text.and_then(|text| text.trim().parse().ok());
    number.is_some_and(|n| n == f64::INFINITY)
}

/// Whether a text is a number that is not finite.
pub(crate) fn is_not_finite(text: &str) -> bool {
    text.trim().parse().is_ok_and(|n: f64| !n.is_finite())
}

/// The truth value at a path.
pub(crate) fn flag(value: &Value, path: &str) -> Option<bool> {
    at(value, path)?.as_bool()
}

/// The list at a path.
pub(crate) fn list<'a>(value: &'a Value, path: &str) -> Option<&'a [Value]> {
    at(value, path)?.as_array().map(Vec::as_slice)
}

/// The finite numbers of a list; others are left out.
pub(crate) fn numbers(value: &Value) -> Option<Vec<f64>> {
    Some(value.as_array()?.iter().filter_map(as_number).collect())
}

/// Milliseconds in the unit that the member at a path names; `None` where it names none of time. A
/// unit is never guessed.
pub(crate) fn unit_in_ms(value: &Value, path: &str) -> Option<f64> {
    let unit = text(value, path)?;
    match unit.split('/').next().unwrap_or("").trim() {
        "ns" => Some(1e-6),
        "us" => Some(1e-3),
        "ms" => Some(1.0),
        "s" | "sec" | "seconds" => Some(1e3),
        _ => None,
    }
}

/// What tells one text from another.
pub(crate) fn key_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// `99`, `99.9` and `99p9` as percents.
pub(crate) fn percent(digits: &str) -> Option<f64> {
    let p: f64 = digits.replace('p', ".").parse().ok()?;
    (0.0..=100.0).contains(&p).then_some(p)
}

#[cfg(test)]
mod tests {
    use super::{number, percent};
    use serde_json::json;

    #[test]
    fn numbers_are_finite_or_absent() {
        let value = json!({"a": "547", "b": "Infinity", "c": null, "d": 1e300, "e": {"f": 2}});
        assert_eq!(number(&value, "a"), Some(547.0));
        assert_eq!(number(&value, "e.f"), Some(2.0));
        for absent in ["b", "c", "d", "g", "a.h"] {
            assert_eq!(number(&value, absent), None, "{absent}");
        }
    }

    #[test]
    fn percents_are_within_a_hundred() {
        assert_eq!(percent("99p9"), Some(99.9));
        assert_eq!(percent("101"), None);
    }
}
