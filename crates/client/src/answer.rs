//! The events of one answer become chunks, usage and an end (measurement.md, "Events, chunks,
//! tokens"). A chunk is an event that carries generated output; role, ping, empty, finish-only
//! and usage-only events are none.
//!
//! It knows no sockets and no HTTP, reads no clock, and computes no metric.
//!
//! Invariant: per event it allocates nothing beyond amortised growth of its reserved buffers.

pub(crate) mod facts;
mod generated;
pub(crate) mod listed;
pub(crate) mod parts;
mod refusal;
mod template;
mod times;
mod whole;

pub(crate) use refusal::message as error_message;

use crate::dialect::Dialect;
use crate::json::append_decoded;
use crate::kept;
use crate::limits::KEPT_BUFFER;
use crate::sse::{SseEvent, Tail};
use crate::tokens::{EventTokens, TokenTally};
use facts::{Choice, EventFacts, Usage};
use infermeter_core::clock::Offset;
use infermeter_core::finish::FinishReason;
use infermeter_core::oddity::Oddity;
use infermeter_core::record::{
    Chunk, ChunkKind, ChunkTexts, Reason, RequestError, RequestRecord, ServerTimes, TokenSource,
};
use infermeter_core::text::inert_bytes;
use listed::ListReader;
use template::Template;

/// Longest `finish_reason` kept, bytes.
const MAX_FINISH_REASON: usize = 64;

/// Most names of members not understood kept of one answer, and the longest of them, bytes.
const MAX_UNKNOWN_NAMES: usize = 4;
const MAX_UNKNOWN_NAME: usize = 32;

/// Which texts of the chunks outlive the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepTexts {
    /// None.
    #[default]
    No,
    /// Those of answers that are not one token per chunk: a tokenizer may count them later, for tokens per
    /// chunk or against the server's usage.
    UntilSettled,
    /// All.
    Always,
}

/// Instants of the read that completed an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventStamp {
    pub(crate) at: Offset,
    pub(crate) seen: Offset,
    pub(crate) lower: Offset,
    pub(crate) read: u32,
}

/// Room for one answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Room {
    /// Chunks that it is made for ahead.
    pub(crate) chunks_ahead: usize,
    /// Most chunks.
    pub(crate) most_chunks: usize,
    /// Most bytes of text.
    pub(crate) most_text: usize,
}

/// Collects one answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    dialect: Dialect,
    keep: KeepTexts,
    room: Room,
    chunks: Vec<Chunk>,
    texts: ChunkTexts,
    tally: TokenTally,
    template: Template,
    list: ListReader,
    usage: Usage,
    times: ServerTimes,
    finish_reason: Option<String>,
    /// `usage.completion_tokens` before the event at hand.
    counted: Option<u32>,
    /// The answer's last words came, as its dialect has them.
    ended: bool,
    /// An event of the dialect came: the answer is of the API that was asked.
    own_api: bool,
    /// The number that the next event should have, where events are numbered.
    next_number: Option<u32>,
    has_gap: bool,
    /// Names of members that were not understood, inert.
    unknown: Vec<String>,
    done: bool,
}

impl Answer {
    /// Ready for the next answer; buffers are kept.
    pub(crate) fn reset(&mut self, dialect: Dialect, keep: KeepTexts, room: Room) {
        (self.dialect, self.keep, self.room) = (dialect, keep, room);
        let reserve = room.chunks_ahead;
        self.chunks.clear();
        self.chunks.reserve(reserve);
        self.texts.bytes.clear();
        self.texts.bytes.shrink_to(KEPT_BUFFER);
        self.texts.ends.clear();
        self.texts.ends.shrink_to(KEPT_BUFFER);
        if keep != KeepTexts::No {
            // Tokens of natural text have four to five bytes.
            self.texts.ends.reserve(reserve);
            self.texts.bytes.reserve(reserve.saturating_mul(5));
        }
        self.tally = TokenTally::default();
        self.template.clear();
        self.usage = Usage::default();
        self.times = ServerTimes::default();
        self.finish_reason = None;
        self.counted = None;
        self.ended = false;
        self.own_api = false;
        (self.next_number, self.has_gap) = (None, false);
        self.unknown.clear();
        self.done = false;
    }

    /// Compares the next event with no earlier one.
    pub(crate) fn forget_template(&mut self) {
        self.template.clear();
    }

    pub(crate) fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Bytes that the answer holds.
    pub(crate) fn kept(&self) -> usize {
        kept::bytes(
            self.chunks.len(),
            self.texts.bytes.len() + size_of_val(&*self.texts.ends),
        )
    }

    /// The dialect's end mark has come: nothing of the answer is missing.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The last chunk's instant is exact after all.
    pub(crate) fn last_chunk_is_exact(&mut self) {
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.lower = chunk.at;
        }
    }

    /// Takes one event of a stream; whether it was a chunk.
    ///
    /// # Errors
    /// The event is an error, is malformed, or is one chunk too many.
    #[inline]
    pub(crate) fn event(
        &mut self,
        event: SseEvent<'_>,
        stamp: EventStamp,
    ) -> Result<bool, RequestError> {
        if self.done {
            self.behind_end(event);
            return Ok(false);
        }
        if let Some((kind, text)) = self.template.fit(event) {
            self.push(kind, EventTokens::default(), stamp)?;
            if self.keep != KeepTexts::No {
                append_decoded(
                    text.span.of(event.data),
                    text.escaped,
                    &mut self.texts.bytes,
                );
                self.end_text()?;
            }
            return Ok(true);
        }
        self.unlike_event(event, stamp)
    }

    /// Takes what comes behind the end mark: usage, and nothing else.
    fn behind_end(&mut self, event: SseEvent<'_>) {
        let Ok(facts) = self.dialect.event(event.data) else {
            return;
        };
        if let Some(usage) = facts.usage {
            self.note_usage(usage);
        }
        self.note_times(event.data, &facts);
    }

    /// Takes an event that is not like the one before.
    fn unlike_event(
        &mut self,
        event: SseEvent<'_>,
        stamp: EventStamp,
    ) -> Result<bool, RequestError> {
        let data = event.data.trim_ascii();
        if event.name == b"error" {
            return Err(failure(Reason::InBandError, error_message(data)));
        }
        if data.is_empty() {
            return Ok(false);
        }
        if data == b"[DONE]" {
            self.done = true;
            return Ok(false);
        }
        let facts = match self.dialect.event(event.data) {
            Ok(facts) => facts,
            Err(_) if !self.dialect.owns(event.name) => return Ok(false),
            Err(error) => return Err(malformed(&error.to_string(), event.data)),
        };
        if let Some(error) = facts.error {
            let text = error_message(error.of(event.data));
            return Err(failure(Reason::InBandError, text));
        }
        if !self.own_api {
            self.look_at_api(event.data, &facts)?;
        }
        self.note_number(&facts);
        self.facts(event, &facts, stamp)
    }

    /// Where events are numbered, each number follows the one before it.
    fn note_number(&mut self, facts: &EventFacts) {
        let Some(number) = facts.number else { return };
        self.has_gap |= self.next_number.is_some_and(|next| next != number);
        self.next_number = number.checked_add(1);
    }

    /// The first events say whose answer this is: one of another API has no end that could be waited
    /// for.
    fn look_at_api(&mut self, data: &[u8], facts: &EventFacts) -> Result<(), RequestError> {
        self.own_api = facts.is_own;
        if !self.own_api
            && !self.dialect.is_pointed()
            && let Some(api) = self.dialect.foreign(data)
        {
            return Err(unexpected(api, self.dialect, data));
        }
        Ok(())
    }

    fn facts(
        &mut self,
        event: SseEvent<'_>,
        facts: &EventFacts,
        stamp: EventStamp,
    ) -> Result<bool, RequestError> {
        if facts.other_choice {
            return Err(several_choices());
        }
        self.counted = self.usage.completion;
        if let Some(usage) = facts.usage {
            self.note_usage(usage);
        }
        self.note_times(event.data, facts);
        self.ended |= facts.is_last;
        self.done |= facts.is_end;
        let Some(choice) = &facts.choice else {
            return Ok(false);
        };
        let tokens = EventTokens {
            usage: facts
                .usage
                .filter(|_| self.dialect.usage_counts_chunks())
                .and_then(|usage| usage.completion),
            ids: choice.token_ids.or(choice.logprobs),
        };
        let data = event.data;
        let kind = self.generated(data, choice, tokens);
        self.note_choice(data, choice);
        let Some(kind) = kind else {
            return Ok(false);
        };
        self.push(kind, tokens, stamp)?;
        if self.keep != KeepTexts::No {
            self.append_texts(data, choice);
            self.end_text()?;
        }
        self.template.learn(event, facts);
        Ok(true)
    }

    fn push(
        &mut self,
        kind: ChunkKind,
        tokens: EventTokens,
        stamp: EventStamp,
    ) -> Result<(), RequestError> {
        if self.chunks.len() >= self.room.most_chunks {
            let text = format!("more than {} chunks in one response", self.room.most_chunks);
            return Err(failure(Reason::LimitExceeded, text));
        }
        self.chunks.push(Chunk {
            at: stamp.at,
            seen: stamp.seen,
            lower: stamp.lower.min(stamp.at),
            tokens: self.tally.chunk(tokens),
            read: stamp.read,
            kind,
        });
        Ok(())
    }

    fn note_usage(&mut self, usage: Usage) {
        let known = &mut self.usage;
        known.prompt = usage.prompt.or(known.prompt);
        known.completion = usage.completion.or(known.completion);
        known.cached = usage.cached.or(known.cached);
        known.reasoning = usage.reasoning.or(known.reasoning);
        known.beside = usage.beside.or(known.beside);
    }

    /// Keeps how long the server says that it took: as a rule in the last event alone.
    fn note_times(&mut self, data: &[u8], facts: &EventFacts) {
        if let Some(place) = facts.times {
            times::note(place.of(data), &mut self.times);
        }
    }

    /// Keeps what a choice says beside its texts.
    fn note_choice(&mut self, data: &[u8], choice: &Choice) {
        if let Some(reason) = choice.finish {
            self.finish_reason = Some(inert_bytes(reason.span.of(data), MAX_FINISH_REASON));
        }
        for name in choice.unknown.names() {
            if self.unknown.len() == MAX_UNKNOWN_NAMES {
                return;
            }
            // A name that is cut could be a part of a secret, which nobody would recognise.
            let name = match name.of(data) {
                short if short.len() <= MAX_UNKNOWN_NAME => inert_bytes(short, MAX_UNKNOWN_NAME),
                _ => "(a long name)".to_owned(),
            };
            if !self.unknown.contains(&name) {
                self.unknown.push(name);
            }
        }
    }

    /// The server says that the answer has no token.
    fn is_empty(&self) -> bool {
        self.usage.completion == Some(0) && self.finish_reason.is_some()
    }

    /// The server says nothing about the answer's tokens.
    fn uncounted(&self) -> bool {
        self.usage.completion.is_none()
    }

    /// An answer that the server gave up is none.
    fn check_end(&self) -> Result<(), RequestError> {
        match &self.finish_reason {
            Some(word) if FinishReason::of(word) == FinishReason::Aborted => {
                let text = format!("the server gave the answer up: finish_reason `{word}`");
                Err(failure(Reason::Aborted, text))
            }
            _ => Ok(()),
        }
    }

    fn end_text(&mut self) -> Result<(), RequestError> {
        let length = self.texts.bytes.len();
        if length > self.room.most_text {
            let text = format!(
                "more than {} bytes of text in one response",
                self.room.most_text
            );
            return Err(failure(Reason::LimitExceeded, text));
        }
        self.texts
            .ends
            .push(u32::try_from(length).unwrap_or(u32::MAX));
        Ok(())
    }

    /// The stream's body has ended, leaving `tail`.
    ///
    /// # Errors
    /// The answer is not whole, or has no chunk.
    pub(crate) fn finish(&mut self, tail: Tail<'_>) -> Result<(), RequestError> {
        if !self.done {
            match tail {
                Tail::Nothing => {}
                Tail::Incomplete(data) if data.trim_ascii() == b"[DONE]" => self.done = true,
                Tail::Incomplete(_) => {
                    return Err(truncated("the stream ended inside an event"));
                }
            }
        }
        if !self.own_api && self.chunks.is_empty() && self.dialect.is_pointed() {
            return Err(nothing_found());
        }
        if !self.done && self.finish_reason.is_none() && !self.ended {
            let missing = self.dialect.end();
            return Err(truncated(&format!("the stream ended without {missing}")));
        }
        self.check_end()?;
        if self.chunks.is_empty() && !self.is_empty() {
            let text = "the stream ended without a token".to_owned();
            return Err(failure(Reason::NoTokens, text));
        }
        Ok(())
    }

    /// Moves what was learnt into a record and settles the tokens of its chunks.
    pub(crate) fn fill(&mut self, record: &mut RequestRecord) {
        if self.has_gap {
            record.oddities.insert(Oddity::Gap);
        }
        record.finished = self.chunks.last().map(|chunk| chunk.at);
        record.finish_reason = self.finish_reason.take();
        let beside = self.usage.beside.unwrap_or(0);
        record.prompt_tokens = self.usage.prompt.map(|n| n.saturating_add(beside));
        record.dimensions = self.dimensions();
        record.output_tokens = self.usage.completion;
        record.cached_tokens = self.usage.cached;
        record.reasoning_tokens = self.usage.reasoning;
        record.server_times = self.times;
        record.token_source = self.tally.settle(
            &mut self.chunks,
            self.usage.completion,
            record.finish_reason.as_deref(),
        );
        record.chunks = std::mem::take(&mut self.chunks);
        if record.chunks.capacity() > record.chunks.len() * 2 + 64 {
            record.chunks.shrink_to_fit();
        }
        record.unknown_members = (!self.unknown.is_empty()).then(|| self.unknown.join(","));
        let unsettled = match record.token_source {
            Some(source) => source == TokenSource::Unknown,
            None => self.uncounted(),
        };
        let chunks = record.chunks.len() as u64;
        let unlike = |usage: u32| u64::from(usage).abs_diff(chunks) > 1;
        let wanted = match self.keep {
            KeepTexts::No => false,
            KeepTexts::UntilSettled => unsettled || record.output_tokens.is_some_and(unlike),
            KeepTexts::Always => true,
        };
        record.texts = wanted.then(|| std::mem::take(&mut self.texts));
    }
}

pub(crate) fn failure(reason: Reason, text: String) -> RequestError {
    RequestError { reason, text }
}

/// The answer is one of another API.
fn unexpected(api: &str, asked: Dialect, data: &[u8]) -> RequestError {
    let quoted = inert_bytes(data, crate::limits::QUOTED_BYTES);
    let text = format!(
        "the answer is of {api}, not of {}: {quoted}",
        asked.called()
    );
    failure(Reason::UnexpectedContent, text)
}

/// An instant belongs to one choice, a usage to all of them: no figure would be right.
fn several_choices() -> RequestError {
    let text = "the answer has several choices (`n`): one answer to a request is measured";
    failure(Reason::UnexpectedContent, text.to_owned())
}

/// The user's pointers led nowhere in any event.
pub(crate) fn nothing_found() -> RequestError {
    let text = "nothing stands where --answer-text, --answer-usage and --answer-end point: look at one \
                answer, and name its members from the outside in, as in /message/content";
    failure(Reason::UnexpectedContent, text.to_owned())
}

fn truncated(text: &str) -> RequestError {
    failure(Reason::Truncated, text.to_owned())
}

fn malformed(what: &str, data: &[u8]) -> RequestError {
    let quoted = inert_bytes(data, crate::limits::QUOTED_BYTES);
    failure(Reason::MalformedEvent, format!("{what}: {quoted}"))
}
