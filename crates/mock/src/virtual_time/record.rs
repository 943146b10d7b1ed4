//! Virtual results as records: what a client without lag, on a wire without delay, would note.
//!
//! Nothing is made up: connection, TLS and texts stay absent. Invariant: the record's tokens are the
//! result's, but for an end token, which has no text and so no chunk.

use super::{Answered, Cut, Ending};
use crate::engine::Finish;
use infermeter_core::clock::Offset;
use infermeter_core::record::{
    Chunk, ChunkKind, Outcome, Reason, RequestError, RequestRecord, StampSource, TokenSource,
};
use infermeter_core::request::ClassIndex;
use infermeter_core::schedule::Phase;

impl Answered {
    /// The record of this request. Instant 0 of virtual time is the run's origin; it was sent when
    /// it was due.
    pub fn to_record(&self, class: ClassIndex, phase: Phase) -> RequestRecord {
        let arrived = Offset(self.arrived_ns);
        let (prompt, output) = (self.prompt_tokens, self.output_tokens);
        let mut record = RequestRecord::unsent(self.id.0, class, phase, arrived, prompt, output);
        record.send_start = Some(arrived);
        record.sent = Some(arrived);
        record.attempts = 1;
        record.closed = Some(Offset(self.ended_ns()));
        record.stamp_source = Some(StampSource::Kernel);
        match self.ending {
            Ending::Finished(finish) => self.fill_answer(&mut record, finish),
            Ending::Refused => refused(&mut record, 503, "the waiting queue is full".to_owned()),
            Ending::Status(status) => refused(&mut record, status, format!("status {status}")),
            Ending::Empty => {
                // Its usage says that the answer has no token: it is a whole one.
                record.outcome = Outcome::Completed;
                record.status = Some(200);
                record.first_byte = Some(arrived);
                record.first_byte_seen = Some(arrived);
                record.prompt_tokens = Some(self.prompt_tokens);
                record.output_tokens = Some(0);
                record.finish_reason = Some("stop".to_owned());
            }
            Ending::Cut(cut) => self.fill_cut(&mut record, cut),
        }
        record
    }

    /// What came before the cut is what a client has of the answer.
    fn fill_cut(&self, record: &mut RequestRecord, cut: Cut) {
        self.fill_answer(record, Finish::Length);
        let tokens = self.tokens();
        record.finish_reason = None;
        let Some(reason) = cut.reason(tokens) else {
            record.finish_reason = Some("content_filter".to_owned());
            return;
        };
        record.outcome = match cut {
            Cut::Stall(_) => Outcome::TimedOut,
            _ => Outcome::Failed,
        };
        record.error = Some(RequestError {
            reason,
            text: format!("the answer was cut after {tokens} tokens"),
        });
        record.finished = None;
        // Usage comes at the end of an answer.
        (record.prompt_tokens, record.cached_tokens) = (None, None);
        record.output_tokens = None;
        if tokens == 0 {
            record.status = None;
        }
    }

    fn fill_answer(&self, record: &mut RequestRecord, finish: Finish) {
        let first = self.bursts.first().map(|burst| Offset(burst.at_ns));
        record.first_byte = first;
        record.first_byte_seen = first;
        record.status = Some(200);
        record.prompt_tokens = Some(self.prompt_tokens);
        record.cached_tokens = Some(self.cached_tokens);
        record.output_tokens = Some(self.bursts.iter().map(|burst| burst.tokens).sum());
        record.finish_reason = Some(
            match finish {
                Finish::Length => "length",
                Finish::Stop => "stop",
            }
            .to_owned(),
        );
        self.fill_chunks(record, finish);
        record.finished = record.chunks.last().map(|chunk| chunk.at);
        if record.chunks.is_empty() {
            record.outcome = Outcome::Failed;
            record.error = Some(RequestError {
                reason: Reason::NoTokens,
                text: "the end token came first".to_owned(),
            });
        } else {
            record.outcome = Outcome::Completed;
        }
    }

    fn fill_chunks(&self, record: &mut RequestRecord, finish: Finish) {
        record.chunks.reserve_exact(self.bursts.len());
        for (read, burst) in (0..).zip(&self.bursts) {
            let is_last = read as usize + 1 == self.bursts.len();
            let hidden = u32::from(is_last && finish == Finish::Stop);
            let at = Offset(burst.at_ns);
            if burst.tokens > hidden {
                record.chunks.push(Chunk {
                    at,
                    seen: at,
                    lower: at,
                    tokens: burst.tokens - hidden,
                    read,
                    kind: ChunkKind::Text,
                });
            }
        }
        let one_each = record.output_tokens == Some(record.chunks.len() as u32);
        record.token_source = match (record.chunks.is_empty(), one_each) {
            (true, _) => None,
            (false, true) => Some(TokenSource::OnePerChunk),
            (false, false) => Some(TokenSource::ContinuousUsage),
        };
    }
}

/// The server answered with another status.
fn refused(record: &mut RequestRecord, status: u16, text: String) {
    let arrived = record.sent;
    record.outcome = Outcome::Failed;
    record.status = Some(status);
    (record.first_byte, record.first_byte_seen) = (arrived, arrived);
    record.error = Some(RequestError {
        reason: Reason::HttpStatus,
        text,
    });
}
