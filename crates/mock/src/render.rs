//! Bytes of responses that all APIs have alike: heads, bodies, pieces of a stream. Pure; every function appends to a buffer.

use std::io::Write;

/// What must never reach a terminal or a page as it is: clear the screen, set the title, turn the
/// writing direction, run a script.
pub(crate) const HOSTILE_TEXT: &str =
    "\u{1b}[2J\u{1b}[31m\u{1b}]0;owned\u{7}\u{202e}<script>alert(1)</script>\r\n";

/// Name sent in the `server` header.
pub(crate) const SERVER: &str = concat!("infermeter-mock/", env!("CARGO_PKG_VERSION"));

/// What a response owes its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplyTo {
    /// Echoed in `x-request-id`; plain header text.
    pub request_id: Option<String>,
    /// The client reads no chunked coding.
    pub http10: bool,
    /// The connection stays open behind the response.
    pub keep_alive: bool,
}

/// Appends text to a byte buffer.
pub(crate) fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "On Demand",
    }
}

fn head_start(out: &mut Vec<u8>, status: u16, content_type: &str, to: &ReplyTo) {
    let reason = reason(status);
    put(
        out,
        format_args!(
            "HTTP/1.1 {status} {reason}\r\nserver: {SERVER}\r\ncontent-type: {content_type}\r\n"
        ),
    );
    if let Some(id) = &to.request_id {
        put(out, format_args!("x-request-id: {id}\r\n"));
    }
    if !to.keep_alive {
        out.extend_from_slice(b"connection: close\r\n");
    } else if to.http10 {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
}

/// A body and what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content<'a> {
    /// The `content-type`.
    pub kind: &'a str,
    /// The bytes.
    pub body: &'a [u8],
}

impl<'a> Content<'a> {
    pub fn json(body: &'a [u8]) -> Self {
        let kind = "application/json";
        Self { kind, body }
    }
}

/// A response with its body in one piece. `announced` is the content length claimed.
pub(crate) fn whole(
    out: &mut Vec<u8>,
    status: u16,
    content: Content<'_>,
    announced: usize,
    extra_header: &str,
    to: &ReplyTo,
) {
    head_start(out, status, content.kind, to);
    put(
        out,
        format_args!("{extra_header}content-length: {announced}\r\n\r\n"),
    );
    out.extend_from_slice(content.body);
}

/// The head of an event stream, with `padding` bytes of extra header fields.
pub(crate) fn stream_head(out: &mut Vec<u8>, padding: usize, to: &ReplyTo) {
    head_start(out, 200, "text/event-stream; charset=utf-8", to);
    let mut left = padding;
    while left > 0 {
        let line = left.min(1_024);
        out.extend_from_slice(b"x-padding: ");
        out.resize(out.len() + line, b'p');
        out.extend_from_slice(b"\r\n");
        left -= line;
    }
    if !to.http10 {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// How a stream's bytes are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Chunked transfer coding.
    Chunked,
    /// As they are, ended by the connection's end.
    Bare,
}

impl Framing {
    /// The framing that a client can read.
    pub fn of(to: &ReplyTo) -> Self {
        if to.http10 { Self::Bare } else { Self::Chunked }
    }
}

/// One piece of a stream, as one chunk where the framing is chunked.
pub(crate) fn piece(out: &mut Vec<u8>, parts: &[&[u8]], framing: Framing) {
    if framing == Framing::Chunked {
        chunk_size(out, parts.iter().map(|part| part.len()).sum());
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    if framing == Framing::Chunked {
        out.extend_from_slice(b"\r\n");
    }
}

/// A chunk that announces `missing` bytes more than it has. Nothing may follow.
pub(crate) fn short_piece(out: &mut Vec<u8>, data: &[u8], missing: usize, framing: Framing) {
    if framing == Framing::Chunked {
        chunk_size(out, data.len() + missing);
    }
    out.extend_from_slice(data);
}

/// The end of a stream.
pub(crate) fn stream_end(out: &mut Vec<u8>, framing: Framing) {
    if framing == Framing::Chunked {
        out.extend_from_slice(b"0\r\n\r\n");
    }
}

fn chunk_size(out: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(DIGITS[(size >> (4 * digit)) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// A text as JSON text without its quotes.
pub(crate) fn json_text(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_plain_hex() {
        for size in [0, 1, 9, 10, 15, 16, 255, 256, 4_096, 1_000_000] {
            let mut out = Vec::new();
            chunk_size(&mut out, size);
            assert_eq!(
                String::from_utf8(out).expect("ascii"),
                format!("{size:x}\r\n")
            );
        }
    }
}
