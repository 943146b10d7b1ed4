//! What a server says when it refuses: the message in the error bodies and error events of
//! OpenAI, vLLM, SGLang, TGI and FastAPI, made inert.
//!
//! It runs after the last byte that matters, so it may allocate and build a tree.

use infermeter_core::record::MAX_ERROR_TEXT;
use infermeter_core::text::{inert, inert_bytes};
use serde_json::Value;

/// Larger bodies are quoted, not parsed.
const MAX_PARSED: usize = 256 << 10;

/// The message of an error, else the first bytes; inert, at most `MAX_ERROR_TEXT - 100` bytes so
/// that a caller may put words before it.
pub(crate) fn message(bytes: &[u8]) -> String {
    let limit = MAX_ERROR_TEXT - 100;
    if bytes.len() <= MAX_PARSED
        && let Ok(value) = serde_json::from_slice::<Value>(bytes)
        && let Some(text) = find(&value, 4)
    {
        return inert(text.trim(), limit);
    }
    inert_bytes(bytes.trim_ascii(), limit)
}

/// `{"error": ...}`, `{"message": ...}`, `{"detail": ...}`, `{"msg": ...}` (FastAPI's items), or
/// plain text.
fn find(value: &Value, depth: u8) -> Option<&str> {
    if depth == 0 {
        return None;
    }
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text),
        Value::Array(items) => items.iter().find_map(|item| find(item, depth - 1)),
        Value::Object(members) => ["error", "message", "detail", "msg"]
            .iter()
            .filter_map(|name| members.get(*name))
            .find_map(|member| find(member, depth - 1)),
        _ => None,
    }
}
