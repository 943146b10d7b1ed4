//! The APIs as they are on the wire, one file each: how a request is written, which fields are tried, what
//! an event says, and what marks the end.
//!
//! It opens no socket, keeps nothing of an answer, and judges nothing: facts go to `answer`.
//! Invariant: one table knows which dialect belongs to which [`Endpoint`]; everyone else holds a [`Dialect`].

mod chat;
mod choices;
mod completions;
mod embeddings;
mod foreign;
mod lists;
mod messages;
mod of_chat;
mod pointed;
mod rerank;
mod responses;

pub(crate) use choices::tool_texts;
pub use pointed::{Pointer, PointerError, Pointers};

use crate::answer::facts::EventFacts;
use crate::encode::write::push_member;
use crate::features::Features;
use crate::json::JsonError;
use crate::lists::ListShape;
use infermeter_core::plan::{Endpoint, Input};
use infermeter_core::request::{BodyMember, RequestContent};
use std::fmt;

/// What a dialect has to say. Defaults are those of a plain OpenAI-like API.
pub(crate) trait Wire: fmt::Debug + Sync {
    /// The API that it is the dialect of.
    fn endpoint(&self) -> Endpoint;

    /// What its answers are called where one of another API came; [`foreign`] uses the same name.
    fn called(&self) -> &'static str;

    /// A member that its answers have: what is missing from one that is nothing known.
    fn sign(&self) -> &'static str;

    /// What marks the end of a stream, in words.
    fn end(&self) -> &'static str;

    /// Events under this name are its own: one that cannot be read is a failure, while others (ping, say)
    /// may hold what they want.
    fn owns(&self, name: &[u8]) -> bool {
        matches!(name, b"" | b"message")
    }

    /// Headers that each request needs beside those of all APIs.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The variable of the environment that holds an API key.
    fn key_variable(&self) -> &'static str {
        "OPENAI_API_KEY"
    }

    /// The header that carries an API key, and what stands before the key.
    fn key_header(&self) -> (&'static str, &'static str) {
        ("authorization", "Bearer ")
    }

    /// Names of the members that are made from what a request says, in their order.
    fn said(&self) -> &'static [&'static str];

    /// Appends the value of one of [`Self::said`]; false where this request has none of it.
    fn push_said(&self, name: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool;

    /// Appends a member that a request brings along; false where the API has no such thing.
    fn push_member(&self, member: &BodyMember, body: &mut Vec<u8>) -> bool {
        push_member(body, member);
        true
    }

    /// Names under which an answer's length can be asked for, the usual one first; none where answers have
    /// no length.
    fn lengths(&self) -> &'static [&'static str];

    /// Servers may ask for the second name instead of the first.
    fn renames_length(&self) -> bool {
        false
    }

    /// Requests may ask for a stream.
    fn streams(&self) -> bool {
        true
    }

    /// Its answers are described by pointers: a stream may be JSON lines, and an event without any of what is
    /// pointed at may be of this API all the same.
    fn is_pointed(&self) -> bool {
        false
    }

    /// Field sets to try, from the most telling to the most careful.
    fn rungs(&self, _stream: bool) -> Vec<Features> {
        let ignore_eos = Features {
            ignore_eos: true,
            ..Features::default()
        };
        vec![ignore_eos, Features::default()]
    }

    /// The fields used when nothing is known.
    fn careful(&self, _stream: bool) -> Features {
        Features::default()
    }

    /// Where its answers have their list, where they are one and nothing is generated.
    fn list(&self) -> Option<&ListShape> {
        None
    }

    /// Usage in an event counts the tokens up to its own chunk: its rise is the chunk's tokens.
    fn usage_counts_chunks(&self) -> bool {
        false
    }

    /// A document, an event or a whole body, is one of its answers, as far as a trial asks.
    fn answers(&self, document: &[u8]) -> bool {
        let own = |facts: Result<EventFacts, JsonError>| facts.is_ok_and(|facts| facts.is_own);
        own(self.event(document)) || own(self.whole(document))
    }

    /// What one event of a stream says.
    ///
    /// # Errors
    /// It is not JSON, or has something else where text belongs.
    fn event(&self, data: &[u8]) -> Result<EventFacts, JsonError>;

    /// What an answer that is not streamed says.
    ///
    /// # Errors
    /// As for [`Self::event`].
    fn whole(&self, body: &[u8]) -> Result<EventFacts, JsonError>;
}

/// The dialect of an API.
#[derive(Clone, Copy)]
pub struct Dialect(&'static dyn Wire);

impl Dialect {
    /// The dialect of an API.
    pub const fn of(endpoint: Endpoint) -> Self {
        Self(match endpoint {
            Endpoint::Chat => &chat::CHAT,
            Endpoint::Completions => &completions::COMPLETIONS,
            Endpoint::Messages => &messages::Messages,
            Endpoint::Responses => &responses::Responses,
            Endpoint::Embeddings => &embeddings::EMBEDDINGS,
            Endpoint::Rerank => &rerank::RERANK,
        })
    }

    /// The dialect of an API of another form, whose requests a template writes; `endpoint` is the API whose
    /// path they go to where no other is given. What it says of its answers is kept as long as the process:
    /// a run has one.
    pub fn pointed(endpoint: Endpoint, pointers: Pointers) -> Self {
        Self(Box::leak(Box::new(pointed::Pointed { endpoint, pointers })))
    }

    /// Its answers are described by pointers: a stream may be JSON lines, and an event without any of what is
    /// pointed at may be of this API all the same.
    pub fn is_pointed(self) -> bool {
        self.0.is_pointed()
    }

    /// Path of its requests below the target's base.
    pub fn path(self) -> &'static str {
        self.0.endpoint().api().path
    }

    /// What its requests hold.
    pub fn input(self) -> Input {
        self.0.endpoint().api().input
    }

    /// What its answers are called.
    pub fn called(self) -> &'static str {
        self.0.called()
    }

    /// A member that its answers have.
    pub fn sign(self) -> &'static str {
        self.0.sign()
    }

    /// The variable of the environment that holds an API key.
    pub fn key_variable(self) -> &'static str {
        self.0.key_variable()
    }

    /// The header that carries an API key, and its value.
    pub fn key_header(self, key: &str) -> (&'static str, String) {
        let (name, before) = self.0.key_header();
        (name, format!("{before}{key}"))
    }

    /// Names under which an answer's length can be asked for.
    pub fn lengths(self) -> &'static [&'static str] {
        self.0.lengths()
    }

    /// Servers may ask for the second of these names instead of the first.
    pub fn renames_length(self) -> bool {
        self.0.renames_length()
    }

    /// Field sets to try, from the most telling to the most careful.
    pub fn rungs(self, stream: bool) -> Vec<Features> {
        self.0.rungs(stream)
    }

    /// The fields used when nothing is known.
    pub fn careful(self, stream: bool) -> Features {
        self.0.careful(stream)
    }

    /// A document, an event or a whole body, is one of its answers.
    pub fn answers(self, document: &[u8]) -> bool {
        self.0.answers(document)
    }

    /// The API that a document is of, where it is a known one other than its own.
    pub fn foreign(self, document: &[u8]) -> Option<&'static str> {
        foreign::api_of(document).filter(|api| *api != self.called())
    }

    pub(crate) fn end(self) -> &'static str {
        self.0.end()
    }

    pub(crate) fn owns(self, name: &[u8]) -> bool {
        self.0.owns(name)
    }

    pub(crate) fn headers(self) -> &'static [(&'static str, &'static str)] {
        self.0.headers()
    }

    pub(crate) fn said(self) -> &'static [&'static str] {
        self.0.said()
    }

    pub(crate) fn push_said(
        self,
        name: &str,
        content: &RequestContent,
        body: &mut Vec<u8>,
    ) -> bool {
        self.0.push_said(name, content, body)
    }

    pub(crate) fn push_member(self, member: &BodyMember, body: &mut Vec<u8>) -> bool {
        self.0.push_member(member, body)
    }

    pub(crate) fn streams(self) -> bool {
        self.0.streams()
    }

    pub(crate) fn list(self) -> Option<&'static ListShape> {
        self.0.list()
    }

    pub(crate) fn usage_counts_chunks(self) -> bool {
        self.0.usage_counts_chunks()
    }

    pub(crate) fn event(self, data: &[u8]) -> Result<EventFacts, JsonError> {
        self.0.event(data)
    }

    pub(crate) fn whole(self, body: &[u8]) -> Result<EventFacts, JsonError> {
        self.0.whole(body)
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::of(Endpoint::Chat)
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        let told = |dialect: &Self| (dialect.0.endpoint(), dialect.called());
        told(self) == told(other)
    }
}

impl Eq for Dialect {}
