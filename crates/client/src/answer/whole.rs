//! An answer that was not streamed: one JSON body, read after its last byte. It has no chunks.

use super::generated::append_kind;
use super::{
    Answer, KeepTexts, error_message, failure, malformed, nothing_found, several_choices,
    unexpected,
};
use infermeter_core::record::{ChunkKind, Reason, RequestError};

impl Answer {
    /// Takes a whole answer that was not streamed. Unless [`KeepTexts::No`] its texts become
    /// four entries, one per [`ChunkKind`], in the order of their numbers.
    ///
    /// # Errors
    /// The body is an error, no JSON of the dialect, or has no output.
    pub(crate) fn whole(&mut self, body: &[u8]) -> Result<(), RequestError> {
        let facts = self.dialect.whole(body);
        let facts = facts.map_err(|e| malformed(&e.to_string(), body))?;
        if let Some(error) = facts.error {
            return Err(failure(Reason::InBandError, error_message(error.of(body))));
        }
        if !facts.is_own
            && !self.dialect.is_pointed()
            && let Some(api) = self.dialect.foreign(body)
        {
            return Err(unexpected(api, self.dialect, body));
        }
        if !facts.is_own && self.dialect.is_pointed() {
            return Err(nothing_found());
        }
        if facts.other_choice {
            return Err(several_choices());
        }
        self.note_usage(facts.usage.unwrap_or_default());
        self.note_times(body, &facts);
        let choice = facts.choice.unwrap_or_default();
        self.note_choice(body, &choice);
        let parts = choice.parts.unwrap_or_default();
        let texts = [choice.content, choice.reasoning, choice.refusal];
        let filled = texts.iter().flatten().any(|text| !text.span.is_empty())
            || choice.tool_calls.is_some()
            || choice.details.is_some()
            || parts.text
            || parts.reasoning
            || parts.refusal
            || parts.calls;
        self.check_end()?;
        if !filled && self.usage.completion.unwrap_or(0) == 0 && !self.is_empty() {
            return Err(failure(
                Reason::NoTokens,
                "the answer has no output".to_owned(),
            ));
        }
        if self.keep != KeepTexts::No {
            for kind in ChunkKind::ALL {
                append_kind(body, &choice, kind, &mut self.texts.bytes);
                self.end_text()?;
            }
        }
        Ok(())
    }
}
