//! What the proxy saw of one request: both sides of it, as facts.
//!
//! It computes no metric and reads no dialect: pieces are bytes with their instants. Invariant: no value of a
//! header that may carry a key is in here, and what was not kept says so instead of looking empty.

use crate::held::Held;
use bytes::Bytes;
use infermeter_core::clock::Offset;
use infermeter_core::record::StampSource;
use std::net::SocketAddr;

/// One request that has ended on every side that it had. Instants are offsets of [`Settings::clock`].
///
/// [`Settings::clock`]: crate::Settings::clock
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Number in the order in which requests' heads were complete, from 0.
    pub number: u64,
    /// When the read that held its first byte arrived.
    pub first_byte_in: Offset,
    /// When its last byte arrived; absent where the upload did not end.
    pub last_byte_in: Option<Offset>,
    /// Whose stamps those are.
    pub stamp_source: StampSource,
    /// The method.
    pub method: String,
    /// The path as the user asked for it, without the query: queries carry keys.
    pub path: String,
    /// Headers that are kept ([`Settings::keep_headers`](crate::Settings::keep_headers)), names in lower case.
    pub headers: Vec<Header>,
    /// The body as the user sent it.
    pub body: Body,
    /// What the primary answered.
    pub primary: Side,
    /// What the shadow answered; absent where the request was not sent to it.
    pub shadow: Option<Side>,
    /// Why it was not sent to the shadow although the share chose it; absent where it was sent or not chosen.
    pub withheld: Option<Withheld>,
}

/// A header that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// In lower case.
    pub name: String,
    /// As it came; what is no text is replaced.
    pub value: String,
}

/// A request's body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// Bytes that came.
    pub len: u64,
    /// All of them; absent where they pass a limit, or the upload did not end.
    pub bytes: Option<Bytes>,
    /// The room that they take.
    pub held: Held,
}

/// One upstream's side of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Where it was sent; absent where no connection came about.
    pub address: Option<SocketAddr>,
    /// Number of the connection to that upstream, unique for a proxy; absent where none came about.
    pub connection: Option<u32>,
    /// The connection was opened for this request.
    pub new_connection: bool,
    /// Just before connecting or writing.
    pub begun: Offset,
    /// The TCP connection was up (new connections only).
    pub connected: Option<Offset>,
    /// The TLS session was up (new connections with TLS only).
    pub tls_done: Option<Offset>,
    /// The write call that held the request's first byte returned.
    pub sent_first: Option<Offset>,
    /// The last write call of the request returned.
    pub sent_last: Option<Offset>,
    /// The read that held the answer's first byte.
    pub head: Option<Stamp>,
    /// The status.
    pub status: Option<u16>,
    /// Headers that are kept, names in lower case.
    pub headers: Vec<Header>,
    /// The body as it came, undone of its transfer coding; empty where `kept` is false.
    pub pieces: Vec<Piece>,
    /// All pieces are there, as far as the answer went.
    pub kept: bool,
    /// The room that the pieces take.
    pub held: Held,
    /// Bytes of the body that came, kept or not.
    pub body_len: u64,
    /// Instant of the last byte of the answer's body, or of the failure.
    pub closed: Offset,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, in words; absent where nothing did.
    pub problem: Option<String>,
}

/// A part of an answer's body as one read of the socket brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// When it came.
    pub stamp: Stamp,
    /// The write call that handed its last byte to the user returned; absent on the shadow's side, and where the user
    /// was gone before.
    pub written: Option<Offset>,
    /// The bytes.
    pub bytes: Bytes,
}

/// Instants of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When its last byte arrived: the kernel's stamp, or else the program's.
    pub at: Offset,
    /// When the program had the bytes.
    pub seen: Offset,
    /// The latest instant before it at which the socket was known to be empty.
    pub lower: Offset,
    /// Whose stamp `at` is.
    pub source: StampSource,
}

/// How one side of a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The whole answer came (and, on the primary's side, was handed to the user's connection).
    Complete,
    /// The user went away before the end.
    ClientGone,
    /// The user's body passed the limit; nothing, or not all of it, was sent.
    RequestTooLarge,
    /// The user's upload, or the reading of the answer, was slower than allowed.
    ClientTooSlow,
    /// No connection, or no TLS session, came about.
    ConnectFailed,
    /// The connection ended before an answer's head had come.
    ClosedBeforeAnswer,
    /// The connection ended within the answer.
    CutWithinAnswer,
    /// What came is not HTTP/1.1, or in a transfer coding other than `chunked`.
    BadAnswer,
    /// The upstream was slower than allowed: connecting, until the head, or between two pieces.
    UpstreamTooSlow,
    /// The drain's time was over.
    Drained,
}

/// Why a request that the share chose was not sent to the shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Withheld {
    /// The circuit breaker was open.
    BreakerOpen,
    /// The rate was used up.
    Rate,
    /// So many were in flight already.
    InFlight,
    /// So many bytes were kept already.
    Bytes,
    /// The body was longer than is kept.
    BodyTooLong,
    /// The body's model could not be rewritten: it is no JSON object with a `model`.
    NotRewritable,
    /// The upload did not end.
    UploadCut,
    /// The proxy was draining.
    Draining,
}
