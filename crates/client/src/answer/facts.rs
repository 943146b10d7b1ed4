//! What one event of an answer, or one whole answer, says: facts by position, the same for all dialects.
//!
//! It judges nothing: what makes a chunk is decided in [`super`].

use crate::json::{Span, Text};

/// What one event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EventFacts {
    /// Choices in it.
    pub(crate) choices: u32,
    /// A choice with another index than 0 was there.
    pub(crate) other_choice: bool,
    /// The choice with index 0.
    pub(crate) choice: Option<Choice>,
    /// What the server says it used.
    pub(crate) usage: Option<Usage>,
    /// What is said of an error: its member, or the whole event.
    pub(crate) error: Option<Span>,
    /// The event is one of the API that was asked.
    pub(crate) is_own: bool,
    /// With it the server has said all that belongs to the answer; a mark of the end may follow.
    pub(crate) is_last: bool,
    /// It is the mark of the end: nothing of the answer follows.
    pub(crate) is_end: bool,
    /// Its number in the stream, where events are numbered.
    pub(crate) number: Option<u32>,
    /// Where the server says how long it took, in a form of its own.
    pub(crate) times: Option<Span>,
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
    /// A piece of a call as one text: a tool's name, or a part of its arguments.
    pub(crate) call: Option<Text>,
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

/// Which kinds of text a list of typed parts holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Parts {
    /// The list.
    pub(crate) span: Span,
    /// It has visible text.
    pub(crate) text: bool,
    /// It has reasoning.
    pub(crate) reasoning: bool,
    /// It has a refusal.
    pub(crate) refusal: bool,
    /// It has the call of a tool.
    pub(crate) calls: bool,
}

/// Most names of members kept of one event.
const MAX_UNKNOWN: usize = 4;

/// Where the names of members that are not understood stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Unknown([Option<Span>; MAX_UNKNOWN]);

impl Unknown {
    /// Notes one; those beyond [`MAX_UNKNOWN`] are left out.
    pub(crate) fn add(&mut self, name: Span) {
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
    /// Prompt tokens that [`Self::prompt`] leaves out: Anthropic counts those read from and written to the
    /// cache apart.
    pub(crate) beside: Option<u32>,
}
