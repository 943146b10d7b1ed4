//! Anthropic's Messages, as its own API, vLLM, SGLang and llama.cpp serve them.
//!
//! Events have names, and the same name as `type` in their data, which alone is read: some gateways leave
//! the line with the name out. `message_start` says who answers and how long the prompt was, and is no
//! token. Usage is cumulative, and comes in `message_start` and `message_delta`; prompt tokens that came
//! from the cache, or went into it, are counted apart. Errors may come in the middle of a stream.

use super::Wire;
use super::choices::{detail, note_unknown, string_if_any};
use crate::answer::facts::{Choice, EventFacts, Usage};
use crate::answer::parts::parts;
use crate::encode::write::{push_member, push_name, push_text};
use crate::features::Features;
use crate::json::{Cursor, JsonError, Span};
use infermeter_core::plan::Endpoint;
use infermeter_core::record::ChunkKind;
use infermeter_core::request::{BodyMember, Message, RequestContent, Role};
use serde_json::{Map, Value, json};

/// The dialect.
#[derive(Debug)]
pub(super) struct Messages;

impl Wire for Messages {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Messages
    }

    fn called(&self) -> &'static str {
        "Anthropic's Messages"
    }

    fn sign(&self) -> &'static str {
        "content"
    }

    fn end(&self) -> &'static str {
        "stop_reason or message_stop"
    }

    fn owns(&self, name: &[u8]) -> bool {
        matches!(name, b"" | b"message")
            || name.starts_with(b"message_")
            || name.starts_with(b"content_block_")
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        // The version that all servers know; a request without one is refused.
        &[("anthropic-version", "2023-06-01")]
    }

    fn key_variable(&self) -> &'static str {
        // A key goes to the vendor that gave it, and to no other.
        "ANTHROPIC_API_KEY"
    }

    fn key_header(&self) -> (&'static str, &'static str) {
        ("x-api-key", "")
    }

    fn said(&self) -> &'static [&'static str] {
        &["system", "messages"]
    }

    fn push_said(&self, name: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool {
        let (system, turns): (Vec<&Message>, Vec<&Message>) =
            content.messages().iter().partition(|m| is_system(m));
        if name == "messages" {
            push_turns(body, &turns);
            return true;
        }
        let texts: Vec<&str> = system.iter().map(|m| &*m.text).collect();
        push_text(body, &texts.join("\n"));
        !texts.is_empty()
    }

    fn push_member(&self, member: &BodyMember, body: &mut Vec<u8>) -> bool {
        let own = match &*member.name {
            "tools" => serde_json::from_str(&member.json).ok().map(tools),
            "tool_choice" => serde_json::from_str(&member.json).ok().map(tool_choice),
            _ => None,
        };
        match own {
            None => push_member(body, member),
            Some(own) => {
                push_name(body, &member.name);
                body.extend_from_slice(own.to_string().as_bytes());
            }
        }
        true
    }

    fn lengths(&self) -> &'static [&'static str] {
        &["max_tokens"]
    }

    fn rungs(&self, _: bool) -> Vec<Features> {
        let ignore_eos = Features {
            ignore_eos: true,
            ..Features::default()
        };
        vec![ignore_eos, Features::default()]
    }

    fn careful(&self, _: bool) -> Features {
        Features::default()
    }

    fn event(&self, data: &[u8]) -> Result<EventFacts, JsonError> {
        let mut facts = EventFacts::default();
        let mut choice = Choice::default();
        let mut kind = Span::default();
        let mut cursor = Cursor::new(data);
        let start = cursor.value_start();
        cursor.object(|cursor, key| match cursor.key(key) {
            b"type" => {
                kind = string_if_any(cursor)?.unwrap_or_default().span;
                Ok(())
            }
            b"message" => opening(cursor, &mut facts),
            b"content_block" => block(cursor, &mut choice),
            b"delta" => delta(cursor, &mut choice),
            b"usage" => {
                facts.usage = usage(cursor)?;
                Ok(())
            }
            b"error" => {
                facts.error = Some(cursor.skip_span()?);
                Ok(())
            }
            _ => cursor.skip(),
        })?;
        let end = cursor.position();
        cursor.end()?;
        match kind.of(data) {
            b"message_start"
            | b"content_block_start"
            | b"content_block_delta"
            | b"content_block_stop"
            | b"message_delta" => facts.is_own = true,
            b"message_stop" => (facts.is_own, facts.is_end) = (true, true),
            b"error" => facts.error = facts.error.or(Some(Span { start, end })),
            b"" | b"ping" => {}
            _ => choice.unknown.add(kind),
        }
        facts.choice = (choice != Choice::default()).then_some(choice);
        Ok(facts)
    }

    fn whole(&self, body: &[u8]) -> Result<EventFacts, JsonError> {
        let mut facts = EventFacts::default();
        let mut choice = Choice::default();
        let mut cursor = Cursor::new(body);
        cursor.object(|cursor, key| {
            match cursor.key(key) {
                b"content" => {
                    choice.parts = Some(parts(cursor, ChunkKind::Text, &mut choice.unknown)?);
                    facts.is_own = true;
                }
                b"stop_reason" => choice.finish = string_if_any(cursor)?,
                b"usage" => facts.usage = usage(cursor)?,
                b"error" => {
                    let span = cursor.skip_span()?;
                    facts.error = (cursor.of(span) != b"null").then_some(span);
                }
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        cursor.end()?;
        facts.is_own &= choice.finish.is_some() || facts.usage.is_some();
        facts.choice = Some(choice);
        Ok(facts)
    }
}

/// The message that begins: its prompt's length. What it says of output is a beginning, and no count.
fn opening(cursor: &mut Cursor<'_>, facts: &mut EventFacts) -> Result<(), JsonError> {
    if cursor.peek() != Some(b'{') {
        return cursor.skip();
    }
    cursor.object(|cursor, key| match cursor.key(key) {
        b"usage" => {
            facts.usage = usage(cursor)?.map(|usage| Usage {
                completion: None,
                ..usage
            });
            Ok(())
        }
        _ => cursor.skip(),
    })
}

/// The block that begins: empty, as a rule, but the name of a tool stands nowhere else.
fn block(cursor: &mut Cursor<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    if cursor.peek() != Some(b'{') {
        return cursor.skip();
    }
    cursor.object(|cursor, key| {
        match cursor.key(key) {
            b"text" => choice.content = cursor.string_or_null()?,
            b"thinking" => choice.reasoning = cursor.string_or_null()?,
            b"name" => choice.call = string_if_any(cursor)?,
            _ => cursor.skip()?,
        }
        Ok(())
    })
}

fn delta(cursor: &mut Cursor<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    if cursor.peek() != Some(b'{') {
        return cursor.skip();
    }
    cursor.object(|cursor, key| {
        match cursor.key(key) {
            b"text" => choice.content = cursor.string_or_null()?,
            b"thinking" => choice.reasoning = cursor.string_or_null()?,
            b"partial_json" => choice.call = cursor.string_or_null()?,
            b"stop_reason" => choice.finish = string_if_any(cursor)?,
            b"type" | b"signature" | b"citation" | b"stop_sequence" | b"stop_details"
            | b"container" => cursor.skip()?,
            _ => note_unknown(cursor, key, &mut choice.unknown)?,
        }
        Ok(())
    })
}

fn usage(cursor: &mut Cursor<'_>) -> Result<Option<Usage>, JsonError> {
    if cursor.peek() != Some(b'{') {
        cursor.skip()?;
        return Ok(None);
    }
    let mut usage = Usage::default();
    let mut written = None;
    cursor.object(|cursor, key| {
        match cursor.key(key) {
            b"input_tokens" => usage.prompt = cursor.count()?,
            b"output_tokens" => usage.completion = cursor.count()?,
            b"cache_read_input_tokens" => usage.cached = cursor.count()?,
            b"cache_creation_input_tokens" => written = cursor.count()?,
            b"output_tokens_details" => usage.reasoning = detail(cursor, b"thinking_tokens")?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    usage.beside = match (usage.cached, written) {
        (None, None) => None,
        (read, written) => Some(read.unwrap_or(0).saturating_add(written.unwrap_or(0))),
    };
    Ok(Some(usage))
}

fn is_system(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// The messages of user and model. A tool's result is a part of what the user says.
fn push_turns(body: &mut Vec<u8>, turns: &[&Message]) {
    body.push(b'[');
    for (i, message) in turns.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        let role = match message.role {
            Role::Assistant => "assistant",
            _ => "user",
        };
        push_name_of_role(body, role);
        match parts_of(message) {
            None => push_text(body, &message.text),
            Some(parts) => body.extend_from_slice(Value::Array(parts).to_string().as_bytes()),
        }
        body.push(b'}');
    }
    body.push(b']');
}

fn push_name_of_role(body: &mut Vec<u8>, role: &str) {
    body.extend_from_slice(br#"{"role":"#);
    push_text(body, role);
    body.extend_from_slice(br#","content":"#);
}

/// What a message holds, where that is more than a text.
fn parts_of(message: &Message) -> Option<Vec<Value>> {
    if let Some(id) = member_of(message, "tool_call_id") {
        let result = json!({"type": "tool_result", "tool_use_id": id, "content": message.text});
        return Some(vec![result]);
    }
    let calls = member_of(message, "tool_calls");
    let calls = calls.as_ref().and_then(Value::as_array);
    let calls = calls.into_iter().flatten().filter_map(tool_use);
    let images = message.images.iter().map(|url| image(url));
    let more: Vec<Value> = images.chain(calls).collect();
    if more.is_empty() {
        return None;
    }
    // An empty text is refused.
    let text = (!message.text.is_empty()).then(|| json!({"type": "text", "text": message.text}));
    Some(text.into_iter().chain(more).collect())
}

fn member_of(message: &Message, name: &str) -> Option<Value> {
    let member = message.members.iter().find(|m| &*m.name == name)?;
    serde_json::from_str(&member.json).ok()
}

fn tool_use(call: &Value) -> Option<Value> {
    let function = call.get("function")?;
    let arguments = function.get("arguments").and_then(Value::as_str);
    let input = arguments.and_then(|text| serde_json::from_str::<Value>(text).ok());
    Some(json!({
        "type": "tool_use",
        "id": call.get("id"),
        "name": function.get("name"),
        "input": input.unwrap_or_else(|| json!({})),
    }))
}

fn image(url: &str) -> Value {
    let data = url.strip_prefix("data:");
    let source = match data.and_then(|data| data.split_once(";base64,")) {
        Some((media_type, data)) => {
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        None => json!({"type": "url", "url": url}),
    };
    json!({"type": "image", "source": source})
}

/// Definitions as chat has them, in the form of this API.
fn tools(tools: Value) -> Value {
    let Value::Array(tools) = tools else {
        return tools;
    };
    let own = |tool: Value| {
        let Some(function) = tool.get("function") else {
            return tool;
        };
        let mut own = Map::new();
        for (name, here) in [
            ("name", "name"),
            ("description", "description"),
            ("parameters", "input_schema"),
        ] {
            if let Some(value) = function.get(name) {
                own.insert(here.to_owned(), value.clone());
            }
        }
        // A tool without parameters has a schema all the same.
        own.entry("input_schema")
            .or_insert_with(|| json!({"type": "object"}));
        Value::Object(own)
    };
    tools.into_iter().map(own).collect()
}

fn tool_choice(choice: Value) -> Value {
    let name = choice.pointer("/function/name");
    match (choice.as_str(), name) {
        (Some("required"), _) => json!({"type": "any"}),
        (Some(word), _) => json!({"type": word}),
        (None, Some(name)) => json!({"type": "tool", "name": name}),
        (None, None) => choice,
    }
}
