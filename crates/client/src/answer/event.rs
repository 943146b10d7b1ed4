//! One event of an answer (or one whole answer) as facts by position: the fields of
//! `chat.completion.chunk`, `text_completion` and their relatives that a record needs.
//!
//! It judges nothing: what makes a chunk is decided in [`super`].

use super::parts::{Parts, parts};
use crate::json::{Cursor, JsonError, Span, Text};
use infermeter_core::record::ChunkKind;

/// Which JSON is read: names of the choice's member that holds the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An event of a stream: `delta`.
    Event,
    /// An answer that is not streamed: `message`.
    Whole,
}

/// What one event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EventFacts {
    /// Elements of `choices`.
    pub(crate) choices: u32,
    /// A choice with another index than 0 was there.
    pub(crate) other_choice: bool,
    /// The choice with index 0.
    pub(crate) choice: Option<Choice>,
    /// `usage`, where it is an object.
    pub(crate) usage: Option<Usage>,
    /// `error`, where it is neither null nor false; the whole event where `object` is `error`.
    pub(crate) error: Option<Span>,
}

/// What one choice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    /// `delta.content` or `text`.
    pub(crate) content: Option<Text>,
    /// `delta.content`, where it is a list of parts.
    pub(crate) parts: Option<Parts>,
    /// `delta.reasoning_content`, `delta.reasoning` or `delta.thinking`, the first that is not empty.
    pub(crate) reasoning: Option<Text>,
    /// `delta.reasoning_details` and its like, where it holds text: the same reasoning once more where
    /// [`Self::reasoning`] is there, too.
    pub(crate) details: Option<Parts>,
    /// `delta.refusal`.
    pub(crate) refusal: Option<Text>,
    /// `delta.tool_calls` (or the older `function_call`), where a name or arguments are not
    /// empty.
    pub(crate) tool_calls: Option<Span>,
    /// `delta.role` is a string that is not empty.
    pub(crate) role: bool,
    /// `finish_reason`, not empty.
    pub(crate) finish: Option<Text>,
    /// Length of `token_ids`.
    pub(crate) token_ids: Option<u32>,
    /// Length of `logprobs.content` or `logprobs.tokens`.
    pub(crate) logprobs: Option<u32>,
    /// Members of the delta that hold something and are not understood.
    pub(crate) unknown: Unknown,
}

/// Most names of members kept of one event.
const MAX_UNKNOWN: usize = 4;

/// Where the names of members that are not understood stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Unknown([Option<Span>; MAX_UNKNOWN]);

impl Unknown {
    /// Notes one; those beyond [`MAX_UNKNOWN`] are left out.
    pub(super) fn add(&mut self, name: Span) {
        if let Some(free) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(name);
        }
    }

    /// The names, by position.
    pub(crate) fn names(self) -> impl Iterator<Item = Span> {
        self.0.into_iter().flatten()
    }
}

/// What the server says it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    /// `prompt_tokens`.
    pub(crate) prompt: Option<u32>,
    /// `completion_tokens`.
    pub(crate) completion: Option<u32>,
    /// `prompt_tokens_details.cached_tokens`.
    pub(crate) cached: Option<u32>,
    /// `completion_tokens_details.reasoning_tokens`.
    pub(crate) reasoning: Option<u32>,
}

/// Reads one JSON object.
pub(crate) fn scan(document: &[u8], shape: Shape) -> Result<EventFacts, JsonError> {
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
    Ok(facts)
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
            _ => {
                let value = cursor.skip_span()?;
                let nothing = matches!(cursor.of(value), b"null" | b"false" | b"\"\"");
                if !nothing && !is_empty_nest(cursor.of(value)) {
                    choice.unknown.add(key.span);
                }
            }
        }
        Ok(())
    })
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
fn string_if_any(cursor: &mut Cursor<'_>) -> Result<Option<Text>, JsonError> {
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

fn detail(cursor: &mut Cursor<'_>, name: &[u8]) -> Result<Option<u32>, JsonError> {
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
