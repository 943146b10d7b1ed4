//! Content that comes as a list of typed parts (Anthropic, Responses, Mistral), and reasoning in the
//! same form (`reasoning_details`, `thinking_blocks`): `[{"type": "text", "text": "..."},
//! {"type": "thinking", "thinking": [{"type": "text", "text": "..."}]}]`.
//!
//! It judges nothing. Invariant: what it walks was walked as JSON before, so that nesting is bounded.

use super::facts::{Parts, Unknown};
use crate::json::{Cursor, JsonError, Span};
use infermeter_core::record::ChunkKind;

/// Called with each text: its kind, the bytes between its quotes, whether they hold an escape.
pub(super) type Found<'v> = &'v mut dyn FnMut(ChunkKind, &[u8], bool);

/// Takes a list whose texts are `kind` unless their part says otherwise.
pub(crate) fn parts(
    cursor: &mut Cursor<'_>,
    kind: ChunkKind,
    unknown: &mut Unknown,
) -> Result<Parts, JsonError> {
    let span = cursor.skip_span()?;
    let mut parts = Parts {
        span,
        ..Parts::default()
    };
    let mut found = |kind, body: &[u8], _| {
        let filled = !body.is_empty();
        match kind {
            ChunkKind::Text => parts.text |= filled,
            ChunkKind::ToolCall => parts.calls |= filled,
            ChunkKind::Reasoning => parts.reasoning |= filled,
            ChunkKind::Refusal => parts.refusal |= filled,
        }
    };
    walk(cursor.of(span), span.start, kind, &mut found, unknown)?;
    Ok(parts)
}

/// Hands out the texts of a list that [`parts`] has taken.
pub(super) fn texts(list: &[u8], kind: ChunkKind, found: Found<'_>) {
    let walked = walk(list, 0, kind, found, &mut Unknown::default());
    debug_assert!(walked.is_ok(), "it was walked before");
}

/// Beginnings of the types of parts that are calls.
const CALLS: [&[u8]; 4] = [
    b"tool_use",
    b"server_tool_use",
    b"function_call",
    b"custom_tool_call",
];

/// Walks a list, or one part or text in its place; `at` is where it lies in the document.
fn walk(
    list: &[u8],
    at: usize,
    kind: ChunkKind,
    found: Found<'_>,
    unknown: &mut Unknown,
) -> Result<(), JsonError> {
    let mut cursor = Cursor::new(list);
    match cursor.peek() {
        Some(b'[') => cursor.array(|cursor, _| {
            let span = cursor.skip_span()?;
            walk(cursor.of(span), at + span.start, kind, found, unknown)
        }),
        Some(b'{') => part(list, at, kind, found, unknown),
        Some(b'"') => {
            let text = cursor.string()?;
            found(kind, text.span.of(list), text.escaped);
            Ok(())
        }
        _ => cursor.skip(),
    }
}

fn part(
    part: &[u8],
    at: usize,
    kind: ChunkKind,
    found: Found<'_>,
    unknown: &mut Unknown,
) -> Result<(), JsonError> {
    // The type may come behind the text.
    let mut name = Span::default();
    let mut cursor = Cursor::new(part);
    cursor.object(|cursor, key| {
        if cursor.key(key) == b"type" && cursor.peek() == Some(b'"') {
            name = cursor.string()?.span;
            return Ok(());
        }
        cursor.skip()
    })?;
    let says = |word: &[u8]| name.of(part).starts_with(word);
    let own = if says(b"thinking") || says(b"reasoning") {
        ChunkKind::Reasoning
    } else {
        kind
    };
    let is_call = CALLS.iter().any(|begin| says(begin));
    let mut understood = false;
    let mut cursor = Cursor::new(part);
    cursor.object(|cursor, key| {
        let kind = match cursor.key(key) {
            b"text" | b"content" => own,
            b"thinking" | b"reasoning" | b"summary" => ChunkKind::Reasoning,
            b"refusal" => ChunkKind::Refusal,
            b"name" | b"arguments" | b"input" if is_call => ChunkKind::ToolCall,
            _ => return cursor.skip(),
        };
        understood = true;
        let span = cursor.skip_span()?;
        let value = cursor.of(span);
        if kind == ChunkKind::ToolCall && value.starts_with(b"{") {
            // Anthropic's arguments are an object; without any they are `{}`.
            if value != b"{}" {
                found(kind, value, false);
            }
            return Ok(());
        }
        walk(value, at + span.start, kind, found, unknown)
    })?;
    if !understood && !name.is_empty() {
        unknown.add(Span {
            start: at + name.start,
            end: at + name.end,
        });
    }
    Ok(())
}
