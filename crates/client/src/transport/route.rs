//! How a server is reached: an address, what stands before it, and TLS.
//!
//! It resolves no name, and opens nothing but sockets.

use crate::tls::Tls;
use infermeter_sys::socket;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

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

    pub(super) fn start_connect(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(address) => socket::start_connect(address),
            Self::Unix(path) => socket::start_connect_unix(path),
        }
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
}

impl Route {
    /// The server itself answers at the address.
    pub fn to(address: impl Into<Address>, tls: Option<Tls>) -> Self {
        Self {
            address: address.into(),
            hop: Hop::Server,
            tls,
        }
    }

    /// Whether what went wrong while connecting is a proxy's matter.
    pub(crate) fn is_proxied(&self) -> bool {
        self.hop != Hop::Server
    }
}
