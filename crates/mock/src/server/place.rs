//! Where a simulator listens: a port, or a socket of the file system.
//!
//! Invariant: a socket's file is there as long as the simulator listens, and only a file that nobody listens
//! on any more is replaced.

use crate::config::Config;
use infermeter_sys::socket::{self, Listener};
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Connections that may wait to be accepted; a benchmark opens its thousands at once.
const BACKLOG: i32 = 4_096;

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The path of a socket.
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Place {
    pub(super) fn of(config: &Config) -> Self {
        match &config.socket {
            Some(path) => Self::Unix(path.clone()),
            None => Self::Tcp(SocketAddr::new(config.host, config.port)),
        }
    }

    /// Listens there; the place as it turned out, with the port that was free.
    pub(super) fn listen(&self) -> io::Result<(Listener, Self)> {
        let (listener, place) = match self {
            Self::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                let place = Self::Tcp(listener.local_addr()?);
                (Listener::Tcp(listener), place)
            }
            Self::Unix(path) => {
                let listener = bind(path)?;
                listener.set_nonblocking(true)?;
                (Listener::Unix(listener), self.clone())
            }
        };
        socket::set_backlog(&listener, BACKLOG)?;
        Ok((listener, place))
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

/// A socket's file that nobody listens on.
fn is_left_over(path: &Path) -> bool {
    // Connecting to any other kind of file is refused just so.
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    let refused = UnixStream::connect(path).err();
    is_socket && refused.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Removes a socket's file when dropped.
pub(super) struct Unlink(pub(super) Place);

impl Drop for Unlink {
    fn drop(&mut self) {
        if let Place::Unix(path) = &self.0 {
            // It may have gone before.
            let _ = std::fs::remove_file(path);
        }
    }
}
