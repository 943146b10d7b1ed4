//! A connection's bytes, with the kernel's stamp of each read; plain or in TLS.
//!
//! It knows no HTTP. Invariant: it reads only when asked, so that what it holds is bounded by one buffer (with TLS by the
//! session's own limits), and a write takes no more than the kernel, or one session buffer, has room for.

use crate::clocks::Clocks;
use crate::seen::Stamp;
use infermeter_core::clock::Offset;
use infermeter_sys::stamp;
use rustls::Connection;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

/// Bytes of one read: no more than one such buffer per thread is needed.
const READ_BUFFER: usize = 64 << 10;

/// Memory that every read of a thread goes through.
#[derive(Debug, Clone)]
pub(crate) struct Scratch(Rc<RefCell<Vec<u8>>>);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(vec![0; READ_BUFFER])))
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    tls: Option<Box<Connection>>,
    clocks: Rc<Clocks>,
    scratch: Scratch,
    /// When the socket was last known to be empty.
    empty_at: Offset,
    /// Of the last read.
    last: Stamp,
    /// Reads come in order: converted with another pairing of the clocks, a stamp may seem to lie before the last one.
    not_before: Offset,
}

impl Socket {
    /// A connection that is up. Stamps come on with it, and small writes leave at once.
    pub(crate) fn new(stream: TcpStream, clocks: &Rc<Clocks>, scratch: &Scratch) -> Self {
        // Without stamps the program's instants are taken, and say so.
        let _ = stamp::enable(stream.as_fd());
        let _ = stream.set_nodelay(true);
        let now = clocks.now();
        Self {
            stream,
            tls: None,
            clocks: Rc::clone(clocks),
            scratch: scratch.clone(),
            empty_at: now,
            last: clocks.stamp(None, now),
            not_before: Offset(i64::MIN),
        }
    }

    /// Brings a TLS session up.
    pub(crate) async fn handshake(&mut self, session: Connection) -> io::Result<()> {
        self.tls = Some(Box::new(session));
        poll_fn(|cx| self.poll_handshake(cx)).await
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush(cx))?;
            if !self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_feed(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// The next bytes, at most `most`, given to `sink` with their stamp; how many, 0 at the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
        sink: impl FnOnce(&[u8], Stamp),
    ) -> Poll<io::Result<usize>> {
        if self.tls.is_none() {
            let len = ready!(self.poll_raw(cx, most))?;
            sink(self.scratch.0.borrow().get(..len).unwrap_or(&[]), self.last);
            return Poll::Ready(Ok(len));
        }
        loop {
            if let Some(len) = self.decrypted(most)? {
                sink(self.scratch.0.borrow().get(..len).unwrap_or(&[]), self.last);
                return Poll::Ready(Ok(len));
            }
            // 0 bytes are the end of the stream: the session then says whether it was the session's, too.
            ready!(self.poll_feed(cx))?;
        }
    }

    /// Plain bytes that the session has: `None` where it needs more.
    fn decrypted(&mut self, most: usize) -> io::Result<Option<usize>> {
        let Some(tls) = &mut self.tls else {
            return Ok(None);
        };
        let mut scratch = self.scratch.0.borrow_mut();
        let most = most.min(scratch.len());
        let buffer = scratch.get_mut(..most).unwrap_or(&mut []);
        match tls.reader().read(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads ciphertext into the session; how many bytes those were.
    fn poll_feed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let len = loop {
            ready!(self.stream.poll_read_ready(cx))?;
            let before = self.clocks.now();
            let mut receiving = Receiving {
                stream: &self.stream,
                realtime_ns: None,
            };
            let Some(tls) = &mut self.tls else {
                return Poll::Ready(Ok(0));
            };
            match tls.read_tls(&mut receiving) {
                Ok(len) => {
                    self.on_read(receiving.realtime_ns);
                    break len;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.empty_at = before,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        };
        if let Some(tls) = &mut self.tls
            && let Err(error) = tls.process_new_packets()
        {
            // The alert that says why.
            let _ = tls.write_tls(&mut Trying(&self.stream));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        // Answers to the peer's handshake or key update; where there is no room, they leave with the next write.
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(len))
    }

    /// One stamped receive into the scratch memory.
    fn poll_raw(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            let before = self.clocks.now();
            let mut scratch = self.scratch.0.borrow_mut();
            let most = most.min(scratch.len());
            let buffer = scratch.get_mut(..most).unwrap_or(&mut []);
            let stream = &self.stream;
            let received = stream.try_io(Interest::READABLE, || {
                stamp::receive(stream.as_fd(), buffer)
            });
            match received {
                Ok(received) => {
                    drop(scratch);
                    self.on_read(received.realtime_ns);
                    if received.len < most {
                        self.empty_at = before;
                    }
                    return Poll::Ready(Ok(received.len));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.empty_at = before,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn on_read(&mut self, kernel_realtime_ns: Option<i64>) {
        self.last = self.clocks.stamp(kernel_realtime_ns, self.empty_at);
        self.last.at = self.last.at.max(self.not_before);
        self.not_before = self.last.at;
    }

    /// Writes what there is room for.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.tls.is_none() {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        }
        // What the session holds leaves first: it never holds more than one buffer.
        ready!(self.poll_flush(cx))?;
        let written = match &mut self.tls {
            Some(tls) => tls.writer().write_vectored(slices)?,
            None => 0,
        };
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(written))
    }

    /// Ready when the kernel has everything.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(tls) = &mut self.tls else {
            return Poll::Ready(Ok(()));
        };
        while tls.wants_write() {
            ready!(self.stream.poll_write_ready(cx))?;
            match tls.write_tls(&mut Trying(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the sending half.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// The peer has sent something that was not read, or has ended the connection.
    pub(crate) fn has_input(&self) -> bool {
        let mut byte = [0_u8; 1];
        let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
        !matches!(
            rustix::net::recv(&self.stream, &mut byte, flags),
            Err(rustix::io::Errno::WOULDBLOCK)
        )
    }

    /// Has the connection end with a reset instead of an orderly end, when it is dropped.
    pub(crate) fn reset_at_end(&self) {
        // Where this fails the peer has gone already.
        let linger = Some(std::time::Duration::ZERO);
        let _ = rustix::net::sockopt::set_socket_linger(&self.stream, linger);
    }
}

/// Receives without waiting, with the stamp.
struct Receiving<'a> {
    stream: &'a TcpStream,
    realtime_ns: Option<i64>,
}

impl Read for Receiving<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = self.stream;
        let received = stream.try_io(Interest::READABLE, || {
            stamp::receive(stream.as_fd(), buffer)
        })?;
        self.realtime_ns = received.realtime_ns;
        Ok(received.len)
    }
}

/// Writes without waiting.
struct Trying<'a>(&'a TcpStream);

impl Write for Trying<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
