//! What embeddings and rerank have in common: an answer is one list, in one piece and without tokens.
//!
//! Invariant: nothing is ever appended to a stream.

use super::{End, Opening, Said, Saying, UsageCounts, Voice};
use crate::render::Framing;
use std::fmt;

/// Writes the list.
pub(super) trait List: fmt::Debug + Send {
    /// The body of the answer.
    fn body(&self, usage: Option<UsageCounts>) -> Vec<u8>;
}

/// The voice of a list.
#[derive(Debug)]
pub(super) struct WholeList<L>(pub(super) L);

impl<L: List> Voice for WholeList<L> {
    fn role(&mut self, _: &mut Vec<u8>, _: Opening, _: Framing) {}

    fn content(&mut self, _: &mut Vec<u8>, _: Saying<'_>, _: End<'_>, _: Framing) {}

    fn usage(&mut self, _: &mut Vec<u8>, _: UsageCounts, _: Framing) {}

    fn end(&mut self, _: &mut Vec<u8>, _: Framing) {}

    fn error(&mut self, _: &mut Vec<u8>, _: Framing) {}

    fn whole(&self, _: Said<'_>, _: &str, usage: Option<UsageCounts>) -> Vec<u8> {
        self.0.body(usage)
    }
}

/// `,"usage":{...}` of an answer without generated tokens.
pub(super) fn prompt_usage(usage: Option<UsageCounts>) -> String {
    usage.map_or_else(String::new, |UsageCounts { prompt, .. }| {
        format!(
            ",\"usage\":{{\"prompt_tokens\":{prompt},\"total_tokens\":{prompt},\
             \"completion_tokens\":0,\"prompt_tokens_details\":null}}"
        )
    })
}
