//! From bytes of a connection to the answers of its streams.

use super::Engine;
use super::ends::error;
use crate::exchange::{Piece, StreamId};
use crate::live::Live;
use crate::response::{ReadResult, ReadStamp};
use crate::transport::{Delivery, LinkId, Problem};
use infermeter_core::record::{Outcome, Reason};

/// An answer that holds more than was asked for takes memory from the budget in such steps.
const BUDGET_STEP: usize = 64 << 10;

impl Engine {
    pub(super) fn on_bytes(&mut self, link: LinkId, delivery: Delivery, stamp: ReadStamp) {
        let lent = self.transport.take_delivered(delivery);
        let chunks = self.decode(link, lent.bytes(), stamp);
        self.transport.give_back(lent);
        self.burn(chunks);
    }

    /// Hands bytes to the streams that they belong to; returns the chunks that came out.
    fn decode(&mut self, link: LinkId, mut bytes: &[u8], stamp: ReadStamp) -> u64 {
        let mut chunks = 0;
        while let Some(carrier) = self.carriers.get_mut(link)
            && let Some(piece) = carrier.exchange.next(&mut bytes)
        {
            match piece {
                Piece::Answer {
                    stream,
                    bytes,
                    followed,
                } => chunks += self.read(stream, bytes, stamp, followed),
                Piece::End(stream) => self.on_stream_end(stream, stamp),
                Piece::Unasked => {
                    self.close(link);
                    self.health.connections_discarded += 1;
                }
            }
        }
        let carrier = self.carriers.get_mut(link);
        if let Some(reply) = carrier.and_then(|carrier| carrier.exchange.reply()) {
            self.transmit(link, reply);
        }
        chunks
    }

    fn read(&mut self, stream: StreamId, bytes: &[u8], stamp: ReadStamp, followed: bool) -> u64 {
        let Some(request) = self.streams.get_mut(stream) else {
            return 0;
        };
        let before = request.reader.chunks_so_far();
        let result = request.reader.read_part(bytes, stamp, followed);
        let chunks = (request.reader.chunks_so_far() - before) as u64;
        Live::bump(&self.live.chunks, chunks);
        self.settle(stream, &result);
        chunks
    }

    /// The protocol says that a stream is complete.
    fn on_stream_end(&mut self, stream: StreamId, stamp: ReadStamp) {
        if let Some(request) = self.streams.get_mut(stream) {
            request.reader.closed_by_peer(stamp);
            self.finish(stream, true);
        }
    }

    /// The peer has closed the connection.
    pub(super) fn on_end(&mut self, link: LinkId, stamp: ReadStamp) {
        let carrier = self.carriers.get_mut(link);
        let ending = carrier
            .filter(|carrier| carrier.exchange.may_end_by_close())
            .and_then(|carrier| carrier.exchange.any());
        let request = ending.and_then(|stream| Some((stream, self.streams.get_mut(stream)?)));
        if let Some((stream, request)) = request
            && request.reader.last_read_at().is_some()
            && request.reader.closed_by_peer(stamp) != ReadResult::NeedMore
        {
            return self.finish(stream, false);
        }
        self.broken(link, &Problem::Closed);
    }

    fn settle(&mut self, stream: StreamId, result: &ReadResult) {
        match result {
            ReadResult::NeedMore => self.go_on(stream),
            ReadResult::Done { keep_alive } => self.finish(stream, *keep_alive),
            ReadResult::Failed(_) => {
                let request = self.streams.get_mut(stream);
                let keep = request.is_some_and(|request| request.reader.keep_alive());
                self.finish(stream, keep);
            }
        }
    }

    /// More is to come: sees that it ends in time, and that there is room for it.
    fn go_on(&mut self, stream: StreamId) {
        let Some(request) = self.streams.get_mut(stream) else {
            return;
        };
        if request.reader.done_at().is_some() {
            return self.arm_stream(stream);
        }
        let Some(beyond) = request.reader.kept().checked_sub(request.allowed + 1) else {
            return;
        };
        let more = (beyond + 1).next_multiple_of(BUDGET_STEP);
        if self.config.budget.take(more) {
            request.allowed += more;
            request.taken += more;
            return;
        }
        let text = "all answers together hold too much beyond the tokens asked for";
        let why = error(Reason::LimitExceeded, text);
        self.abort(stream, Outcome::Failed, why, self.now());
    }

    /// Artificial load: busy for the configured time after each chunk.
    fn burn(&self, chunks: u64) {
        if self.config.burn == 0 || chunks == 0 {
            return;
        }
        let end = self.now().plus(self.config.burn * chunks as i64);
        while self.now() < end {
            std::hint::spin_loop();
        }
    }
}
