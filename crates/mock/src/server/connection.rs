//! One connection: its buffers, and the answer it carries.

use crate::answer::Answer;
use crate::http::RequestReader;
use crate::truth::Arrival;
use infermeter_sys::socket;
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

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
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
    /// Of the last read.
    pub arrival: Arrival,
}

impl Connection {
    pub fn new(fd: OwnedFd, arrival: Arrival) -> Self {
        Self {
            socket: TcpStream::from(fd),
            input: Vec::new(),
            reader: RequestReader::new(),
            output: Vec::new(),
            output_done: 0,
            largest_write: 0,
            watches_room: false,
            course: Course::Open,
            answer: None,
            in_engine: false,
            arrival,
        }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether all output has been taken by the socket.
    pub fn is_flushed(&self) -> bool {
        self.output.is_empty()
    }

    /// Writes at once as much as the socket takes and keeps the rest.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.largest_write = self.largest_write.max(bytes.len());
        if !self.output.is_empty() {
            if self.output.len() - self.output_done > MAX_OUTPUT + self.largest_write {
                return Err(SendError::TooSlow);
            }
            self.output.extend_from_slice(bytes);
            return Ok(());
        }
        let taken = write_some(self.fd(), bytes)?;
        self.output.extend_from_slice(&bytes[taken..]);
        Ok(())
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
    pub fn end_output(&self) {
        // An error means that the client is gone, which the next read says too.
        let _ = self.socket.shutdown(Shutdown::Write);
    }
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
