//! Pieces of a body as JSON: texts, members, messages.
//!
//! It knows no API's whole body. Invariant: what it appends is JSON, whatever the text.

use infermeter_core::request::{BodyMember, Message};

/// The list of messages, each with its text, or with parts where it has images.
pub(crate) fn push_messages(body: &mut Vec<u8>, messages: &[Message]) {
    body.push(b'[');
    for (i, message) in messages.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        body.extend_from_slice(br#"{"role":"#);
        push_text(body, message.role.as_str());
        body.extend_from_slice(br#","content":"#);
        if message.text.is_empty() && message.has_calls() {
            body.extend_from_slice(b"null");
        } else if message.images.is_empty() {
            push_text(body, &message.text);
        } else {
            body.extend_from_slice(br#"[{"type":"text","text":"#);
            push_text(body, &message.text);
            for image in &message.images {
                body.extend_from_slice(br#"},{"type":"image_url","image_url":{"url":"#);
                push_text(body, image);
                body.push(b'}');
            }
            body.extend_from_slice(b"}]");
        }
        for member in &message.members {
            body.push(b',');
            push_member(body, member);
        }
        body.push(b'}');
    }
    body.push(b']');
}

/// A member that a request brings along, as it is.
pub(crate) fn push_member(body: &mut Vec<u8>, member: &BodyMember) {
    push_name(body, &member.name);
    body.extend_from_slice(member.json.as_bytes());
}

/// The messages' texts as one: an API without messages has no roles.
pub(crate) fn push_prompt(body: &mut Vec<u8>, messages: &[Message]) {
    match messages {
        [only] => push_text(body, &only.text),
        several => {
            let texts: Vec<&str> = several.iter().map(|m| &*m.text).collect();
            push_text(body, &texts.join("\n"));
        }
    }
}

/// A list of texts.
pub(crate) fn push_texts(body: &mut Vec<u8>, texts: &[String]) {
    body.push(b'[');
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        push_text(body, text);
    }
    body.push(b']');
}

/// Appends a text as the inside of a JSON string.
pub(crate) fn push_inside(out: &mut Vec<u8>, text: &str) {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    push_text(&mut quoted, text);
    out.extend_from_slice(quoted.get(1..quoted.len() - 1).unwrap_or_default());
}

/// Appends a text as a JSON string.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok(), "a text serialises into memory");
}

/// Appends a member's name and the colon behind it.
pub(crate) fn push_name(out: &mut Vec<u8>, name: &str) {
    push_text(out, name);
    out.push(b':');
}
