//! Server-sent events in vLLM's shape, from a skeleton rendered once per stream.

use super::{Framing, id_prefix, json_text, piece, put};
use crate::api::AnswerKind;
use crate::content::{Part, ReasoningField};

/// What a content event says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saying<'a> {
    /// What the text is.
    pub part: Part,
    /// JSON text without quotes.
    pub text: &'a [u8],
    /// The response's id (JSON text), which a tool call's is made from.
    pub id: &'a str,
}

/// What all events of one stream share, rendered once.
#[derive(Debug)]
pub(crate) struct EventSkeleton {
    kind: AnswerKind,
    reasoning_field: ReasoningField,
    /// `data: {"id":...,"choices":[`
    opening: Vec<u8>,
}

impl EventSkeleton {
    /// For a stream with the given response id (JSON text without its quotes).
    pub fn new(
        kind: AnswerKind,
        reasoning_field: ReasoningField,
        id: &str,
        created_s: i64,
        model: &str,
    ) -> Self {
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
        Self {
            kind,
            reasoning_field,
            opening,
        }
    }

    /// The role chunk; `usage` is empty or `,"usage":{...}`.
    pub fn role(&self, out: &mut Vec<u8>, usage: &str, framing: Framing) {
        let choice: &[u8] = b"{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\
            \"logprobs\":null,\"finish_reason\":null}]";
        let parts = [&self.opening, choice, usage.as_bytes(), b"}\n\n"];
        piece(out, &parts, framing);
    }

    /// A content event; `finish` is the reason on the last one.
    pub fn content(
        &self,
        out: &mut Vec<u8>,
        saying: Saying<'_>,
        finish: Option<&str>,
        usage: &str,
        framing: Framing,
    ) {
        let (before, close) = self.around(saying.part);
        let usage = usage.as_bytes();
        if finish.is_none() && saying.part != Part::CallName {
            // Nearly every event is this one.
            let after = self.open_end();
            let parts = [&self.opening, before, saying.text, close, after, usage, END];
            return piece(out, &parts, framing);
        }
        let (id, behind_id): (&[u8], &[u8]) = match saying.part {
            Part::CallName => (
                saying.id.as_bytes(),
                b"\",\"type\":\"function\",\"function\":{\"name\":\"",
            ),
            Part::Reasoning | Part::Content | Part::CallArguments => (b"", b""),
        };
        let (after, reason, end): (&[u8], &str, &[u8]) = match finish {
            None => (self.open_end(), "", b""),
            Some(reason) => (
                b",\"logprobs\":null,\"finish_reason\":\"",
                reason,
                b"\",\"stop_reason\":null,\"token_ids\":null}]",
            ),
        };
        let parts = [
            &self.opening,
            before,
            id,
            behind_id,
            saying.text,
            close,
            after,
            reason.as_bytes(),
            end,
            usage,
            END,
        ];
        piece(out, &parts, framing);
    }

    /// The rest of a choice that goes on.
    fn open_end(&self) -> &'static [u8] {
        match self.kind {
            AnswerKind::Chat => b",\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]",
            AnswerKind::Completion => {
                b",\"logprobs\":null,\"finish_reason\":null,\"stop_reason\":null}]"
            }
        }
    }

    /// What stands before a text (before the id, where there is one) and behind it.
    fn around(&self, part: Part) -> (&'static [u8], &'static [u8]) {
        if self.kind == AnswerKind::Completion {
            return (b"{\"index\":0,\"text\":\"", b"\"");
        }
        match (part, self.reasoning_field) {
            (Part::Content, _) => (b"{\"index\":0,\"delta\":{\"content\":\"", b"\"}"),
            (Part::Reasoning, ReasoningField::ReasoningContent) => {
                (b"{\"index\":0,\"delta\":{\"reasoning_content\":\"", b"\"}")
            }
            (Part::Reasoning, ReasoningField::Reasoning) => {
                (b"{\"index\":0,\"delta\":{\"reasoning\":\"", b"\"}")
            }
            (Part::CallName, _) => (
                b"{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call-",
                b"\",\"arguments\":\"\"}}]}",
            ),
            (Part::CallArguments, _) => (
                b"{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":\
                  {\"arguments\":\"",
                b"\"}}]}",
            ),
        }
    }

    /// The usage chunk: no choices.
    pub fn usage(&self, out: &mut Vec<u8>, usage: &str, framing: Framing) {
        let parts = [&self.opening, &b"]"[..], usage.as_bytes(), b"}\n\n"];
        piece(out, &parts, framing);
    }
}

/// The end of an event.
const END: &[u8] = b"}\n\n";

/// The error event of a broken stream.
pub(crate) const IN_BAND_ERROR: &[u8] =
    b"data: {\"error\":{\"message\":\"engine died on demand\",\"type\":\"InternalServerError\",\
      \"param\":null,\"code\":500}}\n\n";

/// The last event.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";
