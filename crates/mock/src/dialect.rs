//! The APIs that the simulator speaks, one file each: what a request's body means, and how an answer is
//! written.
//!
//! It decides nothing about an answer: tokens, parts, usage and end are given. Invariant: one table knows
//! which dialect belongs to which [`Endpoint`].

mod chat;
mod choices;
mod completions;
mod embeddings;
mod items;
mod lists;
mod lying;
mod messages;
mod rerank;
mod responses;

use crate::cheat::Manner;
use crate::content::{Part, ReasoningField, Script, ServerTimesForm};
use crate::refusal::Refusal;
use crate::render::Framing;
use infermeter_core::plan::Endpoint;
use std::borrow::Cow;
use std::fmt;

/// What the simulator has to know of an API.
pub(crate) trait Wire: Sync {
    /// A request's body in the members of chat and completions, which [`crate::api`] reads.
    fn body<'b>(&self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, Refusal> {
        Ok(Cow::Borrowed(bytes))
    }

    /// The word of this API for how an answer ended.
    fn finish_word(&self, finish: &'static str) -> &'static str {
        finish
    }

    /// What writes one answer.
    fn voice(&self, naming: Naming<'_>) -> Box<dyn Voice>;
}

/// What the events of one answer have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naming<'a> {
    /// The response's id, JSON text without quotes.
    pub id: &'a str,
    /// When it began, Unix time.
    pub created_s: i64,
    /// The model's name.
    pub model: &'a str,
    /// Where reasoning stands, for the APIs with several places.
    pub reasoning_field: ReasoningField,
    /// What the answer's list holds, for the APIs that answer with one.
    pub listed: Listed,
    /// Whose log probabilities are told, for the APIs that tell them.
    pub scores: Option<Scores<'a>>,
}

/// The log probabilities that are told of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scores<'a> {
    /// The answer, from its first token on.
    pub script: &'a Script,
    /// How many of the most likely tokens are told for each place.
    pub top: u32,
}

/// A list of numbers for what a request holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Texts or documents asked about.
    pub items: u32,
    /// Results that come back.
    pub results: u32,
    /// Numbers of an embedding.
    pub dimensions: u32,
    /// Embeddings are written in base64.
    pub base64: bool,
    /// What the numbers are made from: the same request gets the same ones.
    pub key: u64,
}

/// What a content event says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saying<'a> {
    /// What the text is.
    pub part: Part,
    /// JSON text without quotes.
    pub text: &'a [u8],
}

/// What an answer in one piece says; JSON texts without quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// The reasoning; absent where answers have none.
    pub reasoning: Option<&'a [u8]>,
    /// Name of the function called.
    pub call: Option<&'a [u8]>,
    /// The text, or the call's arguments.
    pub text: &'a [u8],
}

/// Counts of a usage field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsageCounts {
    /// Prompt tokens.
    pub prompt: u32,
    /// Generated tokens.
    pub completion: u32,
    /// Prompt tokens found in the prefix cache, where that is told.
    pub cached: Option<u32>,
    /// Generated tokens that are reasoning, where that is told.
    pub reasoning: Option<u32>,
    /// How long it took the engine, where that is told.
    pub times: Option<TimesTold>,
}

/// How long a request took the engine, as it tells with the last usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimesTold {
    /// In which form.
    pub form: ServerTimesForm,
    /// In the queue.
    pub queue_ns: i64,
    /// From there to the end of the prefill.
    pub prefill_ns: i64,
    /// From there to the last token that was written before.
    pub decode_ns: i64,
}

/// What usage is known when an answer begins.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Opening {
    /// Told by the APIs that count the prompt at once.
    pub at_once: Option<UsageCounts>,
    /// Told with every event.
    pub with_each: Option<UsageCounts>,
}

/// What the last content event tells of the answer's end; nothing on the others.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct End<'a> {
    /// Why it ended.
    pub reason: Option<&'a str>,
    /// The usage, where it goes along: that may be on every event.
    pub usage: Option<UsageCounts>,
}

/// Writes one answer, event by event or whole. Reasons of an end are `stop`, `length`, `tool_calls` and
/// `content_filter`.
pub(crate) trait Voice: fmt::Debug + Send {
    /// Appends what comes before the first token.
    fn role(&mut self, out: &mut Vec<u8>, opening: Opening, framing: Framing);

    /// Appends a content event with the text that came last once more.
    fn again(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing) {
        self.content(out, saying, end, framing);
    }

    /// Appends a content event.
    fn content(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing);

    /// Appends the usage behind the last content event.
    fn usage(&mut self, out: &mut Vec<u8>, usage: UsageCounts, framing: Framing);

    /// Appends the mark of the end.
    fn end(&mut self, out: &mut Vec<u8>, framing: Framing);

    /// Appends an error, and what follows it.
    fn error(&mut self, out: &mut Vec<u8>, framing: Framing);

    /// The body of an answer in one piece.
    fn whole(&self, said: Said<'_>, finish: &str, usage: Option<UsageCounts>) -> Vec<u8>;
}

/// A voice that tells an answer in some manner.
pub(crate) fn in_manner(voice: Box<dyn Voice>, manner: Manner) -> Box<dyn Voice> {
    match manner.usage_percent == 100 && !manner.twice {
        true => voice,
        false => Box::new(lying::Lying { voice, manner }),
    }
}

/// The dialect of an API.
pub(crate) fn of(endpoint: Endpoint) -> &'static dyn Wire {
    match endpoint {
        Endpoint::Chat => &chat::Chat,
        Endpoint::Completions => &completions::Completions,
        Endpoint::Messages => &messages::Messages,
        Endpoint::Responses => &responses::Responses,
        Endpoint::Embeddings => &embeddings::Embeddings,
        Endpoint::Rerank => &rerank::Rerank,
    }
}
