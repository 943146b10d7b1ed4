//! Many requests over many connections on one thread: the measuring client.
//!
//! The engine is a dispatcher over three others: `transport` delivers stamped bytes, `exchange`
//! says to which request they belong, and `response` what they mean. It is told when to send and
//! never decides it. It does not tokenise, compute statistics, log, or take a lock.
//!
//! Invariant: every request that is sent comes out of [`Engine::take_done`] once.

mod answers;
mod connections;
mod deadlines;
mod destination;
mod dispatch;
mod ends;
mod streams;
#[cfg(test)]
mod tests;

pub use crate::transport::{Address, Hop, Route, Sources, Tunnel};
pub use destination::Destinations;

use crate::exchange::Exchange;
use crate::kept::Budget;
use crate::live::Live;
use crate::prepared::Prepared;
use crate::response::ResponseReader;
use crate::reuse::Reuse;
use crate::transport::{EngineShare, Event, Transport, TransportConfig};
use connections::Carriers;
use deadlines::Deadlines;
use destination::Place;
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{IoBackend, ThreadHealth};
use infermeter_core::schedule::Phase;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use streams::Streams;

/// Settings of one engine. Times in nanoseconds.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where requests go.
    pub to: Arc<Destinations>,
    /// The run's clock.
    pub clock: Clock,
    /// What to receive with.
    pub io: IoBackend,
    /// Kernel stamps work here (a [`infermeter_sys::stamp::Sentinel`] lives).
    pub kernel_stamps: bool,
    /// Have the kernel stamp when requests leave.
    pub audit_send: bool,
    /// Most connections open at once.
    pub max_connections: usize,
    /// Number of the first connection; each further one adds `connection_stride`.
    pub first_connection: u32,
    /// Number of engines that share the run's connection numbers.
    pub connection_stride: u32,
    /// Time to open a connection.
    pub connect_timeout: i64,
    /// Time for a whole request, from its send.
    pub timeout: i64,
    /// Time to the first token, from the send.
    pub first_token_timeout: Option<i64>,
    /// Longest silence inside an answer.
    pub idle_timeout: Option<i64>,
    /// Longest idle time after which a connection is used again.
    pub keepalive: i64,
    /// Idle connections to keep in reserve.
    pub spare_connections: usize,
    /// Whether a connection is known to last for one answer only.
    pub reuse: Reuse,
    /// Resend once when a reused connection dies before any response byte.
    pub retry_stale: bool,
    /// Memory for answers beyond what was asked for, of all engines of a run.
    pub budget: Arc<Budget>,
    /// Busy-wait after each chunk: artificial load.
    pub burn: i64,
    /// Busy-poll for the last part of a wait, where a core is free.
    pub spin: i64,
}

/// A request that waits for a connection under the cap.
struct Waiting {
    prepared: Prepared,
    phase: Phase,
    intended: Offset,
    /// The number of its address.
    place: usize,
}

impl Waiting {
    /// Its record as long as it has not been sent.
    fn record(&self) -> RequestRecord {
        let spec = self.prepared.spec;
        let mut record = RequestRecord::unsent(
            spec.id,
            spec.class,
            self.phase,
            self.intended,
            spec.prompt_tokens,
            spec.output_tokens,
        );
        record.turn = spec.turn;
        record.items = spec.items;
        record.parent = self.prepared.waited.map(|w| w.parent);
        record.planned = self.prepared.waited.and_then(|w| w.planned);
        record.address = Some(self.place as u32);
        record
    }
}

/// The measuring client of one thread.
pub struct Engine {
    config: EngineConfig,
    transport: Transport,
    carriers: Carriers,
    streams: Streams,
    /// What is known of each address.
    places: Vec<Place>,
    /// Whose turn it is.
    turn: usize,
    /// What is spoken on a new connection.
    speak: fn() -> Exchange,
    next_connection: u32,
    deadlines: Deadlines,
    waiting: VecDeque<Waiting>,
    /// Decoders to use again, with their buffers.
    readers: Vec<ResponseReader>,
    /// Requests that have been sent, or have begun to wait for a connection, as known by then.
    begun: Vec<RequestRecord>,
    done: Vec<RequestRecord>,
    in_flight: usize,
    /// What the transport does not count.
    health: ThreadHealth,
    live: Arc<Live>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine without connections. Must be made on the thread that runs it.
    pub fn new(config: EngineConfig, live: Arc<Live>) -> io::Result<Self> {
        let transport = Transport::new(TransportConfig {
            clock: config.clock,
            io: config.io,
            kernel_stamps: config.kernel_stamps,
            audit_send: config.audit_send,
            max_links: config.max_connections,
            spin: config.spin,
            share: EngineShare {
                first: config.first_connection,
                of: config.connection_stride,
            },
        })?;
        let places = 0..config.to.count();
        Ok(Self {
            transport,
            carriers: Carriers::default(),
            streams: Streams::default(),
            places: places.map(|number| Place::of(&config, number)).collect(),
            // Engines of a run begin with different addresses.
            turn: config.first_connection as usize,
            speak: Exchange::http1,
            next_connection: config.first_connection,
            deadlines: Deadlines::default(),
            waiting: VecDeque::new(),
            readers: Vec::new(),
            begun: Vec::new(),
            done: Vec::new(),
            in_flight: 0,
            health: ThreadHealth::default(),
            live,
            config,
        })
    }

    /// Requests sent or waiting for a connection, and not ended.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes the records of requests that have ended since the last call.
    pub fn take_done(&mut self, into: &mut Vec<RequestRecord>) {
        into.append(&mut self.done);
    }

    /// Takes what is known of requests that were sent (or have to wait for a connection) since the
    /// last call. One that waits comes again when it is sent.
    pub fn take_begun(&mut self, into: &mut Vec<RequestRecord>) {
        into.append(&mut self.begun);
    }

    /// Counters so far (CPU and wall time are the caller's).
    pub fn health(&self) -> ThreadHealth {
        let ours = &self.health;
        ThreadHealth {
            connections_discarded: ours.connections_discarded,
            bodies_without_end: ours.bodies_without_end,
            connections_single_use: ours.connections_single_use,
            waits_for_cap: ours.waits_for_cap,
            ..self.transport.health().clone()
        }
    }

    /// The present instant.
    pub fn now(&self) -> Offset {
        self.config.clock.now()
    }

    /// Receives until something has happened or `until` has come: one round of events, at most
    /// one wait. Records of ended requests come out of [`Engine::take_done`].
    pub fn poll(&mut self, until: Offset) -> io::Result<()> {
        let now = self.now();
        self.fire_deadlines(now);
        self.transport.wait(until, self.deadlines.next())?;
        while let Some(event) = self.transport.next(until)? {
            self.on_event(event);
        }
        Ok(())
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Bytes {
                link,
                delivery,
                stamp,
            } => self.on_bytes(link, delivery, stamp),
            Event::Up { link, at } => self.on_up(link, at),
            Event::Sent { link, at } => self.on_sent(link, at),
            Event::Departures { link } => self.collect_sent(link),
            Event::End { link, stamp } => self.on_end(link, stamp),
            Event::Broken { link, problem } => self.broken(link, &problem),
        }
    }
}
