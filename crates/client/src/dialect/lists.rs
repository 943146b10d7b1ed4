//! What embeddings and rerank have in common: an answer is one list, of as many results as were asked for.
//!
//! How such an answer is read as it comes is in [`crate::answer::listed`]; here is the look at a small one
//! that is there as a whole.

use super::Wire;
use crate::answer::facts::EventFacts;
use crate::features::Features;
use crate::json::{Cursor, JsonError};
use crate::lists::ListShape;
use infermeter_core::plan::Endpoint;
use infermeter_core::request::RequestContent;
use std::fmt;

/// One of the two dialects: what they have not in common.
pub(super) struct Lists {
    pub(super) endpoint: Endpoint,
    /// What its answers are called.
    pub(super) called: &'static str,
    pub(super) shape: ListShape,
    /// The members that hold what a request says.
    pub(super) said: &'static [&'static str],
    /// Appends the value of one; false where the request has another content.
    pub(super) push: fn(&str, &RequestContent, &mut Vec<u8>) -> bool,
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl Wire for Lists {
    fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    fn called(&self) -> &'static str {
        self.called
    }

    fn sign(&self) -> &'static str {
        self.shape.list
    }

    fn end(&self) -> &'static str {
        "the end of its list"
    }

    fn said(&self) -> &'static [&'static str] {
        self.said
    }

    fn push_said(&self, name: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool {
        (self.push)(name, content, body)
    }

    fn lengths(&self) -> &'static [&'static str] {
        &[]
    }

    fn streams(&self) -> bool {
        false
    }

    fn rungs(&self, _: bool) -> Vec<Features> {
        vec![Features::default()]
    }

    fn list(&self) -> Option<&ListShape> {
        Some(&self.shape)
    }

    fn event(&self, data: &[u8]) -> Result<EventFacts, JsonError> {
        self.whole(data)
    }

    fn whole(&self, body: &[u8]) -> Result<EventFacts, JsonError> {
        scan(body, &self.shape)
    }
}

/// Whether a document is one of these answers.
fn scan(document: &[u8], shape: &ListShape) -> Result<EventFacts, JsonError> {
    let mut facts = EventFacts::default();
    let mut cursor = Cursor::new(document);
    cursor.object(|cursor, key| {
        let is_list = cursor.key(key) == shape.list.as_bytes();
        facts.is_own |= is_list && cursor.peek() == Some(b'[');
        cursor.skip()
    })?;
    cursor.end()?;
    Ok(facts)
}
