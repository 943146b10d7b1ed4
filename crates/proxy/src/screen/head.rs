//! A request's head: its line and its fields, read in the one way that there is (RFC 9112), or refused.
//!
//! It looks at what decides where a request ends and whom it is for; everything else is the library's. Invariant: a head
//! that is taken has one reading.

use super::{Framing, Refusal};

/// What a head says of framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) framing: Framing,
}

/// Longest name of a method.
const METHOD_BYTES: usize = 32;

/// Looks at the beginning of a head that has not ended: a first byte that begins no method is no HTTP.
pub(super) fn check_begun(head: &[u8]) -> Result<(), Refusal> {
    let method = head.iter().take(METHOD_BYTES + 1);
    for (at, byte) in method.enumerate() {
        match byte {
            b' ' if at > 0 => return Ok(()),
            byte if is_token(*byte) => {}
            0x16 if at == 0 => return Err(Refusal::Malformed("TLS where plain HTTP is spoken")),
            _ => return Err(Refusal::Malformed("there is no method")),
        }
    }
    if head.len() > METHOD_BYTES {
        return Err(Refusal::Malformed("there is no method"));
    }
    Ok(())
}

impl Head {
    /// Reads a head with the empty line at its end.
    pub(super) fn read(head: &[u8], most_headers: usize) -> Result<Self, Refusal> {
        let lines = lines(head)?;
        let (first, fields) = lines
            .split_first()
            .ok_or(Refusal::Malformed("there is no request line"))?;
        let version = request_line(first)?;
        if fields.len() > most_headers {
            return Err(Refusal::HeadTooLarge);
        }
        let mut said = Said::default();
        for field in fields {
            said.add(field)?;
        }
        said.framing(version).map(|framing| Self { framing })
    }
}

/// The lines of a head without the empty one. A CR or an LF alone ends a line for some readers and not for others.
fn lines(head: &[u8]) -> Result<Vec<&[u8]>, Refusal> {
    let bare = Refusal::Malformed("a CR or an LF alone");
    let mut rest = head.strip_suffix(b"\r\n\r\n").ok_or(bare)?;
    let mut lines = Vec::new();
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let Some(end) = end else {
            lines.push(rest);
            return Ok(lines);
        };
        let (line, behind) = rest.split_at(end);
        lines.push(line);
        rest = behind.strip_prefix(b"\r\n").ok_or(bare)?;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn request_line(line: &[u8]) -> Result<Version, Refusal> {
    let malformed = Refusal::Malformed("the request line is not `METHOD target HTTP/1.1`");
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, parts.next())
    else {
        return Err(malformed);
    };
    let is_method = (1..=METHOD_BYTES).contains(&method.len());
    if !is_method || !method.iter().copied().all(is_token) {
        return Err(malformed);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        other if other.starts_with(b"HTTP/") => return Err(Refusal::Version),
        _ => return Err(malformed),
    };
    if method == b"CONNECT" {
        return Err(Refusal::OpenProxy("this proxy opens no tunnel"));
    }
    if !target.iter().all(|byte| matches!(byte, 0x21..=0x7e)) {
        return Err(Refusal::Malformed(
            "the target holds a byte that no URL has",
        ));
    }
    match target.first() {
        Some(b'/') => Ok(version),
        Some(b'*') => Err(Refusal::Malformed("the target is not a path")),
        _ => Err(Refusal::OpenProxy(
            "the target is not a path: this proxy serves one server alone",
        )),
    }
}

/// What the fields say of framing.
#[derive(Debug, Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    hosts: usize,
}

impl Said {
    fn add(&mut self, field: &[u8]) -> Result<(), Refusal> {
        let (name, value) = parted(field)?;
        if is(name, "content-length") {
            let length = length(value)?;
            if self.length.replace(length).is_some() {
                return Err(Refusal::Malformed("more than one Content-Length"));
            }
        } else if is(name, "transfer-encoding") {
            if !is(value, "chunked") {
                return Err(Refusal::UnknownCoding);
            }
            if std::mem::replace(&mut self.chunked, true) {
                return Err(Refusal::Malformed("more than one Transfer-Encoding"));
            }
        } else if is(name, "content_length") || is(name, "transfer_encoding") {
            // Servers that make variables of names take them for the names with a hyphen.
            return Err(Refusal::Malformed(
                "a length with an underscore in its name",
            ));
        } else if is(name, "host") {
            self.hosts += 1;
        }
        Ok(())
    }

    fn framing(&self, version: Version) -> Result<Framing, Refusal> {
        match (self.hosts, version) {
            (1, _) | (0, Version::Http10) => {}
            (0, Version::Http11) => return Err(Refusal::Malformed("there is no Host")),
            _ => return Err(Refusal::Malformed("more than one Host")),
        }
        match (self.chunked, self.length, version) {
            (true, Some(_), _) => Err(Refusal::Malformed(
                "both Content-Length and Transfer-Encoding",
            )),
            (true, None, Version::Http10) => {
                Err(Refusal::Malformed("Transfer-Encoding in HTTP/1.0"))
            }
            (true, None, Version::Http11) => Ok(Framing::Chunked),
            (false, length, _) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// Name and value of a field line.
pub(super) fn parted(field: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if matches!(field.first(), Some(b' ' | b'\t')) {
        return Err(Refusal::Malformed("a folded header line"));
    }
    let colon = field.iter().position(|byte| *byte == b':');
    let (name, value) = colon
        .and_then(|at| Some((field.get(..at)?, field.get(at + 1..)?)))
        .ok_or(Refusal::Malformed("a header line without a colon"))?;
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err(Refusal::Malformed("a header name that is not a token"));
    }
    // Control characters end a line, or a string, for some readers.
    if value
        .iter()
        .any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f)
    {
        return Err(Refusal::Malformed("a control character in a header"));
    }
    Ok((name, value.trim_ascii()))
}

/// Digits alone: `+5`, `5, 5`, `0x5` and the like are read differently by different servers.
fn length(value: &[u8]) -> Result<u64, Refusal> {
    let wrong = Refusal::Malformed("a Content-Length that is not a number");
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(wrong);
    }
    let text = std::str::from_utf8(value).map_err(|_| wrong)?;
    text.parse().map_err(|_| wrong)
}

fn is(bytes: &[u8], name: &str) -> bool {
    bytes.eq_ignore_ascii_case(name.as_bytes())
}

/// A character of a token (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
