//! One link of a transport, waited for: the blocking side of control traffic.
//!
//! Invariant: no wait is longer than it was told to be.

use super::{Behind, Channel, ControlError, timed_out};
use crate::transport::{
    Address, EngineShare, Event, LinkId, Problem, Stage, Transport, TransportConfig,
};
use infermeter_core::clock::{Clock, Offset, monotonic_ns};
use infermeter_core::run::IoBackend;
use std::io;
use std::time::Duration;

/// Its offsets are monotonic nanoseconds.
const CLOCK: Clock = Clock {
    monotonic_origin_ns: 0,
    realtime_origin_ns: 0,
};

/// What came of waiting.
pub(super) enum News {
    Bytes(Vec<u8>),
    /// The server has closed its side.
    End,
    /// Nothing, in time.
    Nothing,
}

/// A connection.
pub(super) struct Wire {
    transport: Transport,
    link: LinkId,
    address: Address,
}

impl Wire {
    /// Connects the socket.
    pub(super) fn connect(channel: &Channel) -> Result<Self, ControlError> {
        let address = channel.route.address.clone();
        let failed = |source| ControlError::Connect {
            address: channel.route.address.clone(),
            source,
        };
        let mut transport = Transport::new(TransportConfig {
            clock: CLOCK,
            io: IoBackend::Epoll,
            kernel_stamps: false,
            audit_send: false,
            max_links: 1,
            spin: 0,
            share: EngineShare::ALONE,
        })
        .map_err(failed)?;
        let now = transport.now();
        let link = transport.open(&channel.route, now).map_err(failed)?;
        let mut wire = Self {
            transport,
            link,
            address,
        };
        let until = after(channel.connect_timeout);
        while wire.stage() == Some(Stage::Connecting) {
            match wire.step(until).map_err(failed)? {
                Some(Event::Broken { problem, .. }) => return Err(failed(as_io(problem))),
                None if monotonic_ns() >= until => {
                    let late = io::Error::new(io::ErrorKind::TimedOut, "connection timed out");
                    return Err(failed(late));
                }
                _ => {}
            }
        }
        Ok(wire)
    }

    pub(super) fn address(&self) -> Address {
        self.address.clone()
    }

    fn stage(&self) -> Option<Stage> {
        Some(self.transport.link(self.link)?.stage)
    }

    /// Waits until requests can be sent: a proxy that is silent and a port that does not speak TLS may never
    /// answer.
    pub(super) fn rise(&mut self, each: Duration) -> Result<(), ControlError> {
        let mut stage = self.stage();
        let mut until = after(each);
        while stage != Some(Stage::Ready) {
            match self.step(until).map_err(|error| self.broken(error))? {
                Some(Event::Broken { problem, .. }) => return Err(self.not_up(problem)),
                None if monotonic_ns() >= until => {
                    return Err(self.not_up(timed_out(each).into()));
                }
                _ => {}
            }
            if self.stage() != stage {
                stage = self.stage();
                until = after(each);
            }
        }
        Ok(())
    }

    /// A connected socket that does not become a way for requests.
    fn not_up(&self, problem: Problem) -> ControlError {
        let address = self.address();
        match problem {
            Problem::Tls(source) => ControlError::Tls { address, source },
            Problem::Tunnel(source) => ControlError::Proxy { address, source },
            problem => ControlError::Handshake {
                address,
                source: as_io(problem),
            },
        }
    }

    /// An exchange that came to nothing.
    pub(super) fn broken(&self, source: io::Error) -> ControlError {
        let address = self.address();
        ControlError::Exchange { address, source }
    }

    pub(super) fn send(&mut self, request: &[u8]) -> Result<(), ControlError> {
        let sent = self.transport.send(self.link, request.to_vec());
        sent.map(drop)
            .map_err(|problem| self.broken(as_io(problem)))
    }

    /// What comes next, until then.
    pub(super) fn next(&mut self, until: i64) -> Result<News, ControlError> {
        loop {
            match self.step(until).map_err(|error| self.broken(error))? {
                Some(Event::Bytes { delivery, .. }) => {
                    let lent = self.transport.take_delivered(delivery);
                    let bytes = lent.bytes().to_vec();
                    self.transport.give_back(lent);
                    return Ok(News::Bytes(bytes));
                }
                Some(Event::End { .. }) => return Ok(News::End),
                Some(Event::Broken { problem, .. }) => return Err(self.broken(as_io(problem))),
                Some(Event::Up { .. } | Event::Sent { .. } | Event::Departures { .. }) => {}
                None if monotonic_ns() >= until => return Ok(News::Nothing),
                None => {}
            }
        }
    }

    /// Whether the connection stays open for a while.
    pub(super) fn behind(&mut self, watch: Duration) -> Behind {
        match self.next(after(watch)) {
            Ok(News::End) | Err(_) => Behind::Closed,
            Ok(News::Bytes(_)) => Behind::Unknown,
            Ok(News::Nothing) => Behind::Kept,
        }
    }

    /// The next event, or one wait for some.
    fn step(&mut self, until: i64) -> io::Result<Option<Event>> {
        let until = Offset(until);
        if let Some(event) = self.transport.next(until)? {
            return Ok(Some(event));
        }
        self.transport.wait(until, None)?;
        self.transport.next(until)
    }
}

fn after(time: Duration) -> i64 {
    let ns = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    monotonic_ns().saturating_add(ns)
}

fn as_io(problem: Problem) -> io::Error {
    match problem {
        Problem::Io(error) => error,
        Problem::ClosedInHandshake => io::ErrorKind::UnexpectedEof.into(),
        Problem::OwnPort => io::ErrorKind::ConnectionRefused.into(),
        other => io::Error::other(other.to_string()),
    }
}
