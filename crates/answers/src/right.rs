//! What all judgements of a question have in common.
//!
//! Invariant: an answer that could not have been right is not called wrong.

use crate::check::check;
use crate::said::{Asked, Said};
use infermeter_core::answer::Doubt;
use serde_json::Value;

/// The judgement of an answer that is right, or not: `None` where one that is not was cut, refuses, or cannot be read.
pub(crate) fn judged(right: bool, said: &Said<'_>) -> Option<bool> {
    let unknown = || {
        let doubts = check(&Asked::default(), said);
        said.is_cut() || doubts.contains(Doubt::Refusal) || doubts.contains(Doubt::NoText)
    };
    (right || !unknown()).then_some(right)
}

/// The first JSON object or list of a text, in a fence of code or not.
pub(crate) fn object_in(text: &str) -> Option<Value> {
    let start = text.find(['{', '['])?;
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    values.next()?.ok()
}
