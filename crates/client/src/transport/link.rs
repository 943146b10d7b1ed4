//! One connection: a socket, its TLS session, and the bytes that wait to leave.
//!
//! Does no waiting and reads no clock: the transport drives it and passes instants in. It knows nothing of
//! requests.

use super::problem::Problem;
use super::route::{Hop, Route};
use super::tunnel::{self, Asking};
use infermeter_core::clock::Offset;
use infermeter_sys::socket;
use rustls::ClientConnection;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The socket connects.
    Connecting,
    /// The proxy is asked for a way through.
    Tunnelling,
    /// TLS handshake.
    Handshaking,
    /// Ready for requests.
    Ready,
}

/// One connection.
pub(crate) struct Link {
    pub(super) fd: OwnedFd,
    /// Distinguishes connections that used the same table entry one after the other.
    pub(super) generation: u32,
    pub(crate) stage: Stage,
    pub(crate) opened: Offset,
    /// The way to the server is open.
    pub(crate) connected: Option<Offset>,
    pub(crate) tls_done: Option<Offset>,
    pub(super) tls: Option<Box<ClientConnection>>,
    /// What is asked of a proxy, until it has answered.
    pub(super) asking: Option<Box<Asking>>,
    /// The socket is one that can meet its own port.
    pub(super) own_port: Option<std::net::SocketAddr>,
    outbox: Outbox,
    /// Nothing still unread can have arrived before this.
    pub(super) read_floor: Offset,
    /// Stamp of the last read: stamps of one connection never run backwards.
    pub(super) last_at: Offset,
    /// The poll waits for room to write, too.
    pub(super) wants_write: bool,
    /// The ring receives from it.
    pub(super) armed: bool,
    /// The ring's receive had ended: bytes may have waited in the socket.
    pub(super) behind: bool,
}

/// Bytes on their way to the socket.
#[derive(Default)]
struct Outbox {
    /// What a proxy is asked, which goes before everything else.
    first: Vec<u8>,
    bytes: Vec<u8>,
    written: usize,
    /// Something was put in that has not left whole.
    open: bool,
    /// Bytes the socket was given, modulo 2^32: as the kernel numbers them in stamps of sends.
    bytes_out: u32,
}

impl Link {
    pub(super) fn new(
        fd: OwnedFd,
        generation: u32,
        route: &Route,
        now: Offset,
    ) -> Result<Self, rustls::Error> {
        let mut outbox = Outbox::default();
        let asking = match &route.hop {
            Hop::Server | Hop::Forward => None,
            Hop::Tunnel(tunnel) => {
                outbox.first = tunnel::question(tunnel);
                Some(Box::new(Asking::of(tunnel)))
            }
        };
        let tls = match &route.tls {
            None => None,
            Some(tls) => {
                let config = Arc::clone(&tls.config);
                let mut session = ClientConnection::new(config, tls.name.clone())?;
                session.set_buffer_limit(None);
                Some(Box::new(session))
            }
        };
        Ok(Self {
            fd,
            generation,
            stage: Stage::Connecting,
            opened: now,
            connected: None,
            tls_done: None,
            tls,
            asking,
            own_port: match route.address {
                super::Address::Tcp(address) => Some(address),
                super::Address::Unix(_) => None,
            },
            outbox,
            read_floor: now,
            last_at: Offset(i64::MIN),
            wants_write: true,
            armed: false,
            behind: false,
        })
    }

    /// Adds bytes to those that are to leave.
    pub(super) fn put(&mut self, bytes: Vec<u8>) {
        let outbox = &mut self.outbox;
        outbox.open = true;
        if outbox.written == outbox.bytes.len() {
            (outbox.bytes, outbox.written) = (bytes, 0);
        } else {
            outbox.bytes.extend_from_slice(&bytes);
        }
    }

    /// Something was put in that has not left.
    pub(super) fn has_requests(&self) -> bool {
        self.outbox.open
    }

    /// Number of the last byte that the socket was given.
    pub(crate) fn last_byte(&self) -> u32 {
        self.outbox.bytes_out.wrapping_sub(1)
    }

    /// What was put in has left for the first time.
    pub(super) fn note_left(&mut self) -> bool {
        let left = self.stage == Stage::Ready && self.outbox.open;
        if left {
            // Requests are not kept in memory for as long as their answers take.
            (self.outbox.bytes, self.outbox.written) = (Vec::new(), 0);
            self.outbox.open = false;
        }
        left
    }

    /// Bytes handed to the socket until now, modulo 2^32.
    pub(super) fn bytes_out(&self) -> u32 {
        self.outbox.bytes_out
    }

    /// Hands pending bytes (question, handshake, requests) to the socket. True when all are out.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let fd = self.fd.as_fd();
        let outbox = &mut self.outbox;
        if !outbox.first.is_empty() {
            let mut written = 0;
            let all = write_some(fd, &outbox.first, &mut written, &mut outbox.bytes_out);
            outbox.first.drain(..written);
            if !all? {
                return Ok(false);
            }
        }
        match &mut self.tls {
            _ if self.stage == Stage::Tunnelling => Ok(true),
            None if self.stage != Stage::Ready => Ok(true),
            None => write_some(
                fd,
                &outbox.bytes,
                &mut outbox.written,
                &mut outbox.bytes_out,
            ),
            Some(session) => {
                if self.stage == Stage::Ready {
                    session
                        .writer()
                        .write_all(&outbox.bytes[outbox.written..])?;
                    outbox.written = outbox.bytes.len();
                }
                flush_tls(fd, session, &mut outbox.bytes_out)
            }
        }
    }

    /// Decrypts `bytes` into `plain` (appended).
    pub(super) fn decrypt(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), Problem> {
        let Some(session) = &mut self.tls else {
            return Ok(());
        };
        let decrypted = decrypt(session, bytes, plain);
        if decrypted.is_err() {
            // The alert that tells the peer why. It is lost where there is no room for it.
            let _ = flush_tls(self.fd.as_fd(), session, &mut self.outbox.bytes_out);
        }
        decrypted
    }

    /// The TLS session has bytes of its own to send.
    pub(super) fn wants_tls_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// The clock's origin has moved.
    pub(super) fn shift(&mut self, by: i64) {
        self.opened = self.opened.plus(by);
        self.read_floor = self.read_floor.plus(by);
        self.connected = self.connected.map(|at| at.plus(by));
        self.tls_done = self.tls_done.map(|at| at.plus(by));
        self.last_at = self.last_at.plus(by);
    }
}

/// Writes from `written` on, as far as there is room. True when all are out.
fn write_some(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    written: &mut usize,
    bytes_out: &mut u32,
) -> io::Result<bool> {
    while *written < bytes.len() {
        match socket::write(fd, &bytes[*written..]) {
            Ok(n) => {
                *written += n;
                *bytes_out = bytes_out.wrapping_add(n as u32);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn decrypt(
    session: &mut ClientConnection,
    mut bytes: &[u8],
    plain: &mut Vec<u8>,
) -> Result<(), Problem> {
    while !bytes.is_empty() {
        session.read_tls(&mut bytes)?;
        let state = session.process_new_packets()?;
        let fresh = state.plaintext_bytes_to_read();
        if fresh > 0 {
            let start = plain.len();
            plain.resize(start + fresh, 0);
            session.reader().read_exact(&mut plain[start..])?;
        }
        if state.peer_has_closed() {
            break;
        }
    }
    Ok(())
}

fn flush_tls(
    fd: BorrowedFd<'_>,
    session: &mut ClientConnection,
    bytes_out: &mut u32,
) -> io::Result<bool> {
    while session.wants_write() {
        match session.write_tls(&mut SocketWriter(fd)) {
            Ok(n) => *bytes_out = bytes_out.wrapping_add(n as u32),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

struct SocketWriter<'a>(BorrowedFd<'a>);

impl Write for SocketWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        socket::write(self.0, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
