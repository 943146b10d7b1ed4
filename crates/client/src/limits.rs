//! Limits on what a server may send: one table, so that nothing it answers can exhaust the
//! client. Reaching one ends the response with [`Reason::LimitExceeded`].
//!
//! It enforces nothing itself; the decoders do.
//!
//! [`Reason::LimitExceeded`]: infermeter_core::record::Reason::LimitExceeded

/// Bounds on one response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one response head, and of one chunked trailer section.
    pub head_bytes: usize,
    /// Body bytes of a streamed response.
    pub body_bytes: u64,
    /// Body bytes of an answer that is not streamed (it is held in memory until it ends).
    pub whole_body_bytes: u64,
    /// Bytes of one server-sent event, and of one of its lines.
    pub event_bytes: usize,
    /// Chunks of one response, whatever was asked for.
    pub chunks: usize,
    /// Body bytes kept of a response with a status other than 200.
    pub error_body_bytes: usize,
}

impl Limits {
    /// Far above what inference servers send, far below what hurts.
    pub const DEFAULT: Self = Self {
        head_bytes: 64 << 10,
        body_bytes: 256 << 20,
        whole_body_bytes: 64 << 20,
        event_bytes: 4 << 20,
        chunks: 4_000_000,
        error_body_bytes: 64 << 10,
    };
}

/// Least bounds on what is kept of one response: few tokens asked for do not make a long answer, or the
/// refusal of a request, suspicious.
pub(crate) const LEAST_CHUNKS: usize = 32 << 10;
/// See [`LEAST_CHUNKS`]: bytes of text, and of a body that is not streamed.
pub(crate) const LEAST_KEPT_BYTES: usize = 1 << 20;
/// Chunks per token asked for. One each is the most that makes sense; servers count in other ways.
pub(crate) const CHUNKS_PER_TOKEN: usize = 16;
/// Bytes of text, or of a body that is not streamed, per token asked for: log probabilities of twenty
/// candidates take some 2 KiB.
pub(crate) const KEPT_BYTES_PER_TOKEN: usize = 4 << 10;

/// Bytes of a body per text embedded or document ranked: 8,192 numbers of full length take some 180 KiB, and
/// servers send documents back.
pub(crate) const BODY_BYTES_PER_ITEM: u64 = 256 << 10;
/// Bytes kept of the beginning of a list of numbers: an error is shorter.
pub(crate) const KEPT_OF_LIST: usize = 8 << 10;

/// How long a body may go on behind the answer's end mark (usage may stand there).
pub(crate) const BODY_END_NS: i64 = 1_000_000_000;

/// Most header fields of one response head.
pub(crate) const MAX_HEADERS: usize = 100;

/// Most 1xx responses before the final one.
pub(crate) const MAX_INTERIM_RESPONSES: u32 = 16;

/// Most bytes of one chunk-size line after its digits (extensions).
pub(crate) const MAX_CHUNK_EXTENSION: u32 = 4 << 10;

/// Deepest nesting of JSON that is followed: beyond what serde_json follows (128), within what the walk's
/// recursion may take of a thread's stack.
pub(crate) const MAX_JSON_DEPTH: u8 = 200;

/// Most chunks for which memory is reserved ahead; more grow it as they come.
pub(crate) const MAX_RESERVED_CHUNKS: usize = 16 << 10;

/// Body bytes quoted when an answer is not of the asked kind.
pub(crate) const QUOTED_BYTES: usize = 200;

/// Bytes that a gathering buffer keeps from one response to the next: one oversized answer does
/// not cost its size for the rest of the run.
pub(crate) const KEPT_BUFFER: usize = 64 << 10;
