//! One answer on its way: tokens in, bytes out.
//!
//! Knows no socket and no clock: it says when its bytes are to be written and what follows; the
//! server writes them and gives the instant back for the truth log. What ends an answer (finish
//! reason, usage, `[DONE]`, end of the body) is in the same write as its last token, as fast
//! engines do; an end token has no text and brings its finish event one step behind the last word.

mod bytes;

use crate::api::{AnswerKind, Ask};
use crate::config::RoleChunk;
use crate::engine::{Emission, Finish, SequenceId};
use crate::fault::Fault;
use crate::render::{self, EventSkeleton, Framing, ReplyTo};
use crate::text::Speech;
use crate::truth::{RequestEnd, TruthRequest};

/// What follows the bytes of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// More tokens.
    GoOn,
    /// The response is complete.
    Done,
    /// The connection ends in order, the response is not complete.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing more is ever written.
    Stall,
}

/// The result of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The pending bytes are to be written now.
    pub write: bool,
    /// What follows.
    pub then: Then,
}

/// What the server knows when an answer begins.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub id: SequenceId,
    pub ask: Ask,
    pub fault: Option<Fault>,
    pub to: ReplyTo,
    /// Request id of the truth log and the response id.
    pub request_id: &'a str,
    pub model: &'a str,
    pub prompt_tokens_details: bool,
    pub created_s: i64,
    pub arrival: crate::truth::Arrival,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    id: SequenceId,
    ask: Ask,
    fault: Option<Fault>,
    to: ReplyTo,
    framing: Framing,
    skeleton: EventSkeleton,
    response_id: String,
    model: String,
    created_s: i64,
    prompt_tokens_details: bool,
    whole: bool,
    head_is_out: bool,
    role_is_out: bool,
    speech: Speech,
    /// Generated tokens, the end token included.
    generated: u32,
    visible: u32,
    /// JSON text of the event being filled (of the whole answer where it does not stream).
    words: Vec<u8>,
    words_held: u32,
    tokens_per_event: u32,
    events_held: u32,
    events_per_write: u32,
    pending: Vec<u8>,
    pending_tokens: u32,
    truth: TruthRequest,
}

impl Answer {
    /// An answer without any byte yet.
    pub fn new(opening: Opening<'_>) -> Self {
        let response_id = render::json_text(opening.request_id);
        let ask = opening.ask;
        let whole = !ask.stream || opening.fault == Some(Fault::JsonInsteadOfStream);
        let one_unless = |n: Option<u32>| n.unwrap_or(1);
        Self {
            id: opening.id,
            framing: if opening.to.http10 {
                Framing::Bare
            } else {
                Framing::Chunked
            },
            skeleton: EventSkeleton::new(ask.kind, &response_id, opening.created_s, opening.model),
            response_id,
            model: opening.model.to_owned(),
            created_s: opening.created_s,
            prompt_tokens_details: opening.prompt_tokens_details,
            whole,
            head_is_out: false,
            role_is_out: ask.kind == AnswerKind::Completion,
            speech: Speech::of(ask.key),
            generated: 0,
            visible: 0,
            words: Vec::new(),
            words_held: 0,
            tokens_per_event: one_unless(match opening.fault {
                Some(Fault::Coalesce(n)) => Some(n),
                _ => None,
            }),
            events_held: 0,
            events_per_write: one_unless(match opening.fault {
                Some(Fault::MultiEvent(n)) => Some(n),
                _ => None,
            }),
            pending: Vec::with_capacity(512),
            pending_tokens: 0,
            truth: TruthRequest::new(
                opening.request_id,
                opening.arrival,
                Some(ask.prompt_tokens),
                200,
                ask.length.tokens,
            ),
            ask,
            fault: opening.fault,
            to: opening.to,
        }
    }

    /// Its sequence.
    pub fn id(&self) -> SequenceId {
        self.id
    }

    /// Whether the connection may carry another request behind a complete response.
    pub fn keeps_alive(&self) -> bool {
        self.to.keep_alive && (self.whole || self.framing == Framing::Chunked)
    }

    /// The response begins. `early`: the head goes out now, as servers do whose first token takes
    /// its time; otherwise with the first token.
    pub fn begin(&mut self, early: bool, role_chunk: RoleChunk) -> Turn {
        if let Some(Fault::DisconnectAfter(0) | Fault::ResetAfter(0)) = self.fault {
            return self.cut().unwrap_or(Turn::GO_ON);
        }
        if self.fault == Some(Fault::Empty) {
            return self.finish_without_tokens();
        }
        if self.whole {
            return Turn::GO_ON;
        }
        if early {
            self.put_head();
        }
        if role_chunk == RoleChunk::Arrival {
            self.put_head();
            self.put_role();
        }
        self.cut().unwrap_or(Turn {
            write: !self.pending.is_empty(),
            then: Then::GoOn,
        })
    }

    /// One token.
    pub fn take(&mut self, emission: Emission) -> Turn {
        self.generated += 1;
        if emission.finish != Some(Finish::Stop) {
            self.visible += 1;
            self.put_word();
        }
        if self.whole {
            return self.take_whole(emission.finish);
        }
        let cut_due = self.cut_due();
        if self.words_held >= self.tokens_per_event || cut_due || emission.finish.is_some() {
            self.put_event(emission.finish);
        }
        if cut_due {
            return self.cut().unwrap_or(Turn::GO_ON);
        }
        if emission.finish.is_some() {
            return self.end_stream();
        }
        Turn {
            write: self.events_held >= self.events_per_write,
            then: Then::GoOn,
        }
    }

    fn take_whole(&mut self, finish: Option<Finish>) -> Turn {
        match (self.cut_due(), finish) {
            (true, _) => self.cut().unwrap_or(Turn::GO_ON),
            (false, Some(finish)) => self.put_whole(finish),
            (false, None) => Turn::GO_ON,
        }
    }

    /// The bytes to write now. Call [`Answer::written`] afterwards.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// The pending bytes went to the write call at `at_ns` (read just before it).
    pub fn written(&mut self, at_ns: i64) {
        self.truth.stamp(at_ns, self.pending_tokens);
        self.pending.clear();
        self.pending_tokens = 0;
        self.events_held = 0;
    }

    /// Its entry in the truth log.
    pub fn into_truth(mut self, end: RequestEnd) -> TruthRequest {
        self.truth.end(end, self.generated);
        self.truth
    }

    /// Whether a fault cuts the answer behind the visible tokens so far.
    fn cut_due(&self) -> bool {
        match self.fault {
            Some(Fault::DisconnectAfter(n) | Fault::ResetAfter(n) | Fault::StallAfter(n)) => {
                self.visible >= n
            }
            // A body in one piece has no band to err in.
            Some(Fault::InBandErrorAfter(n)) => !self.whole && self.visible >= n,
            _ => false,
        }
    }

    /// Cuts the answer if a fault says so.
    fn cut(&mut self) -> Option<Turn> {
        if !self.cut_due() {
            return None;
        }
        let then = match self.fault? {
            Fault::DisconnectAfter(_) => Then::Close,
            Fault::ResetAfter(_) => Then::Reset,
            Fault::InBandErrorAfter(_) => {
                self.put_head();
                render::piece(&mut self.pending, &[render::IN_BAND_ERROR], self.framing);
                render::piece(&mut self.pending, &[render::DONE], self.framing);
                render::stream_end(&mut self.pending, self.framing);
                Then::Done
            }
            _ => Then::Stall,
        };
        Some(Turn {
            write: !self.pending.is_empty(),
            then,
        })
    }
}

impl Turn {
    const GO_ON: Self = Self {
        write: false,
        then: Then::GoOn,
    };

    fn write_and(then: Then) -> Self {
        Self { write: true, then }
    }
}

#[cfg(test)]
mod tests;
