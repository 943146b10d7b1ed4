//! What messages and responses have in common: bodies that are rewritten as those of chat, and answers
//! in items, one for each part.

use super::Saying;
use crate::content::Part;
use crate::refusal::Refusal;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The members of a request's body.
pub(super) fn members(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let refused = |error: &dyn std::fmt::Display| {
        Refusal::bad_request(format!("invalid request body: {error}"))
    };
    match serde_json::from_slice::<Value>(bytes).map_err(|error| refused(&error))? {
        Value::Object(members) => Ok(members),
        _ => Err(refused(&"an object is needed")),
    }
}

/// Puts the messages where chat has them, the system's first.
pub(super) fn put_messages(
    body: &mut Map<String, Value>,
    system: Option<Value>,
    messages: impl Iterator<Item = Value>,
) {
    let system = system.map(|content| json!({"role": "system", "content": content}));
    let all = system.into_iter().chain(messages).collect();
    body.insert("messages".to_owned(), all);
}

/// Rewrites the tools, where there are some.
pub(super) fn put_tools(body: &mut Map<String, Value>, tool: fn(Value) -> Value) {
    if let Some(Value::Array(tools)) = body.remove("tools") {
        body.insert("tools".to_owned(), tools.into_iter().map(tool).collect());
    }
}

/// The body as text. Usage is a part of both APIs, and not asked for.
pub(super) fn written(mut body: Map<String, Value>) -> Cow<'static, [u8]> {
    if body.get("stream") == Some(&Value::Bool(true)) {
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    Cow::Owned(Value::Object(body).to_string().into_bytes())
}

/// Whether a text belongs to the item that is open: a call's name and its arguments are one.
pub(super) fn goes_on(open: Option<Part>, saying: Saying<'_>) -> bool {
    match (open, saying.part) {
        (Some(Part::CallName), Part::CallArguments) => true,
        (open, part) => open == Some(part),
    }
}
