//! Messages of errors where an answer should be.
//!
//! The lists are short on purpose, and a message has to be all of the answer: answers that explain errors begin with the same
//! words. Invariant: what was asked to be an object of its own is judged by the form of that object alone.

use serde_json::{Map, Value};

/// Messages of errors are short, bytes.
const LONGEST_MESSAGE: usize = 400;
/// Pages of errors and objects of errors are somewhat longer, bytes.
const LONGEST_PAGE: usize = 4_096;

/// What gateways and servers say instead of an answer, in lower case. Behind it comes the end, a sign, or a number.
const MESSAGES: [&str; 21] = [
    "internal server error",
    "bad gateway",
    "service unavailable",
    "service temporarily unavailable",
    "gateway timeout",
    "gateway time-out",
    "too many requests",
    "rate limit exceeded",
    "rate limit reached",
    "request timed out",
    "request timeout",
    "upstream connect error or disconnect",
    "upstream request timeout",
    "no healthy upstream",
    "server is overloaded",
    "the server is overloaded",
    "the engine is currently overloaded",
    "traceback (most recent call last)",
    "cuda error",
    "cuda out of memory",
    "runtimeerror",
];

/// Members of objects that report an error.
const MEMBERS: [&str; 14] = [
    "error",
    "errors",
    "detail",
    "details",
    "object",
    "message",
    "type",
    "code",
    "status",
    "param",
    "path",
    "timestamp",
    "request_id",
    "success",
];

/// Words in the title of a page that reports an error, in lower case.
const TITLES: [&str; 12] = [
    "error",
    "bad gateway",
    "unavailable",
    "time-out",
    "timeout",
    "too many requests",
    "forbidden",
    "unauthorized",
    "access denied",
    "not found",
    "attention required",
    "just a moment",
];

/// The whole answer is the message of an error.
pub(super) fn is_error(content: &str) -> bool {
    let text = content.trim();
    if text.len() > LONGEST_PAGE {
        return false;
    }
    match text.as_bytes().first() {
        Some(b'{') => is_object(text),
        Some(b'<') => is_page(text),
        _ => text.len() <= LONGEST_MESSAGE && is_message(text),
    }
}

fn is_message(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    // `HTTP 502: Bad Gateway`, `Error 429 - Too Many Requests`.
    let said = lower.trim_start_matches("http");
    let said = said.strip_prefix("error code").unwrap_or(said);
    let said = said.strip_prefix("error").unwrap_or(said);
    let said = said.trim_start_matches(|c: char| c.is_ascii_digit() || " :-.(\"".contains(c));
    let behind = MESSAGES
        .iter()
        .find_map(|message| said.strip_prefix(message));
    behind.is_some_and(|behind| {
        let next = behind.trim_start_matches(' ').chars().next();
        next.is_none_or(|c| !c.is_alphabetic() && c != '(')
    })
}

fn is_object(text: &str) -> bool {
    let Ok(object) = serde_json::from_str::<Map<String, Value>>(text) else {
        return false;
    };
    let reports = match (object.get("error"), object.get("detail")) {
        (Some(Value::Object(error)), _) => {
            error.contains_key("message") || error.contains_key("code")
        }
        (Some(Value::String(_)), _) | (None, Some(_)) => true,
        _ => object.get("object").and_then(Value::as_str) == Some("error"),
    };
    reports && object.keys().all(|name| MEMBERS.contains(&name.as_str()))
}

fn is_page(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_html = lower.starts_with("<!doctype html") || lower.starts_with("<html");
    let Some((_, title)) = lower.split_once("<title>").filter(|_| is_html) else {
        return false;
    };
    let title = title.split("</title>").next().unwrap_or_default().trim();
    let has_status =
        title.starts_with(['4', '5']) && title.bytes().take(3).all(|b| b.is_ascii_digit());
    has_status || TITLES.iter().any(|word| title.contains(word))
}
