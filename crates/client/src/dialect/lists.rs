//! What embeddings and rerank have in common: an answer is one list, of as many results as were asked for.
//!
//! How such an answer is read as it comes is in [`crate::answer::listed`]; here is the look at a small one
//! that is there as a whole.

use crate::answer::facts::EventFacts;
use crate::json::{Cursor, JsonError};
use crate::lists::ListShape;

/// Whether a document is one of these answers.
pub(super) fn scan(document: &[u8], shape: &ListShape) -> Result<EventFacts, JsonError> {
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
