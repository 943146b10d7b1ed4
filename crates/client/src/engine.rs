//! Many requests over many connections on one thread: the measuring client.
//!
//! The engine is told when to send and never decides it; it stamps, decodes and records. It does
//! not tokenise, compute statistics, log, or take a lock. Receiving is in `receive`, time-outs
//! in `deadlines`, connections in `pool`.

use crate::backoff::{Backoff, LastConnect};
use crate::connection::{Connection, InFlight, Stage};
use crate::deadlines::Deadlines;
use crate::kept::{self, Budget};
use crate::live::Live;
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::receive::Receiver;
use crate::response::ResponseReader;
use crate::reuse::{Reuse, ReuseHabit};
use crate::tls::Tls;
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::record::{MAX_ERROR_TEXT, Outcome, Reason, RequestError, RequestRecord};
use infermeter_core::run::{IoBackend, ThreadHealth};
use infermeter_core::schedule::Phase;
use infermeter_core::text::inert;
use infermeter_sys::socket;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Settings of one engine. Times in nanoseconds.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where to connect.
    pub address: SocketAddr,
    /// TLS, for https.
    pub tls: Option<Tls>,
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
    /// When a connection of any engine of the run came up.
    pub last_connect: Arc<LastConnect>,
    /// Memory for answers beyond what was asked for, of all engines of a run.
    pub budget: Arc<Budget>,
    /// Busy-wait after each chunk: artificial load.
    pub burn: i64,
    /// Busy-poll for the last part of a wait, where a core is free.
    pub spin: i64,
}

/// A request that waits for a connection under the cap.
pub(crate) struct Waiting {
    pub(crate) prepared: Prepared,
    pub(crate) phase: Phase,
    pub(crate) intended: Offset,
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
        record
    }
}

/// The measuring client of one thread.
pub struct Engine {
    pub(crate) config: EngineConfig,
    pub(crate) pool: Pool,
    pub(crate) receiver: Receiver,
    pub(crate) deadlines: Deadlines,
    /// Connects that failed.
    pub(crate) backoff: Backoff,
    /// How the last of them did.
    connect_problem: String,
    /// Connections opened ahead that did not last. They hold up no request.
    pub(crate) ahead: Backoff,
    pub(crate) reuse: ReuseHabit,
    pub(crate) waiting: VecDeque<Waiting>,
    /// Decoders to use again, with their buffers.
    readers: Vec<ResponseReader>,
    /// Requests that have been sent, or have begun to wait for a connection, as known by then.
    begun: Vec<RequestRecord>,
    pub(crate) done: Vec<RequestRecord>,
    pub(crate) in_flight: usize,
    pub(crate) health: ThreadHealth,
    pub(crate) live: Arc<Live>,
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
        Ok(Self {
            pool: Pool::new(config.first_connection, config.spare_connections),
            receiver: Receiver::new(config.io, config.max_connections)?,
            deadlines: Deadlines::default(),
            backoff: Backoff::of(&config),
            connect_problem: String::new(),
            ahead: Backoff::of(&config),
            reuse: ReuseHabit::new(config.reuse),
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

    /// Where no connection may be opened yet: when the next one may.
    pub fn connects_from(&mut self) -> Option<Offset> {
        self.backoff.hold()?;
        // Another engine may have found the server again.
        if let Some(at) = self.config.last_connect.get() {
            self.backoff.heard(self.config.clock.at_monotonic(at));
        }
        self.backoff.hold()
    }

    /// Whether a connection may be opened now.
    pub(crate) fn may_connect(&mut self, now: Offset) -> bool {
        self.connects_from().is_none() || self.backoff.allows(now)
    }

    /// Takes what is known of requests that were sent (or have to wait for a connection) since the
    /// last call. One that waits comes again when it is sent.
    pub fn take_begun(&mut self, into: &mut Vec<RequestRecord>) {
        into.append(&mut self.begun);
    }

    /// Counters so far (CPU and wall time are the caller's).
    pub fn health(&self) -> &ThreadHealth {
        &self.health
    }

    /// The present instant.
    pub fn now(&self) -> Offset {
        self.config.clock.now()
    }

    /// Sends a request now, on an idle connection, a connection about to be up, or a new one; at
    /// the cap it waits its turn. Its record comes out of [`Engine::take_done`], whatever happens.
    pub fn send(&mut self, prepared: Prepared, phase: Phase, intended: Offset) {
        self.in_flight += 1;
        Live::bump(&self.live.sent, 1);
        self.dispatch(Waiting {
            prepared,
            phase,
            intended,
        });
    }

    fn dispatch(&mut self, request: Waiting) {
        let now = self.now();
        if let Some(index) = self.take_idle(now) {
            self.begin(index, request);
        } else if let Some(index) = self.pool.take_connecting() {
            self.pool.more_spares();
            self.begin(index, request);
        } else if self.pool.open() >= self.config.max_connections {
            self.health.waits_for_cap += 1;
            self.begun.push(request.record());
            self.waiting.push_back(request);
        } else if !self.may_connect(now) {
            self.refuse(&request, now);
        } else {
            self.pool.more_spares();
            match self.open_connection(now) {
                Ok(index) => self.begin(index, request),
                Err(error) => self.fail_to_open(&request, now, &error),
            }
        }
    }

    /// Gives connections that have become free to requests that wait.
    pub(crate) fn serve_waiting(&mut self) {
        while !self.waiting.is_empty()
            && (self.pool.has_idle() || self.pool.open() < self.config.max_connections)
        {
            if let Some(request) = self.waiting.pop_front() {
                self.dispatch(request);
            }
        }
    }

    fn begin(&mut self, index: usize, request: Waiting) {
        let mut record = request.record();
        let prepared = request.prepared;
        let mut reader = match self.readers.pop() {
            Some(reader) => reader,
            None => ResponseReader::new(prepared.expect),
        };
        reader.reset(prepared.expect);
        let connection = self.pool.get_mut(index);
        record.new_connection = Some(!connection.used && connection.stage != Stage::Ready);
        record.connection = Some(connection.id);
        record.attempts = 1;
        let send_start = self.config.clock.now();
        record.send_start = Some(send_start);
        // Nothing is on the heap yet: the copy is a few hundred bytes.
        self.begun.push(record.clone());
        connection.request = Some(Box::new(InFlight {
            record,
            reader,
            allowed: kept::free(prepared.spec.output_tokens),
            taken: 0,
            prepared,
            written: 0,
            last_byte: None,
        }));
        connection.used = true;
        let token = Pool::token(index, connection.generation);
        if connection.stage == Stage::Ready {
            self.write(index);
        }
        if self.pool.index_of(token) == Some(index) {
            self.arm_deadline(index);
        }
    }

    /// Writes what is left of the request (or of the handshake) and notes when all is out.
    pub(crate) fn write(&mut self, index: usize) {
        let clock = self.config.clock;
        let connection = self.pool.get_mut(index);
        match connection.flush() {
            Ok(true) => {
                if connection.stage == Stage::Ready
                    && let Some(request) = &mut connection.request
                    && request.record.sent.is_none()
                {
                    request.record.sent = Some(clock.now());
                    request.last_byte = Some(connection.bytes_out.wrapping_sub(1));
                    if !self.config.retry_stale {
                        request.prepared.bytes = Vec::new();
                        request.written = 0;
                    }
                }
                self.want_write(index, false);
            }
            Ok(false) => self.want_write(index, true),
            Err(error) => self.broken(index, &error.to_string()),
        }
    }

    pub(crate) fn want_write(&mut self, index: usize, wants: bool) {
        let connection = self.pool.get_mut(index);
        if connection.wants_write == wants {
            return;
        }
        connection.wants_write = wants;
        let token = Pool::token(index, connection.generation);
        self.receiver
            .want_write(connection.fd.as_fd(), token, wants);
    }

    /// The connection broke: its request fails (or is sent again once), it goes.
    pub(crate) fn broken(&mut self, index: usize, problem: &str) {
        let now = self.now();
        let Some(mut connection) = self.close(index) else {
            return;
        };
        let Some(mut request) = connection.request.take() else {
            self.note_idle_end(&connection, now);
            self.note_problem(problem);
            self.health.connections_discarded += 1;
            return;
        };
        let answered = request.reader.last_read_at().is_some();
        let reason = self.note_break(&connection, answered, now);
        self.note_problem(problem);
        if reason == Reason::StaleConnection
            && self.config.retry_stale
            && request.record.attempts == 1
        {
            self.resend(request, now);
            return;
        }
        note_connection(&mut request.record, &connection);
        self.end(request, Outcome::Failed, Some(error(reason, problem)), now);
        self.serve_waiting();
    }

    /// Learns from a connection that broke under a request, `answered` in part or not at all; the reason of
    /// the request's failure.
    fn note_break(&mut self, connection: &Connection, answered: bool, now: Offset) -> Reason {
        match connection.stage {
            Stage::Connecting => {
                self.backoff.failed(connection.opened, now);
                Reason::ConnectFailed
            }
            // Somebody is there: what is wrong with TLS stays so, and each request says it.
            Stage::Handshaking => Reason::TlsFailed,
            Stage::Ready if answered => Reason::Disconnected,
            Stage::Ready if connection.answers > 0 => {
                self.reuse.closed_after_answer(connection.idle_since, now);
                Reason::StaleConnection
            }
            Stage::Ready => {
                self.backoff.hung_up(connection.opened, now);
                Reason::Disconnected
            }
        }
    }

    /// Sends the request of a stale connection once more, on a connection of its own.
    fn resend(&mut self, mut request: Box<InFlight>, now: Offset) {
        request.reader.reset(request.prepared.expect);
        request.written = 0;
        request.last_byte = None;
        (request.record.sent, request.record.left) = (None, None);
        request.record.attempts = 2;
        request.record.new_connection = Some(true);
        if !self.may_connect(now) {
            let why = self.backing_off();
            return self.end(request, Outcome::Failed, Some(why), now);
        }
        match self.open_connection(now) {
            Ok(index) => {
                let connection = self.pool.get_mut(index);
                request.record.connection = Some(connection.id);
                connection.request = Some(request);
                connection.used = true;
                self.arm_deadline(index);
            }
            Err(problem) => {
                self.end(request, Outcome::Failed, Some(unopened(&problem)), now);
            }
        }
    }

    /// Keeps what went wrong last while connections may not be opened.
    pub(crate) fn note_problem(&mut self, problem: &str) {
        if self.backoff.hold().is_some() {
            self.connect_problem = inert(problem, MAX_PROBLEM_TEXT);
        }
    }

    /// A request that is due while no connection may be opened fails now, and is not sent later: a server
    /// that comes back does not meet everything that was due meanwhile.
    fn refuse(&mut self, request: &Waiting, now: Offset) {
        let mut record = request.record();
        record.closed = Some(now);
        record.outcome = Outcome::Failed;
        record.error = Some(self.backing_off());
        self.push_done(record);
    }

    fn backing_off(&self) -> RequestError {
        let last = &self.connect_problem;
        let text = format!("the next attempt to connect was not due; the last one: {last}");
        error(Reason::ConnectBackoff, &text)
    }

    fn fail_to_open(&mut self, request: &Waiting, now: Offset, problem: &io::Error) {
        self.note_problem(&problem.to_string());
        let mut record = request.record();
        record.send_start = Some(now);
        record.closed = Some(now);
        record.outcome = Outcome::Failed;
        record.error = Some(unopened(problem));
        self.push_done(record);
    }

    /// Ends a request before its answer did: a failure of ours or of the connection.
    pub(crate) fn end(
        &mut self,
        request: Box<InFlight>,
        outcome: Outcome,
        why: Option<RequestError>,
        now: Offset,
    ) {
        let InFlight {
            mut record,
            mut reader,
            taken,
            ..
        } = *request;
        reader.fill(&mut record);
        self.config.budget.settle(taken, &record);
        record.outcome = outcome;
        record.error = why;
        record.closed = Some(record.closed.map_or(now, |closed| closed.max(now)));
        self.readers.push(reader);
        self.push_done(record);
    }

    /// The answer ended (well or not) as the decoder says; the connection is used again when it
    /// may be.
    pub(crate) fn finish(&mut self, index: usize, keep: bool) {
        let now = self.now();
        self.collect_sent(index);
        let connection = self.pool.get_mut(index);
        let Some(request) = connection.request.take() else {
            return;
        };
        let InFlight {
            mut record,
            mut reader,
            taken,
            ..
        } = *request;
        reader.fill(&mut record);
        self.config.budget.settle(taken, &record);
        note_connection(&mut record, connection);
        let unsent = record.sent.is_none();
        connection.answers = connection.answers.saturating_add(1);
        self.backoff.answered(connection.opened);
        match (connection.answers, record.new_connection) {
            // Opened ahead, and of use.
            (1, Some(false)) => self.ahead.answered(connection.opened),
            (1, _) => {}
            _ => self.reuse.reused(),
        }
        let lasts = !self.reuse.is_single();
        if keep && !unsent && lasts {
            connection.idle_since = now;
            self.pool.put_idle(index);
        } else {
            self.health.connections_single_use += u64::from(keep && !lasts);
            self.close(index);
        }
        self.readers.push(reader);
        self.push_done(record);
        self.serve_waiting();
    }

    /// Ends the request of a connection before its answer did, and the connection with it.
    pub(crate) fn abort(&mut self, index: usize, outcome: Outcome, why: RequestError, now: Offset) {
        let Some(mut connection) = self.close(index) else {
            return;
        };
        if let Some(mut request) = connection.request.take() {
            note_connection(&mut request.record, &connection);
            self.end(request, outcome, Some(why), now);
        }
        self.serve_waiting();
    }

    fn push_done(&mut self, record: RequestRecord) {
        self.in_flight -= 1;
        Live::bump(&self.live.ended, 1);
        if matches!(record.outcome, Outcome::Failed | Outcome::TimedOut) {
            Live::bump(&self.live.failed, 1);
        }
        if let (Some(chunk), Some(sent)) = (record.chunks.first(), record.send_start) {
            self.live.push_ttft(chunk.at.since(sent));
        }
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
        for index in self.pool.busy() {
            let why = error(reason, "ended by the client");
            self.abort(index, Outcome::Cancelled, why, now);
        }
    }
}

/// Longest text kept of the last failure to connect, bytes.
const MAX_PROBLEM_TEXT: usize = 200;

/// Why a connection was not even begun.
fn unopened(problem: &io::Error) -> RequestError {
    let reason = match socket::lacks_resource(problem) {
        true => Reason::LocalResource,
        false => Reason::ConnectFailed,
    };
    error(reason, &problem.to_string())
}

pub(crate) fn error(reason: Reason, text: &str) -> RequestError {
    RequestError {
        reason,
        text: inert(text, MAX_ERROR_TEXT),
    }
}

/// Copies the instants of a connection opened for this request.
pub(crate) fn note_connection(record: &mut RequestRecord, connection: &Connection) {
    if record.new_connection == Some(true) {
        record.connected = connection.connected;
        record.tls_done = connection.tls_done;
    }
}
