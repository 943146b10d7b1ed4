//! OpenAI's Responses, as its own API, vLLM, SGLang and llama.cpp serve them.
//!
//! What an event is stands in its `type`, at any place among its members; a line with the same name may be
//! missing. Deltas carry output; events that say the same once more (`.done`) do not. Usage comes with the
//! last event alone, which repeats the whole answer. Events are numbered, as a rule: a number that does
//! not follow the one before it is a fact about the answer. Some servers send `[DONE]` behind all.

use super::Wire;
use super::choices::{detail, string_if_any};
use crate::answer::facts::{Choice, EventFacts, Usage};
use crate::answer::parts::parts;
use crate::encode::write::{push_member, push_name, push_text};
use crate::features::Features;
use crate::json::{Cursor, JsonError, Span, Text};
use infermeter_core::plan::Endpoint;
use infermeter_core::record::ChunkKind;
use infermeter_core::request::{BodyMember, Message, RequestContent, Role};
use serde_json::{Value, json};

/// The dialect.
#[derive(Debug)]
pub(super) struct Responses;

/// Events whose `delta` is output, without the `response.` before and the `.delta` behind.
const DELTAS: [(&[u8], ChunkKind); 8] = [
    (b"output_text", ChunkKind::Text),
    (b"refusal", ChunkKind::Refusal),
    (b"reasoning_text", ChunkKind::Reasoning),
    (b"reasoning_summary_text", ChunkKind::Reasoning),
    (b"function_call_arguments", ChunkKind::ToolCall),
    (b"custom_tool_call_input", ChunkKind::ToolCall),
    (b"mcp_call_arguments", ChunkKind::ToolCall),
    (b"code_interpreter_call_code", ChunkKind::ToolCall),
];

/// Last words of the events that carry nothing of their own: progress, and what was said before.
const PROGRESS: [&[u8]; 11] = [
    b"added",
    b"done",
    b"created",
    b"queued",
    b"in_progress",
    b"searching",
    b"generating",
    b"interpreting",
    b"partial_image",
    b"completed",
    b"failed",
];

impl Wire for Responses {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Responses
    }

    fn called(&self) -> &'static str {
        "OpenAI's Responses"
    }

    fn sign(&self) -> &'static str {
        "output"
    }

    fn end(&self) -> &'static str {
        "response.completed or response.incomplete"
    }

    fn owns(&self, name: &[u8]) -> bool {
        matches!(name, b"" | b"message") || name.starts_with(b"response.")
    }

    fn said(&self) -> &'static [&'static str] {
        &["input"]
    }

    fn push_said(&self, _: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool {
        match content.messages() {
            [only] if only.role == Role::User && only.images.is_empty() => {
                push_text(body, &only.text);
            }
            several => push_items(body, several),
        }
        true
    }

    fn push_member(&self, member: &BodyMember, body: &mut Vec<u8>) -> bool {
        let value = || serde_json::from_str::<Value>(&member.json).ok();
        let own = match &*member.name {
            "tools" => value().map(|tools| ("tools", flat_list(tools))),
            "tool_choice" => value().map(|choice| ("tool_choice", flat(choice, "function"))),
            "response_format" => value().map(|format| {
                let format = flat(format, "json_schema");
                ("text", json!({ "format": format }))
            }),
            _ => None,
        };
        match own {
            None => push_member(body, member),
            Some((name, own)) => {
                push_name(body, name);
                body.extend_from_slice(own.to_string().as_bytes());
            }
        }
        true
    }

    fn lengths(&self) -> &'static [&'static str] {
        &["max_output_tokens"]
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
        let mut seen = Seen::default();
        let mut cursor = Cursor::new(data);
        let start = cursor.value_start();
        cursor.object(|cursor, key| {
            match cursor.key(key) {
                b"type" => seen.kind = string_if_any(cursor)?.unwrap_or_default(),
                b"delta" => seen.delta = string_if_any(cursor)?,
                b"sequence_number" => facts.number = cursor.count()?,
                b"logprobs" => seen.logprobs = cursor.array_length()?,
                b"item" => seen.name = name_of_call(cursor)?,
                b"response" => seen.response = Some(response(cursor)?),
                b"error" => seen.error = filled(cursor)?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        let end = cursor.position();
        cursor.end()?;
        seen.tell(data, Span { start, end }, &mut facts);
        Ok(facts)
    }

    fn whole(&self, body: &[u8]) -> Result<EventFacts, JsonError> {
        let mut cursor = Cursor::new(body);
        let response = response(&mut cursor)?;
        cursor.end()?;
        Ok(EventFacts {
            is_own: response.choice.parts.is_some(),
            usage: response.usage,
            error: response.error,
            choice: Some(Choice {
                finish: response.why.or(response.status),
                ..response.choice
            }),
            ..EventFacts::default()
        })
    }
}

/// What stands in an event; what it means depends on its type, which may come last.
#[derive(Default)]
struct Seen {
    kind: Text,
    delta: Option<Text>,
    logprobs: Option<u32>,
    /// Of a call that begins: its tool.
    name: Option<Text>,
    response: Option<Response>,
    error: Option<Span>,
}

impl Seen {
    fn tell(&self, data: &[u8], all: Span, facts: &mut EventFacts) {
        let kind = self.kind.span.of(data);
        let Some(kind) = kind.strip_prefix(b"response.") else {
            match kind {
                b"error" => facts.error = Some(all),
                b"" | b"ping" | b"keepalive" | b"rate_limits.updated" => facts.error = self.error,
                _ => facts.choice = Some(self.not_understood()),
            }
            return;
        };
        facts.is_own = true;
        let last = kind.rsplit(|byte| *byte == b'.').next().unwrap_or(kind);
        match kind {
            b"completed" | b"incomplete" | b"cancelled" => self.end(facts),
            b"failed" => {
                let said = self.response.as_ref().and_then(|response| response.error);
                facts.error = said.or(self.error).or(Some(all));
            }
            b"output_item.added" => {
                facts.choice = self.name.map(|name| Choice {
                    call: Some(name),
                    ..Choice::default()
                });
            }
            _ if last == b"delta" => facts.choice = Some(self.output(kind)),
            _ if !PROGRESS.contains(&last) => facts.choice = Some(self.not_understood()),
            _ => {}
        }
    }

    /// The last event: why the answer ended, and usage.
    fn end(&self, facts: &mut EventFacts) {
        // Without a status the event's own name says it.
        let word = Text {
            span: Span {
                start: self.kind.span.start + b"response.".len(),
                end: self.kind.span.end,
            },
            escaped: false,
        };
        let response = self.response.unwrap_or_default();
        facts.usage = response.usage;
        facts.is_end = true;
        facts.choice = Some(Choice {
            finish: response.why.or(response.status).or(Some(word)),
            ..Choice::default()
        });
    }

    fn output(&self, kind: &[u8]) -> Choice {
        let name = kind.strip_suffix(b".delta").unwrap_or(kind);
        let Some((_, kind)) = DELTAS.iter().find(|(known, _)| *known == name) else {
            return self.not_understood();
        };
        let mut choice = Choice {
            // An empty list is there whether log probabilities were asked for or not.
            logprobs: self.logprobs.filter(|n| *n > 0),
            ..Choice::default()
        };
        match kind {
            ChunkKind::Text => choice.content = self.delta,
            ChunkKind::Reasoning => choice.reasoning = self.delta,
            ChunkKind::Refusal => choice.refusal = self.delta,
            ChunkKind::ToolCall => choice.call = self.delta,
        }
        choice
    }

    /// Nothing of it is read, but its type is named.
    fn not_understood(&self) -> Choice {
        let mut choice = Choice::default();
        choice.unknown.add(self.kind.span);
        choice
    }
}

/// A whole answer, as the last event and an answer in one piece have it.
#[derive(Clone, Copy, Default)]
struct Response {
    status: Option<Text>,
    /// Why it is not complete.
    why: Option<Text>,
    usage: Option<Usage>,
    error: Option<Span>,
    /// Its output.
    choice: Choice,
}

fn response(cursor: &mut Cursor<'_>) -> Result<Response, JsonError> {
    let mut response = Response::default();
    cursor.object(|cursor, key| {
        match cursor.key(key) {
            b"status" => response.status = string_if_any(cursor)?,
            b"incomplete_details" => response.why = reason(cursor)?,
            b"usage" => response.usage = usage(cursor)?,
            b"error" => response.error = filled(cursor)?,
            b"output" => {
                let unknown = &mut response.choice.unknown;
                response.choice.parts = Some(parts(cursor, ChunkKind::Text, unknown)?);
            }
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(response)
}

/// Takes any value; where it is, if it is not null.
fn filled(cursor: &mut Cursor<'_>) -> Result<Option<Span>, JsonError> {
    let span = cursor.skip_span()?;
    Ok((cursor.of(span) != b"null").then_some(span))
}

fn reason(cursor: &mut Cursor<'_>) -> Result<Option<Text>, JsonError> {
    let mut reason = None;
    members(cursor, |cursor, key| {
        match cursor.key(key) {
            b"reason" => reason = string_if_any(cursor)?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(reason)
}

/// The tool of an item that is a call.
fn name_of_call(cursor: &mut Cursor<'_>) -> Result<Option<Text>, JsonError> {
    let mut name = None;
    members(cursor, |cursor, key| {
        match cursor.key(key) {
            b"name" => name = string_if_any(cursor)?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(name)
}

fn usage(cursor: &mut Cursor<'_>) -> Result<Option<Usage>, JsonError> {
    if cursor.peek() != Some(b'{') {
        cursor.skip()?;
        return Ok(None);
    }
    let mut usage = Usage::default();
    cursor.object(|cursor, key| {
        match cursor.key(key) {
            b"input_tokens" => usage.prompt = cursor.count()?,
            b"output_tokens" => usage.completion = cursor.count()?,
            b"input_tokens_details" => usage.cached = detail(cursor, b"cached_tokens")?,
            b"output_tokens_details" => usage.reasoning = detail(cursor, b"reasoning_tokens")?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(Some(usage))
}

/// Walks an object; another value is passed over.
fn members(
    cursor: &mut Cursor<'_>,
    member: impl FnMut(&mut Cursor<'_>, Text) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    match cursor.peek() {
        Some(b'{') => {
            let mut member = member;
            cursor.object(|cursor, key| member(cursor, key))
        }
        _ => cursor.skip(),
    }
}

/// Messages as items: calls and results of tools are items of their own.
fn push_items(body: &mut Vec<u8>, messages: &[Message]) {
    let mut start = b'[';
    for item in messages.iter().flat_map(items) {
        body.push(start);
        start = b',';
        body.extend_from_slice(item.to_string().as_bytes());
    }
    if start == b'[' {
        body.push(start);
    }
    body.push(b']');
}

fn items(message: &Message) -> Vec<Value> {
    let member = |name: &str| {
        let member = message.members.iter().find(|m| &*m.name == name)?;
        serde_json::from_str::<Value>(&member.json).ok()
    };
    if let Some(id) = member("tool_call_id") {
        let result = json!({"type": "function_call_output", "call_id": id, "output": message.text});
        return vec![result];
    }
    let role = match message.role {
        Role::Tool | Role::Function => Role::User,
        role => role,
    };
    let calls = member("tool_calls");
    let calls = calls.as_ref().and_then(Value::as_array);
    let calls = calls.into_iter().flatten().filter_map(call);
    let said = !message.text.is_empty() || !message.images.is_empty();
    let own = said.then(|| json!({"role": role.as_str(), "content": content(message)}));
    own.into_iter().chain(calls).collect()
}

fn content(message: &Message) -> Value {
    if message.images.is_empty() {
        return message.text.as_str().into();
    }
    let text = json!({"type": "input_text", "text": message.text});
    let images = message.images.iter();
    let images = images.map(|url| json!({"type": "input_image", "image_url": &**url}));
    [text].into_iter().chain(images).collect()
}

fn call(call: &Value) -> Option<Value> {
    let function = call.get("function")?;
    Some(json!({
        "type": "function_call",
        "call_id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments"),
    }))
}

fn flat_list(list: Value) -> Value {
    match list {
        Value::Array(list) => {
            let flat = list.into_iter().map(|value| flat(value, "function"));
            flat.collect()
        }
        other => other,
    }
}

/// What chat has inside of `inner`, beside its type: `{"type": "function", "name": ...}`.
fn flat(value: Value, inner: &str) -> Value {
    let Value::Object(mut members) = value else {
        return value;
    };
    if let Some(Value::Object(inside)) = members.remove(inner) {
        members.extend(inside);
    }
    Value::Object(members)
}
