//! The texts of a prompt as a log has it: messages of the chat API, or parts of OpenTelemetry's messages.
//!
//! It counts nothing. Invariant: text is taken in the order in which it stands; what is no text is passed over.

use super::call::Said;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

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
