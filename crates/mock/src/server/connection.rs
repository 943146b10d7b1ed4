//! One connection: its buffers, the answer it carries, and what is on the link towards both ends.

use crate::answer::{Answer, Then};
use crate::http::RequestReader;
use crate::link::Direction;
use crate::metrics::Progress;
use crate::tls::{self, Session};
use crate::truth::Arrival;
use infermeter_core::spans::TraceParent;
use infermeter_sys::socket;
use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Output that a client may leave unread before a further write disconnects it, bytes; on top of
/// the largest single write so far.
pub(crate) const MAX_OUTPUT: usize = 4 << 20;

/// Bytes of further requests that may wait behind one being answered.
pub(crate) const MAX_PIPELINED: usize = 1 << 20;

/// How a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Open for requests.
    Open,
    /// Closed once its output is written.
    CloseAfterOutput,
    /// Its output ends it, then its input is read and dropped until the client ends it too, so
    /// that the client can read the response to a request it has not finished sending.
    LingerAfterOutput,
    /// Only input to drop is left.
    Lingering,
}

/// Why bytes cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendError {
    /// The peer is gone.
    Gone,
    /// Its buffer has been full for too long.
    TooSlow,
}

/// Why received bytes end a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputError {
    /// Not TLS, or broken.
    NoTls,
    /// The peer is gone.
    Gone,
}

/// Bytes on the link towards the client.
#[derive(Debug)]
pub(crate) struct Packet {
    /// When they come out.
    pub out_ns: i64,
    pub bytes: Vec<u8>,
    /// Visible tokens that they carry; `None` for bytes that belong to no answer.
    pub tokens: Option<u32>,
    /// What follows them.
    pub then: Then,
}

/// Bytes on the link towards the engine.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// When they come out.
    pub out_ns: i64,
    /// Empty for the end of the connection.
    pub bytes: Vec<u8>,
    pub arrival: Arrival,
}

/// Both directions of a connection's link.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub up: Direction,
    pub down: Direction,
    pub inbound: VecDeque<Inbound>,
    /// Bytes of `inbound`.
    pub inbound_bytes: usize,
    pub outbound: VecDeque<Packet>,
    /// Bytes of `outbound`.
    pub outbound_bytes: usize,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    tls: Option<Box<Session>>,
    /// The link, once bytes have been on it.
    pub wire: Option<Box<Wire>>,
    /// Undecoded input.
    pub input: Vec<u8>,
    pub reader: RequestReader,
    output: Vec<u8>,
    output_done: usize,
    largest_write: usize,
    /// Whether the poll watches for room to write.
    pub watches_room: bool,
    pub course: Course,
    pub answer: Option<Box<Answer>>,
    /// The answer's sequence lives in the engine.
    pub in_engine: bool,
    /// What the answer's sequence has gone through, once it has reached the engine.
    pub progress: Option<Progress>,
    /// Bytes received that are no whole request, as the server has counted them.
    pub unserved: usize,
    /// Of the last byte in or the last answer's end.
    pub last_used_ns: i64,
    /// Of the last read.
    pub arrival: Arrival,
    /// The trace that the last generation named.
    pub trace: Option<TraceParent>,
}

impl Connection {
    pub fn new(fd: OwnedFd, arrival: Arrival, tls: Option<Box<Session>>) -> Self {
        Self {
            socket: TcpStream::from(fd),
            tls,
            wire: None,
            input: Vec::new(),
            reader: RequestReader::new(),
            output: Vec::new(),
            output_done: 0,
            largest_write: 0,
            watches_room: false,
            course: Course::Open,
            answer: None,
            in_engine: false,
            progress: None,
            unserved: 0,
            last_used_ns: arrival.seen_ns,
            arrival,
            trace: None,
        }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the socket has taken all it was given.
    pub fn is_written(&self) -> bool {
        self.output.is_empty()
    }

    /// Whether there is no output left, neither for the socket nor on the link.
    pub fn is_flushed(&self) -> bool {
        self.is_written() && self.outbound() == 0
    }

    /// Whether nothing is under way in either direction.
    pub fn is_idle(&self) -> bool {
        self.answer.is_none() && self.input.is_empty() && self.is_flushed() && self.inbound() == 0
    }

    /// Pieces on the link towards the client.
    pub fn outbound(&self) -> usize {
        self.wire.as_ref().map_or(0, |wire| wire.outbound.len())
    }

    /// Pieces on the link towards the engine.
    pub fn inbound(&self) -> usize {
        self.wire.as_ref().map_or(0, |wire| wire.inbound.len())
    }

    /// Bytes received that are no whole request, those on the link included.
    pub fn count_unserved(&self) -> usize {
        let on_link = self.wire.as_ref().map_or(0, |wire| wire.inbound_bytes);
        self.input.len() + self.reader.held() + on_link
    }

    /// Drops them.
    pub fn drop_unserved(&mut self) {
        self.input = Vec::new();
        self.reader = RequestReader::new();
    }

    /// Appends received bytes to the input, decrypted where the connection is encrypted.
    pub fn take_input(&mut self, bytes: &[u8]) -> Result<tls::Received, InputError> {
        let Some(session) = &mut self.tls else {
            self.input.extend_from_slice(bytes);
            return Ok(tls::Received::Open);
        };
        let received = session.receive(bytes, &mut self.input);
        // An alert goes out even where the session has failed.
        let (output, done) = (&mut self.output, self.output_done);
        let sent = put(&self.socket, output, done, session.outgoing());
        match (received, sent) {
            (Ok(received), Ok(())) => Ok(received),
            (Err(_), _) => Err(InputError::NoTls),
            (_, Err(_)) => Err(InputError::Gone),
        }
    }

    /// Writes at once as much as the socket takes and keeps the rest.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.largest_write = self.largest_write.max(bytes.len());
        if self.output.len() - self.output_done > MAX_OUTPUT + self.largest_write {
            return Err(SendError::TooSlow);
        }
        let bytes = match &mut self.tls {
            Some(session) => session.encrypt(bytes),
            None => bytes,
        };
        put(&self.socket, &mut self.output, self.output_done, bytes)
    }

    /// Writes kept output.
    pub fn flush(&mut self) -> Result<(), SendError> {
        let taken = write_some(self.socket.as_fd(), &self.output[self.output_done..])?;
        self.output_done += taken;
        if self.output_done == self.output.len() {
            self.output = Vec::new();
            self.output_done = 0;
        } else if self.output_done > self.output.len() / 2 {
            self.output.drain(..self.output_done);
            self.output_done = 0;
        }
        Ok(())
    }

    /// Tells the client that nothing more comes.
    pub fn end_output(&mut self) {
        self.end_session();
        // An error means that the client is gone, which the next read says too.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Ends the TLS session, where there is one, so that the client sees an orderly end.
    pub fn end_session(&mut self) {
        if let Some(session) = &mut self.tls {
            // A client that is gone needs no end.
            let (output, done) = (&mut self.output, self.output_done);
            let _ = put(&self.socket, output, done, session.end());
        }
    }
}

/// Writes what the socket takes behind the output kept so far, and keeps the rest.
fn put(
    socket: &TcpStream,
    output: &mut Vec<u8>,
    done: usize,
    bytes: &[u8],
) -> Result<(), SendError> {
    let taken = if output.len() == done {
        write_some(socket.as_fd(), bytes)?
    } else {
        0
    };
    output.extend_from_slice(&bytes[taken..]);
    Ok(())
}

/// Writes until the socket is full or everything is written; the bytes taken.
fn write_some(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, SendError> {
    let mut taken = 0;
    while taken < bytes.len() {
        match socket::write(fd, &bytes[taken..]) {
            Ok(n) => taken += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(SendError::Gone),
        }
    }
    Ok(taken)
}
