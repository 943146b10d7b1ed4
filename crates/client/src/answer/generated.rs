//! What in an event is generated output: whether it is a chunk, of which kind, with which text.

use super::Answer;
use super::event::{Choice, tool_texts};
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
        if filled(choice.content) {
            return Some(ChunkKind::Text);
        }
        if filled(choice.refusal) {
            return Some(ChunkKind::Refusal);
        }
        if choice.tool_calls.is_some() {
            return Some(ChunkKind::ToolCall);
        }
        if filled(choice.reasoning) {
            return Some(ChunkKind::Reasoning);
        }
        // No text. Tokens alone make a chunk too (half a character), but not the token that only
        // ended the answer, nor usage that an opening role event or a finish brings along.
        let rise = self.tally.rise(tokens.usage);
        let ids = tokens.ids.unwrap_or(0);
        let finish = choice
            .finish
            .and_then(|text| std::str::from_utf8(text.span.of(data)).ok());
        if has_hidden_end(finish) && rise <= 1 && ids <= 1 {
            return None;
        }
        let opening = choice.role && self.chunks.is_empty();
        let rises = rise > 0 && !opening && (self.continuous || choice.finish.is_none());
        if ids == 0 && !rises {
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
        let out = &mut self.texts.bytes;
        for text in [choice.reasoning, choice.content, choice.refusal]
            .into_iter()
            .flatten()
        {
            append_decoded(text.span.of(data), text.escaped, out);
        }
        append_calls(data, choice.tool_calls, out);
    }
}

/// Appends the names and arguments of tool calls, in order.
pub(super) fn append_calls(data: &[u8], calls: Option<Span>, out: &mut Vec<u8>) {
    let Some(calls) = calls.map(|span| span.of(data)) else {
        return;
    };
    // These bytes were walked before: the walk cannot fail now.
    let walked = tool_texts(calls, &mut |text| {
        append_decoded(text.span.of(calls), text.escaped, out);
    });
    debug_assert!(walked.is_ok());
}
