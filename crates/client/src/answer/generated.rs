//! What in an event is generated output: whether it is a chunk, of which kind, with which text.

use super::Answer;
use super::facts::Choice;
use super::parts::texts;
use crate::dialect::tool_texts;
use crate::json::{Span, Text, append_decoded};
use crate::tokens::{EventTokens, has_hidden_end};
use infermeter_core::record::ChunkKind;

impl Answer {
    /// The kind of chunk an event is; `None` when it carries no generated output.
    pub(super) fn generated(
        &self,
        data: &[u8],
        choice: &Choice,
        tokens: EventTokens,
    ) -> Option<ChunkKind> {
        let filled = |text: Option<Text>| text.is_some_and(|t| !t.span.is_empty());
        let parts = choice.parts.unwrap_or_default();
        if filled(choice.content) || parts.text {
            return Some(ChunkKind::Text);
        }
        if filled(choice.refusal) || parts.refusal {
            return Some(ChunkKind::Refusal);
        }
        if choice.tool_calls.is_some() || filled(choice.call) || parts.calls {
            return Some(ChunkKind::ToolCall);
        }
        if filled(choice.reasoning) || choice.details.is_some() || parts.reasoning {
            return Some(ChunkKind::Reasoning);
        }
        // No text. Tokens alone make a chunk too (half a character), but nothing does behind the
        // finish, where usage may come with a choice that is empty.
        if self.finish_reason.is_some() {
            return None;
        }
        // Nor does the token that only ended the answer, usage that an opening role event brings
        // along, or the first count that the stream gives: only a rise says that a token came.
        let rise = self.tally.rise(tokens.usage);
        let ids = tokens.ids.unwrap_or(0);
        let finish = choice
            .finish
            .and_then(|text| std::str::from_utf8(text.span.of(data)).ok());
        if has_hidden_end(finish) && rise <= 1 && ids <= 1 {
            return None;
        }
        let opening = choice.role && self.chunks.is_empty();
        let risen = self.counted.zip(tokens.usage).is_some_and(|(a, b)| b > a);
        if ids == 0 && (!risen || rise == 0 || opening) {
            return None;
        }
        if choice.content.is_some() {
            return Some(ChunkKind::Text);
        }
        if choice.reasoning.is_some() {
            return Some(ChunkKind::Reasoning);
        }
        Some(self.chunks.last().map_or(ChunkKind::Text, |c| c.kind))
    }

    /// Appends every text of an event: reasoning, content, refusal, tool calls.
    pub(super) fn append_texts(&mut self, data: &[u8], choice: &Choice) {
        use ChunkKind::{Reasoning, Refusal, Text, ToolCall};
        for kind in [Reasoning, Text, Refusal, ToolCall] {
            append_kind(data, choice, kind, &mut self.texts.bytes);
        }
    }
}

/// Appends the texts of one kind.
pub(super) fn append_kind(data: &[u8], choice: &Choice, kind: ChunkKind, out: &mut Vec<u8>) {
    let text = match kind {
        ChunkKind::Text => choice.content,
        ChunkKind::Reasoning => choice.reasoning,
        ChunkKind::Refusal => choice.refusal,
        ChunkKind::ToolCall => {
            append_calls(data, choice.tool_calls, out);
            choice.call
        }
    };
    let text = text.filter(|text| !text.span.is_empty());
    if let Some(text) = text {
        append_decoded(text.span.of(data), text.escaped, out);
    }
    let mut append = |found, body: &[u8], escaped| {
        if found == kind {
            append_decoded(body, escaped, out);
        }
    };
    // The details say once more what the reasoning says.
    if let (ChunkKind::Reasoning, Some(details), None) = (kind, choice.details, text) {
        texts(details.span.of(data), ChunkKind::Reasoning, &mut append);
    }
    if let Some(parts) = choice.parts {
        texts(parts.span.of(data), ChunkKind::Text, &mut append);
    }
}

/// Appends the names and arguments of tool calls, in order.
fn append_calls(data: &[u8], calls: Option<Span>, out: &mut Vec<u8>) {
    let Some(calls) = calls.map(|span| span.of(data)) else {
        return;
    };
    // These bytes were walked before: the walk cannot fail now.
    let walked = tool_texts(calls, &mut |text| {
        append_decoded(text.span.of(calls), text.escaped, out);
    });
    debug_assert!(walked.is_ok());
}
