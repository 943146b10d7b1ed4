//! infermeter's own client as a reader: one engine, one request in flight per socket.

use super::Reader;
use anyhow::{Result, ensure};
use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::engine::{Destinations, Engine, EngineConfig, Route};
use infermeter_client::live::Live;
use infermeter_client::prepared::Prepared;
use infermeter_client::response::Expect;
use infermeter_client::reuse::Reuse;
use infermeter_core::clock::Clock;
use infermeter_core::request::RequestSpec;
use infermeter_core::run::IoBackend;
use infermeter_core::schedule::Phase;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Longer than any run, nanoseconds.
const LONG: i64 = 600_000_000_000;

/// An engine whose answers have begun.
pub(super) struct EngineReader {
    engine: Engine,
    live: Arc<Live>,
    recorded: u64,
}

impl EngineReader {
    /// Opens `sockets` connections and sends a request on each; returns when all heads are in.
    pub(super) fn connect(
        address: SocketAddr,
        sockets: usize,
        chunks: usize,
        kernel_stamps: bool,
        io: IoBackend,
    ) -> Result<Self> {
        let live = Arc::new(Live::default());
        let config = EngineConfig {
            io,
            kernel_stamps,
            ..config(address, sockets)
        };
        let mut engine = Engine::new(config, Arc::clone(&live))?;
        engine.open_ahead(sockets)?;
        while engine.opening_connections() > 0 {
            engine.poll(engine.now().plus(LONG))?;
        }
        for id in 0..sockets as u64 {
            let now = engine.now();
            engine.send(prepared(id, chunks), Phase::Measure, now);
        }
        while engine.health().reads < sockets as u64 {
            engine.poll(engine.now().plus(LONG))?;
        }
        Ok(Self {
            engine,
            live,
            recorded: 0,
        })
    }
}

impl Reader for EngineReader {
    fn drain(&mut self, events: usize) -> Result<()> {
        self.recorded += events as u64;
        while self.live.chunks.load(Ordering::Relaxed) < self.recorded {
            self.engine.poll(self.engine.now().plus(LONG))?;
            ensure!(
                self.live.ended.load(Ordering::Relaxed) == 0,
                "an answer ended early"
            );
        }
        Ok(())
    }
}

fn config(address: SocketAddr, sockets: usize) -> EngineConfig {
    EngineConfig {
        to: Arc::new(Destinations::one(Route::to(address, None))),
        clock: Clock::starting_in(0),
        io: IoBackend::Epoll,
        kernel_stamps: true,
        audit_send: false,
        max_connections: sockets,
        first_connection: 0,
        connection_stride: 1,
        connect_timeout: LONG,
        timeout: LONG,
        first_token_timeout: None,
        idle_timeout: None,
        keepalive: LONG,
        spare_connections: 0,
        reuse: Reuse::Tried,
        retry_stale: false,
        budget: Arc::default(),
        burn: 0,
        spin: 0,
    }
}

fn prepared(id: u64, chunks: usize) -> Prepared {
    Prepared {
        spec: RequestSpec::alone(id, 1, chunks as u32),
        bytes: b"POST /v1/chat/completions HTTP/1.1\r\nhost: loopback\r\ncontent-length: 0\r\n\r\n"
            .to_vec(),
        expect: Expect {
            dialect: Dialect::default(),
            streaming: true,
            keep_texts: KeepTexts::UntilSettled,
            output_tokens: chunks,
            numbers: infermeter_client::response::Numbers::NONE,
        },
        waited: None,
        next: Vec::new(),
        address: None,
        pause_ns: 0,
    }
}
