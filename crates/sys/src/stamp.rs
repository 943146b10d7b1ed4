//! Kernel receive stamps: proving that they work, and keeping them on.

use crate::cmsg;
use crate::raw::calls::{self, Control};
use infermeter_core::clock::monotonic_ns;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};

/// Receive stamps in software.
const RECEIVE: libc::c_uint = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;

/// Stamps of sends beside them: each numbered by its last byte and delivered without the bytes.
const SENDS: libc::c_uint = RECEIVE
    | libc::SOF_TIMESTAMPING_TX_SOFTWARE
    | libc::SOF_TIMESTAMPING_OPT_ID
    | libc::SOF_TIMESTAMPING_OPT_TSONLY;

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
    calls::set_stamping(fd, RECEIVE)
}

/// When bytes left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Number of the last byte of the send, counted from 0 at [`enable_sends`], modulo 2^32.
    pub last_byte: u32,
    /// When the kernel handed it to the network device, `CLOCK_REALTIME` nanoseconds.
    pub realtime_ns: i64,
}

/// Turns stamps of sends on as well, for a connection that is up and has sent nothing yet. From
/// now on epoll reports an error on the socket whenever a stamp waits in its error queue.
pub fn enable_sends(fd: BorrowedFd<'_>) -> io::Result<()> {
    // Kernels before 6.2 do not know OPT_ID_TCP, and count from the same byte if nothing is on
    // its way.
    calls::set_stamping(fd, SENDS | libc::SOF_TIMESTAMPING_OPT_ID_TCP)
        .or_else(|_| calls::set_stamping(fd, SENDS))
}

/// The next stamp of a send, if one waits.
pub fn take_sent(fd: BorrowedFd<'_>) -> Option<Sent> {
    loop {
        let mut control = Control([0; 256]);
        let (_, control) = calls::receive(fd, &mut [], &mut control, libc::MSG_ERRQUEUE).ok()?;
        // Other messages of the error queue are of no interest.
        if let (Some(last_byte), Some(realtime_ns)) =
            (cmsg::sent_byte(control), cmsg::stamp(control))
        {
            return Some(Sent {
                last_byte,
                realtime_ns,
            });
        }
    }
}

/// Receives without blocking.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = Control([0; 256]);
    let (len, control) = calls::receive(fd, buffer, &mut control, 0)?;
    Ok(Received {
        len,
        realtime_ns: cmsg::stamp(control),
    })
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
    fn a_send_is_stamped_with_the_number_of_its_last_byte() {
        let Some(_sentinel) = Sentinel::start() else {
            return;
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut writer =
            TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
        enable_sends(writer.as_fd()).expect("stamps");
        let before = monotonic_ns();
        writer.write_all(b"12345").expect("write");
        writer.write_all(b"678").expect("write");
        let pairing = RealtimePairing::now();
        let deadline = monotonic_ns() + 5_000_000_000;
        let mut sent = Vec::new();
        while sent.len() < 2 && monotonic_ns() < deadline {
            sent.extend(take_sent(writer.as_fd()));
        }
        let bytes: Vec<u32> = sent.iter().map(|s| s.last_byte).collect();
        assert_eq!(bytes, [4, 7]);
        assert_eq!(take_sent(writer.as_fd()), None);
        let at = pairing.to_monotonic(sent[0].realtime_ns);
        assert!(at >= before - 1_000_000, "{before} {at}");
    }

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
