//! Waiting and receiving: kernel stamps, lower bounds, and the way of bytes to the decoder.
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

mod ring;

use crate::connection::Stage;
use crate::engine::{Engine, error};
use crate::live::Live;
use crate::response::{ReadResult, ReadStamp};
use infermeter_core::clock::{Offset, RealtimePairing, monotonic_ns};
use infermeter_core::record::{Outcome, Reason, StampSource};
use infermeter_core::run::IoBackend;
use infermeter_sys::poll::{Interest, Poll, Ready};
use infermeter_sys::schedstat::Schedstat;
use infermeter_sys::stamp;
use infermeter_sys::timer::Timer;
use ring::RingSide;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

/// Bytes one read can take: large, so that no event is cut by the buffer.
const READ_BUFFER: usize = 256 * 1024;
/// Token of the timer in the poll; connections have generations from 1.
const TIMER: u64 = u32::MAX as u64;
/// A pairing of the clocks is used for this long.
const PAIRING_NS: i64 = 1_000_000;
/// Time from the arrival of a segment to the thread's being runnable: interrupt and idle exit.
const WAKE_MARGIN_NS: i64 = 100_000;
/// After a wait shorter than this its beginning is bound enough, and the run-queue wait (a system
/// call to learn) is left for a later look: counted too late it only makes a bound more careful.
const SHORT_WAIT_NS: i64 = 500_000;
/// An answer that holds more than was asked for takes memory from the budget in such steps.
const BUDGET_STEP: usize = 64 << 10;
/// Events handled in one poll even when a send is due: receiving never starves.
const LEAST_EVENTS: usize = 16;

/// The receiving side of an engine.
pub(crate) struct Receiver {
    pub(crate) poll: Poll,
    timer: Timer,
    ready: Vec<Ready>,
    buffer: Vec<u8>,
    plain: Vec<u8>,
    pairing: RealtimePairing,
    schedstat: Option<Schedstat>,
    run_queue_wait: i64,
    /// Sockets that the next wait reports were empty at this instant, unless read later.
    floor: Offset,
    /// Where io_uring receives.
    ring: Option<RingSide>,
}

impl Receiver {
    pub(crate) fn new(io: IoBackend, max_connections: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new()?;
        let ring = match io {
            IoBackend::Epoll => {
                poll.add(timer.as_fd(), TIMER, Interest::Read)?;
                None
            }
            IoBackend::Uring => Some(RingSide::new(&poll, &timer, max_connections)?),
        };
        let schedstat = Schedstat::of_this_thread();
        Ok(Self {
            poll,
            timer,
            ready: Vec::new(),
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
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let interest = match self.ring {
            None => Interest::ReadWrite,
            Some(_) => Interest::Write,
        };
        self.poll.add(fd, token, interest)
    }

    /// Waits for room to write on a socket, or no longer. With a ring, epoll knows only sockets
    /// that wait to write: it would go on and on reporting one that has broken.
    pub(crate) fn want_write(&self, fd: BorrowedFd<'_>, token: u64, wants: bool) {
        // A failure here shows as a time-out of the request; it cannot happen to a live socket.
        let _ = match (&self.ring, wants) {
            (None, true) => self.poll.modify(fd, token, Interest::ReadWrite),
            (None, false) => self.poll.modify(fd, token, Interest::Read),
            (Some(_), true) => self.poll.add(fd, token, Interest::Write),
            (Some(_), false) => self.poll.remove(fd),
        };
    }

    /// The clock's origin has moved.
    pub(crate) fn shift_floor(&mut self, by: i64) {
        self.floor = self.floor.plus(by);
    }

    /// After a wait that blocked from `entry` to `woke`: no socket had a byte before this.
    fn floor_after_block(&mut self, entry: Offset, woke: Offset) -> Offset {
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

impl Engine {
    /// Receives until something has happened or `until` has come: one round of events, at most
    /// one wait. Records of ended requests come out of [`Engine::take_done`].
    pub fn poll(&mut self, until: Offset) -> io::Result<()> {
        let now = self.now();
        self.fire_deadlines(now);
        if self.receiver.ring.is_some() {
            return self.poll_ring(until);
        }
        let mut ready = std::mem::take(&mut self.receiver.ready);
        let result = self.wait_and_receive(until, &mut ready);
        self.receiver.ready = ready;
        result
    }

    fn wait_and_receive(&mut self, until: Offset, ready: &mut Vec<Ready>) -> io::Result<()> {
        let clock = self.config.clock;
        let mut entry = clock.now();
        // Reported sockets were empty at `floor`; unreported ones are at `next_floor`.
        let mut floor = self.receiver.floor;
        let mut cut = self.receiver.poll.wait(false, ready)?;
        let mut next_floor = entry;
        while ready.is_empty() {
            (floor, self.receiver.floor) = (entry, entry);
            let deadline = self.deadlines.next().map_or(until, |d| d.min(until));
            if entry >= deadline {
                return Ok(());
            }
            let wake_at = if deadline == until {
                until.plus(-self.config.spin)
            } else {
                deadline
            };
            if entry < wake_at {
                self.receiver.timer.arm(clock.monotonic_at(wake_at))?;
                cut = self.receiver.poll.wait(true, ready)?;
                floor = self.receiver.floor_after_block(entry, clock.now());
                next_floor = floor;
                if ready.is_empty() {
                    return Ok(());
                }
            } else {
                std::hint::spin_loop();
                entry = clock.now();
                cut = self.receiver.poll.wait(false, ready)?;
                next_floor = entry;
            }
        }
        if self.handle(ready, floor, until)? && !cut {
            self.receiver.floor = next_floor;
        }
        Ok(())
    }

    /// Handles ready descriptors; stops early when a send is due. True when all were handled.
    fn handle(&mut self, ready: &[Ready], floor: Offset, until: Offset) -> io::Result<bool> {
        self.refresh_pairing(monotonic_ns());
        for (n, event) in ready.iter().enumerate() {
            if event.token == TIMER {
                self.receiver.timer.disarm()?;
                continue;
            }
            if n >= LEAST_EVENTS && self.now() >= until {
                return Ok(false);
            }
            let Some(index) = self.pool.index_of(event.token) else {
                continue;
            };
            let stage = self.pool.get_mut(index).stage;
            if event.error && stage != Stage::Connecting {
                // Maybe only the stamp of a send.
                self.collect_sent(index);
            }
            if event.writable {
                if stage == Stage::Connecting {
                    self.on_connected(index);
                } else {
                    self.write(index);
                }
            }
            if event.readable && self.pool.index_of(event.token) == Some(index) {
                self.on_readable(index, event.token, floor);
            }
        }
        Ok(true)
    }

    /// Pairs the two clocks anew where the last pairing is too old at `now` (monotonic).
    fn refresh_pairing(&mut self, now: i64) {
        let receiver = &mut self.receiver;
        if now - receiver.pairing.taken_at_monotonic_ns > PAIRING_NS {
            let fresh = RealtimePairing::now();
            let step =
                fresh.realtime_minus_monotonic_ns - receiver.pairing.realtime_minus_monotonic_ns;
            self.health.clock_step_ns = self.health.clock_step_ns.max(step.abs());
            receiver.pairing = fresh;
        }
    }

    /// Reads until the socket is empty.
    fn on_readable(&mut self, index: usize, token: u64, floor: Offset) {
        let clock = self.config.clock;
        loop {
            let before = clock.now();
            let connection = self.pool.get_mut(index);
            let received = match stamp::receive(connection.fd.as_fd(), &mut self.receiver.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.broken(index, &error.to_string()),
            };
            let seen = clock.now();
            let full = received.len == READ_BUFFER;
            let lower = connection.read_floor.max(floor);
            let last_at = connection.last_at;
            let stamp = self.stamp(received.realtime_ns, seen, lower, last_at);
            let connection = self.pool.get_mut(index);
            connection.last_at = stamp.at;
            connection.read_floor = if full { stamp.at } else { before };
            if received.len == 0 {
                return self.on_end(index, stamp);
            }
            self.count_read(&received);
            let chunks = self.on_bytes(index, 0..received.len, stamp);
            self.burn(chunks);
            if !full || self.pool.index_of(token) != Some(index) {
                return;
            }
        }
    }

    /// Takes what the error queue knows about when requests left.
    pub(crate) fn collect_sent(&mut self, index: usize) {
        if !self.config.audit_send {
            return;
        }
        let Some(connection) = self.pool.find_mut(index) else {
            return;
        };
        while let Some(sent) = stamp::take_sent(connection.fd.as_fd()) {
            let at = self.receiver.pairing.to_monotonic(sent.realtime_ns);
            if let Some(request) = &mut connection.request
                && request.last_byte == Some(sent.last_byte)
            {
                request.record.left = Some(self.config.clock.at_monotonic(at));
            }
        }
    }

    fn stamp(
        &self,
        realtime_ns: Option<i64>,
        seen: Offset,
        lower: Offset,
        last_at: Offset,
    ) -> ReadStamp {
        let kernel = realtime_ns.map(|ns| {
            self.config
                .clock
                .at_monotonic(self.receiver.pairing.to_monotonic(ns))
        });
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

    fn count_read(&mut self, received: &stamp::Received) {
        self.health.reads += 1;
        self.health.bytes += received.len as u64;
        self.health.reads_without_stamp += u64::from(received.realtime_ns.is_none());
    }

    /// Hands bytes to TLS and the decoder; returns the chunks that came out.
    fn on_bytes(&mut self, index: usize, bytes: Range<usize>, stamp: ReadStamp) -> u64 {
        let connection = self.pool.get_mut(index);
        if connection.tls.is_none() {
            if connection.stage != Stage::Ready {
                return 0;
            }
            let buffer = std::mem::take(&mut self.receiver.buffer);
            let chunks = self.decode(index, &buffer[bytes], stamp);
            self.receiver.buffer = buffer;
            return chunks;
        }
        let mut plain = std::mem::take(&mut self.receiver.plain);
        plain.clear();
        let decrypted = connection.decrypt(&self.receiver.buffer[bytes], &mut plain);
        let chunks = match decrypted {
            Ok(()) => self.after_decrypt(index, &plain, stamp),
            Err(error) => {
                self.broken(index, &error.to_string());
                0
            }
        };
        self.receiver.plain = plain;
        chunks
    }

    fn after_decrypt(&mut self, index: usize, plain: &[u8], stamp: ReadStamp) -> u64 {
        let connection = self.pool.get_mut(index);
        let handshaking = connection
            .tls
            .as_ref()
            .is_some_and(|tls| tls.is_handshaking());
        if connection.stage == Stage::Handshaking {
            if handshaking {
                self.write(index);
                return 0;
            }
            connection.stage = Stage::Ready;
            connection.tls_done = Some(stamp.seen);
            self.on_ready(index, stamp.seen);
        } else if connection.tls.as_ref().is_some_and(|tls| tls.wants_write()) {
            self.write(index);
        }
        if plain.is_empty() {
            0
        } else {
            self.decode(index, plain, stamp)
        }
    }

    fn decode(&mut self, index: usize, bytes: &[u8], stamp: ReadStamp) -> u64 {
        let connection = self.pool.get_mut(index);
        let Some(request) = &mut connection.request else {
            // Bytes nobody asked for: the connection cannot be trusted any more.
            self.close(index);
            self.health.connections_discarded += 1;
            return 0;
        };
        let before = request.reader.chunks_so_far();
        let result = request.reader.read(bytes, stamp);
        let chunks = (request.reader.chunks_so_far() - before) as u64;
        Live::bump(&self.live.chunks, chunks);
        self.settle(index, result);
        chunks
    }

    fn on_end(&mut self, index: usize, stamp: ReadStamp) {
        let connection = self.pool.get_mut(index);
        let stage = connection.stage;
        let closed = match stage {
            Stage::Handshaking => {
                "closed by the server during the TLS handshake; if the port speaks plain HTTP, write \
                 http://"
            }
            Stage::Connecting | Stage::Ready => "closed by the server",
        };
        match &mut connection.request {
            Some(request) if request.reader.last_read_at().is_some() && stage == Stage::Ready => {
                let result = request.reader.closed_by_peer(stamp);
                match result {
                    ReadResult::Done { .. } | ReadResult::Failed(_) => self.finish(index, false),
                    ReadResult::NeedMore => self.broken(index, closed),
                }
            }
            _ => self.broken(index, closed),
        }
    }

    fn settle(&mut self, index: usize, result: ReadResult) {
        match result {
            ReadResult::NeedMore => self.go_on(index),
            ReadResult::Done { keep_alive } => self.finish(index, keep_alive),
            ReadResult::Failed(_) => {
                let keep = self
                    .pool
                    .get_mut(index)
                    .request
                    .as_ref()
                    .is_some_and(|r| r.reader.keep_alive());
                self.finish(index, keep);
            }
        }
    }

    /// More is to come: sees that it ends in time, and that there is room for it.
    fn go_on(&mut self, index: usize) {
        let Some(request) = &mut self.pool.get_mut(index).request else {
            return;
        };
        if request.reader.done_at().is_some() {
            return self.arm_deadline(index);
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
        self.abort(index, Outcome::Failed, why, self.now());
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
