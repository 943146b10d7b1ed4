//! What a proxy is told: where it listens, whom it serves from, and every limit.
//!
//! Values alone: nothing is opened or resolved here but by [`Upstream::resolve`]. Invariant: an upstream is fixed; no
//! request can name another.

use infermeter_core::clock::Clock;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// What a proxy does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may reach it.
    pub reach: Reach,
    /// TLS towards users; without it plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Who serves the users.
    pub primary: Upstream,
    /// Who gets a share of the same requests.
    pub shadow: Option<ShadowSettings>,
    /// Instants in [`Seen`](crate::Seen) are offsets of it.
    pub clock: Clock,
    /// Cores of the proxy's threads: the first for users and primary, the last for the shadow; empty: any.
    pub cores: Vec<usize>,
    /// Names (lower case) of further headers to keep; those that may carry keys are never kept.
    pub keep_headers: Vec<String>,
    /// What may be kept for the observer, and what is taken from users and upstreams.
    pub limits: Limits,
    /// What a user who has closed the sending half of a connection is.
    pub half_closed: HalfClosed,
}

/// Who may reach a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Listening elsewhere than on loopback is an error.
    Loopback,
    /// Any address may be listened on.
    Anyone,
}

/// What a user is who has closed the sending half of a connection while the answer is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfClosed {
    /// Gone, as engines and most proxies take it: the request to the upstream ends at once.
    Gone,
    /// Still reading: that a user has vanished shows only when writing fails.
    Reading,
}

/// A fixed upstream.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its addresses, tried in turn until one connects.
    pub addresses: Vec<SocketAddr>,
    /// The value of `Host`.
    pub host: String,
    /// What is put before every request's path: empty, or `/` and more, without a `/` at its end.
    pub base: String,
    /// TLS towards it.
    pub tls: Option<UpstreamTls>,
}

/// How to speak TLS to an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// Trust and session cache.
    pub config: Arc<ClientConfig>,
    /// The name that its certificate must carry.
    pub name: ServerName<'static>,
}

impl Upstream {
    /// An upstream whose addresses are those of `host` now.
    ///
    /// # Errors
    /// When the name has no address.
    pub fn resolve(host: &str, port: u16) -> io::Result<Self> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<SocketAddr> = (bare, port).to_socket_addrs()?.collect();
        if addresses.is_empty() {
            let problem = format!("{host} has no address");
            return Err(io::Error::new(io::ErrorKind::NotFound, problem));
        }
        Ok(Self {
            addresses,
            host: format!("{host}:{port}"),
            base: String::new(),
            tls: None,
        })
    }
}

/// What the shadow gets, and what it may cost.
#[derive(Debug, Clone)]
pub struct ShadowSettings {
    /// Where it is.
    pub upstream: Upstream,
    /// Part of the requests that it gets, 0 to 1, by a hash of the request's number.
    pub share: f64,
    /// Seed of that hash: the same seed chooses the same numbers.
    pub seed: u64,
    /// Most requests per second, with bursts of a tenth of a second (at least one request); absent: no such limit.
    pub max_rate: Option<f64>,
    /// Most requests in flight at the shadow.
    pub max_in_flight: usize,
    /// Most bytes of requests that wait for the shadow or are in flight there.
    pub max_bytes: usize,
    /// Headers that are set on its requests (they replace the user's): its own key, for example.
    pub headers: Vec<SetHeader>,
    /// What becomes of the users' keys.
    pub keys: UserKeys,
    /// The model's name in its requests; absent: as the user wrote it.
    pub model: Option<String>,
    /// When it is left alone.
    pub breaker: BreakerSettings,
}

/// A header that is set. Its value may be a key: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SetHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl fmt::Debug for SetHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ***", self.name)
    }
}

/// Whether the users' keys (`Authorization`, `x-api-key`, cookies and the like) go to the shadow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKeys {
    /// They do not.
    Removed,
    /// They do: both upstreams belong to who may see them.
    Passed,
}

/// When the shadow is left alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerSettings {
    /// Failures or time-outs in a row that open the breaker.
    pub failures: u32,
    /// How long it stays open before one request is sent as a probe.
    pub pause: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: Duration::from_secs(5),
        }
    }
}

/// Every limit of a proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Users' connections at once; one more gets the status 503.
    pub connections: usize,
    /// Bytes of a request's head, and of a chunked body's trailers.
    pub head_bytes: usize,
    /// Header lines of a request.
    pub headers: usize,
    /// Bytes of a request's body.
    pub body_bytes: u64,
    /// From the first byte of a head to its last.
    pub head_time: Duration,
    /// Longest silence of a user within a body, or longest time in which a user takes none of an answer.
    pub user_silence: Duration,
    /// From the first byte of a request to the last of its body.
    pub upload_time: Duration,
    /// How long a user's connection may stay without a request.
    pub idle_time: Duration,
    /// Until a connection to an upstream is up, with TLS.
    pub connect_time: Duration,
    /// From the request's end to the answer's head.
    pub head_wait: Duration,
    /// Longest silence of an upstream within an answer.
    pub upstream_silence: Duration,
    /// From a request's first byte to the answer's end.
    pub total_time: Duration,
    /// How long a connection to an upstream is kept without a request; below the 5 s after which common engines close
    /// theirs, so that no request is written to a connection that is about to be closed.
    pub upstream_idle: Duration,
    /// Bytes of one body (request or answer) that are kept.
    pub kept_bytes: usize,
    /// Bytes of all bodies that are kept: of open requests, and of those that wait for the observer or are with it.
    pub kept_bytes_together: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head_bytes: 64 << 10,
            headers: 100,
            body_bytes: 64 << 20,
            head_time: Duration::from_secs(10),
            user_silence: Duration::from_secs(30),
            upload_time: Duration::from_secs(300),
            idle_time: Duration::from_secs(75),
            connect_time: Duration::from_secs(5),
            head_wait: Duration::from_secs(600),
            upstream_silence: Duration::from_secs(300),
            total_time: Duration::from_secs(3600),
            upstream_idle: Duration::from_secs(4),
            kept_bytes: 8 << 20,
            kept_bytes_together: 256 << 20,
        }
    }
}
