//! How a server is reached: an address, what stands before it, TLS, and where connections come from.
//!
//! It resolves no name, and opens nothing but sockets.

use crate::tls::Tls;
use infermeter_sys::socket;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a socket connects to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// A socket of this host's file system.
    Unix(PathBuf),
}

impl Address {
    /// The IP address, where it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }

    /// The kernel stamps what arrives from there: packets of the network are, a unix socket's are not.
    pub fn is_stamped(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    fn start_connect(&self, source: Option<IpAddr>) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(address) => socket::start_connect(address, source),
            Self::Unix(path) => socket::start_connect_unix(path),
        }
    }
}

/// Addresses of this host that connections come from, in turn; none: the one that the system chooses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(Arc<[IpAddr]>);

impl Sources {
    /// These.
    pub fn of(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self(addresses.into_iter().collect())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Who answers at the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hop {
    /// The server.
    Server,
    /// A proxy that forwards requests: they name their server themselves.
    Forward,
    /// A proxy that is asked for a way through before anything else.
    Tunnel(Tunnel),
}

/// What a proxy is asked for with `CONNECT`.
#[derive(Clone, PartialEq, Eq)]
pub struct Tunnel {
    /// `host:port` of the server.
    pub authority: String,
    /// Value of `proxy-authorization`. A secret.
    pub authorization: Option<String>,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tunnel({})", self.authority)
    }
}

/// The way to a server.
#[derive(Debug, Clone)]
pub struct Route {
    /// Where to connect.
    pub address: Address,
    /// Who answers there.
    pub hop: Hop,
    /// TLS with the server, for https.
    pub tls: Option<Tls>,
    /// Where connections come from.
    pub sources: Sources,
}

impl Route {
    /// The server itself answers at the address; the system chooses where connections come from.
    pub fn to(address: impl Into<Address>, tls: Option<Tls>) -> Self {
        Self {
            address: address.into(),
            hop: Hop::Server,
            tls,
            sources: Sources::default(),
        }
    }

    /// Starts to connect, from the source whose turn it is: `turn` goes on. A source without a port left for this
    /// address is passed over, as long as there is another one.
    pub(super) fn start_connect(&self, turn: &mut usize) -> io::Result<OwnedFd> {
        let sources = &self.sources.0;
        if sources.is_empty() {
            return self.address.start_connect(None);
        }
        let mut started = None;
        for _ in 0..sources.len() {
            let source = sources[*turn % sources.len()];
            *turn = turn.wrapping_add(1);
            let now = self.address.start_connect(Some(source));
            let passed_over = matches!(&now, Err(error) if socket::lacks_ports(error));
            started = Some(now);
            if !passed_over {
                break;
            }
        }
        started.unwrap_or_else(|| self.address.start_connect(None))
    }

    /// Whether what went wrong while connecting is a proxy's matter.
    pub(crate) fn is_proxied(&self) -> bool {
        self.hop != Hop::Server
    }
}
