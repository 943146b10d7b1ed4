//! The bytes of an answer, appended to what is pending.

use super::alter::alter;
use super::gate::Gate;
use super::{Answer, Then, Turn};
use crate::api::StreamUsage;
use crate::content::{Part, ServerTimesForm};
use crate::dialect::{End, Opening, Said, Saying, TimesTold, UsageCounts, Voice};
use crate::fault::Fault;
use crate::render::{self, Content, Framing, ReplyTo};

/// Bytes that a bad length announces beyond what comes.
const MISSING_BYTES: usize = 64;

impl Answer {
    pub(super) fn put_head(&mut self) {
        if !std::mem::replace(&mut self.head_is_out, true) {
            let padding = match self.fault {
                Some(Fault::OversizedHead(bytes)) => bytes as usize,
                _ => 0,
            };
            let to = ReplyTo {
                keep_alive: self.keeps_alive(),
                ..self.to.clone()
            };
            render::stream_head(&mut self.pending, padding, &to);
        }
    }

    /// Appends a piece of the stream, its lines changed where a fault says so. `struck`: it is the
    /// event that a malformation is meant for.
    pub(super) fn put_piece(
        &mut self,
        struck: bool,
        say: impl FnOnce(&mut dyn Voice, &mut Vec<u8>, Framing),
    ) {
        if !self.fault.is_some_and(Fault::alters_lines) {
            return say(&mut *self.voice, &mut self.pending, self.framing);
        }
        let mut event = Vec::new();
        say(&mut *self.voice, &mut event, Framing::Bare);
        // An empty chunk would end the body.
        if !event.is_empty() {
            let mut altered = Vec::new();
            alter(&mut altered, &event, self.fault, struck);
            render::piece(&mut self.pending, &[&altered], self.framing);
        }
    }

    pub(super) fn put_role(&mut self) {
        if !std::mem::replace(&mut self.role_is_out, true) {
            // No token yet, though the first may be right behind it.
            let usage = self.usage(0);
            let opening = Opening {
                at_once: usage.filter(|_| self.usage != StreamUsage::None),
                with_each: usage.filter(|_| self.usage == StreamUsage::Continuous),
            };
            self.put_piece(false, |voice, out, framing| {
                voice.role(out, opening, framing);
            });
        }
    }

    /// A blank as the first token, before there is one.
    pub(super) fn put_blank(&mut self) {
        let part = std::mem::replace(&mut self.part, Part::Content);
        self.words.push(b' ');
        self.words_held += 1;
        self.generated += 1;
        self.put_event(None);
        self.part = part;
    }

    /// Takes the next token's text.
    pub(super) fn put_word(&mut self) {
        let part = self.script.part();
        if part != self.part {
            self.change_part(part);
        }
        self.words.extend_from_slice(self.script.next().as_bytes());
        self.words_held += 1;
        match self.fault {
            Some(Fault::EscapeSequences) => self
                .words
                .extend_from_slice(render::json_text(render::HOSTILE_TEXT).as_bytes()),
            Some(Fault::OversizedEvent(bytes)) if self.visible == 0 => {
                self.words.resize(self.words.len() + bytes as usize, b'x');
            }
            _ => {}
        }
    }

    /// An event holds one part alone.
    fn change_part(&mut self, part: Part) {
        if self.whole {
            self.end_part();
        } else {
            self.put_event(None);
        }
        self.part = part;
    }

    /// Notes where a part of the whole answer ends.
    fn end_part(&mut self) {
        match self.part {
            Part::Reasoning => self.reasoning_end = self.words.len(),
            Part::CallName => self.name_end = self.words.len(),
            Part::Content | Part::CallArguments => {}
        }
    }

    /// Closes the event being filled; the first one takes the head and the role along. Without a
    /// text and without a finish there is none yet.
    pub(super) fn put_event(&mut self, finish: Option<&str>) {
        if self.words.is_empty() && finish.is_none() {
            return;
        }
        self.put_head();
        self.put_role();
        let usage = match self.usage {
            StreamUsage::Continuous => self.usage(self.generated),
            StreamUsage::InLastChunk if finish.is_some() => self.last_usage(),
            StreamUsage::None | StreamUsage::Final | StreamUsage::InLastChunk => None,
        };
        let has_text = !self.words.is_empty();
        let saying = Saying {
            part: if has_text { self.part } else { Part::Content },
            text: &self.words,
        };
        let end = End {
            reason: finish,
            usage,
        };
        if self.fault.is_none() {
            self.voice
                .content(&mut self.pending, saying, end, self.framing);
        } else {
            self.put_faulty_event(end);
        }
        self.content_is_out |= has_text;
        self.words.clear();
        self.note_tokens();
        self.events_held += 1;
    }

    /// The event of an answer with a fault, which may be about its events.
    fn put_faulty_event(&mut self, end: End<'_>) {
        let has_text = !self.words.is_empty();
        let part = if has_text { self.part } else { Part::Content };
        let is_twice = has_text && self.fault == Some(Fault::DuplicateChunks);
        let struck = has_text && self.content_is_out && !self.malformed;
        let words = std::mem::take(&mut self.words);
        let saying = Saying { part, text: &words };
        for _ in 0..1 + u32::from(is_twice) {
            self.put_piece(struck, |voice, out, framing| {
                voice.content(out, saying, end, framing);
            });
        }
        self.words = words;
        self.malformed |= struck;
    }

    /// The tokens held go with the pending bytes.
    fn note_tokens(&mut self) {
        let tokens = std::mem::take(&mut self.words_held);
        match self.gate {
            Gate::Open | Gate::Shut => self.pending_tokens += tokens,
            Gate::Paced { .. } => self.marks.push_back((self.pending.len(), tokens)),
        }
    }

    /// The usage; nothing where a fault leaves it out.
    pub(super) fn usage(&self, generated: u32) -> Option<UsageCounts> {
        let completion = match self.fault {
            Some(Fault::NoUsage) => return None,
            Some(Fault::WrongUsage) => generated.saturating_add(7),
            Some(Fault::UsagePercent(n)) => {
                let claimed = u64::from(generated) * u64::from(n) / 100;
                u32::try_from(claimed).unwrap_or(u32::MAX)
            }
            _ => generated,
        };
        Some(UsageCounts {
            prompt: self.prompt_tokens,
            completion,
            cached: self.cached,
            reasoning: self.reasons.then(|| self.script.reasoned()),
            times: None,
        })
    }

    /// The same at the end, where engines say how long it took.
    fn last_usage(&self) -> Option<UsageCounts> {
        let usage = self.usage(self.generated)?;
        Some(UsageCounts {
            times: self.times_told(),
            ..usage
        })
    }

    /// By the engine's steps; of the decoding what was written before the last write.
    fn times_told(&self) -> Option<TimesTold> {
        let truth = &self.truth;
        let (admitted, prefilled) = (truth.admitted_ns?, truth.prefilled_ns?);
        let arrived = truth.link_in_ns.unwrap_or(truth.arrival_ns);
        let last = truth.tokens_ns.last().copied().unwrap_or(prefilled);
        (self.times != ServerTimesForm::Off).then(|| TimesTold {
            form: self.times,
            queue_ns: (admitted - arrived).max(0),
            prefill_ns: (prefilled - admitted).max(0),
            decode_ns: (last - prefilled).max(0),
        })
    }

    /// Everything behind the last event.
    pub(super) fn end_stream(&mut self) -> Turn {
        let wants_chunk = match self.usage {
            StreamUsage::Final | StreamUsage::Continuous => true,
            StreamUsage::None | StreamUsage::InLastChunk => false,
        };
        if let Some(usage) = self.last_usage().filter(|_| wants_chunk) {
            self.put_piece(false, |voice, out, framing| {
                voice.usage(out, usage, framing);
            });
        }
        if self.fault == Some(Fault::BadLength) {
            let mut end = Vec::new();
            self.voice.end(&mut end, Framing::Bare);
            render::short_piece(&mut self.pending, &end, MISSING_BYTES, self.framing);
            return Turn::write_and(Then::Close);
        }
        if self.fault != Some(Fault::NoDone) {
            self.put_piece(false, |voice, out, framing| voice.end(out, framing));
        }
        render::stream_end(&mut self.pending, self.framing);
        Turn::write_and(Then::Done)
    }

    pub(super) fn put_whole(&mut self, finish: &str) -> Turn {
        self.end_part();
        let usage = self.last_usage();
        let body = self.voice.whole(self.said(), finish, usage);
        let bad = self.fault == Some(Fault::BadLength);
        let announced = body.len() + if bad { MISSING_BYTES } else { 0 };
        let content = Content::json(&body);
        render::whole(&mut self.pending, 200, content, announced, "", &self.to);
        self.words = Vec::new();
        self.note_tokens();
        Turn::write_and(if bad { Then::Close } else { Then::Done })
    }

    /// The whole answer by its parts.
    fn said(&self) -> Said<'_> {
        let (reasoning, rest) = self.words.split_at(self.reasoning_end);
        let name = self.name_end.saturating_sub(self.reasoning_end);
        let (call, text) = rest.split_at(name);
        Said {
            reasoning: self.reasons.then_some(reasoning),
            call: (!call.is_empty()).then_some(call),
            text,
        }
    }

    /// Ends the answer here, for a reason of its own.
    pub(super) fn finish_with(&mut self, reason: &str) -> Turn {
        if self.whole {
            return self.put_whole(reason);
        }
        self.put_event(Some(reason));
        self.end_stream()
    }

    pub(super) fn finish_without_tokens(&mut self) -> Turn {
        self.finish_with("stop")
    }
}
