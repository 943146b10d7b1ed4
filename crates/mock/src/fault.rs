//! What a server can do wrong, or unlike others, on demand: by the request header
//! `x-mock-fault: NAME[=VALUE]`, or by rules for generation requests.
//!
//! One fault per request. A fault changes what goes over the wire (and, where it cuts the answer,
//! what the engine does); the truth log still says what was written and when.
//!
//! Not here: the bytes. The answer reads its fault where it makes them.

mod parse;
mod rule;

pub use parse::FaultError;
pub(crate) use rule::Occasion;
pub use rule::{FaultRule, FaultRuleError, FaultShare, FaultWindow};

use crate::engine::Finish;
use crate::length::AnswerLength;
use infermeter_core::units::Span;

/// One thing to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `status=503`: an error response (400 to 599, the error body of vLLM; 429 and 503 with
    /// `retry-after`) or a redirect (300 to 399) instead of an answer.
    Status(u16),
    /// `escaped-error`: status 400 with terminal escape sequences and markup in its message.
    EscapedError,
    /// `html` or `html=502`: a page, as a proxy would send it.
    Html(u16),
    /// `json-instead-of-stream`: the whole answer as one JSON body, whatever was asked for.
    JsonInsteadOfStream,
    /// `empty`: status 200 and a well-formed answer without any token.
    Empty,
    /// `disconnect-after=N`: the connection ends in order behind N tokens. With 0: before any
    /// byte of the response.
    DisconnectAfter(u32),
    /// `reset-after=N`: as above, with a reset.
    ResetAfter(u32),
    /// `disconnect-at=TIME`: the connection ends in order so long after the request's arrival.
    DisconnectAt(Span),
    /// `reset-at=TIME`: as above, with a reset.
    ResetAt(Span),
    /// `stall-after=N`: nothing more is written behind N tokens; the connection stays open.
    StallAfter(u32),
    /// `stall=N:TIME`: nothing is written for a time behind N tokens, then what has gathered
    /// leaves at once, as behind a proxy that hangs.
    StallFor(u32, Span),
    /// `hold-back=TIME`: what has gathered leaves each time that so long has passed since the request's
    /// arrival, as behind a proxy that buffers.
    HoldBack(Span),
    /// `slow-head=TIME`: the response's head is held back for a time, and the tokens behind it.
    SlowHead(Span),
    /// `truncate-after=N`: the stream ends in good framing behind N tokens, without a finish
    /// reason, usage or end mark.
    TruncateAfter(u32),
    /// `in-band-error-after=N`: an error event behind N tokens, then the end of the stream.
    InBandErrorAfter(u32),
    /// `content-filter=N`: the answer ends behind N tokens with finish reason `content_filter`.
    ContentFilter(u32),
    /// `early-stop=N`: the end token comes behind N tokens, whatever was asked for.
    EarlyStop(u32),
    /// `extra-tokens=N`: the answer goes on for N tokens beyond its limit (one-token presets
    /// answer as usual).
    ExtraTokens(u32),
    /// `endless`: tokens until the client goes (one-token presets answer as usual).
    Endless,
    /// `no-done`: the stream ends without `[DONE]`.
    NoDone,
    /// `no-usage`: no usage, even where asked for.
    NoUsage,
    /// `wrong-usage`: usage counts seven completion tokens too many.
    WrongUsage,
    /// `usage-percent=N`: usage counts N percent of the completion tokens.
    UsagePercent(u32),
    /// `lost-results=N`: a list of embeddings or scores lacks its last N.
    LostResults(u32),
    /// `duplicate-chunks`: each content event comes twice.
    DuplicateChunks,
    /// `escape-sequences`: every token's text carries terminal escapes, a bidirectional override
    /// and markup.
    EscapeSequences,
    /// `malformed=KIND`: the first content event behind the first token is no good.
    Malformed(Malformation),
    /// `line-ends=crlf` or `line-ends=cr`: legal line ends that few servers use.
    LineEnds(LineEnds),
    /// `comments`: a comment line before each event, as servers send to keep connections alive.
    Comments,
    /// `pings`: an event named `ping` before each event.
    Pings,
    /// `byte-wise` or `byte-wise=TIME`: one byte per write, with a pause behind each.
    ByteWise(Span),
    /// `coalesce=N`: N tokens per event.
    Coalesce(u32),
    /// `multi-event=N`: N events per write.
    MultiEvent(u32),
    /// `bad-length`: the body's framing announces more bytes than come, then the end.
    BadLength,
    /// `oversized-event=N`: the first token's text is N bytes long.
    OversizedEvent(u32),
    /// `oversized-head=N`: N bytes of extra response headers.
    OversizedHead(u32),
}

/// What is wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformation {
    /// `bad-json`: its JSON ends too early.
    BadJson,
    /// `no-blank-line`: no blank line ends it, so that it runs into the next one.
    NoBlankLine,
    /// `no-data-prefix`: the line does not begin with `data:`.
    NoDataPrefix,
}

/// Line ends that server-sent events may have besides LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnds {
    /// `crlf`.
    Crlf,
    /// `cr`.
    Cr,
}

impl Fault {
    /// The length of an answer with it.
    pub(crate) fn changed(self, length: AnswerLength) -> AnswerLength {
        let AnswerLength { tokens, finish } = length;
        match self {
            Self::Endless => AnswerLength {
                tokens: u32::MAX,
                finish,
            },
            Self::ExtraTokens(n) => AnswerLength {
                tokens: tokens.saturating_add(n),
                finish,
            },
            // The end token comes behind the others.
            Self::EarlyStop(n) if n < length.visible() => AnswerLength {
                tokens: n + 1,
                finish: Finish::Stop,
            },
            _ => length,
        }
    }

    /// It changes the lines of the stream's events.
    pub(crate) fn alters_lines(self) -> bool {
        matches!(
            self,
            Self::Malformed(_) | Self::LineEnds(_) | Self::Comments | Self::Pings
        )
    }
}
