//! One HTTP/1.1 request out of a stream of bytes (RFC 9112), its body undone of chunks and of gzip.
//!
//! It judges neither method nor path. Invariant: what is held is bounded by [`MAX_HEAD`] and by the
//! caller's limit of a body, whatever is sent.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, Read};

/// Longest head, bytes.
pub(super) const MAX_HEAD: usize = 16 << 10;

/// Most header fields.
const MAX_FIELDS: usize = 64;

/// Longest line that says how long a chunk is, bytes.
const MAX_SIZE_LINE: usize = 256;

/// A request, as its answerer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The path with its query.
    pub target: &'a str,
    /// `content-type` without its parameters, in small letters.
    pub content_type: Option<&'a str>,
    /// The body, undone of its compression.
    pub body: &'a [u8],
}

impl Asked<'_> {
    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target.split(['?', '#']).next().unwrap_or_default()
    }
}

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The connection broke, or nothing came for too long.
    Connection,
    /// What came is not taken.
    Refused {
        /// The HTTP status to answer with.
        status: u16,
        /// Why, in words.
        why: &'static str,
    },
}

fn refused(status: u16, why: &'static str) -> Problem {
    Problem::Refused { status, why }
}

impl From<io::Error> for Problem {
    fn from(_: io::Error) -> Self {
        Self::Connection
    }
}

/// A whole request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    method: String,
    target: String,
    content_type: Option<String>,
    body: Vec<u8>,
    keeps_open: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Framing {
    #[default]
    None,
    Length(u64),
    Chunks,
}

#[derive(Debug, Default)]
struct Head {
    request: Request,
    framing: Framing,
    is_gzip: bool,
    expects_continue: bool,
}

impl Request {
    /// The next request of `input`; `None` where the other side has ended. `proceed` is called where
    /// the other side waits for a word before it sends its body.
    pub(super) fn read(
        input: &mut impl BufRead,
        body_limit: usize,
        proceed: &mut dyn FnMut() -> io::Result<()>,
    ) -> Result<Option<Self>, Problem> {
        let Some(head) = read_head(input)? else {
            return Ok(None);
        };
        let Head {
            mut request,
            framing,
            is_gzip,
            expects_continue,
        } = parse(&head)?;
        if expects_continue && framing != Framing::None {
            proceed()?;
        }
        let sent = read_body(input, framing, body_limit)?;
        request.body = if is_gzip {
            inflate(&sent, body_limit)?
        } else {
            sent
        };
        Ok(Some(request))
    }

    /// As its answerer sees it.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            target: &self.target,
            content_type: self.content_type.as_deref(),
            body: &self.body,
        }
    }

    /// Whether another request may follow on the connection.
    pub(super) fn keeps_open(&self) -> bool {
        self.keeps_open
    }
}

/// A line with its end, of at most `limit` bytes.
fn read_line(input: &mut impl BufRead, limit: usize, line: &mut Vec<u8>) -> Result<(), Problem> {
    line.clear();
    input.by_ref().take(limit as u64).read_until(b'\n', line)?;
    match line.last() {
        Some(b'\n') => Ok(()),
        _ if line.len() == limit => Err(refused(431, "a line is too long")),
        _ => Err(Problem::Connection),
    }
}

/// The head with its blank line; `None` where nothing follows.
fn read_head(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Problem> {
    let mut head = Vec::new();
    let mut line = Vec::new();
    loop {
        if head.is_empty() && input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        read_line(input, MAX_HEAD, &mut line)?;
        let is_blank = line.trim_ascii().is_empty();
        // RFC 9112, 2.2: blank lines before a request are passed over. Each is one more to wait for.
        if !(is_blank && head.is_empty()) {
            head.extend_from_slice(&line);
        }
        if head.len() > MAX_HEAD {
            return Err(refused(431, "the head is too long"));
        }
        if is_blank && !head.is_empty() {
            return Ok(Some(head));
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Head, Problem> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(refused(431, "too many header fields")),
        Ok(httparse::Status::Partial) | Err(_) => {
            return Err(refused(400, "this is no HTTP request"));
        }
    }
    let mut head = Head::default();
    head.request.method = parsed.method.unwrap_or_default().to_owned();
    head.request.target = parsed.path.unwrap_or("/").to_owned();
    head.request.keeps_open = parsed.version == Some(1);
    for field in parsed.headers.iter() {
        let value =
            std::str::from_utf8(field.value).map_err(|_| refused(400, "a header is not text"))?;
        take_field(&mut head, field.name, value.trim())?;
    }
    Ok(head)
}

fn take_field(head: &mut Head, name: &str, value: &str) -> Result<(), Problem> {
    let value = value.to_ascii_lowercase();
    match name.to_ascii_lowercase().as_str() {
        "content-length" => {
            let length = value
                .parse()
                .map_err(|_| refused(400, "content-length is not a number"))?;
            set_framing(head, Framing::Length(length))?;
        }
        "transfer-encoding" if value == "chunked" => set_framing(head, Framing::Chunks)?,
        "transfer-encoding" => return Err(refused(400, "unknown transfer-encoding")),
        "content-encoding" if value == "gzip" => head.is_gzip = true,
        "content-encoding" if value != "identity" => {
            return Err(refused(415, "unknown content-encoding: gzip is known"));
        }
        "content-type" => {
            let kind = value.split(';').next().unwrap_or_default().trim();
            head.request.content_type = Some(kind.to_owned());
        }
        "connection" if value.split(',').any(|option| option.trim() == "close") => {
            head.request.keeps_open = false;
        }
        "expect" => head.expects_continue = value == "100-continue",
        _ => {}
    }
    Ok(())
}

/// Two lengths that differ, or a length beside chunks, hide a second request from somebody (RFC 9112, 6.3).
fn set_framing(head: &mut Head, framing: Framing) -> Result<(), Problem> {
    if head.framing != Framing::None && head.framing != framing {
        return Err(refused(400, "the length of the body is said twice"));
    }
    head.framing = framing;
    Ok(())
}

const TOO_LONG: Problem = Problem::Refused {
    status: 413,
    why: "the body is too long",
};

fn read_body(input: &mut impl BufRead, framing: Framing, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    match framing {
        Framing::None => {}
        Framing::Length(length) => take(input, length, limit, &mut body)?,
        Framing::Chunks => {
            let mut line = Vec::new();
            loop {
                let length = chunk_size(input, &mut line)?;
                if length == 0 {
                    break;
                }
                take(input, length, limit, &mut body)?;
                read_line(input, MAX_SIZE_LINE, &mut line)?;
                if !line.trim_ascii().is_empty() {
                    return Err(refused(400, "a chunk is longer than it says"));
                }
            }
            skip_trailers(input, &mut line)?;
        }
    }
    Ok(body)
}

/// Appends `length` bytes of `input` to `body`, which grows with what comes and not with what is promised.
fn take(
    input: &mut impl BufRead,
    length: u64,
    limit: usize,
    body: &mut Vec<u8>,
) -> Result<(), Problem> {
    if length > (limit - body.len()) as u64 {
        return Err(TOO_LONG);
    }
    let came = input.by_ref().take(length).read_to_end(body)?;
    if (came as u64) < length {
        return Err(Problem::Connection);
    }
    Ok(())
}

fn chunk_size(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<u64, Problem> {
    read_line(input, MAX_SIZE_LINE, line)?;
    let digits = line
        .split(|b| *b == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let bad = || refused(400, "a chunk without its length");
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(bad());
    }
    let digits = std::str::from_utf8(digits).map_err(|_| bad())?;
    u64::from_str_radix(digits, 16).map_err(|_| TOO_LONG)
}

fn skip_trailers(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<(), Problem> {
    let mut bytes = 0;
    loop {
        read_line(input, MAX_HEAD, line)?;
        bytes += line.len();
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        if bytes > MAX_HEAD {
            return Err(refused(431, "the trailer is too long"));
        }
    }
}

fn inflate(sent: &[u8], limit: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    // One byte more than is allowed tells a body that is too long.
    let mut decoder = GzDecoder::new(sent).take(limit as u64 + 1);
    decoder
        .read_to_end(&mut body)
        .map_err(|_| refused(400, "the body is not gzip"))?;
    if body.len() > limit {
        return Err(TOO_LONG);
    }
    Ok(body)
}

/// For the fuzz target: no body is longer than its limit, and each request takes bytes.
pub(crate) fn property(data: &[u8]) {
    const LIMIT: usize = 4 << 10;
    let mut input = data;
    let mut left = data.len() + 1;
    while let Ok(Some(request)) = Request::read(&mut input, LIMIT, &mut || Ok(())) {
        assert!(
            request.body.len() <= LIMIT,
            "the body is longer than its limit"
        );
        assert!(input.len() < left, "a request of no bytes");
        left = input.len();
    }
}
