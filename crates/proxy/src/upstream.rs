//! Connections to one upstream: opened when needed, kept for a while, one request at a time.
//!
//! Nothing is sent twice: a request that was written to a connection that then failed has failed. Invariant: a
//! connection that is not given back is closed, with whatever it was doing.

use crate::clocks::{Clocks, ns};
use crate::outgoing::Outgoing;
use crate::seen::{Outcome, Stamp};
use crate::settings::{Limits, Upstream};
use crate::socket::{Scratch, Socket};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::rt::{Read, ReadBufCursor, Write};
use infermeter_core::clock::Offset;
use std::cell::{Cell, OnceCell, RefCell};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Header lines and bytes of an answer's head: engines give few, and none of these sizes.
const MOST_HEADERS: usize = 256;
/// Bytes that the library buffers for one connection, a head among them.
const BUFFER: usize = 128 << 10;
/// Connections that are kept without a request.
const MOST_IDLE: usize = 1024;

/// Why a side of a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) outcome: Outcome,
    pub(crate) problem: String,
}

impl Failure {
    pub(crate) fn new(outcome: Outcome, problem: impl ToString) -> Self {
        Self {
            outcome,
            problem: problem.to_string(),
        }
    }
}

/// A connection, as the library and the request on it share it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) number: u32,
    pub(crate) address: SocketAddr,
    socket: RefCell<Socket>,
    clocks: Rc<Clocks>,
    /// The last read of all, and the first one of this request.
    pub(crate) last_read: Cell<Option<Stamp>>,
    pub(crate) first_read: Cell<Option<Stamp>>,
    /// The first and the last write of this request.
    pub(crate) sent_first: Cell<Option<Offset>>,
    pub(crate) sent_last: Cell<Option<Offset>>,
    unflushed: Cell<bool>,
    task: OnceCell<AbortHandle>,
}

impl Link {
    /// Another request begins.
    fn begin(&self) {
        self.first_read.set(None);
        self.sent_first.set(None);
        self.sent_last.set(None);
    }

    /// Closes it at once.
    fn abort(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// The library's end of a [`Link`].
#[derive(Debug)]
struct LinkIo(Rc<Link>);

impl Read for LinkIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let link = &self.0;
        let most = cursor.remaining();
        let read = link
            .socket
            .borrow_mut()
            .poll_read(cx, most, |bytes, stamp| {
                if !bytes.is_empty() {
                    cursor.put_slice(bytes);
                    link.last_read.set(Some(stamp));
                    if link.first_read.get().is_none() {
                        link.first_read.set(Some(stamp));
                    }
                }
            });
        read.map_ok(|_| ())
    }
}

impl Write for LinkIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let link = &self.0;
        let written = ready!(link.socket.borrow_mut().poll_write(cx, slices))?;
        link.unflushed.set(true);
        if link.sent_first.get().is_none() {
            link.sent_first.set(Some(link.clocks.now()));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let link = &self.0;
        ready!(link.socket.borrow_mut().poll_flush(cx))?;
        if link.unflushed.replace(false) {
            link.sent_last.set(Some(link.clocks.now()));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.socket.borrow_mut().poll_shutdown(cx)
    }
}

/// Instants of opening a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) connected: Offset,
    pub(crate) tls_done: Option<Offset>,
}

/// A connection that carries one request. Dropped, it closes.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) sender: SendRequest<Outgoing>,
    pub(crate) link: Rc<Link>,
    /// When it was opened, where that was for this request.
    pub(crate) opened: Option<Opened>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.link.abort();
    }
}

/// What connections of one thread have in common.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) clocks: Rc<Clocks>,
    pub(crate) scratch: Scratch,
    pub(crate) limits: Rc<Limits>,
}

/// Numbers connections when they are opened, and tells who counts them.
#[derive(Clone)]
pub(crate) struct Opening(Rc<dyn Fn() -> u32>);

impl Opening {
    pub(crate) fn new(count: impl Fn() + 'static) -> Self {
        let next = Cell::new(0);
        Self(Rc::new(move || {
            count();
            next.replace(next.get() + 1)
        }))
    }
}

/// The connections of one upstream.
pub(crate) struct Pool {
    upstream: Upstream,
    shared: Shared,
    opening: Opening,
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    line: Line,
    since: Offset,
}

impl Idle {
    fn is_good(&self, now: Offset, most_ns: i64) -> bool {
        !self.line.sender.is_closed() && now.since(self.since) < most_ns
    }
}

impl Pool {
    pub(crate) fn new(upstream: Upstream, shared: &Shared, opening: &Opening) -> Self {
        Self {
            upstream,
            shared: shared.clone(),
            opening: opening.clone(),
            idle: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// A connection that is ready for a request.
    pub(crate) async fn line(&self) -> Result<Line, Failure> {
        if let Some(line) = self.kept_line() {
            line.link.begin();
            return Ok(line);
        }
        let connecting = timeout(self.shared.limits.connect_time, self.connect());
        connecting.await.unwrap_or_else(|_| {
            let problem = format!(
                "no connection within {} s",
                self.shared.limits.connect_time.as_secs_f64()
            );
            Err(Failure::new(Outcome::UpstreamTooSlow, problem))
        })
    }

    /// The connection that was used last, if it is still good.
    fn kept_line(&self) -> Option<Line> {
        let now = self.shared.clocks.now();
        let most_ns = ns(self.shared.limits.upstream_idle);
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| idle.is_good(now, most_ns));
        while let Some(at) = idle.iter().rposition(|idle| idle.line.sender.is_ready()) {
            let mut line = idle.swap_remove(at).line;
            // Whatever came without having been asked for, an end above all, makes it useless.
            if !line.link.socket.borrow().has_input() {
                line.opened = None;
                return Some(line);
            }
        }
        None
    }

    /// Takes back a connection whose request and answer are over.
    pub(crate) fn give_back(&self, line: Line) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MOST_IDLE {
            let since = self.shared.clocks.now();
            idle.push(Idle { line, since });
        }
    }

    /// Connections without a request for too long are closed.
    pub(crate) fn prune(&self) {
        let now = self.shared.clocks.now();
        let most_ns = ns(self.shared.limits.upstream_idle);
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| idle.is_good(now, most_ns));
    }

    async fn connect(&self) -> Result<Line, Failure> {
        let mut last = Failure::new(Outcome::ConnectFailed, "no address");
        for address in &self.upstream.addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return self.open(stream, *address).await,
                Err(error) => {
                    last = Failure::new(Outcome::ConnectFailed, format!("{address}: {error}"));
                }
            }
        }
        Err(last)
    }

    async fn open(&self, stream: TcpStream, address: SocketAddr) -> Result<Line, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(Outcome::ConnectFailed, format!("{address}: {error}"))
        };
        let clocks = &self.shared.clocks;
        let connected = clocks.now();
        let mut socket = Socket::new(stream, clocks, &self.shared.scratch);
        let mut tls_done = None;
        if let Some(tls) = &self.upstream.tls {
            let session = rustls::ClientConnection::new(tls.config.clone(), tls.name.clone())
                .map_err(|error| failed(&error))?;
            let handshake = socket.handshake(session.into()).await;
            handshake.map_err(|error| failed(&error))?;
            tls_done = Some(clocks.now());
        }
        let link = Rc::new(Link {
            number: (self.opening.0)(),
            address,
            socket: RefCell::new(socket),
            clocks: Rc::clone(clocks),
            last_read: Cell::new(None),
            first_read: Cell::new(None),
            sent_first: Cell::new(None),
            sent_last: Cell::new(None),
            unflushed: Cell::new(false),
            task: OnceCell::new(),
        });
        let (sender, connection) = Builder::new()
            .preserve_header_case(true)
            .max_headers(MOST_HEADERS)
            .max_buf_size(BUFFER)
            .handshake(LinkIo(Rc::clone(&link)))
            .await
            .map_err(|error| failed(&error))?;
        let task = tokio::task::spawn_local(async move {
            // Its end shows on the request, or on the next look at the connection.
            let _ = connection.await;
        });
        let _ = link.task.set(task.abort_handle());
        Ok(Line {
            sender,
            link,
            opened: Some(Opened {
                connected,
                tls_done,
            }),
        })
    }
}

/// Closes connections without a request again and again, for as long as the pool lives.
pub(crate) async fn pruning(pool: Weak<Pool>) {
    while let Some(pool) = pool.upgrade() {
        pool.prune();
        drop(pool);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
