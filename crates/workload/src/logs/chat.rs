//! The texts of a prompt as a log has it: messages of the chat API, or parts of OpenTelemetry's messages.
//!
//! It counts nothing. Invariant: text is taken in the order in which it stands; what is no text is passed over.

use super::call::Said;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default, borrow)]
    role: Cow<'a, str>,
    #[serde(default)]
    content: Value,
    /// OpenTelemetry's name for the parts of a message.
    #[serde(default)]
    parts: Value,
}

/// It is a list of messages, not a text that begins like a list.
pub(super) fn is_messages(json: &str) -> bool {
    let named = ["role", "content", "parts"];
    let is = |of: &BTreeMap<String, IgnoredAny>| named.iter().any(|name| of.contains_key(*name));
    serde_json::from_str(json)
        .is_ok_and(|all: Vec<BTreeMap<_, _>>| !all.is_empty() && all.iter().all(is))
}

/// Messages as the chat API has them: texts of OpenTelemetry's `parts` become the content.
pub(super) fn with_content<'a>(messages: &'a str) -> Cow<'a, str> {
    let all = serde_json::from_str::<Vec<Map<String, Value>>>(messages);
    let Some(mut all) = all
        .ok()
        .filter(|all| all.iter().any(|of| of.contains_key("parts")))
    else {
        return Cow::Borrowed(messages);
    };
    for message in &mut all {
        let Some(held) = message.remove("parts") else {
            continue;
        };
        let mut texts = Vec::new();
        parts(held, &mut |text| texts.push(text));
        let content = match texts.len() {
            0 | 1 => Value::from(texts.pop().unwrap_or_default()),
            _ => texts
                .into_iter()
                .map(|text| json!({"type": "text", "text": text}))
                .collect(),
        };
        message.entry("content").or_insert(content);
    }
    serde_json::to_string(&all).map_or(Cow::Borrowed(messages), Cow::Owned)
}

/// Roles and texts of a prompt; `None` where it is not of a known form.
pub(super) fn texts<'a>(said: &'a Said<'_>) -> Option<Vec<(Cow<'a, str>, Cow<'a, str>)>> {
    let messages = match said {
        Said::Text(text) => return Some(vec![("user".into(), Cow::Borrowed(text))]),
        Said::Messages(json) => json,
    };
    let messages: Vec<Message<'_>> = serde_json::from_str(messages).ok()?;
    let mut texts = Vec::with_capacity(messages.len());
    for message in messages {
        let role: Cow<'a, str> = Cow::Owned(message.role.into_owned());
        for value in [message.content, message.parts] {
            parts(value, &mut |text| {
                texts.push((role.clone(), Cow::Owned(text)))
            });
        }
    }
    Some(texts)
}

fn parts(value: Value, take: &mut dyn FnMut(String)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(all) => all.into_iter().for_each(|part| parts(part, take)),
        Value::Object(mut part) => {
            for name in ["text", "content", "response"] {
                if let Some(Value::String(text)) = part.remove(name) {
                    return take(text);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_messages_only_where_each_is_one() {
        assert!(is_messages(
            r#"[{"role":"user","content":"Hi"},{"role":"tool"}]"#
        ));
        for text in ["[INST] Hi", "[]", "[1,2]", r#"[["user","Hi"]]"#, "[{}]"] {
            assert!(!is_messages(text), "{text}");
        }
    }

    #[test]
    fn parts_become_the_content() {
        let one = r#"[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]"#;
        assert_eq!(with_content(one), r#"[{"role":"user","content":"Hi"}]"#);
        let two = r#"[{"role":"user","parts":[{"content":"a"},{"response":"b"}]}]"#;
        let found: Value = serde_json::from_str(&with_content(two)).expect("JSON");
        let expect = json!([
            {"type": "text", "text": "a"},
            {"type": "text", "text": "b"},
        ]);
        assert_eq!(found[0]["content"], expect);
        let chat = r#"[{"role":"user","content":"Hi"}]"#;
        assert_eq!(with_content(chat), chat);
    }
}
