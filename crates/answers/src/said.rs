//! What was asked, and what was said.
//!
//! Judges nothing. Invariant: what is not known of a request is absent.

use crate::form::Form;
use crate::writing::Writings;

/// What decides about an answer beside itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// What it was asked to be; absent: any text.
    pub form: Option<&'a Form>,
    /// It had to be so long, whatever the model wanted: what it says behind its natural end is the measuring tool's doing.
    pub forced_length: bool,
    /// The marker that it was asked to say.
    pub own_marker: Option<&'a str>,
    /// Writing systems of the prompt; absent: not known.
    pub writings: Option<Writings>,
    /// The other answers of its kind reason.
    pub reasons: bool,
    /// First 8 bytes of a hash of the prompt without its salt; 0: not known.
    pub prompt_hash: u64,
}

/// An answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    /// The visible text.
    pub content: &'a str,
    /// What was thought before.
    pub reasoning: &'a str,
    /// A refusal, where the server tells it apart.
    pub refusal: &'a str,
    /// Calls of tools: for each its name and its arguments, one after the other.
    pub calls: &'a str,
    /// The first chunk's text; absent for an answer in one piece.
    pub first_chunk: Option<&'a str>,
    /// How the server says that it ended.
    pub finish: Option<&'a str>,
    /// Output tokens by usage.
    pub output_tokens: Option<u32>,
}

impl Said<'_> {
    /// Nothing of it can be read.
    pub(crate) fn is_silent(&self) -> bool {
        let parts = [self.content, self.reasoning, self.refusal, self.calls];
        parts.iter().all(|part| part.trim().is_empty())
    }

    /// The server says that it was cut at the most that it was given.
    pub fn is_cut(&self) -> bool {
        matches!(
            self.finish,
            Some("length" | "max_tokens" | "max_output_tokens" | "MAX_TOKENS" | "incomplete")
        )
    }
}
