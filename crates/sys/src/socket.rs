//! Non-blocking sockets of streams: TCP, and those of the file system.

use crate::raw::calls;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect,
    recv, send, socket_with, sockopt,
};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Starts to connect to `address`: `TCP_NODELAY` on, non-blocking. The connection is up when the
/// socket turns writable and [`take_error`] is `None`. It comes from the address `source` of this host, where
/// there is one, else from the one that the system chooses.
pub fn start_connect(address: &SocketAddr, source: Option<IpAddr>) -> io::Result<OwnedFd> {
    let fd = stream_socket(address.is_ipv4())?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    if let Some(source) = source {
        come_from(fd.as_fd(), source)?;
    }
    match connect(&fd, address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(fd),
        Err(error) => Err(error.into()),
    }
}

/// Whether connections can come from an address: whether this host has it.
///
/// # Errors
/// What the system says, where they cannot.
pub fn try_source(source: IpAddr) -> io::Result<()> {
    let fd = stream_socket(source.is_ipv4())?;
    come_from(fd.as_fd(), source)
}

fn stream_socket(ipv4: bool) -> io::Result<OwnedFd> {
    let family = match ipv4 {
        true => AddressFamily::INET,
        false => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(family, SocketType::STREAM, flags, None)?)
}

/// Binds a socket to an address of this host and to no port yet: chosen with the peer in sight, a port serves for
/// one connection to each peer, and not for one in all.
fn come_from(fd: BorrowedFd<'_>, source: IpAddr) -> io::Result<()> {
    // Kernels before 4.2 lack it: ports are then chosen at once, and there are fewer of them.
    let _ = calls::set_bind_without_port(fd);
    Ok(bind(fd, &SocketAddr::new(source, 0))?)
}

/// Starts to connect to a socket of the file system, non-blocking. It is up at once or never: where its queue
/// of connections is full there is no waiting for room.
pub fn start_connect_unix(path: &Path) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&fd, &address) {
        Ok(()) => Ok(fd),
        Err(rustix::io::Errno::AGAIN) => Err(io::Error::new(
            io::ErrorKind::ConnectionRefused,
            "its queue of connections is full",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Whether a connect that failed did so for want of something on this machine (descriptors, local ports,
/// memory), not because of the network or the peer.
pub fn lacks_resource(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::MFILE
                | Errno::NFILE
                | Errno::NOBUFS
                | Errno::NOMEM
                | Errno::NOSPC
                | Errno::ADDRNOTAVAIL
                | Errno::ADDRINUSE
                | Errno::AGAIN
        )
    )
}

/// Whether a connect that failed did so because the source address has no port left for another connection to the
/// peer.
pub fn lacks_ports(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        // The latter where the port is chosen before the peer is known.
        Some(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE)
    )
}

/// Whether a socket is connected to itself: the local port that the system chose is the very one that
/// nobody listens on.
pub fn is_connected_to_itself(fd: BorrowedFd<'_>, peer: &SocketAddr) -> bool {
    let own = rustix::net::getsockname(fd).map(SocketAddr::try_from);
    matches!(own, Ok(Ok(own)) if own == *peer)
}

/// Lets calls on a socket block (those of this module never do).
pub fn set_blocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, false)?)
}

/// The pending error of a socket, if any.
pub fn take_error(fd: BorrowedFd<'_>) -> Option<io::Error> {
    match sockopt::socket_error(fd) {
        Ok(Ok(())) => None,
        Ok(Err(errno)) | Err(errno) => Some(errno.into()),
    }
}

/// Writes without blocking and without `SIGPIPE`; returns the bytes taken.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(fd, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
}

/// Whether a socket that should be silent is closed or has bytes waiting.
pub fn is_disturbed(fd: BorrowedFd<'_>) -> bool {
    let mut byte = [0_u8; 1];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    !matches!(
        recv(fd, &mut byte[..], flags),
        Err(rustix::io::Errno::AGAIN)
    )
}

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// Of the network.
    Tcp(TcpListener),
    /// Of the file system.
    Unix(UnixListener),
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// Accepts one pending connection of a non-blocking listener: non-blocking, `TCP_NODELAY`.
/// `None` when none is waiting.
pub fn accept(listener: &Listener) -> io::Result<Option<OwnedFd>> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    match rustix::net::accept_with(listener, flags) {
        Ok(fd) => {
            if let Listener::Tcp(_) = listener {
                sockopt::set_tcp_nodelay(&fd, true)?;
            }
            Ok(Some(fd))
        }
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::CONNABORTED) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sets how many connections may wait to be accepted (the standard library allows 128).
pub fn set_backlog(listener: &impl AsFd, connections: i32) -> io::Result<()> {
    Ok(rustix::net::listen(listener, connections)?)
}

/// Makes closing the socket send a reset instead of an orderly end.
pub fn reset_on_close(fd: &impl AsFd) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(
        fd,
        Some(std::time::Duration::ZERO),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;
    use std::net::Ipv4Addr;

    #[test]
    fn a_socket_that_met_its_own_port_is_known() {
        let socket = || {
            let flags = SocketFlags::CLOEXEC;
            let fd = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
            fd.expect("a socket")
        };
        let own = socket();
        rustix::net::bind(&own, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let address = rustix::net::getsockname(&own).expect("bound");
        let address = SocketAddr::try_from(address).expect("an IPv4 address");
        connect(&own, &address).expect("Linux connects a socket to itself");
        assert!(is_connected_to_itself(own.as_fd(), &address));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let other = socket();
        connect(&other, &address).expect("it listens");
        assert!(!is_connected_to_itself(other.as_fd(), &address));
    }

    #[test]
    fn connections_come_from_the_address_that_was_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let peer = listener.local_addr().expect("bound");
        // All of 127/8 is this host's.
        let source = IpAddr::from([127, 0, 0, 9]);
        let fd = start_connect(&peer, Some(source)).expect("it listens");
        let (_, from) = listener.accept().expect("connected");
        assert_eq!(from.ip(), source);
        let own = rustix::net::getsockname(&fd).map(SocketAddr::try_from);
        assert!(matches!(own, Ok(Ok(own)) if own == from));
    }

    #[test]
    fn an_address_of_another_host_is_no_source() {
        assert!(try_source(IpAddr::from([127, 0, 0, 9])).is_ok());
        // Set aside for documentation: nobody has it.
        let error = try_source(IpAddr::from([192, 0, 2, 1])).expect_err("not ours");
        assert!(lacks_ports(&error) && lacks_resource(&error), "{error}");
    }

    #[test]
    fn a_source_without_a_port_left_is_known() {
        let lacks = |errno: Errno| lacks_ports(&io::Error::from(errno));
        assert!(lacks(Errno::ADDRNOTAVAIL) && lacks(Errno::ADDRINUSE));
        assert!(!lacks(Errno::MFILE) && !lacks(Errno::CONNREFUSED));
    }

    #[test]
    fn a_network_that_leads_nowhere_is_no_lack_of_the_clients() {
        let lacks = |errno: Errno| lacks_resource(&io::Error::from(errno));
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::ADDRNOTAVAIL,
            Errno::NOBUFS,
        ] {
            assert!(lacks(errno), "{errno}");
        }
        for errno in [
            Errno::NETUNREACH,
            Errno::HOSTUNREACH,
            Errno::NETDOWN,
            Errno::CONNREFUSED,
            Errno::TIMEDOUT,
            Errno::PERM,
        ] {
            assert!(!lacks(errno), "{errno}");
        }
    }
}
