//! OpenAI's completions: one text in, its continuation out.

use super::Wire;
use super::choices::{self, CALLED, END, LENGTHS, SIGN, Shape};
use crate::answer::facts::EventFacts;
use crate::encode::write::push_prompt;
use crate::features::Features;
use crate::json::JsonError;
use infermeter_core::plan::Endpoint;
use infermeter_core::request::RequestContent;

/// The dialect.
#[derive(Debug)]
pub(super) struct Completions;

impl Wire for Completions {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Completions
    }

    fn called(&self) -> &'static str {
        CALLED
    }

    fn sign(&self) -> &'static str {
        SIGN
    }

    fn end(&self) -> &'static str {
        END
    }

    fn said(&self) -> &'static [&'static str] {
        &["prompt"]
    }

    fn push_said(&self, _: &str, content: &RequestContent, body: &mut Vec<u8>) -> bool {
        push_prompt(body, content.messages());
        true
    }

    fn lengths(&self) -> &'static [&'static str] {
        LENGTHS
    }

    fn rungs(&self, stream: bool) -> Vec<Features> {
        choices::rungs(stream)
    }

    fn careful(&self, stream: bool) -> Features {
        choices::careful(stream)
    }

    fn usage_counts_chunks(&self) -> bool {
        true
    }

    fn answers(&self, document: &[u8]) -> bool {
        choices::answers(document)
    }

    fn event(&self, data: &[u8]) -> Result<EventFacts, JsonError> {
        choices::scan(data, Shape::Event)
    }

    fn whole(&self, body: &[u8]) -> Result<EventFacts, JsonError> {
        choices::scan(body, Shape::Whole)
    }
}
