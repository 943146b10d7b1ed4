//! What happened to one request: facts only (instants, bytes, status, usage), no metric.

use crate::answer::AnswerFacts;
use crate::clock::Offset;
use crate::oddity::{Oddities, Oddity};
use crate::request::{ClassIndex, RequestId, Turn};
use crate::schedule::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a request ended. Every scheduled request has exactly one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer ended as the protocol says, with at least one token; or the server says that it has none.
    Completed,
    /// It ended otherwise; [`RequestRecord::error`] says why.
    Failed,
    /// A time-out of the plan fired.
    TimedOut,
    /// Ended by us: still in flight when the drain ended, at an interrupt, or when the run was killed.
    Cancelled,
    /// Scheduled, never sent (interrupt).
    NotSent,
}

impl Outcome {
    /// All outcomes, in the order of printing.
    pub const ALL: [Self; 5] = [
        Self::Completed,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::NotSent,
    ];

    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::NotSent => "not_sent",
        }
    }
}

/// Why a request did not complete: the documented reason codes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The connection could not be opened.
    ConnectFailed,
    /// No connection was tried: earlier ones had just failed, and the next was not due yet.
    ConnectBackoff,
    /// TLS could not be set up.
    TlsFailed,
    /// Opening the connection took longer than `--connect-timeout`.
    ConnectTimeout,
    /// A reused connection was closed before any response byte.
    StaleConnection,
    /// The connection was reset or closed before the response ended.
    Disconnected,
    /// The response's HTTP framing is malformed.
    HttpProtocol,
    /// A status other than 200.
    HttpStatus,
    /// The answer is not of the asked kind (JSON or HTML instead of an event stream, say).
    UnexpectedContent,
    /// An event of the stream is not what the dialect says.
    MalformedEvent,
    /// An error object inside a stream that had started with status 200.
    InBandError,
    /// The stream ended properly without a single token, and nothing says that the answer has none.
    NoTokens,
    /// The server gave the answer up (`finish_reason` `abort`, `error` and the like).
    Aborted,
    /// The stream ended before the end of its body or without a finish.
    Truncated,
    /// A limit on what a server may send was reached.
    LimitExceeded,
    /// No first token within `--first-token-timeout`.
    FirstTokenTimeout,
    /// No bytes for `--idle-timeout`.
    IdleTimeout,
    /// The whole request took longer than `--timeout`.
    RequestTimeout,
    /// Still in flight when the drain ended.
    DrainEnded,
    /// Stopped by a signal.
    Interrupted,
    /// An earlier turn of its session failed.
    SessionEnded,
    /// The run was killed before it ended: what came of it is not known.
    RunKilled,
    /// A resource of the client was missing (file descriptors, memory). A network that does not lead to the server
    /// is [`Reason::ConnectFailed`].
    LocalResource,
    /// It was imported, and its file does not say in words of ours why it failed.
    Imported,
    /// Of a load that a proxy saw: the user went away before the answer had ended, or was too slow to take it.
    UserGone,
    /// No source address of the client had a local port left for one more connection to the server. (Records of
    /// older versions call it [`Reason::LocalResource`].)
    PortsExhausted,
}

impl Reason {
    /// Every reason, each at the place of its number.
    pub const ALL: [Self; 26] = [
        Self::ConnectFailed,
        Self::ConnectBackoff,
        Self::TlsFailed,
        Self::ConnectTimeout,
        Self::StaleConnection,
        Self::Disconnected,
        Self::HttpProtocol,
        Self::HttpStatus,
        Self::UnexpectedContent,
        Self::MalformedEvent,
        Self::InBandError,
        Self::NoTokens,
        Self::Aborted,
        Self::Truncated,
        Self::LimitExceeded,
        Self::FirstTokenTimeout,
        Self::IdleTimeout,
        Self::RequestTimeout,
        Self::DrainEnded,
        Self::Interrupted,
        Self::SessionEnded,
        Self::RunKilled,
        Self::LocalResource,
        Self::Imported,
        Self::UserGone,
        Self::PortsExhausted,
    ];

    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectFailed => "connect_failed",
            Self::ConnectBackoff => "connect_backoff",
            Self::TlsFailed => "tls_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::StaleConnection => "stale_connection",
            Self::Disconnected => "disconnected",
            Self::HttpProtocol => "http_protocol",
            Self::HttpStatus => "http_status",
            Self::UnexpectedContent => "unexpected_content",
            Self::MalformedEvent => "malformed_event",
            Self::InBandError => "in_band_error",
            Self::NoTokens => "no_tokens",
            Self::Aborted => "aborted",
            Self::Truncated => "truncated",
            Self::LimitExceeded => "limit_exceeded",
            Self::FirstTokenTimeout => "first_token_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::RequestTimeout => "request_timeout",
            Self::DrainEnded => "drain_ended",
            Self::Interrupted => "interrupted",
            Self::SessionEnded => "session_ended",
            Self::RunKilled => "run_killed",
            Self::LocalResource => "local_resource",
            Self::Imported => "imported",
            Self::UserGone => "user_gone",
            Self::PortsExhausted => "ports_exhausted",
        }
    }

    /// The reason with this name in files.
    pub fn parse(name: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
    }
}

/// Why a request did not complete, with the detail that helps to act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestError {
    /// The reason code.
    pub reason: Reason,
    /// Detail, made inert with [`crate::text::inert`]; at most [`MAX_ERROR_TEXT`] bytes.
    pub text: String,
}

/// Longest error text kept, bytes.
pub const MAX_ERROR_TEXT: usize = 1024;

/// What a chunk carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ChunkKind {
    /// Visible text (or tokens whose text is still incomplete).
    Text = 0,
    /// Reasoning text.
    Reasoning = 1,
    /// A tool call.
    ToolCall = 2,
    /// A refusal.
    Refusal = 3,
}

impl ChunkKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Text, Self::Reasoning, Self::ToolCall, Self::Refusal];

    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Reasoning => "reasoning",
            Self::ToolCall => "tool_call",
            Self::Refusal => "refusal",
        }
    }

    /// The kind stored as this number.
    pub fn from_u8(n: u8) -> Option<Self> {
        Self::ALL.get(usize::from(n)).copied()
    }
}

/// Where the numbers of tokens per chunk come from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// Differences of continuous usage.
    ContinuousUsage,
    /// Token ids or log probabilities in each event.
    TokenIds,
    /// Final usage equals the number of chunks: one token each.
    OnePerChunk,
    /// Each chunk's text counted by the tokenizer after the run; the sum equals usage.
    Tokenizer,
    /// The server says nothing about tokens: the answer's text counted by the tokenizer after the run
    /// ([`RequestRecord::estimated_output_tokens`]). Tokens per chunk are unknown.
    Estimated,
    /// Tokens per chunk are unknown.
    Unknown,
}

impl TokenSource {
    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContinuousUsage => "continuous_usage",
            Self::TokenIds => "token_ids",
            Self::OnePerChunk => "one_per_chunk",
            Self::Tokenizer => "tokenizer",
            Self::Estimated => "estimated",
            Self::Unknown => "unknown",
        }
    }

    /// The source with this name in files.
    pub fn parse(name: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
    }
}

/// Whose stamps a record's receive instants are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StampSource {
    /// The kernel's, for every read of this response.
    Kernel,
    /// The program's, for at least one read of this response.
    Program,
    /// Another tool's: the record was made from its file. How far they are off nobody knows.
    Imported,
}

impl StampSource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kernel, Self::Program, Self::Imported];
}

impl StampSource {
    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Program => "program",
            Self::Imported => "imported",
        }
    }
}

/// One dispatched event that carries generated output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Instant of the read that completed the event: the kernel's stamp (or the program's, see
    /// [`StampSource`]).
    pub at: Offset,
    /// When the program had read those bytes.
    pub seen: Offset,
    /// The earliest the completing byte can have arrived; equal to `at` when it is the last byte
    /// of its read. `at - lower` is the width of the interval that censors the instant.
    pub lower: Offset,
    /// Tokens in this chunk; [`Chunk::TOKENS_UNKNOWN`] until a source settles it.
    pub tokens: u32,
    /// Index of the read, within the response, that completed the event.
    pub read: u32,
    /// What it carries.
    pub kind: ChunkKind,
}

impl Chunk {
    /// Marks an unknown number of tokens.
    pub const TOKENS_UNKNOWN: u32 = u32::MAX;

    /// Tokens in this chunk, where known.
    pub fn token_count(&self) -> Option<u32> {
        (self.tokens != Self::TOKENS_UNKNOWN).then_some(self.tokens)
    }
}

/// The decoded text of each chunk of one response, concatenated: chunk `i` is
/// `bytes[ends[i-1]..ends[i]]`, UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChunkTexts {
    /// All texts, one after the other.
    pub bytes: Vec<u8>,
    /// End of each chunk's text in `bytes`.
    pub ends: Vec<u32>,
}

impl ChunkTexts {
    /// Text of chunk `i`; empty when there is none.
    pub fn get(&self, i: usize) -> &str {
        let start = if i == 0 {
            0
        } else {
            self.ends.get(i - 1).map_or(0, |e| *e as usize)
        };
        let end = self.ends.get(i).map_or(start, |e| *e as usize);
        self.bytes
            .get(start..end)
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or("")
    }
}

/// What the server says of its own time for one request, nanoseconds. `None` where it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerTimes {
    /// In its queue.
    pub queue_ns: Option<i64>,
    /// From there to the first token.
    pub prefill_ns: Option<i64>,
    /// From the first token to the last.
    pub decode_ns: Option<i64>,
    /// What the header `openai-processing-ms` says: up to the head of the response, of an answer in one piece up to
    /// all of it.
    pub processing_ns: Option<i64>,
}

impl ServerTimes {
    /// Longest time that is believed: more than any time-out of a request.
    pub const LONGEST_NS: i64 = 7 * 24 * 3_600 * 1_000_000_000;

    /// It says anything.
    pub fn is_told(&self) -> bool {
        *self != Self::default()
    }

    /// A time in milliseconds; `None` where it is none that could be believed.
    pub fn of_ms(ms: f64) -> Option<i64> {
        let ns = (ms * 1e6).round();
        (0.0..=Self::LONGEST_NS as f64)
            .contains(&ns)
            .then_some(ns as i64)
    }
}

/// Everything known about one scheduled request. `None` where a fact does not exist.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRecord {
    /// Number in schedule order.
    pub id: RequestId,
    /// Workload class.
    pub class: ClassIndex,
    /// Place in a session.
    pub turn: Option<Turn>,
    /// The request whose answer this one waited for: `intended` rests on it.
    pub parent: Option<RequestId>,
    /// The instant that a trace has for a request that waited; `intended` is never before it.
    pub planned: Option<Offset>,
    /// Phase of `intended`.
    pub phase: Phase,
    /// When it was due.
    pub intended: Offset,
    /// Read just before connecting or writing; absent where neither was tried.
    pub send_start: Option<Offset>,
    /// The TCP connection was up (new connections only).
    pub connected: Option<Offset>,
    /// The TLS session was up (new https connections only).
    pub tls_done: Option<Offset>,
    /// The last write call returned.
    pub sent: Option<Offset>,
    /// The kernel handed the request's last byte to the network device (`--audit-send` alone).
    pub left: Option<Offset>,
    /// The read that held the first response byte.
    pub first_byte: Option<Offset>,
    /// When the program had that read.
    pub first_byte_seen: Option<Offset>,
    /// Instant of the last chunk.
    pub finished: Option<Offset>,
    /// Instant of the last byte of the response (usage, `[DONE]`, end of body), or of the failure; where a
    /// body did not end behind its end mark, when that was given up.
    pub closed: Option<Offset>,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status.
    pub status: Option<u16>,
    /// Why it did not complete.
    pub error: Option<RequestError>,
    /// `finish_reason` as the server gave it, made inert.
    pub finish_reason: Option<String>,
    /// Tokens of the prompt's text as generated.
    pub requested_prompt_tokens: u32,
    /// Output tokens asked for.
    pub requested_output_tokens: u32,
    /// `usage.prompt_tokens`.
    pub prompt_tokens: Option<u32>,
    /// `usage.completion_tokens`.
    pub output_tokens: Option<u32>,
    /// `usage.prompt_tokens_details.cached_tokens`.
    pub cached_tokens: Option<u32>,
    /// `usage.completion_tokens_details.reasoning_tokens`.
    pub reasoning_tokens: Option<u32>,
    /// Tokens of the answer's whole text by the plan's tokenizer, counted after the run; `None` where
    /// nothing asked for it.
    pub text_tokens: Option<u32>,
    /// Chunks whose text is that of the chunk before; `None` where nothing asked for it.
    pub repeated_chunks: Option<u32>,
    /// Output tokens by the tokenizer, where the server gives no count ([`TokenSource::Estimated`]).
    pub estimated_output_tokens: Option<u32>,
    /// Source of the token counts; `None` when there are no chunks and no estimate.
    pub token_source: Option<TokenSource>,
    /// Where it was sent: its place among the run's addresses. `None` when it was sent nowhere, and in records
    /// from before there could be several.
    pub address: Option<u32>,
    /// Which of several clients that share the load sent it: the index of its slice. `None` where one client has
    /// all of it.
    pub client: Option<u32>,
    /// Number of the connection, unique among those of its client.
    pub connection: Option<u32>,
    /// The connection was opened for this request.
    pub new_connection: Option<bool>,
    /// Times the request was written to a socket (0 when never sent).
    pub attempts: u8,
    /// Whose stamps the receive instants are; `None` when nothing was received.
    pub stamp_source: Option<StampSource>,
    /// What was unusual about the answer.
    pub oddities: Oddities,
    /// Members of the deltas that hold something and are not understood: the first few names, inert,
    /// with commas between.
    pub unknown_members: Option<String>,
    /// Texts to embed, or documents to rank, that the request holds.
    pub items: Option<u32>,
    /// Numbers of each embedding that came, where they are equally many.
    pub dimensions: Option<u32>,
    /// What the server says of its own time.
    pub server_times: ServerTimes,
    /// What was found of the answer, after the run; absent where it was not checked. Not in the journal.
    pub answer: Option<Box<AnswerFacts>>,
    /// Chunks in order of arrival.
    pub chunks: Vec<Chunk>,
    /// Their texts, while still needed (token counting after the run, `--save-responses`).
    pub texts: Option<ChunkTexts>,
}

impl RequestRecord {
    /// A record of a request that has not been sent.
    pub fn unsent(
        id: RequestId,
        class: ClassIndex,
        phase: Phase,
        intended: Offset,
        requested_prompt_tokens: u32,
        requested_output_tokens: u32,
    ) -> Self {
        Self {
            id,
            class,
            turn: None,
            parent: None,
            planned: None,
            phase,
            intended,
            send_start: None,
            connected: None,
            tls_done: None,
            sent: None,
            left: None,
            first_byte: None,
            first_byte_seen: None,
            finished: None,
            closed: None,
            outcome: Outcome::NotSent,
            status: None,
            error: None,
            finish_reason: None,
            requested_prompt_tokens,
            requested_output_tokens,
            prompt_tokens: None,
            output_tokens: None,
            cached_tokens: None,
            reasoning_tokens: None,
            text_tokens: None,
            repeated_chunks: None,
            estimated_output_tokens: None,
            token_source: None,
            address: None,
            client: None,
            connection: None,
            new_connection: None,
            attempts: 0,
            stamp_source: None,
            oddities: Oddities::default(),
            unknown_members: None,
            items: None,
            dimensions: None,
            server_times: ServerTimes::default(),
            answer: None,
            chunks: Vec::new(),
            texts: None,
        }
    }

    /// Its chunks are the first and the last alone: what came between is not known.
    pub fn knows_ends_alone(&self) -> bool {
        self.oddities.contains(Oddity::EndsAlone)
    }

    /// Sum of the chunks' tokens, where every chunk's count is known and there is a chunk.
    pub fn chunk_token_sum(&self) -> Option<u64> {
        if self.chunks.is_empty() {
            return None;
        }
        self.chunks
            .iter()
            .map(|c| c.token_count().map(u64::from))
            .sum()
    }

    /// Output tokens: the server's usage where given, else the sum over chunks, else the tokenizer's
    /// estimate.
    pub fn output_token_count(&self) -> Option<u64> {
        self.output_tokens
            .map(u64::from)
            .or_else(|| self.chunk_token_sum())
            .or(self.estimated_output_tokens.map(u64::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_files_round_trip() {
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
            assert_eq!(reason as usize, place);
        }
        assert_eq!(
            TokenSource::parse("one_per_chunk"),
            Some(TokenSource::OnePerChunk)
        );
        assert_eq!(Reason::parse("nonsense"), None);
    }

    #[test]
    fn chunk_texts_are_slices_of_one_buffer() {
        let texts = ChunkTexts {
            bytes: b"ab cd".to_vec(),
            ends: vec![2, 2, 5],
        };
        assert_eq!(
            [texts.get(0), texts.get(1), texts.get(2), texts.get(3)],
            ["ab", "", " cd", ""]
        );
    }
}
