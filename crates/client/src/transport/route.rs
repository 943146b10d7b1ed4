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

/// Which of several engines that share a run's connections one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EngineShare {
    /// Number of its first connection.
    pub(crate) first: u32,
    /// How many there are.
    pub(crate) of: u32,
}

impl EngineShare {
    /// There is no other one.
    pub(crate) const ALONE: Self = Self { first: 0, of: 1 };
}

/// Whose turn it is among source addresses. Engines begin evenly spread over them, each at its own: those that all began
/// at the first would leave the last ones to nobody, where each has fewer connections than there are addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct SourceTurn {
    share: EngineShare,
    taken: usize,
}

impl SourceTurn {
    pub(super) fn of(share: EngineShare) -> Self {
        Self { share, taken: 0 }
    }

    /// Which of so many is next; there is one at least.
    fn next(&mut self, count: usize) -> usize {
        let (first, of) = (u64::from(self.share.first), u64::from(self.share.of.max(1)));
        // Less than `count`: an engine's first number is below that of engines.
        let begin = (count as u64).saturating_mul(first) / of;
        let at = (begin as usize).wrapping_add(self.taken) % count;
        self.taken = self.taken.wrapping_add(1);
        at
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
    pub(super) fn start_connect(&self, turn: &mut SourceTurn) -> io::Result<OwnedFd> {
        let sources = &self.sources.0;
        if sources.is_empty() {
            return self.address.start_connect(None);
        }
        let mut left = sources.len();
        loop {
            left -= 1;
            let source = sources[turn.next(sources.len())];
            match self.address.start_connect(Some(source)) {
                Err(error) if left > 0 && socket::lacks_ports(&error) => {}
                started => return started,
            }
        }
    }

    /// Whether what went wrong while connecting is a proxy's matter.
    pub(crate) fn is_proxied(&self) -> bool {
        self.hop != Hop::Server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each of so many sources is used by engines that open so many connections each.
    fn used(engines: &[EngineShare], connections: usize, sources: usize) -> Vec<u32> {
        let mut used = vec![0; sources];
        for share in engines {
            let mut turn = SourceTurn::of(*share);
            for _ in 0..connections {
                used[turn.next(sources)] += 1;
            }
        }
        used
    }

    fn engines(of: u32) -> Vec<EngineShare> {
        (0..of).map(|first| EngineShare { first, of }).collect()
    }

    #[test]
    fn engines_share_all_sources() {
        assert_eq!(used(&[EngineShare::ALONE], 5, 3), [2, 2, 1]);
        assert_eq!(used(&engines(8), 2, 8), [2; 8]);
        assert_eq!(used(&engines(2), 2, 4), [1; 4]);
        assert_eq!(used(&engines(16), 1, 8), [2; 8]);
        // Threads of one rank of eight: their numbers are those of the whole.
        let of_rank = |rank: u32| -> Vec<EngineShare> {
            let first = (0..8).map(|thread| rank + 8 * thread);
            first.map(|first| EngineShare { first, of: 64 }).collect()
        };
        for rank in 0..8 {
            assert_eq!(used(&of_rank(rank), 2, 8), [2; 8]);
        }
        assert_eq!(
            used(
                &[EngineShare {
                    first: u32::MAX,
                    of: 0
                }],
                3,
                3
            ),
            [1; 3]
        );
    }
}
