//! The strict reader in front of the HTTP library: no byte of a request reaches it before the request's head was found
//! sound, and where each request ends is known here as well.
//!
//! Libraries are lenient where proxies must not be: two readers that disagree on where a request ends are how requests
//! are smuggled. What can be read in two ways is refused: two lengths, a length beside a transfer coding, a coding that
//! is not `chunked`, folded lines, bare CR or LF, a space before a colon, a chunk size that is more than digits. Sans-IO.
//! Invariant: bytes come out unchanged and in order, heads only whole; after a refusal nothing more comes out.

mod chunks;
mod head;

use crate::seen::Stamp;
use chunks::Chunks;
use head::Head;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It can be read in two ways, or in none.
    Malformed(&'static str),
    /// It names another server, or wants a tunnel.
    OpenProxy(&'static str),
    /// A transfer coding other than `chunked`.
    UnknownCoding,
    /// Not HTTP/1.0 or HTTP/1.1.
    Version,
    /// The head, or the trailers, are too large.
    HeadTooLarge,
    /// The body is too large.
    BodyTooLarge,
    /// The user was too slow.
    TooSlow,
}

impl Refusal {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::OpenProxy(_) => 421,
            Self::UnknownCoding => 501,
            Self::Version => 505,
            Self::HeadTooLarge => 431,
            Self::BodyTooLarge => 413,
            Self::TooSlow => 408,
        }
    }

    /// What is said to the user.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Self::Malformed(why) | Self::OpenProxy(why) => why,
            Self::UnknownCoding => "a transfer coding other than chunked",
            Self::Version => "only HTTP/1.0 and HTTP/1.1 are spoken here",
            Self::HeadTooLarge => "the head of the request is too large",
            Self::BodyTooLarge => "the body of the request is too large",
            Self::TooSlow => "the request took too long to come",
        }
    }
}

/// The instants of one request's bytes.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The read with its first byte.
    pub(crate) first: Stamp,
    /// The read with its last byte, once there is one.
    pub(crate) last: Cell<Option<Stamp>>,
}

/// What requests may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) head_bytes: usize,
    pub(crate) headers: usize,
    pub(crate) body_bytes: u64,
}

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

#[derive(Debug)]
enum State {
    /// Between requests, or within a head.
    Head,
    Length(u64),
    Chunked(Chunks),
    Refused,
}

/// Empty lines before a request line that are skipped (RFC 9112, 2.2 asks for one).
const SKIPPED_LINES: usize = 2;

/// Reads a connection's requests.
#[derive(Debug)]
pub(crate) struct Screen {
    most: Most,
    state: State,
    /// The head that is coming.
    head: Vec<u8>,
    /// Bytes of it in which no end was found.
    searched: usize,
    skipped: usize,
    first: Option<Stamp>,
    /// The request whose body is coming.
    open: Option<Rc<Arrival>>,
    /// Sound requests that the library has not begun yet.
    arrivals: VecDeque<Rc<Arrival>>,
}

impl Screen {
    pub(crate) fn new(most: Most) -> Self {
        Self {
            most,
            state: State::Head,
            head: Vec::new(),
            searched: 0,
            skipped: 0,
            first: None,
            open: None,
            arrivals: VecDeque::new(),
        }
    }

    /// Takes what one read brought; puts what is sound behind `out`.
    ///
    /// # Errors
    /// When the connection has to end with a refusal.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        stamp: Stamp,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            let taken = match self.state {
                State::Head => self.take_head(bytes, stamp, out),
                State::Length(ref mut left) => Ok(taken_of(left, bytes, out)),
                State::Chunked(ref mut chunks) => chunks.take(bytes, out),
                State::Refused => return Err(Refusal::Malformed("already refused")),
            };
            let taken = taken.inspect_err(|_| self.state = State::Refused)?;
            bytes = bytes.get(taken..).unwrap_or(&[]);
            self.end_of_body(stamp);
        }
        Ok(())
    }

    /// A head has begun and has not ended: the instant of its first byte.
    pub(crate) fn head_since(&self) -> Option<Stamp> {
        self.first
    }

    /// A body is coming: the instant of its request's first byte.
    pub(crate) fn body_since(&self) -> Option<Stamp> {
        self.open.as_ref().map(|arrival| arrival.first)
    }

    /// The next request that the library has parsed.
    pub(crate) fn next_arrival(&mut self) -> Option<Rc<Arrival>> {
        self.arrivals.pop_front()
    }

    /// No request is coming, and none waits for the library.
    pub(crate) fn is_between_requests(&self) -> bool {
        matches!(self.state, State::Head) && self.first.is_none() && self.arrivals.is_empty()
    }

    fn take_head(
        &mut self,
        bytes: &[u8],
        stamp: Stamp,
        out: &mut Vec<u8>,
    ) -> Result<usize, Refusal> {
        if self.head.is_empty() {
            let skipped = self.skip_empty_line(bytes)?;
            if skipped > 0 {
                return Ok(skipped);
            }
        }
        self.first.get_or_insert(stamp);
        let before = self.head.len();
        // One byte more than allowed tells that there are more.
        let room = self.most.head_bytes + 1 - before;
        let offered = bytes.get(..room).unwrap_or(bytes);
        self.head.extend_from_slice(offered);
        let from = self.searched.saturating_sub(3);
        let behind = self.head.get(from..).unwrap_or(&[]);
        let end = behind.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = end.map(|at| from + at + 4) else {
            self.searched = self.head.len();
            if self.head.len() > self.most.head_bytes {
                return Err(Refusal::HeadTooLarge);
            }
            // What no head can be is refused before its end, which may never come.
            head::check_begun(&self.head)?;
            return Ok(offered.len());
        };
        if end > self.most.head_bytes {
            return Err(Refusal::HeadTooLarge);
        }
        self.head.truncate(end);
        let head = Head::read(&self.head, self.most.headers)?;
        self.begin_body(head.framing)?;
        let arrival = Rc::new(Arrival {
            first: self.first.take().unwrap_or(stamp),
            last: Cell::new(None),
        });
        self.arrivals.push_back(Rc::clone(&arrival));
        self.open = Some(arrival);
        out.append(&mut self.head);
        (self.searched, self.skipped) = (0, 0);
        Ok(end - before)
    }

    /// Bytes of empty lines before a request line.
    fn skip_empty_line(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let expected = if self.skipped.is_multiple_of(2) {
            b'\r'
        } else {
            b'\n'
        };
        let is_one = bytes.first() == Some(&expected);
        match (is_one, self.skipped % 2) {
            (true, _) if self.skipped < 2 * SKIPPED_LINES => {
                self.skipped += 1;
                Ok(1)
            }
            (true, _) | (false, 1) => Err(Refusal::Malformed("there is no request line")),
            (false, _) => Ok(0),
        }
    }

    fn begin_body(&mut self, framing: Framing) -> Result<(), Refusal> {
        self.state = match framing {
            Framing::Length(length) if length > self.most.body_bytes => {
                return Err(Refusal::BodyTooLarge);
            }
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => {
                State::Chunked(Chunks::new(self.most.body_bytes, self.most.head_bytes))
            }
        };
        Ok(())
    }

    fn end_of_body(&mut self, stamp: Stamp) {
        let ended = match &self.state {
            State::Length(left) => *left == 0,
            State::Chunked(chunks) => chunks.ended(),
            State::Head | State::Refused => false,
        };
        if ended {
            self.state = State::Head;
            if let Some(arrival) = self.open.take() {
                arrival.last.set(Some(stamp));
            }
        }
    }
}

/// Bytes of a body whose length is known.
fn taken_of(left: &mut u64, bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    out.extend_from_slice(bytes.get(..taken).unwrap_or(bytes));
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests;
