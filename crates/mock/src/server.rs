//! The simulator's event loop: one thread, level-triggered epoll, one timer.
//!
//! Its time goes to whatever is next: the end of the engine's step, bytes that come out of the
//! simulated link, or a ready socket. Each turn completes at most one engine step, then serves what is readable: a flood of requests
//! cannot hold up a step for longer than one round of reads, nor steps that are behind starve the
//! sockets.
//!
//! Prints nothing, handles no signals: the caller says when to stop.

mod connection;
mod control;
mod delays;
mod intake;
mod life;
mod output;
mod place;
mod progress;
mod replicas;
mod slots;
mod waiting;
mod wire;

use crate::cheat::Desk;
use crate::config::{Config, ConfigError};
use crate::engine::{Emission, EngineEvent, Fleet, StepLaw};
use crate::metrics::{Metrics, Progress};
use crate::settings::Settings;
use crate::spans::SpanSender;
use crate::stats::{Counting, Stats};
use crate::tls::{self, Session, TlsError};
use crate::truth::{
    Arrival, CLOCK, FORMAT_VERSION, RequestEnd, TruthHeader, TruthLine, TruthWriter,
};
use connection::Connection;
use delays::Delays;
use infermeter_core::clock::{RealtimePairing, monotonic_ns, realtime_ns};
use infermeter_sys::limits;
use infermeter_sys::poll::{Interest, Ready};
use infermeter_sys::socket::{self, Listener};
use infermeter_sys::stamp::{self, Sentinel};
pub use place::Place;
use place::Unlink;
use slots::{ConnectionId, Slots};
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use waiting::Waiter;
use wire::Releases;

/// Why a simulator cannot run, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration cannot run.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", listen_problem(.address, .source))]
    Listen {
        /// The address.
        address: Place,
        /// Why.
        source: io::Error,
    },
    /// TLS cannot be served.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The truth log cannot be written; the simulator served on without it.
    #[error("cannot write the truth log {}: {source}", .path.display())]
    Truth {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The event loop cannot go on.
    #[error("the simulator's event loop: {0}")]
    Loop(#[from] io::Error),
}

fn listen_problem(place: &Place, source: &io::Error) -> String {
    let known = match (place, source.kind()) {
        (Place::Tcp(_), io::ErrorKind::AddrInUse) => {
            "the port is in use: choose another one, or 0 for a free one"
        }
        (Place::Unix(_), io::ErrorKind::AddrInUse) => {
            "somebody listens there already, or it is another kind of file: choose another path"
        }
        (Place::Tcp(_), io::ErrorKind::PermissionDenied) => {
            "not allowed: ports below 1024 need a privilege; choose another one"
        }
        _ => return source.to_string(),
    };
    known.to_owned()
}

const LISTENER: u64 = u64::MAX;

/// The caller is asked whether to stop, and lingering connections are looked at, this often.
const TICK_NS: i64 = 25_000_000;

/// Bytes read at once.
const READ_BUFFER: usize = 256 << 10;

/// Reads of one connection in one turn.
const READS_PER_TURN: usize = 4;

/// A connection that only waits for its client's end is closed after this.
const LINGER_NS: i64 = 2_000_000_000;

/// Serves until `should_stop` says so (asked every 25 ms). `on_ready` gets the address once
/// connections are accepted. What is in flight at the stop is cut. Raises the process's limit of
/// open files towards `max_connections`.
pub fn serve(
    config: &Config,
    on_ready: impl FnOnce(&Place),
    mut should_stop: impl FnMut() -> bool,
) -> Result<Stats, ServeError> {
    let mut server = Server::start(config)?;
    on_ready(&server.place.0);
    let result = server.run(&mut should_stop);
    let finished = server.finish();
    result?;
    finished
}

/// The state of the loop; `intake` and `output` hold the two directions.
struct Server {
    config: Config,
    engine: Fleet,
    /// The response's head goes out on arrival, since the first token takes its time.
    early_head: bool,
    waiter: Waiter,
    tls: Option<Arc<rustls::ServerConfig>>,
    listener: Listener,
    place: Unlink,
    listens: bool,
    connections: Slots,
    /// Bytes of all connections that are no whole request.
    unserved: usize,
    lingering: VecDeque<(i64, ConnectionId)>,
    /// Connections with requests that waited behind a finished answer.
    resumable: Vec<ConnectionId>,
    /// What comes out of the link, and when.
    releases: Releases,
    truth: Option<TruthWriter>,
    spans: Option<SpanSender>,
    counting: Counting,
    metrics: Metrics,
    serial: u32,
    pairing: RealtimePairing,
    started_s: i64,
    next_sweep_ns: i64,
    read_buffer: Box<[u8]>,
    emissions: Vec<Emission>,
    events: Vec<EngineEvent>,
    /// Pauses of answers.
    delays: Delays,
    /// Block size of the prefix cache, where there is one.
    block_size: Option<u32>,
    /// What is remembered of requests while others come.
    desk: Desk,
    started_ns: i64,
    _stamps: Option<Sentinel>,
}

impl Server {
    fn start(config: &Config) -> Result<Self, ServeError> {
        config.check()?;
        let params = config.engine_params()?;
        limits::raise_fd_limit(config.max_connections as u64 + 64);
        let tls = config.tls.as_ref().map(tls::server_config).transpose()?;
        let address = Place::of(config);
        let listening = address.listen();
        let (listener, place) =
            listening.map_err(|source| ServeError::Listen { address, source })?;
        let waiter = Waiter::new(config.spin)?;
        waiter.poll.add(&listener, LISTENER, Interest::Read)?;
        let started_ns = monotonic_ns();
        Ok(Self {
            early_head: head_is_early(&params.law),
            block_size: params.caching_block_size(),
            engine: Fleet::starting(params, config.replicas, started_ns).scaled(config.scaling()),
            waiter,
            tls,
            listener,
            place: Unlink(place),
            listens: true,
            connections: Slots::default(),
            unserved: 0,
            lingering: VecDeque::new(),
            resumable: Vec::new(),
            releases: Releases::default(),
            truth: open_truth(config)?,
            spans: start_spans(config)?,
            counting: Counting::new(),
            metrics: Metrics::new(config.replicas as usize, config.model_len()),
            serial: 0,
            pairing: RealtimePairing::now(),
            started_s: realtime_ns() / 1_000_000_000,
            next_sweep_ns: 0,
            read_buffer: vec![0; READ_BUFFER].into_boxed_slice(),
            emissions: Vec::new(),
            events: Vec::new(),
            delays: Delays::default(),
            desk: Desk::default(),
            started_ns,
            _stamps: Sentinel::start(),
            config: config.clone(),
        })
    }

    fn run(&mut self, should_stop: &mut impl FnMut() -> bool) -> io::Result<()> {
        let mut ready = Vec::new();
        let mut next_tick_ns = monotonic_ns() + TICK_NS;
        loop {
            let deadlines = [
                self.engine.next_deadline(),
                self.releases.next(),
                self.delays.next_ns(),
            ];
            let next_ns = deadlines.into_iter().flatten().min();
            self.waiter.wait(next_ns, next_tick_ns, &mut ready)?;
            self.complete_step();
            self.release_due();
            self.wake_delayed();
            self.resume_waiting();
            self.serve_ready(&ready)?;
            if let Some(truth) = &mut self.truth {
                truth.hand_over();
            }
            if let Some(spans) = &mut self.spans {
                spans.hand_over();
            }
            let now_ns = monotonic_ns();
            if now_ns >= next_tick_ns {
                next_tick_ns = now_ns + TICK_NS;
                if should_stop() {
                    return Ok(());
                }
                self.autoscale(now_ns);
                self.tick(now_ns)?;
            }
        }
    }

    fn serve_ready(&mut self, ready: &[Ready]) -> io::Result<()> {
        if !ready.is_empty() {
            self.pairing = RealtimePairing::now();
        }
        for event in ready {
            match event.token {
                LISTENER => self.accept_waiting()?,
                waiting::TIMER => {}
                token => {
                    let id = ConnectionId::of_token(token);
                    if event.writable {
                        self.flush(id);
                    }
                    if event.readable {
                        self.read(id);
                    }
                }
            }
        }
        Ok(())
    }

    fn accept_waiting(&mut self) -> io::Result<()> {
        while self.connections.len() < self.config.max_connections {
            match socket::accept(&self.listener) {
                Ok(Some(fd)) => self.adopt(fd)?,
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.counting.stats.accept_errors += 1;
                    break;
                }
            }
        }
        // Out of descriptors or at the limit: the listener would stay ready for ever.
        self.listens = false;
        self.waiter.poll.remove(&self.listener)
    }

    fn adopt(&mut self, fd: std::os::fd::OwnedFd) -> io::Result<()> {
        // Without stamps arrivals fall back to the program's clock, and say so.
        let _ = stamp::enable(fd.as_fd());
        let session = self.tls.as_ref().map(Session::new).transpose();
        let session = session.map_err(io::Error::other)?.map(Box::new);
        let arrival = Arrival::seen_at(monotonic_ns());
        let id = self
            .connections
            .insert(Connection::new(fd, arrival, session));
        if let Some(connection) = self.connections.get(id) {
            let token = id.token();
            self.waiter
                .poll
                .add(connection.fd(), token, Interest::Read)?;
        }
        self.counting.stats.connections += 1;
        Ok(())
    }

    fn tick(&mut self, now_ns: i64) -> io::Result<()> {
        while let Some((until_ns, id)) = self.lingering.front().copied() {
            if until_ns > now_ns {
                break;
            }
            self.lingering.pop_front();
            self.close(id, RequestEnd::Disconnect);
        }
        self.sweep_idle(now_ns);
        if !self.listens && self.connections.len() < self.config.max_connections {
            let poll = &self.waiter.poll;
            poll.add(&self.listener, LISTENER, Interest::Read)?;
            self.listens = true;
        }
        Ok(())
    }

    /// Closes a connection; an answer under way ends with `end`.
    fn close(&mut self, id: ConnectionId, end: RequestEnd) {
        if let Some(connection) = self.connections.get(id) {
            let answer = connection.answer.take();
            let progress = connection.progress.take();
            let in_engine = std::mem::replace(&mut connection.in_engine, false);
            if let Some(answer) = answer {
                if in_engine {
                    self.engine.cancel(answer.id());
                }
                self.log_end(*answer, progress, end);
            }
            let gone = self.connections.remove(id);
            self.unserved -= gone.map_or(0, |connection| connection.unserved);
        }
    }

    fn log_end(
        &mut self,
        answer: crate::answer::Answer,
        progress: Option<Progress>,
        end: RequestEnd,
    ) {
        self.counting.end(end);
        if let Some(progress) = &progress {
            self.metrics.ended(progress, end);
        }
        let mut entry = answer.into_truth(end);
        if let (Some(spans), Some(progress), RequestEnd::Finished) =
            (&mut self.spans, &progress, end)
        {
            spans.push(progress, entry.prefilled_ns);
        }
        entry.ended_ns = Some(match (end, entry.tokens_ns.last()) {
            (RequestEnd::Finished, Some(last_ns)) => *last_ns,
            _ => monotonic_ns(),
        });
        self.counting.stats.tokens += entry.tokens_ns.len() as u64 + entry.dropped_stamps;
        if let Some(truth) = &mut self.truth {
            truth.push(entry);
        }
    }

    fn finish(mut self) -> Result<Stats, ServeError> {
        for id in self.connections.ids() {
            self.close(id, RequestEnd::Stopped);
        }
        if let Some(spans) = self.spans.take() {
            let sent = spans.finish();
            self.counting.stats.spans_sent = sent.sent;
            self.counting.stats.spans_lost = sent.lost;
        }
        let stats = self.counting.snapshot(&self.engine);
        match (self.truth, &self.config.truth) {
            (Some(truth), Some(path)) => truth
                .finish(stats.truth_summary())
                .map(|()| stats)
                .map_err(|source| truth_error(path, source)),
            _ => Ok(stats),
        }
    }
}

/// Where the first token takes its time, the head goes out before it.
fn head_is_early(law: &StepLaw) -> bool {
    !matches!(law, StepLaw::Fixed { ttft_ns: 0, .. })
}

fn start_spans(config: &Config) -> io::Result<Option<SpanSender>> {
    let start = |receiver| SpanSender::start(receiver, config.model_name());
    config.spans.map(start).transpose()
}

fn open_truth(config: &Config) -> Result<Option<TruthWriter>, ServeError> {
    let Some(path) = &config.truth else {
        return Ok(None);
    };
    let header = TruthLine::Header(TruthHeader {
        format_version: FORMAT_VERSION,
        clock: CLOCK.to_owned(),
        preset: config.preset.name.to_owned(),
        model: config.model_name().to_owned(),
        seed: config.seed,
        settings: Settings::of(config).to_map(),
    });
    TruthWriter::create(path, header)
        .map(Some)
        .map_err(|source| truth_error(path, source))
}

fn truth_error(path: &std::path::Path, source: io::Error) -> ServeError {
    ServeError::Truth {
        path: path.to_owned(),
        source,
    }
}
