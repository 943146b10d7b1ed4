//! HTTP/1.1 response decoder (RFC 9112), sans-IO: bytes in, events out, body bytes borrowed from
//! the input. Chunked, length-delimited and close-delimited bodies; 1xx responses are skipped.
//!
//! It does not follow redirects, decode content codings, or know what a body means.
//!
//! Invariant: what it reports depends on the bytes alone, never on how reads split them, and a
//! framing in doubt is an error or at least ends the connection ([`ResponseDecoder::keep_alive`]).

mod chunked;
mod error;
mod head;

pub use error::HttpError;
pub use head::{Head, MediaType};
pub(crate) use head::{StatusLine, fields, status_line};

use crate::limits::{Limits, MAX_INTERIM_RESPONSES};
use chunked::{Chunked, Piece};
use head::Framing;

/// What the decoder found next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpEvent<'i> {
    /// The head of the final response is known: [`ResponseDecoder::head`].
    Head,
    /// Body bytes, framing removed.
    Body(&'i [u8]),
    /// The response is complete.
    End,
}

#[derive(Debug)]
enum State {
    Head,
    Fixed { left: u64 },
    Chunked(Chunked),
    UntilClose,
    Ended,
}

/// Decodes one response; [`ResponseDecoder::reset`] makes it ready for the next.
#[derive(Debug)]
pub struct ResponseDecoder {
    state: State,
    head: Head,
    held: Vec<u8>,
    head_limit: usize,
    body_limit: u64,
    body_bytes: u64,
    interim: u32,
    excess: bool,
    framing_follows: bool,
}

impl ResponseDecoder {
    /// A decoder for one response under these limits (`head_bytes`, `body_bytes`).
    pub fn new(limits: &Limits) -> Self {
        Self {
            state: State::Head,
            head: Head::default(),
            held: Vec::new(),
            head_limit: limits.head_bytes,
            body_limit: limits.body_bytes,
            body_bytes: 0,
            interim: 0,
            excess: false,
            framing_follows: false,
        }
    }

    /// Ready for the next response; buffers are kept.
    pub fn reset(&mut self) {
        self.state = State::Head;
        self.head = Head::default();
        self.held.clear();
        self.body_bytes = 0;
        self.interim = 0;
        self.excess = false;
        self.framing_follows = false;
    }

    /// Decodes on, taking from `input` what it used. `None`: more bytes are needed, or the
    /// response has ended.
    ///
    /// # Errors
    /// The response is malformed or over a limit; the connection is of no further use.
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<HttpEvent<'i>>, HttpError> {
        loop {
            let event = match &mut self.state {
                State::Head => match self.take_head(input)? {
                    Taken::Nothing => return Ok(None),
                    Taken::Interim => continue,
                    Taken::Final => return Ok(Some(HttpEvent::Head)),
                },
                State::Fixed { left: 0 } => HttpEvent::End,
                State::Fixed { left } => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX);
                    let Some(bytes) = take(input, length) else {
                        return Ok(None);
                    };
                    *left -= bytes.len() as u64;
                    HttpEvent::Body(bytes)
                }
                State::Chunked(chunked) => match chunked.next(input, self.head_limit)? {
                    Piece::Nothing => return Ok(None),
                    Piece::SizeLine => {
                        self.framing_follows = true;
                        continue;
                    }
                    Piece::Data(bytes) => HttpEvent::Body(bytes),
                    Piece::End => HttpEvent::End,
                },
                State::UntilClose => match take(input, usize::MAX) {
                    None => return Ok(None),
                    Some(bytes) => HttpEvent::Body(bytes),
                },
                State::Ended => {
                    self.excess |= !input.is_empty();
                    return Ok(None);
                }
            };
            self.note(&event)?;
            return Ok(Some(event));
        }
    }

    fn note(&mut self, event: &HttpEvent<'_>) -> Result<(), HttpError> {
        match event {
            HttpEvent::Head => {}
            HttpEvent::Body(bytes) => {
                self.framing_follows = false;
                self.body_bytes += bytes.len() as u64;
                if self.body_bytes > self.body_limit {
                    return Err(HttpError::BodyTooLong(self.body_limit));
                }
            }
            HttpEvent::End => self.state = State::Ended,
        }
        Ok(())
    }

    fn take_head(&mut self, input: &mut &[u8]) -> Result<Taken, HttpError> {
        let held = self.held.len();
        let (fresh, rest) = input.split_at(input.len().min(self.head_limit - held));
        let whole = if held == 0 {
            fresh
        } else {
            self.held.extend_from_slice(fresh);
            &self.held
        };
        // Only a line's end can complete a head: without this test a head that dribbles in
        // would be parsed once per byte.
        let parsed = if held == 0 || memchr::memchr(b'\n', fresh).is_some() {
            head::parse(whole)?
        } else {
            None
        };
        let Some(parsed) = parsed else {
            if held == 0 {
                self.held.extend_from_slice(fresh);
            }
            *input = rest;
            if self.held.len() >= self.head_limit {
                head::parse(&self.held)?;
                return Err(HttpError::HeadTooLong(self.head_limit));
            }
            return Ok(Taken::Nothing);
        };
        *input = input.get(parsed.used - held..).unwrap_or_default();
        self.held.clear();
        if parsed.head.status < 200 {
            self.interim += 1;
            if self.interim > MAX_INTERIM_RESPONSES {
                return Err(HttpError::TooManyInterim);
            }
            return Ok(Taken::Interim);
        }
        self.head = parsed.head;
        self.state = match parsed.framing {
            Framing::Length(left) if left > self.body_limit => {
                return Err(HttpError::BodyTooLong(self.body_limit));
            }
            Framing::Length(left) => State::Fixed { left },
            Framing::Chunked => State::Chunked(Chunked::default()),
            Framing::UntilClose => State::UntilClose,
        };
        Ok(Taken::Final)
    }

    /// The peer has closed its side. `Ok`: the response is complete (it may have been ended by
    /// the close itself).
    ///
    /// # Errors
    /// The response was incomplete.
    pub fn eof(&mut self) -> Result<(), HttpError> {
        match self.state {
            State::Ended | State::UntilClose | State::Fixed { left: 0 } => {
                self.state = State::Ended;
                self.excess = true;
                Ok(())
            }
            State::Head => {
                head::parse(&self.held)?;
                Err(HttpError::EofInHead)
            }
            State::Fixed { .. } | State::Chunked(_) => Err(HttpError::EofInBody),
        }
    }

    /// The final response's head; all defaults (status 0) before [`HttpEvent::Head`].
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Sets a tighter or wider limit on the body, from the next body byte on.
    pub(crate) fn limit_body(&mut self, bytes: u64) {
        self.body_limit = bytes;
    }

    /// The response has ended.
    pub fn ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The connection may carry another request: the response has ended, both sides said nothing
    /// against it, and no byte came after the end.
    pub fn keep_alive(&self) -> bool {
        self.ended() && self.head.persistent && !self.excess
    }

    /// Bytes came behind the response's end, or the connection was closed: it is of no further
    /// use.
    pub(crate) fn refuse_reuse(&mut self) {
        self.excess = true;
    }

    /// Bytes of a chunk-size line came after the last body byte: they belong to a later write of
    /// the server.
    pub(crate) fn framing_follows_body(&self) -> bool {
        self.framing_follows
    }
}

enum Taken {
    Nothing,
    Interim,
    Final,
}

/// Takes at most `length` bytes; `None` when there are none.
fn take<'i>(input: &mut &'i [u8], length: usize) -> Option<&'i [u8]> {
    if input.is_empty() {
        return None;
    }
    let (taken, rest) = input.split_at(length.min(input.len()));
    *input = rest;
    Some(taken)
}
