//! The bytes of an answer, appended to what is pending.

use super::{Answer, Then, Turn};
use crate::api::StreamUsage;
use crate::engine::Finish;
use crate::fault::Fault;
use crate::render::{self, ReplyTo};

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

    pub(super) fn put_role(&mut self) {
        if !std::mem::replace(&mut self.role_is_out, true) {
            // No token yet, though the first may be right behind it.
            let usage = self.continuous_usage(0);
            self.skeleton.role(&mut self.pending, &usage, self.framing);
        }
    }

    pub(super) fn put_word(&mut self) {
        self.words
            .extend_from_slice(self.speech.next_word().as_bytes());
        self.words_held += 1;
        match self.fault {
            Some(Fault::EscapeSequences) => self
                .words
                .extend_from_slice(render::json_text(render::HOSTILE_TEXT).as_bytes()),
            Some(Fault::OversizedEvent(bytes)) if self.visible == 1 => {
                self.words.resize(self.words.len() + bytes as usize, b'x');
            }
            _ => {}
        }
    }

    /// Closes the event being filled; the first one takes the head and the role along.
    pub(super) fn put_event(&mut self, finish: Option<Finish>) {
        self.put_head();
        self.put_role();
        let usage = self.continuous_usage(self.generated);
        self.skeleton.content(
            &mut self.pending,
            &self.words,
            finish.map(reason),
            &usage,
            self.framing,
        );
        self.words.clear();
        self.pending_tokens += self.words_held;
        self.words_held = 0;
        self.events_held += 1;
    }

    pub(super) fn continuous_usage(&self, generated: u32) -> String {
        if self.ask.usage == StreamUsage::Continuous {
            self.usage(generated)
        } else {
            String::new()
        }
    }

    /// The usage field; nothing where a fault leaves it out.
    pub(super) fn usage(&self, generated: u32) -> String {
        let completion = match self.fault {
            Some(Fault::NoUsage) => return String::new(),
            Some(Fault::WrongUsage) => generated.saturating_add(7),
            _ => generated,
        };
        render::usage_field(
            self.ask.prompt_tokens,
            completion,
            self.prompt_tokens_details,
        )
    }

    /// Everything behind the last event.
    pub(super) fn end_stream(&mut self) -> Turn {
        if self.ask.usage != StreamUsage::None && self.fault != Some(Fault::NoUsage) {
            let usage = self.usage(self.generated);
            self.skeleton.usage(&mut self.pending, &usage, self.framing);
        }
        if self.fault == Some(Fault::BadLength) {
            let missing = MISSING_BYTES;
            render::short_piece(&mut self.pending, render::DONE, missing, self.framing);
            return Turn::write_and(Then::Close);
        }
        if self.fault != Some(Fault::NoDone) {
            render::piece(&mut self.pending, &[render::DONE], self.framing);
        }
        render::stream_end(&mut self.pending, self.framing);
        Turn::write_and(Then::Done)
    }

    pub(super) fn put_whole(&mut self, finish: Finish) -> Turn {
        let body = render::whole_answer(
            self.ask.kind,
            &self.response_id,
            self.created_s,
            &self.model,
            &self.words,
            reason(finish),
            &self.usage(self.generated),
        );
        let bad = self.fault == Some(Fault::BadLength);
        let announced = body.len() + if bad { MISSING_BYTES } else { 0 };
        let content = ("application/json", &body[..]);
        render::whole(&mut self.pending, 200, content, announced, "", &self.to);
        self.words = Vec::new();
        self.pending_tokens = std::mem::take(&mut self.words_held);
        Turn::write_and(if bad { Then::Close } else { Then::Done })
    }

    pub(super) fn finish_without_tokens(&mut self) -> Turn {
        if self.whole {
            return self.put_whole(Finish::Stop);
        }
        self.put_event(Some(Finish::Stop));
        self.end_stream()
    }
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "length",
        Finish::Stop => "stop",
    }
}
