//! Kernel receive stamps: proving that they work, and keeping them on.

use crate::raw;
use infermeter_core::clock::monotonic_ns;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};

/// One receive: how many bytes, and when the kernel got the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes received; 0 is the end of the stream.
    pub len: usize,
    /// Kernel stamp of the last segment, `CLOCK_REALTIME` nanoseconds; absent where missing.
    pub realtime_ns: Option<i64>,
}

/// Turns receive stamps on for a socket. Takes effect asynchronously unless a [`Sentinel`] lives.
pub fn enable(fd: BorrowedFd<'_>) -> io::Result<()> {
    raw::enable_rx_stamps(fd)
}

/// Receives without blocking.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let (len, realtime_ns) = raw::recv_stamped(fd, buffer)?;
    Ok(Received { len, realtime_ns })
}

/// A socket with stamps on. The kernel switches stamping on asynchronously with the first such
/// socket and off with the last: while a sentinel lives, every packet is stamped.
#[derive(Debug)]
pub struct Sentinel {
    _socket: UdpSocket,
}

impl Sentinel {
    /// Opens the sentinel and pings itself until a stamp comes back, for at most 200 ms. `None`
    /// where the kernel (or its sandbox) gives no stamps.
    pub fn start() -> Option<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).ok()?;
        socket.connect(socket.local_addr().ok()?).ok()?;
        socket.set_nonblocking(true).ok()?;
        enable(socket.as_fd()).ok()?;
        let deadline = monotonic_ns() + 200_000_000;
        while monotonic_ns() < deadline {
            socket.send(b"ping").ok()?;
            let mut buffer = [0_u8; 16];
            std::thread::sleep(std::time::Duration::from_micros(500));
            if let Ok(received) = receive(socket.as_fd(), &mut buffer)
                && received.realtime_ns.is_some()
            {
                return Some(Self { _socket: socket });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::clock::RealtimePairing;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_tcp_read_carries_the_instant_of_the_last_write() {
        let Some(_sentinel) = Sentinel::start() else {
            return;
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let reader = TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
        reader.set_nonblocking(true).expect("non-blocking");
        enable(reader.as_fd()).expect("stamps");
        let (mut writer, _) = listener.accept().expect("accept");
        let before = monotonic_ns();
        writer.write_all(b"x").expect("write");
        let after = monotonic_ns();
        let mut buffer = [0; 8];
        let received = receive(reader.as_fd(), &mut buffer).expect("loopback is synchronous");
        let at = RealtimePairing::now().to_monotonic(received.realtime_ns.expect("a stamp"));
        assert_eq!(received.len, 1);
        let slack = 1_000_000;
        assert!(
            at >= before - slack && at <= after + slack,
            "{before} {at} {after}"
        );
    }
}
