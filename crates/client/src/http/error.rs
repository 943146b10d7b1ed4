//! Why a response cannot be decoded, and the reason code that a record gets for it.

use crate::limits::{MAX_CHUNK_EXTENSION, MAX_HEADERS, MAX_INTERIM_RESPONSES};
use infermeter_core::record::Reason;

/// Why a response cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The status line or a header field is malformed.
    #[error("malformed response head: {0}")]
    Head(String),
    /// A TLS record came instead.
    #[error("the answer is a TLS record: the port speaks TLS; write https:// instead of http://")]
    Tls,
    /// The head tells contradictory or unusable things about the body's length.
    #[error("unusable framing: {0}")]
    Framing(&'static str),
    /// A transfer coding other than `chunked`.
    #[error("transfer coding `{0}` is not supported")]
    TransferCoding(String),
    /// A chunk of the body is malformed.
    #[error("malformed chunked body: {0}")]
    Chunk(&'static str),
    /// The head (or the trailer section) is too long.
    #[error("response head or trailers over {0} bytes")]
    HeadTooLong(usize),
    /// The head has too many fields.
    #[error("response head with more than {MAX_HEADERS} fields")]
    TooManyHeaders,
    /// Too many 1xx responses.
    #[error("more than {MAX_INTERIM_RESPONSES} interim responses")]
    TooManyInterim,
    /// A chunk-size line is too long.
    #[error("chunk extension over {MAX_CHUNK_EXTENSION} bytes")]
    ExtensionTooLong,
    /// The body is too long.
    #[error("response body over {0} bytes")]
    BodyTooLong(u64),
    /// The connection was closed before the head was complete.
    #[error("connection closed before the response's head was complete")]
    EofInHead,
    /// The connection was closed before the body was complete.
    #[error("connection closed before the response's body was complete")]
    EofInBody,
}

impl HttpError {
    /// The reason code of a request that fails so.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Head(_)
            | Self::Tls
            | Self::Framing(_)
            | Self::TransferCoding(_)
            | Self::Chunk(_) => Reason::HttpProtocol,
            Self::HeadTooLong(_)
            | Self::TooManyHeaders
            | Self::TooManyInterim
            | Self::ExtensionTooLong
            | Self::BodyTooLong(_) => Reason::LimitExceeded,
            Self::EofInHead => Reason::Disconnected,
            Self::EofInBody => Reason::Truncated,
        }
    }
}
