//! Waiting and receiving with epoll: kernel stamps and lower bounds.
//!
//! A read's stamp is that of its last segment. For everything before it the earliest possible
//! arrival is the latest instant at which the socket was known to be empty:
//! - the start of the socket's previous read, when that read took all there was;
//! - the start of the previous wait that did not report the socket;
//! - after a wait that blocked, the wake-up less the thread's run-queue wait and
//!   [`WAKE_MARGIN_NS`]: an earlier segment would have woken the thread earlier.
//!
//! Empty means that nothing had been delivered. On loopback the kernel stamps a segment before it
//! delivers it: on a machine so busy that softirqs starve, a bound can be late by that delay.

use super::link::{Link, Stage};
use super::problem::Problem;
use super::ring_side::RingSide;
use super::{Event, LinkId, TIMER, Transport, WAKE_MARGIN_NS};
use crate::response::ReadStamp;
use infermeter_core::clock::{Clock, Offset, RealtimePairing, monotonic_ns};
use infermeter_core::record::StampSource;
use infermeter_core::run::IoBackend;
use infermeter_sys::poll::{Interest, Poll, Ready};
use infermeter_sys::schedstat::Schedstat;
use infermeter_sys::stamp::{self, Received};
use infermeter_sys::timer::Timer;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Bytes one read can take: large, so that no event is cut by the buffer.
const READ_BUFFER: usize = 256 * 1024;
/// A pairing of the clocks is used for this long.
const PAIRING_NS: i64 = 1_000_000;
/// After a wait shorter than this its beginning is bound enough, and the run-queue wait (a system
/// call to learn) is left for a later look: counted too late it only makes a bound more careful.
const SHORT_WAIT_NS: i64 = 500_000;
/// Events handled in one poll even when a send is due: receiving never starves.
pub(super) const LEAST_EVENTS: usize = 16;

/// The receiving side of a transport.
pub(super) struct Receiver {
    pub(super) poll: Poll,
    pub(super) timer: Timer,
    pub(super) ready: Vec<Ready>,
    /// How many of those have been handled.
    pub(super) handled: usize,
    /// What has room to write.
    writing: Option<LinkId>,
    /// What has bytes, or more of them.
    reading: Option<Reading>,
    round: Round,
    pub(super) buffer: Vec<u8>,
    plain: Vec<u8>,
    pairing: RealtimePairing,
    schedstat: Option<Schedstat>,
    run_queue_wait: i64,
    /// Sockets that the next wait reports were empty at this instant, unless read later.
    floor: Offset,
    /// Where io_uring receives.
    pub(super) ring: Option<RingSide>,
}

/// What a round of events rests on.
#[derive(Debug, Clone, Copy, Default)]
struct Round {
    /// Reported sockets were empty at this instant, unless read later.
    floor: Offset,
    /// Sockets that were not reported were at this one.
    next_floor: Offset,
    /// There were more than one wait reports.
    cut: bool,
}

/// A socket that is being read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    link: LinkId,
    floor: Offset,
}

impl Receiver {
    pub(super) fn new(io: IoBackend, max_links: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new()?;
        let ring = match io {
            IoBackend::Epoll => {
                poll.add(timer.as_fd(), TIMER, Interest::Read)?;
                None
            }
            IoBackend::Uring => Some(RingSide::new(&poll, &timer, max_links)?),
        };
        let schedstat = Schedstat::of_this_thread();
        Ok(Self {
            poll,
            timer,
            ready: Vec::new(),
            handled: 0,
            writing: None,
            reading: None,
            round: Round::default(),
            buffer: vec![0; READ_BUFFER],
            plain: Vec::new(),
            pairing: RealtimePairing::now(),
            run_queue_wait: schedstat
                .as_ref()
                .and_then(Schedstat::run_queue_wait_ns)
                .unwrap_or(0),
            schedstat,
            floor: Offset(i64::MIN),
            ring,
        })
    }

    /// Watches a socket that is connecting.
    pub(super) fn add(&self, fd: BorrowedFd<'_>, link: LinkId) -> io::Result<()> {
        let interest = match self.ring {
            None => Interest::ReadWrite,
            Some(_) => Interest::Write,
        };
        self.poll.add(fd, link.0, interest)
    }

    /// Waits for room to write on a socket, or no longer. With a ring, epoll knows only sockets
    /// that wait to write: it would go on and on reporting one that has broken.
    pub(super) fn want_write(&self, fd: BorrowedFd<'_>, link: LinkId, wants: bool) {
        // A failure here shows as a time-out of the request; it cannot happen to a live socket.
        let _ = match (&self.ring, wants) {
            (None, true) => self.poll.modify(fd, link.0, Interest::ReadWrite),
            (None, false) => self.poll.modify(fd, link.0, Interest::Read),
            (Some(_), true) => self.poll.add(fd, link.0, Interest::Write),
            (Some(_), false) => self.poll.remove(fd),
        };
    }

    /// Memory that bytes are delivered in.
    pub(super) fn memory(&mut self, decrypted: bool) -> &mut Vec<u8> {
        match decrypted {
            false => &mut self.buffer,
            true => &mut self.plain,
        }
    }

    /// The instant of a kernel stamp.
    pub(super) fn at_kernel(&self, realtime_ns: i64, clock: Clock) -> Offset {
        clock.at_monotonic(self.pairing.to_monotonic(realtime_ns))
    }

    /// The clock's origin has moved.
    pub(super) fn shift_floor(&mut self, by: i64) {
        self.floor = self.floor.plus(by);
    }

    /// After a wait that blocked from `entry` to `woke`: no socket had a byte before this.
    pub(super) fn floor_after_block(&mut self, entry: Offset, woke: Offset) -> Offset {
        if woke.since(entry) < SHORT_WAIT_NS {
            return entry;
        }
        let Some(wait) = self
            .schedstat
            .as_ref()
            .and_then(Schedstat::run_queue_wait_ns)
        else {
            return entry;
        };
        let delayed = wait - self.run_queue_wait;
        self.run_queue_wait = wait;
        entry.max(woke.plus(-delayed - WAKE_MARGIN_NS))
    }
}

impl Transport {
    pub(super) fn wait_epoll(&mut self, until: Offset, look: Option<Offset>) -> io::Result<()> {
        let mut ready = std::mem::take(&mut self.receiver.ready);
        let waited = self.fill_ready(until, look, &mut ready);
        self.receiver.ready = ready;
        self.receiver.handled = 0;
        self.receiver.round = waited?;
        if !self.receiver.ready.is_empty() {
            self.refresh_pairing(monotonic_ns());
        }
        Ok(())
    }

    /// Waits for ready descriptors; none are there where `until` or `look` has come first.
    fn fill_ready(
        &mut self,
        until: Offset,
        look: Option<Offset>,
        ready: &mut Vec<Ready>,
    ) -> io::Result<Round> {
        let clock = self.config.clock;
        let mut entry = clock.now();
        let mut round = Round {
            floor: self.receiver.floor,
            next_floor: entry,
            cut: self.receiver.poll.wait(false, ready)?,
        };
        while ready.is_empty() {
            (round.floor, self.receiver.floor) = (entry, entry);
            let deadline = look.map_or(until, |look| look.min(until));
            if entry >= deadline {
                return Ok(round);
            }
            let wake_at = if deadline == until {
                until.plus(-self.config.spin)
            } else {
                deadline
            };
            if entry < wake_at {
                self.receiver.timer.arm(clock.monotonic_at(wake_at))?;
                round.cut = self.receiver.poll.wait(true, ready)?;
                round.floor = self.receiver.floor_after_block(entry, clock.now());
                round.next_floor = round.floor;
                return Ok(round);
            }
            std::hint::spin_loop();
            entry = clock.now();
            round.cut = self.receiver.poll.wait(false, ready)?;
            round.next_floor = entry;
        }
        Ok(round)
    }

    pub(super) fn next_epoll(&mut self, until: Offset) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = self.go_on() {
                return Ok(Some(event));
            }
            let n = self.receiver.handled;
            let Some(ready) = self.receiver.ready.get(n).copied() else {
                self.end_round();
                return Ok(None);
            };
            if n >= LEAST_EVENTS && ready.token != TIMER && self.now() >= until {
                // What was not handled may hold older bytes than the next floor.
                self.receiver.ready.clear();
                return Ok(None);
            }
            self.receiver.handled += 1;
            if ready.token == TIMER {
                self.receiver.timer.disarm()?;
                continue;
            }
            if let Some(event) = self.on_ready(ready) {
                return Ok(Some(event));
            }
        }
    }

    /// What is left to do for the descriptor that was handled last: a write, then reads.
    fn go_on(&mut self) -> Option<Event> {
        let writing = self.receiver.writing.take();
        let written = writing.and_then(|link| self.on_writable(link));
        written.or_else(|| {
            let reading = self.receiver.reading.take()?;
            self.read(reading)
        })
    }

    /// Every ready descriptor has been handled.
    fn end_round(&mut self) {
        let receiver = &mut self.receiver;
        if !receiver.ready.is_empty() && !receiver.round.cut {
            receiver.floor = receiver.round.next_floor;
        }
        receiver.ready.clear();
    }

    /// Begins to handle one ready descriptor.
    fn on_ready(&mut self, ready: Ready) -> Option<Event> {
        let link = LinkId(ready.token);
        let stage = self.link(link)?.stage;
        let receiver = &mut self.receiver;
        let floor = receiver.round.floor;
        receiver.writing = ready.writable.then_some(link);
        receiver.reading = ready.readable.then_some(Reading { link, floor });
        // Maybe only the stamp of a send. It is asked for before the next one.
        let departed = ready.error && stage != Stage::Connecting;
        departed.then_some(Event::Departures { link })
    }

    /// A socket is connected, has failed to, or has room to write again.
    pub(super) fn on_writable(&mut self, link: LinkId) -> Option<Event> {
        match self.link(link)?.stage {
            Stage::Connecting => self.on_connected(link),
            Stage::Tunnelling | Stage::Handshaking | Stage::Ready => self.on_room(link),
        }
    }

    /// There is room to write again.
    fn on_room(&mut self, link: LinkId) -> Option<Event> {
        match self.flush(link) {
            Ok(left) => left.map(|at| Event::Sent { link, at }),
            Err(problem) => Some(Event::Broken { link, problem }),
        }
    }

    /// Pairs the two clocks anew where the last pairing is too old at `now` (monotonic).
    pub(super) fn refresh_pairing(&mut self, now: i64) {
        let receiver = &mut self.receiver;
        if now - receiver.pairing.taken_at_monotonic_ns > PAIRING_NS {
            let fresh = RealtimePairing::now();
            let step =
                fresh.realtime_minus_monotonic_ns - receiver.pairing.realtime_minus_monotonic_ns;
            self.health.clock_step_ns = self.health.clock_step_ns.max(step.abs());
            receiver.pairing = fresh;
        }
    }

    /// One read of a socket; a full one is followed by another, until the socket is empty.
    fn read(&mut self, reading: Reading) -> Option<Event> {
        let clock = self.config.clock;
        let Reading { link: id, floor } = reading;
        loop {
            let before = clock.now();
            let index = self.index_of(id)?;
            let link = self.links[index].as_mut()?;
            let received = match stamp::receive(link.fd.as_fd(), &mut self.receiver.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let problem = error.into();
                    return Some(Event::Broken { link: id, problem });
                }
            };
            let seen = clock.now();
            let full = received.len == READ_BUFFER;
            let lower = link.read_floor.max(floor);
            let last_at = link.last_at;
            let stamp = self.stamp(received.realtime_ns, seen, lower, last_at);
            let link = self.links[index].as_mut()?;
            link.last_at = stamp.at;
            // A read that took all there was left the socket empty when it began: nothing that it did not
            // see is older. After a full one more may wait that came before this read, but none before the
            // last byte that it took.
            link.read_floor = if full { stamp.at } else { before };
            if received.len == 0 {
                return Some(ended(id, link, stamp));
            }
            self.count_read(&received);
            self.receiver.reading = full.then_some(reading);
            return self.on_bytes(id, 0..received.len, stamp);
        }
    }

    pub(super) fn stamp(
        &self,
        realtime_ns: Option<i64>,
        seen: Offset,
        lower: Offset,
        last_at: Offset,
    ) -> ReadStamp {
        let kernel = realtime_ns.map(|ns| self.receiver.at_kernel(ns, self.config.clock));
        let source = if kernel.is_some() {
            StampSource::Kernel
        } else {
            StampSource::Program
        };
        let at = kernel.unwrap_or(seen).min(seen).max(last_at);
        ReadStamp {
            at,
            seen,
            lower: lower.min(at),
            source,
        }
    }

    pub(super) fn count_read(&mut self, received: &Received) {
        self.health.reads += 1;
        self.health.bytes += received.len as u64;
        self.health.reads_without_stamp += u64::from(received.realtime_ns.is_none());
    }
}

/// The peer has closed its side: what that means depends on how far the link had come.
pub(super) fn ended(id: LinkId, link: &Link, stamp: ReadStamp) -> Event {
    let broken = |problem| Event::Broken { link: id, problem };
    match link.stage {
        Stage::Ready => Event::End { link: id, stamp },
        Stage::Connecting => broken(Problem::Closed),
        Stage::Tunnelling => broken(super::TunnelError::Closed.into()),
        Stage::Handshaking => broken(Problem::ClosedInHandshake),
    }
}
