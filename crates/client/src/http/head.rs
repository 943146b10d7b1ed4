//! The head of a response: the facts the client needs, and how its body is delimited (RFC 9112,
//! 6.3). The syntax is httparse's; folded lines and space before a colon are refused there.

use super::HttpError;
use crate::limits::{MAX_HEADERS, MAX_INTERIM_RESPONSES};
use httparse::{EMPTY_HEADER, Response, Status};
use infermeter_core::record::ServerTimes;
use infermeter_core::text::inert_bytes;

/// Longest header value kept, bytes.
const MAX_VALUE: usize = 200;

/// Facts of a response head. Texts are inert and cut to 200 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// `content-type`.
    pub content_type: Option<String>,
    /// `content-encoding`, unless `identity`.
    pub content_encoding: Option<String>,
    /// `server`.
    pub server: Option<String>,
    /// `location`.
    pub location: Option<String>,
    /// `retry-after`.
    pub retry_after: Option<String>,
    /// `timeout` of `keep-alive`, seconds: idle time after which the server closes.
    pub keep_alive_timeout_s: Option<u32>,
    /// `openai-processing-ms`: how long the server says that it took up to here, nanoseconds.
    pub processing_ns: Option<i64>,
    /// The server means to keep the connection after this response.
    pub persistent: bool,
}

/// What a body is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `text/event-stream`.
    EventStream,
    /// `application/json` or a `+json` type.
    Json,
    /// `text/plain`, or nothing said: a server or a way that does not know what it carries.
    Unsaid,
    /// Anything else.
    Other,
}

impl Head {
    /// The kind of body, parameters ignored.
    pub fn media_type(&self) -> MediaType {
        let stated = self.content_type.as_deref().unwrap_or_default();
        let essence = stated.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        match essence.as_str() {
            "text/event-stream" => MediaType::EventStream,
            "application/json" => MediaType::Json,
            "" | "text/plain" => MediaType::Unsaid,
            other if other.ends_with("+json") => MediaType::Json,
            _ => MediaType::Other,
        }
    }
}

/// How the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

pub(super) struct Parsed {
    pub(super) used: usize,
    pub(super) head: Head,
    pub(super) framing: Framing,
}

/// Parses a head at the start of `bytes`; `None` when it is incomplete.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Parsed>, HttpError> {
    // An alert (21) or a handshake (22) of SSL 3 or later: no status line begins so.
    if let [0x15 | 0x16, 0x03, ..] = bytes {
        return Err(HttpError::Tls);
    }
    let mut fields = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut fields);
    let used = match response.parse(bytes) {
        Ok(Status::Complete(used)) => used,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HttpError::TooManyHeaders),
        Err(error) => return Err(HttpError::Head(error.to_string())),
    };
    let status = response.code.unwrap_or_default();
    let mut facts = Facts::default();
    for field in response.headers.iter() {
        facts.note(field.name, field.value)?;
    }
    let old = response.version == Some(0);
    let framing = facts.framing(status)?;
    let mut head = facts.head;
    head.status = status;
    // RFC 9112, 6.1 and 6.3: both length fields at once, or a transfer coding in HTTP/1.0, may
    // be an attempt at smuggling: readable, but the connection ends with the response.
    let doubtful = facts.chunked && (old || facts.length.is_some());
    head.persistent =
        !facts.close && (!old || facts.keep_alive) && framing != Framing::UntilClose && !doubtful;
    Ok(Some(Parsed {
        used,
        head,
        framing,
    }))
}

#[derive(Default)]
struct Facts {
    head: Head,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Facts {
    fn note(&mut self, name: &str, value: &[u8]) -> Result<(), HttpError> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let text = || Some(inert_bytes(value, MAX_VALUE));
        if is("content-length") {
            if self.length.is_some() {
                return Err(HttpError::Framing("content-length is given twice"));
            }
            self.length = Some(content_length(value)?);
        } else if is("transfer-encoding") {
            if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(HttpError::TransferCoding(inert_bytes(value, MAX_VALUE)));
            }
            self.chunked = true;
        } else if is("connection") {
            for option in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        } else if is("keep-alive") {
            self.head.keep_alive_timeout_s = keep_alive_timeout(value);
        } else if is("content-type") {
            self.head.content_type = text();
        } else if is("content-encoding") {
            if !value.trim_ascii().eq_ignore_ascii_case(b"identity") {
                self.head.content_encoding = text();
            }
        } else if is("server") {
            self.head.server = text();
        } else if is("location") {
            self.head.location = text();
        } else if is("retry-after") {
            self.head.retry_after = text();
        } else if is("openai-processing-ms") {
            self.head.processing_ns = milliseconds(value);
        }
        Ok(())
    }

    fn framing(&self, status: u16) -> Result<Framing, HttpError> {
        Ok(match status {
            101 => return Err(HttpError::Framing("the server switched protocols unasked")),
            0..100 => return Err(HttpError::Framing("the status code is below 100")),
            100..200 | 204 | 304 => Framing::Length(0),
            _ if self.chunked => Framing::Chunked,
            _ => self.length.map_or(Framing::UntilClose, Framing::Length),
        })
    }
}

/// Digits and nothing else: signs, spaces inside and lists are refused.
fn content_length(value: &[u8]) -> Result<u64, HttpError> {
    let digits = value.trim_ascii();
    let bad = HttpError::Framing("content-length is not a number");
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(bad);
    }
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(bad)
}

/// A time in milliseconds, as nanoseconds; `None` where it is none.
fn milliseconds(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    ServerTimes::of_ms(text.trim().parse().ok()?)
}

fn keep_alive_timeout(value: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(value).ok()?;
    text.split(',').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("timeout")
            .then(|| value.trim().parse().ok())?
    })
}

/// The beginning of a response whose body is of no interest.
pub(crate) struct StatusLine {
    /// Bytes of the head.
    pub(crate) used: usize,
    pub(crate) status: u16,
    /// What stands behind the status, inert.
    pub(crate) said: String,
}

/// The head of a response at the start of `bytes`, its framing unread; `None` when it is incomplete.
pub(crate) fn status_line(bytes: &[u8]) -> Result<Option<StatusLine>, HttpError> {
    let mut fields = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut fields);
    match response.parse(bytes) {
        Ok(Status::Complete(used)) => Ok(Some(StatusLine {
            used,
            status: response.code.unwrap_or_default(),
            said: inert_bytes(response.reason.unwrap_or_default().as_bytes(), MAX_VALUE),
        })),
        Ok(Status::Partial) => Ok(None),
        Err(error) => Err(HttpError::Head(error.to_string())),
    }
}

/// All header fields of the final response at the start of `bytes`, inert; none where it is not whole.
pub(crate) fn fields(mut bytes: &[u8]) -> Vec<(String, String)> {
    for _ in 0..=MAX_INTERIM_RESPONSES {
        let mut fields = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = Response::new(&mut fields);
        let Ok(Status::Complete(used)) = response.parse(bytes) else {
            return Vec::new();
        };
        if response.code.unwrap_or_default() < 200 {
            bytes = bytes.get(used..).unwrap_or_default();
            continue;
        }
        let inert = |field: &httparse::Header<'_>| {
            let name = field.name.to_ascii_lowercase();
            (name, inert_bytes(field.value, MAX_VALUE))
        };
        return response.headers.iter().map(inert).collect();
    }
    Vec::new()
}
