//! Non-blocking TCP sockets.

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
    sockopt,
};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Starts to connect to `address`: `TCP_NODELAY` on, non-blocking. The connection is up when the
/// socket turns writable and [`take_error`] is `None`.
pub fn start_connect(address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let fd = socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    match connect(&fd, address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(fd),
        Err(error) => Err(error.into()),
    }
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

/// Accepts one pending connection of a non-blocking listener: non-blocking, `TCP_NODELAY`.
/// `None` when none is waiting.
pub fn accept(listener: &TcpListener) -> io::Result<Option<OwnedFd>> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    match rustix::net::accept_with(listener, flags) {
        Ok(fd) => {
            sockopt::set_tcp_nodelay(&fd, true)?;
            Ok(Some(fd))
        }
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::CONNABORTED) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Sets how many connections may wait to be accepted (the standard library allows 128).
pub fn set_backlog(listener: &TcpListener, connections: i32) -> io::Result<()> {
    Ok(rustix::net::listen(listener, connections)?)
}

/// Makes closing the socket send a reset instead of an orderly end.
pub fn reset_on_close(fd: &impl AsFd) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(
        fd,
        Some(std::time::Duration::ZERO),
    )?)
}
