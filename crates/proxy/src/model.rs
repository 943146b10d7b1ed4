//! The model's name in a request's body, put in place of another.
//!
//! Invariant: every byte but those of the name stays what it was.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    model: &'a RawValue,
}

/// The body with `name` as its model; `None` where it is no JSON object with one `model` that is a text.
pub(crate) fn renamed(body: &[u8], name: &str) -> Option<Vec<u8>> {
    // The deserializer would take an array's first element for the first member.
    if !body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let named: Named<'_> = serde_json::from_slice(body).ok()?;
    let old = named.model.get();
    if !old.starts_with('"') {
        return None;
    }
    // The raw value is a part of the body: its place is how far its address lies behind the body's.
    let from = (old.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    let new = serde_json::to_string(name).ok()?;
    let (before, behind) = (body.get(..from)?, body.get(from + old.len()..)?);
    Some([before, new.as_bytes(), behind].concat())
}

#[cfg(test)]
mod tests {
    use super::renamed;

    fn check(body: &str, expect: Option<&str>) {
        let got = renamed(body.as_bytes(), "b\"c").map(String::from_utf8);
        let got = got.transpose().expect("UTF-8");
        assert_eq!(got.as_deref(), expect, "{body}");
    }

    #[test]
    fn only_the_name_changes() {
        check(
            r#"{ "n": 1.50, "model" : "a\"x", "m":[{"model":"in"}], "big":123456789012345678901234567890 }"#,
            Some(
                r#"{ "n": 1.50, "model" : "b\"c", "m":[{"model":"in"}], "big":123456789012345678901234567890 }"#,
            ),
        );
        check(r#"{"model":1}"#, None);
        check(r#"{"model":"a","model":"b"}"#, None);
        check(r#"["model"]"#, None);
        check(r#"{"x":{"model":"a"}}"#, None);
        check("", None);
    }
}
