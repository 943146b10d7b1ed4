//! Server-sent events in vLLM's shape, from a skeleton rendered once per stream.

use super::{Framing, id_prefix, json_text, piece, put};
use crate::api::AnswerKind;

/// What all events of one stream share, rendered once.
#[derive(Debug)]
pub(crate) struct EventSkeleton {
    kind: AnswerKind,
    /// `data: {"id":...,"choices":[`
    opening: Vec<u8>,
}

impl EventSkeleton {
    /// For a stream with the given response id (JSON text without its quotes).
    pub fn new(kind: AnswerKind, id: &str, created_s: i64, model: &str) -> Self {
        let object = match kind {
            AnswerKind::Chat => "chat.completion.chunk",
            AnswerKind::Completion => "text_completion",
        };
        let mut opening = Vec::with_capacity(192);
        let prefix = id_prefix(kind);
        let model = json_text(model);
        put(
            &mut opening,
            format_args!(
                "data: {{\"id\":\"{prefix}{id}\",\"object\":\"{object}\",\"created\":{created_s},\
                 \"model\":\"{model}\",\"choices\":["
            ),
        );
        Self { kind, opening }
    }

    /// The role chunk; `usage` is empty or `,"usage":{...}`.
    pub fn role(&self, out: &mut Vec<u8>, usage: &str, framing: Framing) {
        let choice: &[u8] = b"{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\
            \"logprobs\":null,\"finish_reason\":null}]";
        let parts = [&self.opening, choice, usage.as_bytes(), b"}\n\n"];
        piece(out, &parts, framing);
    }

    /// A content event: `text` is JSON text without quotes, `finish` the reason on the last one.
    pub fn content(
        &self,
        out: &mut Vec<u8>,
        text: &[u8],
        finish: Option<&str>,
        usage: &str,
        framing: Framing,
    ) {
        let (before, after): (&[u8], &[u8]) = match (self.kind, finish) {
            (AnswerKind::Chat, None) => (
                b"{\"index\":0,\"delta\":{\"content\":\"",
                b"\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]",
            ),
            (AnswerKind::Chat, Some(_)) => (
                b"{\"index\":0,\"delta\":{\"content\":\"",
                b"\"},\"logprobs\":null,\"finish_reason\":\"",
            ),
            (AnswerKind::Completion, None) => (
                b"{\"index\":0,\"text\":\"",
                b"\",\"logprobs\":null,\"finish_reason\":null,\"stop_reason\":null}]",
            ),
            (AnswerKind::Completion, Some(_)) => (
                b"{\"index\":0,\"text\":\"",
                b"\",\"logprobs\":null,\"finish_reason\":\"",
            ),
        };
        let (reason, behind): (&str, &[u8]) = match finish {
            Some(reason) => (reason, b"\",\"stop_reason\":null,\"token_ids\":null}]"),
            None => ("", b""),
        };
        let parts = [
            &self.opening,
            before,
            text,
            after,
            reason.as_bytes(),
            behind,
            usage.as_bytes(),
            b"}\n\n",
        ];
        piece(out, &parts, framing);
    }

    /// The usage chunk: no choices.
    pub fn usage(&self, out: &mut Vec<u8>, usage: &str, framing: Framing) {
        let parts = [&self.opening, &b"]"[..], usage.as_bytes(), b"}\n\n"];
        piece(out, &parts, framing);
    }
}

/// The error event of a broken stream.
pub(crate) const IN_BAND_ERROR: &[u8] =
    b"data: {\"error\":{\"message\":\"engine died on demand\",\"type\":\"InternalServerError\",\
      \"param\":null,\"code\":500}}\n\n";

/// The last event.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";
