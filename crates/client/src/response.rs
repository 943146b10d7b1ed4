//! One response from its first byte to its last, sans-IO: bytes with stamps in, facts for a
//! [`RequestRecord`](infermeter_core::record::RequestRecord) out. The glue of [`crate::http`], [`crate::sse`] and
//! the answer's dialect.
//!
//! It owns no socket, reads no clock, takes no lock, and retries nothing.
//!
//! Invariant: what it learns depends on the bytes alone; how reads split them shows only in the
//! stamps, in `Chunk::read`, and in the lower bounds.

mod facts;
mod failures;

pub use crate::lists::Numbers;

use crate::answer::{Answer, EventStamp, KeepTexts, Room, failure};
use crate::dialect::Dialect;
use crate::http::{HttpError, HttpEvent, MediaType, ResponseDecoder};
use crate::limits::{
    BODY_BYTES_PER_ITEM, CHUNKS_PER_TOKEN, KEPT_BUFFER, KEPT_BYTES_PER_TOKEN, KEPT_OF_LIST,
    LEAST_CHUNKS, LEAST_KEPT_BYTES, Limits, MAX_RESERVED_CHUNKS, QUOTED_BYTES,
};
use crate::lines::LineDecoder;
use crate::sse::{SseDecoder, SseError, SseEvent, Tail};
use infermeter_core::clock::Offset;
use infermeter_core::oddity::{Oddities, Oddity};
use infermeter_core::record::{MAX_ERROR_TEXT, Reason, RequestError, StampSource};
use infermeter_core::text::inert;

/// What the answer should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    /// How the API that was asked answers.
    pub dialect: Dialect,
    /// An event stream was asked for.
    pub streaming: bool,
    /// Which texts outlive the response.
    pub keep_texts: KeepTexts,
    /// The output tokens asked for: chunks to make room for, and what bounds what is kept.
    pub output_tokens: usize,
    /// What the list has to hold, where the answer is one.
    pub numbers: Numbers,
}

/// Stamps of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadStamp {
    /// When its last byte arrived: the kernel's stamp, or else the program's.
    pub at: Offset,
    /// When the program had the bytes.
    pub seen: Offset,
    /// The earliest its first byte can have arrived: the end of the previous read of the socket.
    pub lower: Offset,
    /// Whose stamp `at` is.
    pub source: StampSource,
}

/// Where the response stands after a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadResult {
    /// More bytes are needed.
    NeedMore,
    /// The response is complete and good.
    Done {
        /// The connection may carry another request.
        keep_alive: bool,
    },
    /// The request failed. [`ResponseReader::keep_alive`] says whether the connection is still
    /// of use.
    Failed(RequestError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Events of a stream.
    Events,
    /// JSON lines of a stream.
    Lines,
    /// JSON that was asked for: held until it ends.
    Whole,
    /// A list of numbers, as JSON: read as it comes.
    List,
    /// What the content type leaves open: the first byte that is not white space tells.
    Open,
    /// The body of a status other than 200.
    Error,
    /// Something that was not asked for.
    Unexpected,
}

#[derive(Debug)]
enum Phase {
    Reading,
    Done,
    Failed(RequestError),
}

/// Reads one response; [`ResponseReader::reset`] makes it ready for the next.
#[derive(Debug)]
pub struct ResponseReader {
    expect: Expect,
    limits: Limits,
    http: ResponseDecoder,
    sse: SseDecoder,
    lines: LineDecoder,
    answer: Answer,
    body: Body,
    oddities: Oddities,
    held: Vec<u8>,
    phase: Phase,
    reads: u32,
    first: Option<ReadStamp>,
    last: Option<ReadStamp>,
    closed: Option<Offset>,
    /// When the answer's end mark came, while its body goes on.
    done_at: Option<Offset>,
    kernel_stamps: bool,
    /// The last body byte so far completed a chunk.
    chunk_is_last: bool,
}

impl ResponseReader {
    /// A reader for one response under the default limits.
    pub fn new(expect: Expect) -> Self {
        Self::with_limits(expect, Limits::DEFAULT)
    }

    /// A reader under other limits.
    pub fn with_limits(expect: Expect, limits: Limits) -> Self {
        let mut reader = Self {
            expect,
            limits,
            http: ResponseDecoder::new(&limits),
            sse: SseDecoder::new(limits.event_bytes),
            lines: LineDecoder::new(limits.event_bytes),
            answer: Answer::default(),
            body: Body::Events,
            oddities: Oddities::default(),
            held: Vec::new(),
            phase: Phase::Reading,
            reads: 0,
            first: None,
            last: None,
            closed: None,
            done_at: None,
            kernel_stamps: true,
            chunk_is_last: false,
        };
        reader.reset(expect);
        reader
    }

    /// Ready for the next response; buffers are kept.
    pub fn reset(&mut self, expect: Expect) {
        self.expect = expect;
        self.http.reset();
        let bound =
            |least: usize, each: usize| least.max(expect.output_tokens.saturating_mul(each));
        let kept_bytes = bound(LEAST_KEPT_BYTES, KEPT_BYTES_PER_TOKEN);
        let items = u64::from(expect.numbers.items);
        self.http
            .limit_body(match (expect.streaming, expect.dialect.list()) {
                (true, _) => self.limits.body_bytes,
                (false, None) => self.limits.whole_body_bytes.min(kept_bytes as u64),
                (false, Some(_)) => {
                    let asked = items.saturating_mul(BODY_BYTES_PER_ITEM);
                    asked.max(kept_bytes as u64).min(self.limits.body_bytes)
                }
            });
        self.sse.reset();
        self.lines.reset();
        let chunks_ahead = if expect.streaming {
            expect.output_tokens.min(MAX_RESERVED_CHUNKS)
        } else {
            0
        };
        let room = Room {
            chunks_ahead,
            most_chunks: bound(LEAST_CHUNKS, CHUNKS_PER_TOKEN).min(self.limits.chunks),
            most_text: kept_bytes,
        };
        self.answer.reset(expect.dialect, expect.keep_texts, room);
        self.answer.expect_numbers(expect.numbers);
        self.done_at = None;
        self.body = Body::Events;
        self.oddities = Oddities::default();
        self.held.clear();
        self.held.shrink_to(KEPT_BUFFER);
        self.phase = Phase::Reading;
        self.reads = 0;
        self.first = None;
        self.last = None;
        self.closed = None;
        self.kernel_stamps = true;
        self.chunk_is_last = false;
    }

    /// Takes the bytes of one read. After `Done` or `Failed` further bytes change nothing but
    /// [`ResponseReader::keep_alive`].
    pub fn read(&mut self, bytes: &[u8], stamp: ReadStamp) -> ReadResult {
        self.read_part(bytes, stamp, false)
    }

    /// The same; the read went on behind these bytes where they are `followed`, so that none of them is
    /// known to be the one that the stamp is of.
    pub(crate) fn read_part(
        &mut self,
        bytes: &[u8],
        stamp: ReadStamp,
        followed: bool,
    ) -> ReadResult {
        if let Some(ended) = self.ended(!bytes.is_empty()) {
            return ended;
        }
        if bytes.is_empty() {
            return ReadResult::NeedMore;
        }
        self.first.get_or_insert(stamp);
        self.last = Some(stamp);
        self.kernel_stamps &= stamp.source == StampSource::Kernel;
        let read = self.reads;
        self.reads = self.reads.saturating_add(1);
        let stamp = EventStamp {
            at: stamp.at,
            seen: stamp.seen,
            lower: stamp.lower,
            read,
        };
        match self.consume(bytes, stamp, followed) {
            Ok(false) => {
                if self.answer.is_done() {
                    self.done_at.get_or_insert(stamp.at);
                }
                ReadResult::NeedMore
            }
            Ok(true) => self.complete(stamp.at),
            Err(error) => self.fail(error, stamp.at),
        }
    }

    /// The peer has closed its side (end of file; of a reset the caller makes its own error).
    /// The stamp matters only where the response is incomplete: the failure's instant.
    pub fn closed_by_peer(&mut self, stamp: ReadStamp) -> ReadResult {
        if let Some(ended) = self.ended(true) {
            return ended;
        }
        let last = self.last.map_or(stamp.at, |last| last.at);
        let ended = match self.http.eof() {
            Ok(()) => self.end_body(),
            // Every token and the end mark came; only the last bytes of HTTP framing are missing.
            Err(HttpError::EofInBody) if self.answer.is_done() => self.end_body(),
            Err(error) => Err(http_failure(&error)),
        };
        match ended {
            Ok(()) => self.complete(last),
            Err(error) => self.fail(error, stamp.at),
        }
    }

    /// The end of the body is not waited for any longer at `now`: behind the answer's end mark it is not
    /// needed.
    pub(crate) fn give_up_body(&mut self, now: Offset) -> ReadResult {
        match self.end_body() {
            Ok(()) => self.complete(now),
            Err(error) => self.fail(error, now),
        }
    }

    fn ended(&mut self, more: bool) -> Option<ReadResult> {
        if more && !matches!(self.phase, Phase::Reading) {
            self.http.refuse_reuse();
        }
        match &self.phase {
            Phase::Reading => None,
            Phase::Done => Some(ReadResult::Done {
                keep_alive: self.keep_alive(),
            }),
            Phase::Failed(error) => Some(ReadResult::Failed(error.clone())),
        }
    }

    fn complete(&mut self, closed: Offset) -> ReadResult {
        self.closed = Some(closed);
        self.phase = Phase::Done;
        ReadResult::Done {
            keep_alive: self.keep_alive(),
        }
    }

    fn fail(&mut self, mut error: RequestError, closed: Offset) -> ReadResult {
        if error.text.len() > MAX_ERROR_TEXT {
            error.text = inert(&error.text, MAX_ERROR_TEXT);
        }
        self.closed = Some(closed);
        self.phase = Phase::Failed(error.clone());
        ReadResult::Failed(error)
    }

    /// Decodes one read; whether the response is complete.
    fn consume(
        &mut self,
        bytes: &[u8],
        stamp: EventStamp,
        followed: bool,
    ) -> Result<bool, RequestError> {
        let mut input = bytes;
        let mut ended = None;
        self.chunk_is_last = false;
        while let Some(event) = self.http.next(&mut input).map_err(|e| http_failure(&e))? {
            match event {
                HttpEvent::Head => self.body = self.body_kind(),
                HttpEvent::Body(bytes) => self.body(bytes, stamp)?,
                // The walk goes on: bytes behind the end forbid reuse.
                HttpEvent::End => ended = Some(self.end_body()),
            }
        }
        // Exact only if nothing that the server may have written later came along: no body byte,
        // and no next chunk-size line (RFC 9112's last chunk is one).
        if self.chunk_is_last && !followed && !self.http.framing_follows_body() {
            self.answer.last_chunk_is_exact();
        }
        ended.map_or(Ok(false), |end| end.map(|()| true))
    }

    fn body_kind(&self) -> Body {
        let head = self.http.head();
        if head.status != 200 {
            return Body::Error;
        }
        match (self.expect.streaming, head.media_type()) {
            _ if head.content_encoding.is_some() => Body::Unexpected,
            (true, MediaType::EventStream) => Body::Events,
            (false, MediaType::Json) => self.whole_kind(),
            // JSON lines have a label of their own, or several.
            (true, MediaType::Other) if self.expect.dialect.is_pointed() => Body::Open,
            (_, MediaType::Other) => Body::Unexpected,
            (true, MediaType::Json | MediaType::Unsaid)
            | (false, MediaType::EventStream | MediaType::Unsaid) => Body::Open,
        }
    }

    fn whole_kind(&self) -> Body {
        match self.answer.is_list() {
            true => Body::List,
            false => Body::Whole,
        }
    }

    /// What a body under another label begins with: a line of an event, an object, or neither.
    fn opened(&self, first: u8) -> Body {
        // A comment, a byte order mark, or the first letter of `data`, `event`, `id`, `retry`.
        let is_event = matches!(first, b':' | b'd' | b'e' | b'i' | b'r' | 0xef);
        match (self.expect.streaming, first) {
            (true, _) if is_event => Body::Events,
            (true, b'{') if self.expect.dialect.is_pointed() => Body::Lines,
            (false, b'{') => self.whole_kind(),
            _ => Body::Unexpected,
        }
    }

    fn body(&mut self, bytes: &[u8], stamp: EventStamp) -> Result<(), RequestError> {
        match self.body {
            Body::Open => {
                let bytes = bytes.trim_ascii_start();
                let Some(first) = bytes.first() else {
                    return Ok(());
                };
                self.body = self.opened(*first);
                if !matches!(self.body, Body::Unexpected | Body::Lines) {
                    self.oddities.insert(Oddity::Mislabelled);
                }
                self.body(bytes, stamp)
            }
            Body::Events => {
                if self.oddities.contains(Oddity::Mislabelled) && self.answer.chunks().is_empty() {
                    self.hold(bytes, QUOTED_BYTES);
                }
                self.events(bytes, stamp)
            }
            Body::Lines => self.json_lines(bytes, stamp),
            Body::Whole => {
                self.held.extend_from_slice(bytes);
                Ok(())
            }
            Body::List => {
                self.hold(bytes, KEPT_OF_LIST);
                self.answer.list_bytes(bytes);
                Ok(())
            }
            Body::Error => {
                let room = self.hold(bytes, self.limits.error_body_bytes);
                if bytes.len() > room {
                    return Err(self.status_failure());
                }
                Ok(())
            }
            Body::Unexpected => {
                self.hold(bytes, QUOTED_BYTES);
                if self.held.len() >= QUOTED_BYTES {
                    return Err(self.unexpected_failure());
                }
                Ok(())
            }
        }
    }

    /// Keeps bytes up to `limit` in all; the room that there was.
    fn hold(&mut self, bytes: &[u8], limit: usize) -> usize {
        let room = limit.saturating_sub(self.held.len());
        self.held
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        room
    }

    fn events(&mut self, bytes: &[u8], stamp: EventStamp) -> Result<(), RequestError> {
        let mut input = bytes;
        self.chunk_is_last = false;
        loop {
            let event = match self.sse.next(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(()),
                Err(error @ SseError::EventTooLong(_)) => {
                    return Err(failure(Reason::LimitExceeded, error.to_string()));
                }
            };
            let is_chunk = self.answer.event(event, stamp)?;
            self.chunk_is_last = is_chunk && input.is_empty();
        }
    }

    fn json_lines(&mut self, bytes: &[u8], stamp: EventStamp) -> Result<(), RequestError> {
        let mut input = bytes;
        self.chunk_is_last = false;
        loop {
            let line = self.lines.next(&mut input);
            let line = line.map_err(|e| failure(Reason::LimitExceeded, e.to_string()))?;
            let Some(data) = line else { return Ok(()) };
            let event = SseEvent { name: b"", data };
            let is_chunk = self.answer.event(event, stamp)?;
            self.chunk_is_last = is_chunk && input.is_empty();
        }
    }

    /// A last line may have no line break behind it.
    fn last_line(&mut self) -> Result<(), RequestError> {
        if let (data @ [_, ..], Some(last)) = (self.lines.tail(), self.last) {
            let stamp = EventStamp {
                at: last.at,
                seen: last.seen,
                lower: last.lower,
                read: self.reads.saturating_sub(1),
            };
            self.answer.event(SseEvent { name: b"", data }, stamp)?;
        }
        self.answer.finish(Tail::Nothing)
    }

    /// The body has ended as HTTP says.
    fn end_body(&mut self) -> Result<(), RequestError> {
        match self.body {
            Body::Events => {
                let ended = self.answer.finish(self.sse.tail());
                ended.map_err(|error| self.perhaps_unexpected(error))
            }
            Body::Lines => self.last_line(),
            Body::Whole => {
                let ended = self.answer.whole(&self.held);
                ended.map_err(|error| self.perhaps_unexpected(error))
            }
            Body::List => {
                let ended = self.answer.end_list(&self.held);
                ended.map_err(|error| self.perhaps_unexpected(error))
            }
            Body::Error => Err(self.status_failure()),
            Body::Open | Body::Unexpected => Err(self.unexpected_failure()),
        }
    }
}

fn http_failure(error: &HttpError) -> RequestError {
    failure(error.reason(), error.to_string())
}
