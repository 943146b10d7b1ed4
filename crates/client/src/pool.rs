//! The connections of one engine: a table, the idle ones (last in, first out), the ones still
//! opening that nobody waits for, and a reserve that is refilled off the send path.
//!
//! What becomes of them is told to [`crate::backoff`] (whether to open more) and [`crate::reuse`] (whether
//! to keep them).

use crate::backoff::Backoff;
use crate::connection::{Connection, Stage};
use crate::engine::Engine;
use crate::reuse::AFTER_ANSWER_NS;
use infermeter_core::clock::Offset;
use infermeter_sys::{socket, stamp};
use std::io;
use std::os::fd::AsFd;

/// Most connections kept in reserve.
const MAX_SPARES: usize = 64;

/// Table of connections.
pub(crate) struct Pool {
    table: Vec<Option<Connection>>,
    free: Vec<usize>,
    idle: Vec<usize>,
    /// Opening, without a request.
    opening: Vec<usize>,
    open: usize,
    next_id: u32,
    next_generation: u32,
    spares: usize,
}

impl Pool {
    pub(crate) fn new(first_id: u32, spares: usize) -> Self {
        Self {
            table: Vec::new(),
            free: Vec::new(),
            idle: Vec::new(),
            opening: Vec::new(),
            open: 0,
            next_id: first_id,
            next_generation: 1,
            spares,
        }
    }

    /// Connections in the table, of any stage.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    pub(crate) fn has_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// The poll token of a table entry.
    pub(crate) fn token(index: usize, generation: u32) -> u64 {
        (u64::from(generation) << 32) | index as u64
    }

    /// The table entry of a token, if it still is the same connection.
    pub(crate) fn index_of(&self, token: u64) -> Option<usize> {
        let index = (token & 0xffff_ffff) as usize;
        let connection = self.table.get(index)?.as_ref()?;
        (u64::from(connection.generation) == token >> 32).then_some(index)
    }

    /// A connection that is known to be there.
    pub(crate) fn get_mut(&mut self, index: usize) -> &mut Connection {
        self.table[index]
            .as_mut()
            .expect("the caller holds the index of a live connection")
    }

    /// A connection that may have gone.
    pub(crate) fn find_mut(&mut self, index: usize) -> Option<&mut Connection> {
        self.table.get_mut(index)?.as_mut()
    }

    fn insert(&mut self, connection: Connection) -> usize {
        self.open += 1;
        if let Some(index) = self.free.pop() {
            self.table[index] = Some(connection);
            return index;
        }
        self.table.push(Some(connection));
        self.table.len() - 1
    }

    /// Takes a connection out; dropping it closes it.
    pub(crate) fn remove(&mut self, index: usize) -> Option<Connection> {
        let connection = self.table.get_mut(index)?.take()?;
        if connection.request.is_none() {
            self.idle.retain(|i| *i != index);
            self.opening.retain(|i| *i != index);
        }
        self.free.push(index);
        self.open -= 1;
        Some(connection)
    }

    pub(crate) fn put_idle(&mut self, index: usize) {
        self.opening.retain(|i| *i != index);
        self.idle.push(index);
    }

    pub(crate) fn take_connecting(&mut self) -> Option<usize> {
        if self.opening.is_empty() {
            None
        } else {
            Some(self.opening.remove(0))
        }
    }

    /// The reserve was empty when a request came: keep one more from now on.
    pub(crate) fn more_spares(&mut self) {
        self.spares = (self.spares + 1).min(MAX_SPARES);
    }

    fn wants_spare(&self) -> bool {
        self.idle.len() + self.opening.len() < self.spares
    }

    /// Entries that carry a request.
    pub(crate) fn busy(&self) -> Vec<usize> {
        let carries = |c: &Option<Connection>| c.as_ref().is_some_and(|c| c.request.is_some());
        (0..self.table.len())
            .filter(|i| carries(&self.table[*i]))
            .collect()
    }
}

impl Engine {
    /// Starts `count` connections for requests to come, within the cap and as long as such last.
    pub fn open_ahead(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let now = self.now();
            let full = self.pool.open() >= self.config.max_connections;
            if full || !self.ahead.allows(now) || !self.may_connect(now) {
                break;
            }
            let index = match self.open_connection(now) {
                Ok(index) => index,
                // Met again, and recorded, by the request that needs the connection.
                Err(error) if !socket::lacks_resource(&error) => break,
                Err(error) => return Err(error),
            };
            self.pool.opening.push(index);
            self.arm_deadline(index);
        }
        Ok(())
    }

    /// Connections ready for use.
    pub fn idle_connections(&self) -> usize {
        self.pool.idle.len()
    }

    /// Connections that are being opened for requests to come.
    pub fn opening_connections(&self) -> usize {
        self.pool.opening.len()
    }

    pub(crate) fn open_connection(&mut self, now: Offset) -> io::Result<usize> {
        let fd = match socket::start_connect(&self.config.address) {
            Ok(fd) => fd,
            Err(error) => {
                if !socket::lacks_resource(&error) {
                    self.backoff.failed(now, now);
                }
                return Err(error);
            }
        };
        if self.config.kernel_stamps {
            stamp::enable(fd.as_fd())?;
        }
        let (id, generation) = (self.pool.next_id, self.pool.next_generation);
        let connection = Connection::new(fd, id, generation, self.config.tls.as_ref(), now)
            .map_err(io::Error::other)?;
        self.pool.next_id += self.config.connection_stride;
        self.pool.next_generation = generation.wrapping_add(1).max(1);
        self.health.connections_opened += 1;
        let index = self.pool.insert(connection);
        let token = Pool::token(index, generation);
        let connection = self.pool.get_mut(index);
        if let Err(error) = self.receiver.add(connection.fd.as_fd(), token) {
            self.pool.remove(index);
            return Err(error);
        }
        Ok(index)
    }

    /// Takes a connection out and lets the receiver forget it; dropping it closes it.
    pub(crate) fn close(&mut self, index: usize) -> Option<Connection> {
        self.collect_sent(index);
        let connection = self.pool.remove(index)?;
        let token = Pool::token(index, connection.generation);
        self.receiver.forget(&connection, token);
        Some(connection)
    }

    /// The youngest idle connection that may still be used; older or disturbed ones go.
    pub(crate) fn take_idle(&mut self, now: Offset) -> Option<usize> {
        while let Some(index) = self.pool.idle.pop() {
            let connection = self.pool.get_mut(index);
            let fresh = now.since(connection.idle_since) <= self.config.keepalive;
            let spent = connection.answers > 0 && self.reuse.is_single();
            let token = Pool::token(index, connection.generation);
            let disturbed =
                socket::is_disturbed(connection.fd.as_fd()) || self.receiver.holds(token);
            if fresh && !disturbed && !spent {
                return Some(index);
            }
            if let Some(connection) = self.close(index) {
                if disturbed {
                    self.note_idle_end(&connection, now);
                    self.note_problem("closed by the server");
                }
                self.health.connections_discarded += 1;
            }
        }
        None
    }

    /// A connection without a request was closed by the server.
    pub(crate) fn note_idle_end(&mut self, connection: &Connection, now: Offset) {
        let idle_since = connection.idle_since;
        match connection.stage {
            Stage::Connecting => self.backoff.failed(connection.opened, now),
            Stage::Handshaking => self.ahead.failed(connection.opened, now),
            // It had been idle for long: servers close such.
            Stage::Ready if now.since(idle_since) > AFTER_ANSWER_NS => {}
            Stage::Ready if connection.answers == 0 => self.ahead.failed(connection.opened, now),
            Stage::Ready => self.reuse.closed_after_answer(idle_since, now),
        }
    }

    /// Drops what has been idle too long and refills the reserve, one connection a call: meant
    /// for moments without anything due.
    pub fn tend_connections(&mut self) {
        let now = self.now();
        while let Some(index) = self.pool.idle.first().copied() {
            let connection = self.pool.get_mut(index);
            if now.since(connection.idle_since) <= self.config.keepalive {
                break;
            }
            self.close(index);
            self.health.connections_discarded += 1;
        }
        if self.pool.wants_spare() {
            // A failure is not lost: the next request meets it and records it.
            let _ = self.open_ahead(1);
        }
    }

    /// A socket that was connecting has news.
    pub(crate) fn on_connected(&mut self, index: usize) {
        let now = self.now();
        let connection = self.pool.get_mut(index);
        if let Some(error) = socket::take_error(connection.fd.as_fd()) {
            self.broken(index, &error.to_string());
            return;
        }
        if socket::is_connected_to_itself(connection.fd.as_fd(), &self.config.address) {
            self.broken(index, "nobody listens there: the socket met its own port");
            return;
        }
        connection.connected = Some(now);
        connection.read_floor = now;
        if self.config.audit_send {
            // Where that fails the stamps are missing, which is a finding.
            let _ = stamp::enable_sends(connection.fd.as_fd());
        }
        if let Err(error) = self.start_receiving(index) {
            self.broken(index, &error.to_string());
            return;
        }
        let connection = self.pool.get_mut(index);
        connection.stage = if connection.tls.is_some() {
            Stage::Handshaking
        } else {
            Stage::Ready
        };
        if connection.stage == Stage::Ready {
            self.on_ready(index, now);
        } else {
            self.write(index);
        }
    }

    /// The connection is up: write the request that waits for it, or keep it for later.
    pub(crate) fn on_ready(&mut self, index: usize, now: Offset) {
        self.backoff.connected();
        let clock = self.config.clock;
        self.config.last_connect.note(clock.monotonic_at(now));
        let connection = self.pool.get_mut(index);
        if connection.request.is_some() {
            self.write(index);
            return;
        }
        connection.idle_since = now;
        self.want_write(index, false);
        self.pool.put_idle(index);
        self.serve_waiting();
    }
}

impl Engine {
    /// Moves to the run's final clock. Only before the first request.
    pub fn start_clock(&mut self, clock: infermeter_core::clock::Clock) {
        let shift = self.config.clock.monotonic_origin_ns - clock.monotonic_origin_ns;
        for connection in self.pool.table.iter_mut().flatten() {
            connection.opened = connection.opened.plus(shift);
            connection.looked_at = None;
            connection.idle_since = connection.idle_since.plus(shift);
            connection.read_floor = connection.read_floor.plus(shift);
            connection.connected = connection.connected.map(|at| at.plus(shift));
            connection.tls_done = connection.tls_done.map(|at| at.plus(shift));
            connection.last_at = connection.last_at.plus(shift);
        }
        // The first requests of the run find out for themselves, and say what they met.
        self.backoff = Backoff::of(&self.config);
        self.ahead.shift(shift);
        self.reuse.shift(shift);
        self.receiver.shift_floor(shift);
        self.deadlines.clear();
        self.config.clock = clock;
        for index in self.pool.opening.clone() {
            self.arm_deadline(index);
        }
    }
}
