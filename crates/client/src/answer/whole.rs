//! An answer that was not streamed: one JSON body, read after its last byte. It has no chunks.

use super::event::{Shape, scan};
use super::generated::append_calls;
use super::{
    Answer, KeepTexts, MAX_FINISH_REASON, error_message, failure, foreign_api, malformed,
    unexpected,
};
use crate::json::append_decoded;
use infermeter_core::record::{ChunkKind, Reason, RequestError};
use infermeter_core::text::inert_bytes;

impl Answer {
    /// Takes a whole answer that was not streamed. Unless [`KeepTexts::No`] its texts become
    /// four entries, one per [`ChunkKind`], in the order of their numbers.
    ///
    /// # Errors
    /// The body is an error, no JSON of the dialect, or has no output.
    pub(crate) fn whole(&mut self, body: &[u8]) -> Result<(), RequestError> {
        let facts = scan(body, Shape::Whole).map_err(|e| malformed(&e.to_string(), body))?;
        if let Some(error) = facts.error {
            return Err(failure(Reason::InBandError, error_message(error.of(body))));
        }
        if facts.choices == 0
            && let Some(api) = foreign_api(body)
        {
            return Err(unexpected(api, body));
        }
        self.note_usage(facts.usage.unwrap_or_default());
        let choice = facts.choice.unwrap_or_default();
        if let Some(reason) = choice.finish {
            self.finish_reason = Some(inert_bytes(reason.span.of(body), MAX_FINISH_REASON));
        }
        let texts = [choice.content, choice.reasoning, choice.refusal];
        let filled = texts.iter().flatten().any(|text| !text.span.is_empty());
        if self.usage.completion.unwrap_or(0) == 0 && !filled && choice.tool_calls.is_none() {
            return Err(failure(
                Reason::NoTokens,
                "the answer has no output".to_owned(),
            ));
        }
        if self.keep != KeepTexts::No {
            for (i, text) in texts.into_iter().enumerate() {
                // The order of `ChunkKind`: text, reasoning, tool call, refusal.
                if i == ChunkKind::ToolCall as usize {
                    append_calls(body, choice.tool_calls, &mut self.texts.bytes);
                    self.end_text()?;
                }
                if let Some(text) = text {
                    append_decoded(text.span.of(body), text.escaped, &mut self.texts.bytes);
                }
                self.end_text()?;
            }
        }
        Ok(())
    }
}
