//! OpenAI's embeddings: texts in, a list of numbers for each out.

use super::lists::Lists;
use crate::encode::write::push_texts;
use crate::lists::ListShape;
use infermeter_core::plan::Endpoint;
use infermeter_core::request::RequestContent;

/// What these answers are called.
pub(super) const CALLED: &str = "embeddings";

/// The dialect.
pub(super) static EMBEDDINGS: Lists = Lists {
    endpoint: Endpoint::Embeddings,
    called: CALLED,
    shape: ListShape {
        list: "data",
        value: "embedding",
        is_vector: true,
        called: ["embedding", "embeddings"],
        items: "inputs",
    },
    said: &["input"],
    push,
};

fn push(_: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool {
    let RequestContent::Inputs(inputs) = content else {
        return false;
    };
    push_texts(body, &inputs.texts);
    true
}
