//! How requests end: well, because of the server, or because of the client.

use super::Engine;
use super::connections::{Closed, note_connection};
use super::streams::InFlight;
use crate::exchange::StreamId;
use crate::transport::{LinkId, Problem, Stage};
use infermeter_core::clock::Offset;
use infermeter_core::record::{MAX_ERROR_TEXT, Outcome, Reason, RequestError, RequestRecord};
use infermeter_core::text::inert;
use infermeter_sys::socket;
use std::io;

/// Longest text kept of the last failure to connect, bytes.
const MAX_PROBLEM_TEXT: usize = 200;

impl Engine {
    /// The connection broke: its requests fail (or are sent again once), it goes.
    pub(super) fn broken(&mut self, link: LinkId, problem: &Problem) {
        let now = self.now();
        let Some(mut closed) = self.close(link) else {
            return;
        };
        let place = closed.carrier.place;
        let problem = self.explained(&closed, problem);
        if closed.carrier.exchange.is_silent() {
            self.note_idle_end(&closed, now);
            self.note_problem(place, &problem);
            self.health.connections_discarded += 1;
            return;
        }
        while let Some(request) = closed.take_request(&mut self.streams) {
            self.lose(request, &closed, &problem, now);
        }
        self.serve_waiting();
    }

    /// What broke a connection; a proxy that cannot be reached is named.
    fn explained(&self, closed: &Closed, problem: &Problem) -> String {
        let route = &self.config.to.get(closed.carrier.place).route;
        match closed.link.stage {
            Stage::Connecting if route.is_proxied() => {
                format!("the proxy {}: {problem}", route.address)
            }
            _ => problem.to_string(),
        }
    }

    /// A request has lost its connection.
    fn lose(&mut self, mut request: Box<InFlight>, closed: &Closed, problem: &str, now: Offset) {
        let place = closed.carrier.place;
        let answered = request.reader.last_read_at().is_some();
        let reason = self.note_break(closed, answered, now);
        self.note_problem(place, problem);
        if reason == Reason::StaleConnection
            && self.config.retry_stale
            && request.record.attempts == 1
        {
            return self.resend(request, place, now);
        }
        closed.note_connection(&mut request.record);
        self.end(request, Outcome::Failed, Some(error(reason, problem)), now);
    }

    /// Learns from a connection that broke under a request, `answered` in part or not at all; the reason of
    /// the request's failure.
    fn note_break(&mut self, closed: &Closed, answered: bool, now: Offset) -> Reason {
        let place = &mut self.places[closed.carrier.place];
        match closed.link.stage {
            Stage::Connecting | Stage::Tunnelling => {
                place.backoff.failed(closed.link.opened, now);
                Reason::ConnectFailed
            }
            // Somebody is there: what is wrong with TLS stays so, and each request says it.
            Stage::Handshaking => Reason::TlsFailed,
            Stage::Ready if answered => Reason::Disconnected,
            Stage::Ready if closed.carrier.answers > 0 => {
                place
                    .reuse
                    .closed_after_answer(closed.carrier.idle_since, now);
                Reason::StaleConnection
            }
            Stage::Ready => {
                place.backoff.hung_up(closed.link.opened, now);
                Reason::Disconnected
            }
        }
    }

    /// Keeps what went wrong last while connections may not be opened.
    pub(super) fn note_problem(&mut self, place: usize, problem: &str) {
        let place = &mut self.places[place];
        if place.backoff.hold().is_some() {
            place.problem = inert(problem, MAX_PROBLEM_TEXT);
        }
    }

    /// Ends a request before its answer did: a failure of ours or of the connection.
    pub(super) fn end(
        &mut self,
        request: Box<InFlight>,
        outcome: Outcome,
        why: Option<RequestError>,
        now: Offset,
    ) {
        let mut record = self.filled(request);
        record.outcome = outcome;
        record.error = why;
        record.closed = Some(record.closed.map_or(now, |closed| closed.max(now)));
        self.push_done(record);
    }

    /// What is known of a request that has ended; its decoder is free again.
    fn filled(&mut self, request: Box<InFlight>) -> RequestRecord {
        let InFlight {
            mut record,
            mut reader,
            taken,
            ..
        } = *request;
        reader.fill(&mut record);
        self.config.budget.settle(taken, &record);
        self.readers.push(reader);
        record
    }

    /// The answer ended (well or not) as the decoder says; the connection is used again when it
    /// may be.
    pub(super) fn finish(&mut self, stream: StreamId, keep: bool) {
        let now = self.now();
        let Some(link) = self.streams.get_mut(stream).map(|request| request.link) else {
            return;
        };
        self.collect_sent(link);
        let Some(request) = self.streams.remove(stream) else {
            return;
        };
        let mut record = self.filled(request);
        if let Some(link) = self.transport.link(link) {
            note_connection(&mut record, link);
        }
        if self.goes_on(link, stream, keep, &record, now) {
            self.put_idle(link);
        } else {
            self.close(link);
        }
        self.push_done(record);
        self.serve_waiting();
    }

    /// Learns from an answer. Whether its connection may carry another request.
    fn goes_on(
        &mut self,
        id: LinkId,
        stream: StreamId,
        keep: bool,
        record: &RequestRecord,
        now: Offset,
    ) -> bool {
        let (Some(link), Some(carrier)) = (self.transport.link(id), self.carriers.get_mut(id))
        else {
            return false;
        };
        let place = &mut self.places[carrier.place];
        carrier.answers = carrier.answers.saturating_add(1);
        place.backoff.answered(link.opened);
        match (carrier.answers, record.new_connection) {
            // Opened ahead, and of use.
            (1, Some(false)) => place.ahead.answered(link.opened),
            (1, _) => {}
            _ => place.reuse.reused(),
        }
        let lasts = !place.reuse.is_single();
        self.health.connections_single_use += u64::from(keep && !lasts);
        carrier.idle_since = now;
        carrier.exchange.end(stream, keep) && record.sent.is_some() && lasts
    }

    /// Ends a request before its answer did, and the connection with it where that can carry no other.
    pub(super) fn abort(
        &mut self,
        stream: StreamId,
        outcome: Outcome,
        why: RequestError,
        now: Offset,
    ) {
        let Some(link) = self.streams.get_mut(stream).map(|request| request.link) else {
            return;
        };
        self.collect_sent(link);
        let Some(mut request) = self.streams.remove(stream) else {
            return;
        };
        if let Some(link) = self.transport.link(link) {
            note_connection(&mut request.record, link);
        }
        let carrier = self.carriers.get_mut(link);
        match carrier.and_then(|carrier| carrier.exchange.abandon(stream)) {
            Some(wire) => self.transmit(link, wire),
            None => drop(self.close(link)),
        }
        self.end(request, outcome, Some(why), now);
        self.serve_waiting();
    }

    pub(super) fn push_done(&mut self, record: RequestRecord) {
        self.in_flight -= 1;
        if let Some(place) = record.address {
            self.config.to.get(place as usize).request_ends();
        }
        self.live.ends(&record);
        self.done.push(record);
    }

    /// Gives up the requests that wait for a connection: they were not sent, and will not be.
    pub fn cancel_waiting(&mut self, reason: Reason) {
        for request in std::mem::take(&mut self.waiting) {
            let mut record = request.record();
            record.error = Some(error(reason, "waited for a connection"));
            self.push_done(record);
        }
    }

    /// Ends every request in flight as cancelled, with this reason.
    pub fn cancel_all(&mut self, reason: Reason) {
        let now = self.now();
        self.cancel_waiting(reason);
        for stream in self.streams.all() {
            let why = error(reason, "ended by the client");
            self.abort(stream, Outcome::Cancelled, why, now);
        }
    }
}

/// Why a connection was not even begun.
pub(super) fn unopened(problem: &io::Error) -> RequestError {
    let reason = match (
        socket::lacks_ports(problem),
        socket::lacks_resource(problem),
    ) {
        (true, _) => Reason::PortsExhausted,
        (false, true) => Reason::LocalResource,
        (false, false) => Reason::ConnectFailed,
    };
    error(reason, &problem.to_string())
}

pub(super) fn error(reason: Reason, text: &str) -> RequestError {
    RequestError {
        reason,
        text: inert(text, MAX_ERROR_TEXT),
    }
}
