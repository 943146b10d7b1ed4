//! A message of OTLP traces, whatever its form: the few facts of each span that are used.
//!
//! Sans-IO: bytes in, spans or an error out. Invariant: a span holds what its message says and nothing else;
//! attributes are read and dropped, so that a message costs little more memory than its bytes.

use super::names::Told;
use infermeter_core::spans::SpanId;

/// Most spans that are kept of one message; exporters send 512 by default.
pub(super) const MAX_SPANS_PER_MESSAGE: usize = 16_384;

/// Longest name of a span that is kept, bytes.
pub(super) const MAX_NAME: usize = 120;

/// Why bytes are no OTLP traces.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OtlpError {
    /// They are no protobuf.
    #[error("not a protobuf message of OTLP traces: {0}")]
    Protobuf(&'static str),
    /// They are no JSON, or not of OTLP's form.
    #[error("not OTLP traces as JSON: {0}")]
    Json(String),
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Protobuf,
    Json,
}

impl Form {
    /// That of a `content-type`; parameters behind it mean nothing here.
    pub(super) fn of(content_type: Option<&str>) -> Option<Self> {
        let kind = content_type?.split(';').next()?.trim();
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        if is("application/x-protobuf") || is("application/protobuf") {
            return Some(Self::Protobuf);
        }
        is("application/json").then_some(Self::Json)
    }

    /// The `content-type` of an answer to it.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// One span.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct WireSpan {
    /// Absent where it has no 16 bytes, or only zeros.
    pub trace: Option<[u8; 16]>,
    /// Absent where it has no 8 bytes, or only zeros.
    pub span: Option<SpanId>,
    /// Made inert.
    pub name: String,
    /// From its start to its end, nanoseconds; absent without both.
    pub lasted_ns: Option<i64>,
    /// What its attributes tell.
    pub told: Told,
}

/// The spans of one message.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Export {
    /// In their order.
    pub spans: Vec<WireSpan>,
    /// Spans beyond [`MAX_SPANS_PER_MESSAGE`].
    pub more: u64,
}

impl Export {
    /// There is room for no more spans.
    pub(super) fn is_full(&self) -> bool {
        self.spans.len() >= MAX_SPANS_PER_MESSAGE
    }

    /// Adds a span, while there is room.
    pub(super) fn push(&mut self, span: WireSpan) {
        match self.is_full() {
            true => self.more += 1,
            false => self.spans.push(span),
        }
    }
}

/// An id of N bytes that is not all zeros.
pub(super) fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let id: [u8; N] = bytes.try_into().ok()?;
    (id != [0; N]).then_some(id)
}

/// From a start to an end in nanoseconds of one clock; absent without either, and backwards.
pub(super) fn lasted(start_ns: u64, end_ns: u64) -> Option<i64> {
    let lasted = end_ns.checked_sub(start_ns)?;
    let both = start_ns > 0 && end_ns > 0;
    i64::try_from(lasted).ok().filter(|_| both)
}
