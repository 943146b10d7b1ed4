//! What chat and completions have in common: answers as `choices`, streams that end in `[DONE]`, and the
//! optional fields of their requests.
//!
//! The fields of `chat.completion.chunk`, `text_completion` and their relatives that a record needs become
//! facts by position. It judges nothing: what makes a chunk is decided in [`crate::answer`].

use super::Wire;
use crate::answer::facts::{Choice, EventFacts, Unknown, Usage};
use crate::answer::parts::parts;
use crate::features::Features;
use crate::json::{Cursor, JsonError, Span, Text};
use infermeter_core::plan::Endpoint;
use infermeter_core::record::ChunkKind;
use infermeter_core::request::{Message, RequestContent};
use std::fmt;

/// Which JSON is read: names of the choice's member that holds the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// An event of a stream: `delta`.
    Event,
    /// An answer that is not streamed: `message`.
    Whole,
}

/// Reads one JSON object.
fn scan(document: &[u8], shape: Shape) -> Result<EventFacts, JsonError> {
    let mut facts = EventFacts::default();
    let mut is_error = false;
    let mut cursor = Cursor::new(document);
    let start = cursor.value_start();
    cursor.object(|cursor, key| match cursor.key(key) {
        b"choices" => choices(cursor, shape, &mut facts),
        b"usage" => {
            facts.usage = usage(cursor)?;
            Ok(())
        }
        b"error" => {
            let span = cursor.skip_span()?;
            let nothing = matches!(span.of(document), b"null" | b"false");
            facts.error = (!nothing).then_some(span);
            Ok(())
        }
        // llama.cpp, and vLLM.
        b"timings" | b"metrics" => {
            let span = cursor.skip_span()?;
            // A server that writes the empty member with every chunk must not keep chunks off the short path.
            facts.times = (span.of(document).first() == Some(&b'{')).then_some(span);
            Ok(())
        }
        b"object" => {
            is_error = cursor.skip_span()?.of(document) == b"\"error\"";
            Ok(())
        }
        _ => cursor.skip(),
    })?;
    let end = cursor.position();
    cursor.end()?;
    if is_error && facts.error.is_none() {
        facts.error = Some(Span { start, end });
    }
    let has_usage = facts.usage.is_some();
    facts.is_own = facts.choices > 0 || (has_usage && shape == Shape::Event);
    facts.is_last = has_usage && facts.choices == 0;
    Ok(facts)
}

/// What these answers are called, and what they never lack.
pub(super) const CALLED: &str = "chat or completions";
pub(super) const SIGN: &str = "choices";

/// One of the two dialects: what they have not in common.
pub(super) struct Choices {
    pub(super) endpoint: Endpoint,
    /// The member that holds what a request says.
    pub(super) said: &'static [&'static str],
    /// Appends its value.
    pub(super) push: fn(&mut Vec<u8>, &[Message]),
    /// Servers may ask for the second name of the length instead of the first.
    pub(super) renames_length: bool,
}

impl fmt::Debug for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl Wire for Choices {
    fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    fn called(&self) -> &'static str {
        CALLED
    }

    fn sign(&self) -> &'static str {
        SIGN
    }

    fn end(&self) -> &'static str {
        "finish_reason, final usage or [DONE]"
    }

    fn said(&self) -> &'static [&'static str] {
        self.said
    }

    fn push_said(&self, _: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool {
        (self.push)(body, content.messages());
        true
    }

    fn lengths(&self) -> &'static [&'static str] {
        &["max_tokens", "max_completion_tokens"]
    }

    fn renames_length(&self) -> bool {
        self.renames_length
    }

    fn rungs(&self, stream: bool) -> Vec<Features> {
        rungs(stream)
    }

    /// Plain OpenAI.
    fn careful(&self, stream: bool) -> Features {
        Features {
            include_usage: stream,
            ..Features::default()
        }
    }

    fn usage_counts_chunks(&self) -> bool {
        true
    }

    fn answers(&self, document: &[u8]) -> bool {
        answers(document)
    }

    fn event(&self, data: &[u8]) -> Result<EventFacts, JsonError> {
        scan(data, Shape::Event)
    }

    fn whole(&self, body: &[u8]) -> Result<EventFacts, JsonError> {
        scan(body, Shape::Whole)
    }
}

/// A document is an answer, even one in which nothing stands yet.
fn answers(document: &[u8]) -> bool {
    let mut found = false;
    let mut cursor = Cursor::new(document);
    let walked = cursor.object(|cursor, key| {
        found |= matches!(cursor.key(key), b"choices" | b"usage");
        cursor.skip()
    });
    found && walked.is_ok() && cursor.end().is_ok()
}

/// Field sets, from the most telling to the most careful.
fn rungs(stream: bool) -> Vec<Features> {
    let set = |ignore_eos, include_usage, continuous_usage| Features {
        ignore_eos,
        include_usage,
        continuous_usage,
        ..Features::default()
    };
    if !stream {
        return vec![set(true, false, false), set(false, false, false)];
    }
    vec![
        set(true, true, true),
        set(true, true, false),
        set(false, true, true),
        set(false, true, false),
        set(false, false, false),
    ]
}

fn choices(cursor: &mut Cursor<'_>, shape: Shape, facts: &mut EventFacts) -> Result<(), JsonError> {
    if cursor.peek() != Some(b'[') {
        return cursor.skip();
    }
    cursor.array(|cursor, position| {
        facts.choices = position.saturating_add(1);
        if cursor.peek() != Some(b'{') {
            return cursor.skip();
        }
        let (choice, index) = choice(cursor, shape)?;
        if index.unwrap_or(position) == 0 {
            facts.choice = Some(choice);
        } else {
            facts.other_choice = true;
        }
        Ok(())
    })
}

fn choice(cursor: &mut Cursor<'_>, shape: Shape) -> Result<(Choice, Option<u32>), JsonError> {
    let mut choice = Choice::default();
    let mut index = None;
    cursor.object(|cursor, key| {
        match (cursor.key(key), shape) {
            (b"index", _) => index = cursor.count()?,
            (b"delta", Shape::Event) | (b"message", Shape::Whole) => output(cursor, &mut choice)?,
            (b"text", _) => choice.content = cursor.string_or_null()?,
            (b"finish_reason", _) => choice.finish = finish_reason(cursor)?,
            (b"token_ids", _) => choice.token_ids = cursor.array_length()?,
            (b"logprobs", _) => choice.logprobs = logprobs(cursor)?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok((choice, index))
}

fn output(cursor: &mut Cursor<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    if cursor.peek() != Some(b'{') {
        return cursor.skip();
    }
    cursor.object(|cursor, key| {
        match cursor.key(key) {
            b"content" if cursor.peek() == Some(b'[') => {
                choice.parts = Some(parts(cursor, ChunkKind::Text, &mut choice.unknown)?);
            }
            b"content" => choice.content = cursor.string_or_null()?,
            b"reasoning" | b"reasoning_content" | b"thinking" if cursor.peek() != Some(b'[') => {
                // Some servers send two of them with the same text.
                let text = cursor.string_or_null()?;
                if choice.reasoning.is_none_or(|t| t.span.is_empty()) {
                    choice.reasoning = text.or(choice.reasoning);
                }
            }
            b"reasoning" | b"reasoning_content" | b"thinking" | b"reasoning_details"
            | b"thinking_blocks" => {
                let found = parts(cursor, ChunkKind::Reasoning, &mut choice.unknown)?;
                if found.reasoning && choice.details.is_none() {
                    choice.details = Some(found);
                }
            }
            b"refusal" => choice.refusal = cursor.string_or_null()?,
            b"tool_calls" => tool_calls(cursor, choice)?,
            b"function_call" => {
                let start = cursor.value_start();
                let filled = function(cursor)?;
                note_call(cursor, choice, start, filled);
            }
            b"role" => choice.role = string_if_any(cursor)?.is_some(),
            _ => note_unknown(cursor, key, &mut choice.unknown)?,
        }
        Ok(())
    })
}

/// Takes a member that is not understood, and notes its name where it holds something.
pub(super) fn note_unknown(
    cursor: &mut Cursor<'_>,
    key: Text,
    unknown: &mut Unknown,
) -> Result<(), JsonError> {
    let value = cursor.skip_span()?;
    let nothing = matches!(cursor.of(value), b"null" | b"false" | b"\"\"");
    if !nothing && !is_empty_nest(cursor.of(value)) {
        unknown.add(key.span);
    }
    Ok(())
}

/// `{}` or `[]`, whatever white space is inside.
fn is_empty_nest(value: &[u8]) -> bool {
    matches!(value, [b'{' | b'[', inside @ .., _] if inside.trim_ascii().is_empty())
}

/// Takes a word, or an object whose `type` is the word (SGLang's own form).
fn finish_reason(cursor: &mut Cursor<'_>) -> Result<Option<Text>, JsonError> {
    if cursor.peek() != Some(b'{') {
        return string_if_any(cursor);
    }
    let mut word = None;
    cursor.object(|cursor, key| match cursor.key(key) {
        b"type" => {
            word = string_if_any(cursor)?;
            Ok(())
        }
        _ => cursor.skip(),
    })?;
    Ok(word)
}

fn tool_calls(cursor: &mut Cursor<'_>, choice: &mut Choice) -> Result<(), JsonError> {
    let start = cursor.value_start();
    if cursor.peek() != Some(b'[') {
        return cursor.skip();
    }
    let mut filled = false;
    cursor.array(|cursor, _| {
        each_function(cursor, &mut |cursor| {
            filled |= function(cursor)?;
            Ok(())
        })
    })?;
    note_call(cursor, choice, start, filled);
    Ok(())
}

fn note_call(cursor: &Cursor<'_>, choice: &mut Choice, start: usize, filled: bool) {
    if filled {
        let end = cursor.position();
        choice.tool_calls = Some(Span { start, end });
    }
}

type Visit<'v> = &'v mut dyn FnMut(&mut Cursor<'_>) -> Result<(), JsonError>;

/// Walks one tool call; `visit` must take the value of `function`.
fn each_function(cursor: &mut Cursor<'_>, visit: Visit<'_>) -> Result<(), JsonError> {
    if cursor.peek() != Some(b'{') {
        return cursor.skip();
    }
    cursor.object(|cursor, key| match cursor.key(key) {
        b"function" => visit(cursor),
        _ => cursor.skip(),
    })
}

/// Takes a function object; whether its name or its arguments hold text.
fn function(cursor: &mut Cursor<'_>) -> Result<bool, JsonError> {
    let mut filled = false;
    function_texts(cursor, &mut |text| filled |= !text.span.is_empty())?;
    Ok(filled)
}

fn function_texts(cursor: &mut Cursor<'_>, found: &mut dyn FnMut(Text)) -> Result<(), JsonError> {
    if cursor.peek() != Some(b'{') {
        return cursor.skip();
    }
    cursor.object(|cursor, key| match cursor.key(key) {
        b"name" | b"arguments" => {
            if let Some(text) = string_if_any(cursor)? {
                found(text);
            }
            Ok(())
        }
        _ => cursor.skip(),
    })
}

/// Calls `found` for each name and each arguments text of the tool calls at `calls`, in order.
/// Positions count from the start of `calls`.
pub(crate) fn tool_texts(calls: &[u8], found: &mut dyn FnMut(Text)) -> Result<(), JsonError> {
    let mut cursor = Cursor::new(calls);
    if cursor.peek() == Some(b'{') {
        return function_texts(&mut cursor, found);
    }
    cursor.array(|cursor, _| each_function(cursor, &mut |cursor| function_texts(cursor, found)))
}

/// Takes any value; a string that is not empty is handed out.
pub(super) fn string_if_any(cursor: &mut Cursor<'_>) -> Result<Option<Text>, JsonError> {
    if cursor.peek() != Some(b'"') {
        cursor.skip()?;
        return Ok(None);
    }
    Ok(Some(cursor.string()?).filter(|text| !text.span.is_empty()))
}

fn logprobs(cursor: &mut Cursor<'_>) -> Result<Option<u32>, JsonError> {
    if cursor.peek() != Some(b'{') {
        cursor.skip()?;
        return Ok(None);
    }
    let mut length = None;
    cursor.object(|cursor, key| match cursor.key(key) {
        b"content" | b"tokens" => {
            length = cursor.array_length()?.or(length);
            Ok(())
        }
        _ => cursor.skip(),
    })?;
    Ok(length)
}

fn usage(cursor: &mut Cursor<'_>) -> Result<Option<Usage>, JsonError> {
    if cursor.peek() != Some(b'{') {
        cursor.skip()?;
        return Ok(None);
    }
    let mut usage = Usage::default();
    cursor.object(|cursor, key| {
        match cursor.key(key) {
            b"prompt_tokens" => usage.prompt = cursor.count()?,
            b"completion_tokens" => usage.completion = cursor.count()?,
            b"prompt_tokens_details" => usage.cached = detail(cursor, b"cached_tokens")?,
            b"completion_tokens_details" => {
                usage.reasoning = detail(cursor, b"reasoning_tokens")?;
            }
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(Some(usage))
}

pub(super) fn detail(cursor: &mut Cursor<'_>, name: &[u8]) -> Result<Option<u32>, JsonError> {
    if cursor.peek() != Some(b'{') {
        cursor.skip()?;
        return Ok(None);
    }
    let mut count = None;
    cursor.object(|cursor, key| {
        if cursor.key(key) == name {
            count = cursor.count()?;
            Ok(())
        } else {
            cursor.skip()
        }
    })?;
    Ok(count)
}

#[cfg(test)]
mod tests;
