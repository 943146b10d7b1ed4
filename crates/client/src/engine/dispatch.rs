//! From a request that is due to a stream on a connection.

use super::connections::Carrier;
use super::ends::{error, unopened};
use super::streams::InFlight;
use super::{Engine, Waiting};
use crate::kept;
use crate::live::Live;
use crate::prepared::Prepared;
use crate::response::ResponseReader;
use crate::transport::{LinkId, Stage};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason, RequestError};
use infermeter_core::schedule::Phase;
use std::io;

impl Engine {
    /// Sends a request now, on an idle connection, a connection about to be up, or a new one; at
    /// the cap it waits its turn. Its record comes out of [`Engine::take_done`], whatever happens.
    pub fn send(&mut self, prepared: Prepared, phase: Phase, intended: Offset) {
        self.in_flight += 1;
        Live::bump(&self.live.sent, 1);
        let place = self.choose(prepared.address);
        self.config.to.get(place).request_begins();
        self.dispatch(Waiting {
            prepared,
            phase,
            intended,
            place,
        });
    }

    fn dispatch(&mut self, request: Waiting) {
        let now = self.now();
        let place = request.place;
        if let Some(link) = self.take_idle(place, now) {
            self.begin(link, request);
        } else if let Some(link) = self.places[place].take_opening() {
            self.places[place].more_spares();
            self.begin(link, request);
        } else if self.is_full() && !self.make_room(place) {
            self.health.waits_for_cap += 1;
            self.begun.push(request.record());
            self.waiting.push_back(request);
        } else if !self.may_connect(place, now) {
            self.refuse(&request, now);
        } else {
            self.places[place].more_spares();
            match self.open_connection(place, now) {
                Ok(link) => self.begin(link, request),
                Err(error) => self.fail_to_open(&request, now, &error),
            }
        }
    }

    fn is_full(&self) -> bool {
        self.transport.open_links() >= self.config.max_connections
    }

    /// Gives connections that have become free to requests that wait.
    pub(super) fn serve_waiting(&mut self) {
        for _ in 0..self.waiting.len() {
            if self.idle_connections() == 0 && self.is_full() {
                break;
            }
            if let Some(request) = self.waiting.pop_front() {
                self.dispatch(request);
            }
        }
    }

    fn begin(&mut self, link: LinkId, request: Waiting) {
        let mut record = request.record();
        let mut prepared = request.prepared;
        let mut reader = match self.readers.pop() {
            Some(reader) => reader,
            None => ResponseReader::new(prepared.expect),
        };
        reader.reset(prepared.expect);
        let bytes = std::mem::take(&mut prepared.bytes);
        let bytes = self.config.to.addressed(request.place, bytes);
        let again = self.config.retry_stale.then(|| bytes.clone());
        let is_up = self.is_up(link);
        if let Some(carrier) = self.carriers.get_mut(link) {
            record.new_connection = Some(!carrier.used && !is_up);
            record.connection = Some(carrier.number);
        }
        record.attempts = 1;
        let send_start = self.config.clock.now();
        record.send_start = Some(send_start);
        // Nothing is on the heap yet: the copy is a few hundred bytes.
        self.begun.push(record.clone());
        let request = Box::new(InFlight {
            record,
            reader,
            allowed: kept::free(prepared.spec.output_tokens),
            taken: 0,
            prepared,
            again,
            link,
            last_byte: None,
        });
        self.put_on(link, request, bytes);
    }

    /// Begins a stream on a connection, and writes what can be written.
    fn put_on(&mut self, link: LinkId, mut request: Box<InFlight>, bytes: Vec<u8>) {
        request.link = link;
        let stream = self.streams.insert(request);
        let is_up = self.is_up(link);
        let Some(carrier) = self.carriers.get_mut(link) else {
            return;
        };
        carrier.used = true;
        let wire = carrier.exchange.begin(stream, bytes);
        if is_up && carrier.exchange.has_room() {
            self.put_idle(link);
        }
        self.transmit(link, wire);
        self.arm_stream(stream);
    }

    fn is_up(&self, link: LinkId) -> bool {
        self.transport
            .link(link)
            .is_some_and(|link| link.stage == Stage::Ready)
    }

    pub(super) fn transmit(&mut self, link: LinkId, wire: Vec<u8>) {
        match self.transport.send(link, wire) {
            Ok(None) => {}
            Ok(Some(at)) => self.on_sent(link, at),
            Err(problem) => self.broken(link, &problem),
        }
    }

    /// All requests on a connection have left.
    pub(super) fn on_sent(&mut self, link: LinkId, at: Offset) {
        let last_byte = self.transport.last_byte(link);
        let (carriers, streams) = (&mut self.carriers, &mut self.streams);
        let Some(Carrier { exchange, .. }) = carriers.get_mut(link) else {
            return;
        };
        exchange.for_each(|stream| {
            if let Some(request) = streams.get_mut(stream)
                && request.record.sent.is_none()
            {
                request.record.sent = Some(at);
                request.last_byte = last_byte;
            }
        });
    }

    /// Takes what the error queue knows about when requests left.
    pub(super) fn collect_sent(&mut self, link: LinkId) {
        while let Some(departure) = self.transport.next_departure(link) {
            let (carriers, streams) = (&mut self.carriers, &mut self.streams);
            let Some(Carrier { exchange, .. }) = carriers.get_mut(link) else {
                return;
            };
            exchange.for_each(|stream| {
                if let Some(request) = streams.get_mut(stream)
                    && request.last_byte == Some(departure.last_byte)
                {
                    request.record.left = Some(departure.at);
                }
            });
        }
    }

    /// Sends the request of a stale connection once more, on a connection of its own.
    pub(super) fn resend(&mut self, mut request: Box<InFlight>, place: usize, now: Offset) {
        request.reader.reset(request.prepared.expect);
        request.last_byte = None;
        (request.record.sent, request.record.left) = (None, None);
        request.record.attempts = 2;
        request.record.new_connection = Some(true);
        let bytes = request.again.take().unwrap_or_default();
        if !self.may_connect(place, now) {
            let why = self.backing_off(place);
            return self.end(request, Outcome::Failed, Some(why), now);
        }
        match self.open_connection(place, now) {
            Ok(link) => {
                let number = self.carriers.get_mut(link).map(|carrier| carrier.number);
                request.record.connection = number;
                self.put_on(link, request, bytes);
            }
            Err(problem) => {
                self.end(request, Outcome::Failed, Some(unopened(&problem)), now);
            }
        }
    }

    /// A request that is due while no connection may be opened fails now, and is not sent later: a server
    /// that comes back does not meet everything that was due meanwhile.
    fn refuse(&mut self, request: &Waiting, now: Offset) {
        let mut record = request.record();
        record.closed = Some(now);
        record.outcome = Outcome::Failed;
        record.error = Some(self.backing_off(request.place));
        self.push_done(record);
    }

    fn backing_off(&self, place: usize) -> RequestError {
        let last = &self.places[place].problem;
        let text = format!("the next attempt to connect was not due; the last one: {last}");
        error(Reason::ConnectBackoff, &text)
    }

    fn fail_to_open(&mut self, request: &Waiting, now: Offset, problem: &io::Error) {
        self.note_problem(request.place, &problem.to_string());
        let mut record = request.record();
        record.send_start = Some(now);
        record.closed = Some(now);
        record.outcome = Outcome::Failed;
        record.error = Some(unopened(problem));
        self.push_done(record);
    }
}
