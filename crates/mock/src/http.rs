//! Requests out of bytes: an incremental HTTP/1.1 decoder (RFC 9112) without any IO.
//!
//! Feed it the connection's input buffer; it takes what it understands and leaves the rest (the
//! beginning of a pipelined request) in place. It does not judge what is asked for.
//!
//! Invariant: memory is bounded by [`MAX_HEAD`] and [`MAX_BODY`], time by the bytes received (a
//! head that arrives byte by byte is not parsed again and again).

mod chunked;

use chunked::ChunkDecoder;
use infermeter_core::spans::TraceParent;

/// Longest request head, bytes.
pub const MAX_HEAD: usize = 64 << 10;

/// Longest request body, bytes.
pub const MAX_BODY: usize = 64 << 20;

/// Most header fields of one request.
const MAX_HEADERS: usize = 128;

/// Longest header value that is kept (request id, key, fault), bytes.
const MAX_KEPT_VALUE: usize = 512;

/// Why bytes are no acceptable request. The connection cannot be used further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpError {
    /// Not HTTP.
    #[error("malformed request: {0}")]
    Malformed(String),
    /// The head passes its limit.
    #[error("request head longer than {MAX_HEAD} bytes")]
    HeadTooLong,
    /// The body passes its limit.
    #[error("request body longer than {MAX_BODY} bytes")]
    BodyTooLong,
    /// All clients together have sent too much that is no whole request yet.
    #[error("too many unfinished requests: together they are longer than {0} bytes")]
    NoRoom(usize),
}

impl HttpError {
    /// The status to answer with.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::HeadTooLong => 431,
            Self::BodyTooLong => 413,
            Self::NoRoom(_) => 503,
        }
    }
}

/// The parts of a head that the simulator uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The method, as sent.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// HTTP/1.0: no chunked responses.
    pub http10: bool,
    /// The connection may carry another request.
    pub keep_alive: bool,
    /// `x-request-id`.
    pub request_id: Option<String>,
    /// `authorization`.
    pub authorization: Option<String>,
    /// `x-api-key`, where Anthropic's clients put their key.
    pub api_key: Option<String>,
    /// `x-mock-fault`.
    pub fault: Option<String>,
    /// `traceparent`; absent where it is malformed, too: the standard has it ignored then.
    pub trace: Option<TraceParent>,
    /// `content-type` is JSON.
    pub is_json: bool,
    /// There is an `origin`: a page in a browser sends this.
    pub is_of_page: bool,
    expects_continue: bool,
    content_length: Option<u64>,
    chunked: bool,
}

/// One whole request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Its head.
    pub head: Head,
    /// Its body, decoded.
    pub body: Vec<u8>,
}

/// What the bytes so far amount to.
#[expect(
    clippy::large_enum_variant,
    reason = "returned and taken apart at once, never kept"
)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More bytes are needed.
    Incomplete,
    /// More bytes are needed, and the client waits for `100 Continue`. Said once.
    Continue,
    /// A request.
    Complete(Request),
}

#[derive(Debug)]
enum Stage {
    Head { scanned: usize },
    Sized { head: Head, length: usize },
    Chunked { head: Head, decoder: ChunkDecoder },
}

/// Decoder of one connection's requests.
#[derive(Debug)]
pub(crate) struct RequestReader {
    stage: Stage,
}

impl RequestReader {
    /// At the beginning of a request.
    pub fn new() -> Self {
        Self {
            stage: Stage::Head { scanned: 0 },
        }
    }

    /// Bytes of a body that is not whole yet, beside those still in the input.
    pub fn held(&self) -> usize {
        match &self.stage {
            Stage::Chunked { decoder, .. } => decoder.held(),
            Stage::Head { .. } | Stage::Sized { .. } => 0,
        }
    }

    /// Takes what it can from `input`.
    pub fn advance(&mut self, input: &mut Vec<u8>) -> Result<Progress, HttpError> {
        let mut progress = Progress::Incomplete;
        if let Stage::Head { scanned } = &mut self.stage {
            skip_blank_lines(input);
            let Some(end) = end_of_head(input, scanned) else {
                if input.len() > MAX_HEAD {
                    return Err(HttpError::HeadTooLong);
                }
                return Ok(Progress::Incomplete);
            };
            if end > MAX_HEAD {
                return Err(HttpError::HeadTooLong);
            }
            let head = parse_head(&input[..end])?;
            input.drain(..end);
            if head.expects_continue && input.is_empty() {
                progress = Progress::Continue;
            }
            self.stage = body_stage(head)?;
        }
        Ok(self.take_body(input)?.map_or(progress, Progress::Complete))
    }

    fn take_body(&mut self, input: &mut Vec<u8>) -> Result<Option<Request>, HttpError> {
        let body = match &mut self.stage {
            Stage::Head { .. } => None,
            Stage::Sized { length, .. } if input.len() < *length => None,
            Stage::Sized { length, .. } => {
                let rest = input.split_off(*length);
                Some(std::mem::replace(input, rest))
            }
            Stage::Chunked { decoder, .. } => decoder.advance(input)?,
        };
        let Some(body) = body else {
            return Ok(None);
        };
        match std::mem::replace(&mut self.stage, Stage::Head { scanned: 0 }) {
            Stage::Head { .. } => Ok(None),
            Stage::Sized { head, .. } | Stage::Chunked { head, .. } => {
                Ok(Some(Request { head, body }))
            }
        }
    }
}

/// RFC 9112, 2.2: empty lines before a request line are ignored.
fn skip_blank_lines(input: &mut Vec<u8>) {
    let blank = input
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    input.drain(..blank);
}

/// Length of the head with its blank line. `scanned` bytes are known to hold no end.
fn end_of_head(input: &[u8], scanned: &mut usize) -> Option<usize> {
    let from = scanned.saturating_sub(3).min(input.len());
    let mut at = from;
    while let Some(offset) = input[at..].iter().position(|b| *b == b'\n') {
        let behind = at + offset + 1;
        match input[behind..] {
            [b'\n', ..] => return Some(behind + 1),
            [b'\r', b'\n', ..] => return Some(behind + 2),
            _ => at = behind,
        }
    }
    *scanned = input.len();
    None
}

fn malformed(what: impl Into<String>) -> HttpError {
    HttpError::Malformed(what.into())
}

fn parse_head(bytes: &[u8]) -> Result<Head, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(malformed("incomplete head")),
        Err(error) => return Err(malformed(error.to_string())),
    }
    let target = parsed.path.unwrap_or("/");
    let http10 = parsed.version == Some(0);
    let mut head = Head {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path_of(target).to_owned(),
        http10,
        keep_alive: !http10,
        ..Head::default()
    };
    for header in parsed.headers.iter() {
        take_header(&mut head, header)?;
    }
    if head.chunked && head.content_length.is_some() {
        return Err(malformed("both content-length and transfer-encoding"));
    }
    Ok(head)
}

/// The path of an origin-form or absolute-form target.
fn path_of(target: &str) -> &str {
    let target = target.split(['?', '#']).next().unwrap_or_default();
    match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    }
}

fn take_header(head: &mut Head, header: &httparse::Header<'_>) -> Result<(), HttpError> {
    let name = header.name;
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
    if is("content-length") {
        let length = text(header)?
            .trim()
            .parse()
            .map_err(|_| malformed("content-length is not a number"))?;
        if head.content_length.is_some_and(|before| before != length) {
            return Err(malformed("two content-lengths"));
        }
        head.content_length = Some(length);
    } else if is("transfer-encoding") {
        if !text(header)?.trim().eq_ignore_ascii_case("chunked") {
            return Err(malformed("unknown transfer-encoding"));
        }
        head.chunked = true;
    } else if is("connection") {
        for option in text(header)?.split(',').map(str::trim) {
            if option.eq_ignore_ascii_case("close") {
                head.keep_alive = false;
            } else if option.eq_ignore_ascii_case("keep-alive") && head.http10 {
                head.keep_alive = true;
            }
        }
    } else if is("expect") {
        head.expects_continue = text(header)?.eq_ignore_ascii_case("100-continue");
    } else if is("x-request-id") {
        head.request_id = Some(kept(header)?).filter(|id| !id.is_empty());
    } else if is("authorization") {
        head.authorization = Some(kept(header)?);
    } else if is("x-api-key") {
        head.api_key = Some(kept(header)?);
    } else if is("x-mock-fault") {
        head.fault = Some(kept(header)?);
    } else if is("traceparent") {
        head.trace = TraceParent::parse(text(header)?);
    } else if is("content-type") {
        let kind = text(header)?.split(';').next().unwrap_or_default();
        head.is_json = kind.trim().eq_ignore_ascii_case("application/json");
    } else if is("origin") {
        head.is_of_page = true;
    }
    Ok(())
}

fn text<'a>(header: &httparse::Header<'a>) -> Result<&'a str, HttpError> {
    std::str::from_utf8(header.value).map_err(|_| malformed("a header value is not text"))
}

fn kept(header: &httparse::Header<'_>) -> Result<String, HttpError> {
    let value = text(header)?;
    if value.len() > MAX_KEPT_VALUE {
        return Err(malformed(format!(
            "{} longer than {MAX_KEPT_VALUE} bytes",
            header.name.to_ascii_lowercase()
        )));
    }
    Ok(value.to_owned())
}

fn body_stage(head: Head) -> Result<Stage, HttpError> {
    if head.chunked {
        return Ok(Stage::Chunked {
            head,
            decoder: ChunkDecoder::new(),
        });
    }
    let length = head.content_length.unwrap_or(0);
    if length > MAX_BODY as u64 {
        return Err(HttpError::BodyTooLong);
    }
    Ok(Stage::Sized {
        head,
        length: length as usize,
    })
}

#[cfg(test)]
mod tests;
