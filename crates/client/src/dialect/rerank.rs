//! Rerank as vLLM, Jina and llama-server serve it: a query and documents in, a score for each document out.

use super::lists::Lists;
use crate::encode::write::{push_text, push_texts};
use crate::lists::ListShape;
use infermeter_core::plan::Endpoint;
use infermeter_core::request::RequestContent;

/// What these answers are called.
pub(super) const CALLED: &str = "rerank";

/// The dialect.
pub(super) static RERANK: Lists = Lists {
    endpoint: Endpoint::Rerank,
    called: CALLED,
    shape: ListShape {
        list: "results",
        value: "relevance_score",
        is_vector: false,
        called: ["score", "scores"],
        items: "documents",
    },
    said: &["query", "documents"],
    push,
};

fn push(name: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool {
    let RequestContent::Query(asked) = content else {
        return false;
    };
    match name {
        "query" => push_text(body, &asked.query),
        _ => push_texts(body, &asked.documents),
    }
    true
}
