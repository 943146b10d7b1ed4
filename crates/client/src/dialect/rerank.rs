//! Rerank as vLLM, Jina and llama-server serve it: a query and documents in, a score for each document out.

use super::Wire;
use super::lists;
use crate::answer::facts::EventFacts;
use crate::encode::write::{push_text, push_texts};
use crate::features::Features;
use crate::json::JsonError;
use crate::lists::ListShape;
use infermeter_core::plan::Endpoint;
use infermeter_core::request::RequestContent;

/// The dialect.
#[derive(Debug)]
pub(super) struct Rerank;

/// What these answers are called.
pub(super) const CALLED: &str = "rerank";

static SHAPE: ListShape = ListShape {
    list: "results",
    value: "relevance_score",
    is_vector: false,
    called: ["score", "scores"],
    items: "documents",
};

impl Wire for Rerank {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Rerank
    }

    fn called(&self) -> &'static str {
        CALLED
    }

    fn sign(&self) -> &'static str {
        SHAPE.list
    }

    fn end(&self) -> &'static str {
        "the end of its list"
    }

    fn said(&self) -> &'static [&'static str] {
        &["query", "documents"]
    }

    fn push_said(&self, name: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool {
        let RequestContent::Query(asked) = content else {
            return false;
        };
        match name {
            "query" => push_text(body, &asked.query),
            _ => push_texts(body, &asked.documents),
        }
        true
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

    fn careful(&self, _: bool) -> Features {
        Features::default()
    }

    fn list(&self) -> Option<&'static ListShape> {
        Some(&SHAPE)
    }

    fn event(&self, data: &[u8]) -> Result<EventFacts, JsonError> {
        self.whole(data)
    }

    fn whole(&self, body: &[u8]) -> Result<EventFacts, JsonError> {
        lists::scan(body, &SHAPE)
    }
}
