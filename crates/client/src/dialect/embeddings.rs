//! OpenAI's embeddings: texts in, a list of numbers for each out.

use super::Wire;
use super::lists;
use crate::answer::facts::EventFacts;
use crate::encode::write::push_texts;
use crate::features::Features;
use crate::json::JsonError;
use crate::lists::ListShape;
use infermeter_core::plan::Endpoint;
use infermeter_core::request::RequestContent;

/// The dialect.
#[derive(Debug)]
pub(super) struct Embeddings;

/// What these answers are called.
pub(super) const CALLED: &str = "embeddings";

static SHAPE: ListShape = ListShape {
    list: "data",
    value: "embedding",
    is_vector: true,
    called: ["embedding", "embeddings"],
    items: "inputs",
};

impl Wire for Embeddings {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Embeddings
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
        &["input"]
    }

    fn push_said(&self, _: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool {
        let RequestContent::Inputs(inputs) = content else {
            return false;
        };
        push_texts(body, &inputs.texts);
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
