//! The body of an answer in one piece, in vLLM's shape.

use super::{id_prefix, json_text, put};
use crate::api::AnswerKind;
use crate::content::ReasoningField;

/// What an answer in one piece says; JSON texts without quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// The reasoning, and its member's name; absent where the answer has none.
    pub reasoning: Option<(ReasoningField, &'a [u8])>,
    /// Name of the function called.
    pub call: Option<&'a [u8]>,
    /// The text, or the call's arguments.
    pub text: &'a [u8],
}

/// The body; `usage` is empty or `,"usage":{...}`.
pub(crate) fn whole_answer(
    kind: AnswerKind,
    id: &str,
    (created_s, model): (i64, &str),
    said: Said<'_>,
    finish: &str,
    usage: &str,
) -> Vec<u8> {
    let mut body = Vec::with_capacity(said.text.len() + 512);
    let prefix = id_prefix(kind);
    let object = match kind {
        AnswerKind::Chat => "chat.completion",
        AnswerKind::Completion => "text_completion",
    };
    let model = json_text(model);
    put(
        &mut body,
        format_args!(
            "{{\"id\":\"{prefix}{id}\",\"object\":\"{object}\",\"created\":{created_s},\
             \"model\":\"{model}\",\"choices\":[{{\"index\":0,"
        ),
    );
    match kind {
        AnswerKind::Chat => message(&mut body, id, said),
        AnswerKind::Completion => {
            body.extend_from_slice(b"\"text\":\"");
            body.extend_from_slice(said.text);
            body.push(b'"');
        }
    }
    put(
        &mut body,
        format_args!(
            ",\"logprobs\":null,\"finish_reason\":\"{finish}\",\"stop_reason\":null}}]{usage}}}"
        ),
    );
    body
}

fn message(body: &mut Vec<u8>, id: &str, said: Said<'_>) {
    body.extend_from_slice(b"\"message\":{\"role\":\"assistant\",");
    if let Some((field, text)) = said.reasoning {
        put(body, format_args!("\"{}\":\"", field.name()));
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
    body.extend_from_slice(id.as_bytes());
    body.extend_from_slice(b"\",\"type\":\"function\",\"function\":{\"name\":\"");
    body.extend_from_slice(name);
    body.extend_from_slice(b"\",\"arguments\":\"");
    body.extend_from_slice(said.text);
    body.extend_from_slice(b"\"}}]}");
}
