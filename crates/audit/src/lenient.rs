//! JSON as Python writes it: bare `NaN` and `Infinity`, and numbers beyond a double.
//!
//! Such a token becomes the string of its name, so that a reader can tell it from a number and
//! from absence. Everything else is left to the strict parser; nothing is repaired.

use serde_json::Value;

/// Spellings of what is no finite number, and the name each is kept under.
const NAMES: [(&str, &str); 9] = [
    ("NaN", "NaN"),
    ("nan", "NaN"),
    ("Infinity", "Infinity"),
    ("+Infinity", "Infinity"),
    ("-Infinity", "-Infinity"),
    ("inf", "Infinity"),
    ("+inf", "Infinity"),
    ("-inf", "-Infinity"),
    ("-NaN", "NaN"),
];

/// Parses one JSON document.
///
/// # Errors
/// What the strict parser says of the text, with line and column.
pub(crate) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&quote_names(text)))
}

/// Numbers of a document that are not finite, but for those where infinity has a meaning.
pub(crate) fn count_not_finite(value: &Value) -> u64 {
    match value {
        Value::String(text) => u64::from(is_name(text)),
        Value::Array(list) => list.iter().map(count_not_finite).sum(),
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "request_rate")
            .map(|(_, value)| count_not_finite(value))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn is_name(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// The text with every bare name in quotes.
fn quote_names(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len() + 16);
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => end_of_string(bytes, at),
            b if is_word(b) => end_of_word(bytes, at),
            _ => end_of_rest(bytes, at),
        };
        let token = text.get(at..end).unwrap_or("");
        match named(token) {
            Some(name) => out.extend(["\"", name, "\""]),
            None => out.push_str(token),
        }
        at = end;
    }
    out
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

fn end_of_word(bytes: &[u8], start: usize) -> usize {
    let rest = bytes[start..].iter().position(|b| !is_word(*b));
    rest.map_or(bytes.len(), |n| start + n)
}

fn end_of_rest(bytes: &[u8], start: usize) -> usize {
    let rest = bytes[start..]
        .iter()
        .position(|b| is_word(*b) || *b == b'"');
    rest.map_or(bytes.len(), |n| start + n.max(1))
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn named(token: &str) -> Option<&'static str> {
    let known = NAMES.iter().find(|(bare, _)| *bare == token);
    known.map(|(_, name)| *name).or_else(|| {
        let digits = token
            .trim_start_matches('-')
            .starts_with(|c: char| c.is_ascii_digit());
        let number = digits.then(|| token.parse::<f64>().ok()).flatten()?;
        number.is_infinite().then_some(if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{count_not_finite, parse};

    #[test]
    fn names_become_strings_and_strings_stay() {
        let value =
            parse(r#"{"a": NaN, "b": -Infinity, "c": "NaN \" Infinity", "d": [1e999, -2.5e3]}"#);
        let value = value.expect("parses");
        assert_eq!(value["a"], "NaN");
        assert_eq!(value["b"], "-Infinity");
        assert_eq!(value["c"], "NaN \" Infinity");
        assert_eq!(value["d"][0], "Infinity");
        assert_eq!(value["d"][1], -2500.0);
        assert_eq!(count_not_finite(&value), 3);
    }

    #[test]
    fn an_infinite_rate_is_no_accident() {
        let value = parse(r#"{"request_rate": Infinity}"#).expect("parses");
        assert_eq!(count_not_finite(&value), 0);
    }

    #[test]
    fn broken_text_stays_broken() {
        assert!(parse(r#"{"a": Nope}"#).is_err());
        assert!(parse(r#"{"a": "unclosed"#).is_err());
    }
}
