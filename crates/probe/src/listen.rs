//! A small HTTP server for what others ask of a running measurement, or tell it: a scraper of metrics,
//! a sender of spans.
//!
//! One thread accepts, one serves each connection, and all give way to everything else on any core
//! (`SCHED_IDLE`). It reads requests and writes replies; what is asked is the caller's matter.
//! Invariant: it shares nothing with the threads that measure, and memory, time and the number of
//! connections are bounded.

mod request;

use infermeter_sys::affinity;
pub use request::Asked;
pub(crate) use request::property;
use request::{Problem, Request};
use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What one server may take, of memory, time and cores.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest body, and longest body undone of its compression, bytes.
    pub body_bytes: usize,
    /// Connections at once; one more gets the status 503.
    pub connections: usize,
    /// Longest silence of the other side, while it sends or takes.
    pub patience: Duration,
    /// Cores that no worker has; empty: there are none.
    pub cores: Vec<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            connections: 32,
            patience: Duration::from_secs(10),
            cores: Vec::new(),
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A line of plain text.
    pub fn text(status: u16, line: &str) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: format!("{line}\n").into_bytes(),
        }
    }
}

/// What came until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// Requests that were answered by the caller.
    pub requests: u64,
    /// Requests that are no HTTP, or pass a limit.
    pub malformed: u64,
    /// Connections beyond the limit.
    pub refused: u64,
}

/// A server that listens. Dropped, it stops, and all its connections end.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    listener: TcpListener,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    requests: AtomicU64,
    malformed: AtomicU64,
    refused: AtomicU64,
    open: Mutex<BTreeMap<u64, TcpStream>>,
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, TcpStream>> {
        // A connection's thread that panicked leaves the map as whole as it was.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens on `address` (port 0: a free one) and answers each request with `answer`.
///
/// # Errors
///
/// The address cannot be listened on, or a thread cannot be made.
pub fn listen(
    address: SocketAddr,
    limits: Limits,
    answer: impl Fn(&Asked<'_>) -> Reply + Send + Sync + 'static,
) -> io::Result<Listening> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let shared = Arc::new(Shared::default());
    let server = Server {
        limits,
        answer,
        shared: Arc::clone(&shared),
    };
    let accepted = listener.try_clone()?;
    let accepting = std::thread::Builder::new()
        .name("listen".to_owned())
        .spawn(move || accept(&accepted, &Arc::new(server)))?;
    Ok(Listening {
        address,
        listener,
        shared,
        accepting: Some(accepting),
    })
}

impl Listening {
    /// Where it listens, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came until now.
    pub fn heard(&self) -> Heard {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Heard {
            requests: of(&self.shared.requests),
            malformed: of(&self.shared.malformed),
            refused: of(&self.shared.refused),
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        // On Linux this wakes a thread that waits in `accept`, without a connection of our own.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

struct Server<A> {
    limits: Limits,
    answer: A,
    shared: Arc<Shared>,
}

/// Where `accept` fails (no descriptors are left), it is tried again after this.
const PAUSE: Duration = Duration::from_millis(100);

fn accept<A>(listener: &TcpListener, server: &Arc<Server<A>>)
where
    A: Fn(&Asked<'_>) -> Reply + Send + Sync + 'static,
{
    affinity::run_when_idle();
    if !server.limits.cores.is_empty() {
        // A help, not a need: a sandbox may forbid it. Threads made here inherit both.
        let _ = affinity::restrict_to(&server.limits.cores);
    }
    let mut serving: Vec<JoinHandle<()>> = Vec::new();
    for number in 0.. {
        let accepted = listener.accept();
        if server.shared.stopped.load(Ordering::Acquire) {
            break;
        }
        serving.retain(|thread| !thread.is_finished());
        match accepted {
            Ok((stream, _)) => serving.extend(server.begin(number, stream)),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
    for stream in server.shared.open().values() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in serving {
        let _ = thread.join();
    }
}

impl<A> Server<A>
where
    A: Fn(&Asked<'_>) -> Reply + Send + Sync + 'static,
{
    /// Serves a connection on a thread of its own, where there is room for one.
    fn begin(self: &Arc<Self>, number: u64, mut stream: TcpStream) -> Option<JoinHandle<()>> {
        let patience = Some(self.limits.patience);
        let ready =
            stream.set_read_timeout(patience).is_ok() && stream.set_write_timeout(patience).is_ok();
        let kept = stream.try_clone().ok().filter(|_| ready);
        let is_full = self.shared.open().len() >= self.limits.connections;
        let Some(kept) = kept.filter(|_| !is_full) else {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            // A new socket has room for it: this does not wait.
            let _ = write(
                &mut stream,
                &Reply::text(503, "too many connections"),
                Then::Closes,
            );
            return None;
        };
        self.shared.open().insert(number, kept);
        let server = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("listen".to_owned())
            .spawn(move || {
                server.serve(stream);
                server.shared.open().remove(&number);
            });
        if thread.is_err() {
            self.shared.open().remove(&number);
        }
        thread.ok()
    }

    fn serve(&self, stream: TcpStream) {
        let Ok(mut replies) = stream.try_clone() else {
            return;
        };
        let mut input = BufReader::new(stream);
        loop {
            let mut proceed = || replies.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
            let (reply, then) =
                match Request::read(&mut input, self.limits.body_bytes, &mut proceed) {
                    Ok(None) | Err(Problem::Connection) => return,
                    Ok(Some(request)) => {
                        self.shared.requests.fetch_add(1, Ordering::Relaxed);
                        let then = if request.keeps_open() {
                            Then::Stays
                        } else {
                            Then::Closes
                        };
                        ((self.answer)(&request.asked()), then)
                    }
                    Err(Problem::Refused { status, why }) => {
                        self.shared.malformed.fetch_add(1, Ordering::Relaxed);
                        (Reply::text(status, why), Then::Closes)
                    }
                };
            if write(&mut replies, &reply, then).is_err() || then == Then::Closes {
                return;
            }
        }
    }
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Stays,
    Closes,
}

fn write(stream: &mut TcpStream, reply: &Reply, then: Then) -> io::Result<()> {
    let connection = match then {
        Then::Stays => "keep-alive",
        Then::Closes => "close",
    };
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: {connection}\r\n\r\n",
        reply.status,
        reason(reply.status),
        reply.content_type,
        reply.body.len()
    );
    let mut message = head.into_bytes();
    message.extend_from_slice(&reply.body);
    stream.write_all(&message)
}

/// The phrases of RFC 9110, 15, for what is answered here.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
