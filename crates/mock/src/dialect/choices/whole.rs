//! The body of an answer in one piece, in vLLM's shape.

use super::{Choices, Kind};
use crate::dialect::Said;
use crate::render::put;

/// What a whole answer consists of.
pub(super) struct Whole<'a> {
    pub said: Said<'a>,
    pub finish: &'a str,
    /// Empty or `,"usage":{...}`.
    pub usage: &'a str,
    /// JSON.
    pub logprobs: &'a [u8],
}

/// The body.
pub(super) fn whole_answer(answer: &Choices, whole: Whole<'_>) -> Vec<u8> {
    let Whole {
        said,
        finish,
        usage,
        logprobs,
    } = whole;
    let Choices {
        kind,
        id,
        created_s,
        model,
        ..
    } = answer;
    let mut body = Vec::with_capacity(said.text.len() + 512);
    let prefix = kind.id_prefix();
    let object = match kind {
        Kind::Chat => "chat.completion",
        Kind::Completion => "text_completion",
    };
    put(
        &mut body,
        format_args!(
            "{{\"id\":\"{prefix}{id}\",\"object\":\"{object}\",\"created\":{created_s},\
             \"model\":\"{model}\",\"choices\":[{{\"index\":0,"
        ),
    );
    match kind {
        Kind::Chat => message(&mut body, answer, said),
        Kind::Completion => {
            body.extend_from_slice(b"\"text\":\"");
            body.extend_from_slice(said.text);
            body.push(b'"');
        }
    }
    body.extend_from_slice(b",\"logprobs\":");
    body.extend_from_slice(logprobs);
    put(
        &mut body,
        format_args!(",\"finish_reason\":\"{finish}\",\"stop_reason\":null}}]{usage}}}"),
    );
    body
}

fn message(body: &mut Vec<u8>, answer: &Choices, said: Said<'_>) {
    body.extend_from_slice(b"\"message\":{\"role\":\"assistant\",");
    if let Some(text) = said.reasoning {
        put(
            body,
            format_args!("\"{}\":\"", answer.reasoning_field.name()),
        );
        body.extend_from_slice(text);
        body.extend_from_slice(b"\",");
    }
    let Some(name) = said.call else {
        body.extend_from_slice(b"\"content\":\"");
        body.extend_from_slice(said.text);
        body.extend_from_slice(b"\",\"refusal\":null,\"tool_calls\":[]}");
        return;
    };
    body.extend_from_slice(b"\"content\":null,\"refusal\":null,\"tool_calls\":[{\"id\":\"call-");
    body.extend_from_slice(answer.id.as_bytes());
    body.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":\"");
    body.extend_from_slice(name);
    body.extend_from_slice(b"\",\"arguments\":\"");
    body.extend_from_slice(said.text);
    body.extend_from_slice(b"\"}}]}");
}
