//! Recognises an event that equals an earlier one but for its text: same bytes before and after,
//! a different string body between. Inside one response nearly every event does, and comparing
//! bytes costs a tenth of a walk.
//!
//! Invariant: a match implies that a full scan would find the same facts with the new text, since
//! a valid string body cannot change the structure around it.

use super::facts::EventFacts;
use crate::json::{Span, Text, string_body};
use crate::sse::SseEvent;
use infermeter_core::record::ChunkKind;

/// Longest event worth keeping.
const MAX_EVENT: usize = 4 << 10;

/// The last event of the response that carried one text and nothing else.
#[derive(Debug, Default)]
pub(super) struct Template {
    name: Vec<u8>,
    bytes: Vec<u8>,
    prefix: usize,
    suffix: usize,
    kind: Option<ChunkKind>,
}

impl Template {
    pub(super) fn clear(&mut self) {
        self.kind = None;
    }

    /// Kind and text of an event that fits.
    #[inline]
    pub(super) fn fit(&self, event: SseEvent<'_>) -> Option<(ChunkKind, Text)> {
        let kind = self.kind?;
        let SseEvent { name, data: event } = event;
        let prefix = self.bytes.get(..self.prefix)?;
        let suffix = self.bytes.get(self.suffix..)?;
        let end = event.len().checked_sub(suffix.len())?;
        if name != self.name
            || end <= prefix.len()
            || !event.starts_with(prefix)
            || !event.ends_with(suffix)
        {
            return None;
        }
        let start = prefix.len();
        let body = event.get(start..end)?;
        let escaped = string_body(body)?;
        let span = Span { start, end };
        Some((kind, Text { span, escaped }))
    }

    /// Keeps an event for comparison, where it carries one text and nothing else.
    pub(super) fn learn(&mut self, event: SseEvent<'_>, facts: &EventFacts) {
        self.kind = None;
        let Some((kind, text)) = single_text(facts) else {
            return;
        };
        let SseEvent { name, data: event } = event;
        if event.len() > MAX_EVENT || name.len() > MAX_EVENT {
            return;
        }
        self.name.clear();
        self.name.extend_from_slice(name);
        self.bytes.clear();
        self.bytes.extend_from_slice(event);
        self.prefix = text.span.start;
        self.suffix = text.span.end;
        self.kind = Some(kind);
    }
}

fn single_text(facts: &EventFacts) -> Option<(ChunkKind, Text)> {
    let choice = facts.choice?;
    // Numbered events are not alike, and their numbers have to be read.
    let other = facts.number.is_some()
        || facts.error.is_some()
        || facts.usage.is_some()
        || facts.times.is_some()
        || choice.parts.is_some()
        || choice.details.is_some()
        || choice.finish.is_some()
        || choice.tool_calls.is_some()
        || choice.token_ids.is_some()
        || choice.logprobs.is_some();
    if other {
        return None;
    }
    let mut found = None;
    for (kind, text) in [
        (ChunkKind::Text, choice.content),
        (ChunkKind::Reasoning, choice.reasoning),
        (ChunkKind::Refusal, choice.refusal),
        (ChunkKind::ToolCall, choice.call),
    ] {
        if let Some(text) = text.filter(|text| !text.span.is_empty()) {
            if found.is_some() {
                return None;
            }
            found = Some((kind, text));
        }
    }
    found
}
