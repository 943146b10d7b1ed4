//! Server-sent events decoder (WHATWG HTML, 9.2.6), sans-IO. An event that lies whole in the
//! input is handed out without a copy; one that is split over reads is gathered in a bounded
//! buffer.
//!
//! `id` and `retry` are ignored; it does not know what the data means, and leaves invalid UTF-8
//! to whoever reads the text.
//!
//! Invariant: the events depend on the bytes alone, never on how reads split them.

use crate::limits::KEPT_BUFFER;
use memchr::memchr2;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One dispatched event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SseEvent<'a> {
    /// Value of the `event` field; empty where there was none.
    pub name: &'a [u8],
    /// The `data` lines, joined by line feeds.
    pub data: &'a [u8],
}

/// Why a stream cannot be decoded on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    /// One event, or one line, is too long.
    #[error("a server-sent event over {0} bytes")]
    EventTooLong(usize),
}

/// What a stream that ends here leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail<'a> {
    /// Nothing, white space, or a comment.
    Nothing,
    /// The data lines of an event that was never dispatched, or a line that was never ended.
    Incomplete(&'a [u8]),
}

/// Decodes one stream; [`SseDecoder::reset`] makes it ready for the next.
#[derive(Debug)]
pub(crate) struct SseDecoder {
    limit: usize,
    /// The last line's beginning, while its end has not come.
    line: Vec<u8>,
    /// Data lines of the event so far, each followed by a line feed.
    data: Vec<u8>,
    name: Vec<u8>,
    dispatched: bool,
    skip_line_feed: bool,
    first_line: bool,
}

impl SseDecoder {
    /// A decoder that accepts events of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            data: Vec::new(),
            name: Vec::new(),
            dispatched: false,
            skip_line_feed: false,
            first_line: true,
        }
    }

    /// Ready for the next stream; buffers are kept.
    pub fn reset(&mut self) {
        for buffer in [&mut self.line, &mut self.data, &mut self.name] {
            buffer.clear();
            buffer.shrink_to(KEPT_BUFFER);
        }
        self.dispatched = false;
        self.skip_line_feed = false;
        self.first_line = true;
    }

    /// Decodes on, taking from `input` what it used: after an event, `input` begins right behind
    /// the blank line. `None`: more bytes are needed; all input is then taken.
    ///
    /// # Errors
    /// An event or a line exceeds the limit.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<SseEvent<'a>>, SseError> {
        if self.dispatched {
            self.data.clear();
            self.name.clear();
            self.dispatched = false;
        }
        if self.skip_line_feed && !input.is_empty() {
            *input = input.strip_prefix(b"\n").unwrap_or(input);
            self.skip_line_feed = false;
        }
        if self.line.is_empty()
            && self.data.is_empty()
            && self.name.is_empty()
            && let Some((line, rest)) = whole_event(input)
        {
            self.check(line.len())?;
            self.first_line = false;
            *input = rest;
            return Ok(Some(SseEvent {
                name: b"",
                data: field_value(line).1,
            }));
        }
        while self.take_line(input)? {
            if self.dispatched {
                return Ok(Some(SseEvent {
                    name: &self.name,
                    data: self.data.strip_suffix(b"\n").unwrap_or_default(),
                }));
            }
        }
        Ok(None)
    }

    /// Bytes of an event that is not complete.
    pub(crate) fn held(&self) -> usize {
        self.line.len() + self.data.len()
    }

    /// What the stream leaves if it ends now.
    pub fn tail(&self) -> Tail<'_> {
        if !self.dispatched && !self.data.is_empty() {
            return Tail::Incomplete(self.data.trim_ascii_end());
        }
        match self.line.trim_ascii() {
            [] | [b':', ..] => Tail::Nothing,
            line => match field_value(line) {
                (b"data", value) => Tail::Incomplete(value),
                _ => Tail::Incomplete(line),
            },
        }
    }

    fn check(&self, length: usize) -> Result<(), SseError> {
        if length > self.limit {
            return Err(SseError::EventTooLong(self.limit));
        }
        Ok(())
    }

    /// Takes one line, if it is complete, and acts on it.
    fn take_line(&mut self, input: &mut &[u8]) -> Result<bool, SseError> {
        let Some(end) = memchr2(b'\n', b'\r', input) else {
            self.check(self.line.len() + input.len())?;
            self.line.extend_from_slice(input);
            *input = &[];
            return Ok(false);
        };
        let (line, rest) = input.split_at(end);
        self.check(self.line.len() + line.len())?;
        *input = match rest {
            [b'\r', b'\n', rest @ ..] => rest,
            [b'\r'] => {
                self.skip_line_feed = true;
                &[]
            }
            [_, rest @ ..] => rest,
            [] => rest,
        };
        if self.line.is_empty() {
            self.act_on(line)?;
        } else {
            let mut gathered = std::mem::take(&mut self.line);
            gathered.extend_from_slice(line);
            let acted = self.act_on(&gathered);
            gathered.clear();
            self.line = gathered;
            acted?;
        }
        Ok(true)
    }

    fn act_on(&mut self, line: &[u8]) -> Result<(), SseError> {
        let line = if std::mem::take(&mut self.first_line) {
            line.strip_prefix(BOM).unwrap_or(line)
        } else {
            line
        };
        if line.is_empty() {
            self.dispatched = !self.data.is_empty();
            if !self.dispatched {
                self.name.clear();
            }
            return Ok(());
        }
        match field_value(line) {
            (b"data", value) => {
                self.check(self.data.len() + value.len() + 1)?;
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            (b"event", value) => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Name and value of a field line; a comment has an empty name.
fn field_value(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', line) {
        None => (line, b""),
        Some(colon) => {
            let value = line.get(colon + 1..).unwrap_or_default();
            (
                line.get(..colon).unwrap_or_default(),
                value.strip_prefix(b" ").unwrap_or(value),
            )
        }
    }
}

/// The common case: one data line and a blank line, both in the input. Line and rest.
fn whole_event(input: &[u8]) -> Option<(&[u8], &[u8])> {
    if !input.starts_with(b"data:") {
        return None;
    }
    let end = memchr2(b'\n', b'\r', input)?;
    let (line, rest) = input.split_at(end);
    let rest = rest
        .strip_prefix(b"\n\n")
        .or_else(|| rest.strip_prefix(b"\r\n\r\n"))?;
    Some((line, rest))
}
