//! One connection: a socket, its TLS session, and the request it carries.
//!
//! Does no waiting and reads no clock: the engine drives it and passes instants in.

use crate::prepared::Prepared;
use crate::response::ResponseReader;
use crate::tls::{Tls, explained};
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_sys::socket;
use rustls::ClientConnection;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How far the connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// TCP handshake.
    Connecting,
    /// TLS handshake.
    Handshaking,
    /// Ready for requests.
    Ready,
}

/// A request on its way.
pub(crate) struct InFlight {
    pub(crate) record: RequestRecord,
    pub(crate) reader: ResponseReader,
    pub(crate) prepared: Prepared,
    /// Bytes of `prepared` handed to the socket or the TLS session.
    pub(crate) written: usize,
    /// Bytes of the answer beyond which more is taken from the budget.
    pub(crate) allowed: usize,
    /// Bytes taken from the budget.
    pub(crate) taken: usize,
    /// Number of its last byte among those the socket was given, once all are.
    pub(crate) last_byte: Option<u32>,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) fd: OwnedFd,
    /// Number, unique in the run.
    pub(crate) id: u32,
    /// Distinguishes connections that used the same table entry one after the other.
    pub(crate) generation: u32,
    pub(crate) stage: Stage,
    pub(crate) opened: Offset,
    pub(crate) connected: Option<Offset>,
    pub(crate) tls_done: Option<Offset>,
    pub(crate) tls: Option<Box<ClientConnection>>,
    pub(crate) request: Option<Box<InFlight>>,
    /// Has carried a request before.
    pub(crate) used: bool,
    /// Answers that it has brought.
    pub(crate) answers: u32,
    pub(crate) idle_since: Offset,
    /// Nothing still unread can have arrived before this.
    pub(crate) read_floor: Offset,
    /// Stamp of the last read: stamps of one connection never run backwards.
    pub(crate) last_at: Offset,
    /// Entry in the heap of time-outs that is in force.
    pub(crate) looked_at: Option<Offset>,
    /// The poll waits for room to write, too.
    pub(crate) wants_write: bool,
    /// The ring receives from it.
    pub(crate) armed: bool,
    /// The ring's receive had ended: bytes may have waited in the socket.
    pub(crate) behind: bool,
    /// Bytes the socket was given, modulo 2^32: as the kernel numbers them in stamps of sends.
    pub(crate) bytes_out: u32,
}

impl Connection {
    pub(crate) fn new(
        fd: OwnedFd,
        id: u32,
        generation: u32,
        tls: Option<&Tls>,
        now: Offset,
    ) -> Result<Self, rustls::Error> {
        let session = match tls {
            None => None,
            Some(tls) => {
                let config = std::sync::Arc::clone(&tls.config);
                let mut session = ClientConnection::new(config, tls.name.clone())?;
                session.set_buffer_limit(None);
                Some(Box::new(session))
            }
        };
        Ok(Self {
            fd,
            id,
            generation,
            stage: Stage::Connecting,
            opened: now,
            connected: None,
            tls_done: None,
            tls: session,
            request: None,
            used: false,
            answers: 0,
            idle_since: now,
            read_floor: now,
            last_at: Offset(i64::MIN),
            looked_at: None,
            wants_write: true,
            armed: false,
            behind: false,
            bytes_out: 0,
        })
    }

    /// Hands pending bytes (handshake, request) to the socket. True when all are out.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        match &mut self.tls {
            None => flush_plain(
                self.fd.as_fd(),
                self.request.as_deref_mut(),
                &mut self.bytes_out,
            ),
            Some(session) => {
                if self.stage == Stage::Ready
                    && let Some(request) = &mut self.request
                {
                    let rest = &request.prepared.bytes[request.written..];
                    session.writer().write_all(rest)?;
                    request.written = request.prepared.bytes.len();
                }
                flush_tls(self.fd.as_fd(), session, &mut self.bytes_out)
            }
        }
    }

    /// Decrypts `bytes` into `plain` (appended).
    pub(crate) fn decrypt(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
        let Some(session) = &mut self.tls else {
            return Ok(());
        };
        while !bytes.is_empty() {
            session.read_tls(&mut bytes)?;
            let state = session
                .process_new_packets()
                .map_err(|error| io::Error::other(explained(&error)))?;
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
}

fn flush_plain(
    fd: BorrowedFd<'_>,
    request: Option<&mut InFlight>,
    bytes_out: &mut u32,
) -> io::Result<bool> {
    let Some(request) = request else {
        return Ok(true);
    };
    while request.written < request.prepared.bytes.len() {
        match socket::write(fd, &request.prepared.bytes[request.written..]) {
            Ok(n) => {
                request.written += n;
                *bytes_out = bytes_out.wrapping_add(n as u32);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
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
