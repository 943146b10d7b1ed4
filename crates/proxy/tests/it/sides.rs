//! A proxy for a test, and what it saw.

use crate::server::{PATIENCE, Server};
use infermeter_core::clock::Clock;
use infermeter_proxy::{
    BreakerSettings, HalfClosed, Handle, Limits, Proxy, Reach, Seen, Settings, ShadowSettings,
    Upstream, UserKeys,
};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, sync_channel};

/// A proxy that runs, and what it sees.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) seen: Receiver<Seen>,
}

impl Running {
    pub(crate) fn start(settings: Settings) -> Self {
        let (sender, seen) = sync_channel(4096);
        let handle = Proxy::start(settings, sender).expect("it starts");
        Self { handle, seen }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    /// The next request that has ended.
    pub(crate) fn next(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).expect("a request")
    }
}

pub(crate) fn upstream(server: &Server) -> Upstream {
    Upstream::resolve("127.0.0.1", server.address.port()).expect("an address")
}

/// An upstream where nobody listens.
pub(crate) fn nobody() -> Upstream {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    Upstream::resolve("127.0.0.1", port).expect("an address")
}

pub(crate) fn settings(primary: Upstream) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        reach: Reach::Loopback,
        tls: None,
        primary,
        shadow: None,
        clock: Clock::starting_in(0),
        cores: Vec::new(),
        keep_headers: Vec::new(),
        limits: Limits::default(),
        half_closed: HalfClosed::Gone,
    }
}

pub(crate) fn shadow(upstream: Upstream) -> ShadowSettings {
    ShadowSettings {
        upstream,
        share: 1.0,
        seed: 1,
        max_rate: None,
        max_in_flight: 64,
        max_bytes: 1 << 20,
        headers: Vec::new(),
        keys: UserKeys::Removed,
        model: None,
        breaker: BreakerSettings::default(),
    }
}

pub(crate) fn shadowed(primary: Upstream, shadow: ShadowSettings) -> Settings {
    Settings {
        shadow: Some(shadow),
        ..settings(primary)
    }
}
