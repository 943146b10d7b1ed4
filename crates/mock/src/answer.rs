//! One answer on its way: tokens in, bytes out.
//!
//! Knows no socket and no clock: it says when its bytes are to be written and what follows; the
//! server writes them and gives the instant back for the truth log. What ends an answer (finish
//! reason, usage, `[DONE]`, end of the body) is in the same write as its last token, as fast
//! engines do; an end token has no text and brings its finish event one step behind the last word.

mod alter;
mod bytes;
mod gate;

use crate::api::{Ask, StreamUsage};
use crate::cheat::{Cheat, Told};
use crate::config::RoleChunk;
use crate::content::{ContentParams, Part, Script, ServerTimesForm};
use crate::dialect::{self, Listed, Naming, Scores, Voice};
use crate::engine::{Emission, Finish, SequenceId};
use crate::fault::Fault;
use crate::render::{self, Framing, ReplyTo};
use crate::truth::{RequestEnd, TruthRequest};
use gate::Gate;
use std::collections::VecDeque;
use std::sync::Arc;

/// What follows the bytes of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// More tokens.
    GoOn,
    /// More tokens; the answer is to be woken after [`Answer::pause_ns`].
    Wake,
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
    pub content: &'a ContentParams,
    pub prompt_tokens_details: bool,
    pub created_s: i64,
    pub arrival: crate::truth::Arrival,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    id: SequenceId,
    usage: StreamUsage,
    prompt_tokens: u32,
    fault: Option<Fault>,
    to: ReplyTo,
    framing: Framing,
    voice: Box<dyn Voice>,
    /// Prompt tokens found in the prefix cache, where usage tells.
    cached: Option<u32>,
    times: ServerTimesForm,
    admitted: bool,
    /// Answers may have reasoning.
    reasons: bool,
    whole: bool,
    head_is_out: bool,
    role_is_out: bool,
    content_is_out: bool,
    script: Script,
    /// A blank goes out before there is a token.
    blank: bool,
    /// While it is held, the answer is in flight for others.
    _held: Option<Arc<Told>>,
    /// Generated tokens, the end token included.
    generated: u32,
    visible: u32,
    /// The part that `words` belongs to.
    part: Part,
    /// JSON text of the event being filled (of the whole answer where it does not stream).
    words: Vec<u8>,
    words_held: u32,
    /// Where the reasoning and a function's name end in the whole answer.
    reasoning_end: usize,
    name_end: usize,
    tokens_per_event: u32,
    /// The first event waits for no more than its first token.
    first_at_once: bool,
    events_held: u32,
    events_per_write: u32,
    pending: Vec<u8>,
    pending_tokens: u32,
    gate: Gate,
    pause_ns: i64,
    /// What follows once the gate has let everything out.
    deferred: Option<Then>,
    stalled: bool,
    malformed: bool,
    /// Bytes of `pending` that have left one by one, and the tokens they carried.
    sent: usize,
    marks: VecDeque<(usize, u32)>,
    truth: TruthRequest,
}

impl Answer {
    /// An answer without any byte yet.
    pub fn new(opening: Opening<'_>) -> Self {
        let Opening {
            ask,
            fault,
            content,
            ..
        } = opening;
        let fault = fault.or(ask.manner.held.map(Fault::HoldBack));
        let response_id = render::json_text(opening.request_id);
        let (coalesced, events_per_write) = match fault {
            Some(Fault::Coalesce(n)) => (Some(n), 1),
            Some(Fault::MultiEvent(n)) => (None, n),
            _ => (None, 1),
        };
        let voice = dialect::of(ask.endpoint).voice(Naming {
            id: &response_id,
            created_s: opening.created_s,
            model: opening.model,
            reasoning_field: content.reasoning_field,
            listed: lacking(ask.listed, fault),
            scores: ask.logprobs.map(|top| Scores {
                script: &ask.script,
                top,
            }),
        });
        Self {
            id: opening.id,
            usage: ask.usage,
            prompt_tokens: ask.prompt_tokens,
            framing: Framing::of(&opening.to),
            voice: dialect::in_manner(voice, ask.manner),
            cached: opening.prompt_tokens_details.then_some(0),
            times: content.server_times,
            admitted: false,
            reasons: ask.endpoint.has_messages() && content.reasons(),
            whole: !ask.stream || fault == Some(Fault::JsonInsteadOfStream),
            head_is_out: false,
            role_is_out: false,
            content_is_out: false,
            blank: ask.manner.blank,
            generated: 0,
            visible: 0,
            part: ask.script.part(),
            words: Vec::new(),
            words_held: 0,
            reasoning_end: 0,
            name_end: 0,
            tokens_per_event: coalesced.unwrap_or(content.stream_interval),
            first_at_once: coalesced.is_none(),
            events_held: 0,
            events_per_write,
            pending: Vec::with_capacity(512),
            pending_tokens: 0,
            gate: Gate::of(fault),
            pause_ns: gate::pause_of(fault),
            deferred: None,
            stalled: false,
            malformed: false,
            sent: 0,
            marks: VecDeque::new(),
            truth: truth_of(&ask, opening.request_id, opening.arrival),
            _held: ask.held,
            script: ask.script,
            fault,
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

    /// Its bytes leave in writes of their own.
    pub fn is_byte_wise(&self) -> bool {
        matches!(self.fault, Some(Fault::ByteWise(_)))
    }

    /// It left the engine's queue with `cached_tokens` of its prompt in the cache. Said again when
    /// it resumes, which changes nothing.
    pub fn admitted(&mut self, cached_tokens: u32) {
        if !std::mem::replace(&mut self.admitted, true) {
            self.cached = self.cached.map(|_| cached_tokens);
        }
    }

    /// The response begins. `early`: the head goes out now, as servers do whose first token takes
    /// its time; otherwise with the first token.
    pub fn begin(&mut self, early: bool, role_chunk: RoleChunk) -> Turn {
        let turn = self.opened(early, role_chunk);
        let turn = self.gated(turn);
        if self.pauses_first() && turn.then == Then::GoOn {
            return Turn {
                then: Then::Wake,
                ..turn
            };
        }
        turn
    }

    fn opened(&mut self, early: bool, role_chunk: RoleChunk) -> Turn {
        if let Some(Fault::DisconnectAfter(0) | Fault::ResetAfter(0)) = self.fault {
            return self.cut().unwrap_or(Turn::GO_ON);
        }
        if self.fault == Some(Fault::Empty) {
            return self.finish_without_tokens();
        }
        if !self.whole {
            if early {
                self.put_head();
            }
            if role_chunk == RoleChunk::Arrival || self.blank {
                self.put_head();
                self.put_role();
            }
            if self.blank {
                self.put_blank();
            }
        }
        self.cut().unwrap_or(Turn {
            write: !self.pending.is_empty(),
            then: Then::GoOn,
        })
    }

    /// The tokens of a step.
    pub fn take(&mut self, emission: Emission) -> Turn {
        let turn = self.taken(emission);
        match self.fault {
            None => turn,
            Some(Fault::StallFor(n, _)) if !self.stalled && self.visible >= n => {
                self.stalled_behind(turn)
            }
            Some(_) => self.gated(turn),
        }
    }

    fn taken(&mut self, emission: Emission) -> Turn {
        let end_token = u32::from(emission.finish == Some(Finish::Stop));
        let mut is_cut = false;
        for _ in end_token..emission.tokens {
            self.put_word();
            self.generated += 1;
            self.visible += 1;
            if self.cut_due() {
                is_cut = true;
                break;
            }
        }
        if is_cut {
            return self.cut().unwrap_or(Turn::GO_ON);
        }
        self.generated += end_token;
        let finish = emission.finish.map(|finish| self.reason(finish));
        if self.whole {
            return finish.map_or(Turn::GO_ON, |finish| self.put_whole(finish));
        }
        if let Some(finish) = finish {
            self.put_event(Some(finish));
            return self.end_stream();
        }
        let is_full = self.words_held >= self.tokens_per_event
            || (self.first_at_once && !self.content_is_out);
        if is_full {
            self.put_event(None);
        }
        Turn {
            write: self.events_held >= self.events_per_write,
            then: Then::GoOn,
        }
    }

    /// The pending bytes that leave with the next write. Call [`Answer::written`] afterwards.
    pub fn pending(&self) -> &[u8] {
        match self.gate {
            Gate::Open | Gate::Shut => &self.pending,
            Gate::Paced { .. } => {
                let end = (self.sent + 1).min(self.pending.len());
                &self.pending[self.sent..end]
            }
        }
    }

    /// What [`Answer::pending`] gave went to the write call at `at_ns` (read just before it).
    pub fn written(&mut self, at_ns: i64) {
        let bytes = self.pending().len();
        let tokens = self.consume();
        self.written_later(at_ns, bytes, tokens);
    }

    /// What [`Answer::pending`] gives and the tokens it carries, for a link that writes it later.
    /// Call [`Answer::written_later`] then.
    pub fn take_pending(&mut self) -> (Vec<u8>, u32) {
        let bytes = self.pending().to_vec();
        (bytes, self.consume())
    }

    /// Bytes taken earlier went to the write call at `at_ns`.
    pub fn written_later(&mut self, at_ns: i64, bytes: usize, tokens: u32) {
        self.truth.bytes += bytes as u64;
        self.truth.stamp(at_ns, tokens);
    }

    /// What [`Answer::pending`] gave is on its way; the tokens it completes.
    fn consume(&mut self) -> u32 {
        let mut tokens = 0;
        if let Gate::Paced { .. } = self.gate {
            self.sent += 1;
            while let Some((end, marked)) = self.marks.front().copied() {
                if end > self.sent {
                    break;
                }
                tokens += marked;
                self.marks.pop_front();
            }
            if self.sent < self.pending.len() {
                return tokens;
            }
            self.sent = 0;
        }
        self.pending.clear();
        self.events_held = 0;
        tokens + std::mem::take(&mut self.pending_tokens)
    }

    /// Its entry in the truth log so far.
    pub fn truth(&mut self) -> &mut TruthRequest {
        &mut self.truth
    }

    /// What its response owes the request.
    pub fn reply_to(&self) -> &ReplyTo {
        &self.to
    }

    /// Its entry in the truth log.
    pub fn into_truth(mut self, end: RequestEnd) -> TruthRequest {
        self.truth.end(end, self.generated);
        self.truth
    }

    fn reason(&self, finish: Finish) -> &'static str {
        match finish {
            _ if self.script.has_called() => "tool_calls",
            Finish::Length => "length",
            Finish::Stop => "stop",
        }
    }

    /// Whether a fault cuts the answer behind the visible tokens so far.
    fn cut_due(&self) -> bool {
        match self.fault {
            Some(
                Fault::DisconnectAfter(n)
                | Fault::ResetAfter(n)
                | Fault::StallAfter(n)
                | Fault::ContentFilter(n),
            ) => self.visible >= n,
            // A body in one piece has no band to err in.
            Some(Fault::InBandErrorAfter(n) | Fault::TruncateAfter(n)) => {
                !self.whole && self.visible >= n
            }
            _ => false,
        }
    }

    /// Cuts the answer if a fault says so.
    fn cut(&mut self) -> Option<Turn> {
        if !self.cut_due() {
            return None;
        }
        if self
            .fault
            .is_some_and(|fault| matches!(fault, Fault::ContentFilter(_)))
        {
            return Some(self.finish_with("content_filter"));
        }
        if !self.whole {
            self.put_event(None);
        }
        let then = match self.fault? {
            Fault::DisconnectAfter(_) => Then::Close,
            Fault::ResetAfter(_) => Then::Reset,
            Fault::InBandErrorAfter(_) => {
                self.put_head();
                self.put_piece(false, |voice, out, framing| voice.error(out, framing));
                render::stream_end(&mut self.pending, self.framing);
                Then::Done
            }
            Fault::TruncateAfter(_) => {
                self.put_head();
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

/// The entry in the truth log of an answer that begins.
fn truth_of(ask: &Ask, request_id: &str, arrival: crate::truth::Arrival) -> TruthRequest {
    let (prompt, expected) = (Some(ask.prompt_tokens), ask.length.tokens);
    let names = ask.cheats.iter().map(Cheat::name);
    TruthRequest {
        cheats: names.map(str::to_owned).collect(),
        ..TruthRequest::new(request_id, arrival, prompt, 200, expected)
    }
}

/// The list without the results that a fault leaves out.
fn lacking(listed: Listed, fault: Option<Fault>) -> Listed {
    let lost = match fault {
        Some(Fault::Empty) => u32::MAX,
        Some(Fault::LostResults(n)) => n,
        _ => 0,
    };
    Listed {
        results: listed.results.saturating_sub(lost),
        ..listed
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
