//! The connections of one engine: what each carries, the idle ones (last in, first out), the ones still
//! opening that nobody waits for, and a reserve that is refilled off the send path.
//!
//! What becomes of them is told to [`crate::backoff`] (whether to open more) and [`crate::reuse`] (whether
//! to keep them).

use super::Engine;
use super::streams::{InFlight, Streams};
use crate::exchange::Exchange;
use crate::reuse::AFTER_ANSWER_NS;
use crate::transport::{Link, LinkId, Problem, Stage};
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_sys::socket;
use std::io;

/// What the dispatcher knows of a link.
pub(super) struct Carrier {
    pub(super) link: LinkId,
    /// Number, unique in the run.
    pub(super) number: u32,
    pub(super) place: usize,
    pub(super) exchange: Exchange,
    /// Has carried a request before.
    pub(super) used: bool,
    /// Answers that it has brought.
    pub(super) answers: u32,
    pub(super) idle_since: Offset,
    /// It stands among those that can take a request.
    is_listed: bool,
}

/// The carriers, by the place of their link in the transport's table.
#[derive(Default)]
pub(super) struct Carriers(Vec<Option<Carrier>>);

impl Carriers {
    pub(super) fn get_mut(&mut self, link: LinkId) -> Option<&mut Carrier> {
        let carrier = self.0.get_mut(link.index())?.as_mut();
        carrier.filter(|carrier| carrier.link == link)
    }

    fn insert(&mut self, carrier: Carrier) {
        let index = carrier.link.index();
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(carrier);
    }

    fn remove(&mut self, link: LinkId) -> Option<Carrier> {
        self.get_mut(link)?;
        self.0[link.index()].take()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Carrier> {
        self.0.iter_mut().flatten()
    }
}

/// A connection that has been closed.
pub(super) struct Closed {
    pub(super) link: Link,
    pub(super) carrier: Carrier,
}

impl Closed {
    /// A request that it carried.
    pub(super) fn take_request(&mut self, streams: &mut Streams) -> Option<Box<InFlight>> {
        loop {
            let stream = self.carrier.exchange.take()?;
            if let Some(request) = streams.remove(stream) {
                return Some(request);
            }
        }
    }

    /// Copies the instants of a connection opened for this request.
    pub(super) fn note_connection(&self, record: &mut RequestRecord) {
        note_connection(record, &self.link);
    }
}

/// Copies the instants of a connection opened for this request.
pub(super) fn note_connection(record: &mut RequestRecord, link: &Link) {
    if record.new_connection == Some(true) {
        record.connected = link.connected;
        record.tls_done = link.tls_done;
    }
}

impl Engine {
    /// Starts `count` connections for requests to come, within the cap and as long as such last; to each
    /// address in turn.
    pub fn open_ahead(&mut self, count: usize) -> io::Result<()> {
        let places = self.places.len();
        let (mut opened, mut passed_over) = (0, 0);
        for place in (0..places).cycle() {
            if opened == count || passed_over == places {
                break;
            }
            match self.open_one_ahead(place)? {
                true => (opened, passed_over) = (opened + 1, 0),
                false => passed_over += 1,
            }
        }
        Ok(())
    }

    /// Whether a connection for requests to come could be started.
    fn open_one_ahead(&mut self, place: usize) -> io::Result<bool> {
        let now = self.now();
        let full = self.transport.open_links() >= self.config.max_connections;
        if full || !self.places[place].ahead.allows(now) || !self.may_connect(place, now) {
            return Ok(false);
        }
        match self.open_connection(place, now) {
            Ok(link) => self.places[place].opening.push(link),
            // Met again, and recorded, by the request that needs the connection.
            Err(error) if !socket::lacks_resource(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Connections ready for use.
    pub fn idle_connections(&self) -> usize {
        self.places.iter().map(|place| place.idle.len()).sum()
    }

    /// Connections that are being opened for requests to come.
    pub fn opening_connections(&self) -> usize {
        self.places.iter().map(|place| place.opening.len()).sum()
    }

    pub(super) fn open_connection(&mut self, place: usize, now: Offset) -> io::Result<LinkId> {
        let to = self.config.to.get(place);
        let link = match self.transport.open(&to.route, now) {
            Ok(link) => link,
            Err(error) => {
                if !socket::lacks_resource(&error) {
                    self.places[place].backoff.failed(now, now);
                }
                return Err(error);
            }
        };
        self.carriers.insert(Carrier {
            link,
            number: self.next_connection,
            place,
            exchange: (self.speak)(),
            used: false,
            answers: 0,
            idle_since: now,
            is_listed: false,
        });
        self.next_connection += self.config.connection_stride;
        self.arm_link(link);
        Ok(link)
    }

    /// Takes a connection out; dropping it closes it.
    pub(super) fn close(&mut self, id: LinkId) -> Option<Closed> {
        self.collect_sent(id);
        let link = self.transport.close(id)?;
        let carrier = self.carriers.remove(id)?;
        let place = &mut self.places[carrier.place];
        if carrier.is_listed {
            place.idle.retain(|other| *other != id);
        }
        if !carrier.used {
            place.opening.retain(|other| *other != id);
        }
        Some(Closed { link, carrier })
    }

    /// The connection can take a request.
    pub(super) fn put_idle(&mut self, link: LinkId) {
        if let Some(carrier) = self.carriers.get_mut(link)
            && !carrier.is_listed
        {
            carrier.is_listed = true;
            let place = &mut self.places[carrier.place];
            if !carrier.used {
                place.opening.retain(|other| *other != link);
            }
            place.idle.push(link);
        }
    }

    /// The youngest connection to an address that may take a request; older or disturbed ones go.
    pub(super) fn take_idle(&mut self, place: usize, now: Offset) -> Option<LinkId> {
        while let Some(link) = self.places[place].idle.pop() {
            let Some(carrier) = self.carriers.get_mut(link) else {
                continue;
            };
            carrier.is_listed = false;
            let silent = carrier.exchange.is_silent();
            let fresh = now.since(carrier.idle_since) <= self.config.keepalive;
            let spent = carrier.answers > 0 && self.places[place].reuse.is_single();
            let disturbed = silent && self.transport.is_disturbed(link);
            if !silent || (fresh && !disturbed && !spent) {
                return Some(link);
            }
            if let Some(closed) = self.close(link) {
                if disturbed {
                    self.note_idle_end(&closed, now);
                    self.note_problem(place, &Problem::Closed.to_string());
                }
                self.health.connections_discarded += 1;
            }
        }
        None
    }

    /// Closes a connection that is idle, to another address than this, so that one to this can be opened
    /// under the cap.
    pub(super) fn make_room(&mut self, place: usize) -> bool {
        let silent = |link: &LinkId| {
            let carrier = self.carriers.get_mut(*link);
            carrier.is_some_and(|carrier| carrier.exchange.is_silent())
        };
        let others = self.places.iter().enumerate().filter(|(n, _)| *n != place);
        let mut idle = others.flat_map(|(_, other)| other.idle.iter().copied());
        let Some(link) = idle.find(silent) else {
            return false;
        };
        self.health.connections_discarded += 1;
        self.close(link).is_some()
    }

    /// A connection without a request was closed by the server.
    pub(super) fn note_idle_end(&mut self, closed: &Closed, now: Offset) {
        let idle_since = closed.carrier.idle_since;
        let opened = closed.link.opened;
        let place = &mut self.places[closed.carrier.place];
        match closed.link.stage {
            Stage::Connecting | Stage::Tunnelling => place.backoff.failed(opened, now),
            Stage::Handshaking => place.ahead.failed(opened, now),
            // It had been idle for long: servers close such.
            Stage::Ready if now.since(idle_since) > AFTER_ANSWER_NS => {}
            Stage::Ready if closed.carrier.answers == 0 => place.ahead.failed(opened, now),
            Stage::Ready => place.reuse.closed_after_answer(idle_since, now),
        }
    }

    /// Drops what has been idle too long and refills the reserve, one connection a call: meant
    /// for moments without anything due.
    pub fn tend_connections(&mut self) {
        let now = self.now();
        self.drop_idle_too_long(now);
        let wanting = self.places.iter().position(|place| place.wants_spare());
        if let Some(place) = wanting {
            // A failure is not lost: the next request meets it and records it.
            let _ = self.open_one_ahead(place);
        }
    }

    /// Makes connections ready for requests that begin at `at`: drops those that will have been idle for too long
    /// by then, and starts others in their place, up to `count` in all.
    ///
    /// # Errors
    /// As [`Self::open_ahead`].
    pub fn renew_connections(&mut self, count: usize, at: Offset) -> io::Result<()> {
        self.drop_idle_too_long(at);
        let there = self.idle_connections() + self.opening_connections();
        self.open_ahead(count.saturating_sub(there))
    }

    /// Drops what will have been idle for too long at `at`.
    fn drop_idle_too_long(&mut self, at: Offset) {
        for place in 0..self.places.len() {
            while let Some(link) = self.places[place].idle.first().copied() {
                let keepalive = self.config.keepalive;
                let stale = |carrier: &mut Carrier| {
                    carrier.exchange.is_silent() && at.since(carrier.idle_since) > keepalive
                };
                if !self.carriers.get_mut(link).is_some_and(stale) {
                    break;
                }
                self.close(link);
                self.health.connections_discarded += 1;
            }
        }
    }

    /// A connection is up: it is kept for later, where no request waits for it already.
    pub(super) fn on_up(&mut self, link: LinkId, now: Offset) {
        let Some(carrier) = self.carriers.get_mut(link) else {
            return;
        };
        let monotonic = self.config.clock.monotonic_at(now);
        self.config
            .to
            .get(carrier.place)
            .last_connect
            .note(monotonic);
        self.places[carrier.place].backoff.connected();
        carrier.idle_since = now;
        if carrier.exchange.has_room() {
            self.put_idle(link);
            self.serve_waiting();
        }
    }

    /// Moves to the run's final clock. Only before the first request.
    pub fn start_clock(&mut self, clock: infermeter_core::clock::Clock) {
        let shift = self.config.clock.monotonic_origin_ns - clock.monotonic_origin_ns;
        self.transport.start_clock(clock);
        for carrier in self.carriers.iter_mut() {
            carrier.idle_since = carrier.idle_since.plus(shift);
        }
        for (number, place) in self.places.iter_mut().enumerate() {
            let fresh = super::destination::backoff(&self.config, number);
            place.shift(shift, fresh);
        }
        self.streams.forget_looks();
        self.deadlines.clear();
        self.config.clock = clock;
        let opening = self.places.iter().flat_map(|place| &place.opening);
        for link in opening.copied().collect::<Vec<_>>() {
            self.arm_link(link);
        }
    }
}
