//! One connection of a user from its first byte to its last.
//!
//! Drives the library, watches the time, ends in order when the proxy drains. Invariant: whoever was refused is told
//! why, and a request that has begun to come is served before the connection closes.

use crate::counts::Counters;
use crate::front::Front;
use crate::screen::{Refusal, Screen};
use crate::seen::Outcome;
use crate::serve::{Service, error_body};
use crate::settings::{HalfClosed, Limits};
use crate::socket::Socket;
use crate::user::{Expired, User, UserIo};
use hyper::server::conn::http1::{Builder, Connection};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};

/// Bytes that the library buffers beside a head.
const BUFFER: usize = 64 << 10;
/// A user who was refused may still be sending: so long, and so many bytes, are read and dropped, because the kernel
/// throws away an answer that waits on a connection closed with unread bytes.
const DROPPED_FOR: Duration = Duration::from_secs(2);
const DROPPED_BYTES: usize = 4 << 20;
/// For a last word to a user.
const SAYING: Duration = Duration::from_secs(2);

/// Serves one connection to its end.
pub(crate) async fn serve(front: Rc<Front>, stream: TcpStream, draining: watch::Receiver<bool>) {
    let shared = &front.shared;
    let mut socket = Socket::new(stream, &shared.clocks, &shared.scratch);
    if let Some(tls) = &front.tls {
        let session = rustls::ServerConnection::new(tls.clone());
        let is_up = match session {
            Ok(session) => {
                let handshake = socket.handshake(session.into());
                matches!(
                    timeout(shared.limits.head_time, handshake).await,
                    Ok(Ok(()))
                )
            }
            Err(_) => false,
        };
        if !is_up {
            return front.observer.tally.counters.tls_failed.one();
        }
    }
    let user = Rc::new(User::new(socket, Screen::new(front.most()), &shared.clocks));
    let service = Service {
        front: Rc::clone(&front),
        user: Rc::clone(&user),
    };
    let connection = Builder::new()
        .half_close(front.half_closed == HalfClosed::Reading)
        .header_read_timeout(None::<Duration>)
        .auto_date_header(false)
        .preserve_header_case(true)
        .max_headers(shared.limits.headers)
        .max_buf_size(BUFFER + shared.limits.head_bytes)
        .serve_connection(UserIo(Rc::clone(&user)), service);
    let mut driven = Driven {
        connection: Box::pin(connection),
        user: Rc::clone(&user),
        front: Rc::clone(&front),
        timer: Box::pin(sleep(shortest(&shared.limits))),
        draining: Box::pin(drained(draining)),
        stage: Stage::Serving,
    };
    poll_fn(|cx| driven.poll(cx)).await;
    let was_answering = user.is_answering.get();
    drop(driven);
    // What has not left will not: its requests are over.
    user.let_go();
    end(&front, &user, was_answering).await;
}

/// The last word where there is one, and a closing that lets it arrive.
async fn end(front: &Front, user: &User, was_answering: bool) {
    if let Some(refusal) = user.refusal() {
        count(&front.observer.tally.counters, refusal);
        // In the middle of an answer, or behind one that said it, there is nothing to say.
        if !was_answering && !user.is_told.get() {
            let text = refused(refusal);
            let mut rest = text.as_slice();
            let _ = timeout(SAYING, poll_fn(|cx| user.poll_say(cx, &mut rest))).await;
        }
    }
    if user.is_mid_request() {
        let dropping = poll_fn(|cx| user.poll_drop_input(cx, DROPPED_BYTES));
        let _ = timeout(DROPPED_FOR, dropping).await;
    }
}

fn count(counters: &Counters, refusal: Refusal) {
    let counter = match refusal {
        Refusal::Malformed(_) | Refusal::UnknownCoding | Refusal::Version => {
            &counters.refused_malformed
        }
        Refusal::OpenProxy(_) => &counters.refused_open_proxy,
        Refusal::HeadTooLarge => &counters.refused_head_too_large,
        Refusal::BodyTooLarge => &counters.refused_body_too_large,
        // Counted with its request, or where the head was given up.
        Refusal::TooSlow => return,
    };
    counter.one();
}

/// A refusal as bytes: the library does not know of the request.
fn refused(refusal: Refusal) -> Vec<u8> {
    let status = refusal.status();
    let reason = hyper::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Refused");
    let body = error_body(refusal.why());
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_ref()].concat()
}

/// Ready when the proxy drains.
async fn drained(mut draining: watch::Receiver<bool>) {
    // Where the sender has gone the proxy ends anyway.
    let _ = draining.wait_for(|draining| *draining).await;
}

/// No limit that begins now is reached before this.
fn shortest(limits: &Limits) -> Duration {
    let all = [
        limits.head_time,
        limits.user_silence,
        limits.upload_time,
        limits.idle_time,
    ];
    all.into_iter().min().unwrap_or_default()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    /// The connection closes as soon as nothing is on its way.
    Draining,
    /// The library was told.
    Closing,
}

struct Driven {
    connection: Pin<Box<Connection<UserIo, Service>>>,
    user: Rc<User>,
    front: Rc<Front>,
    timer: Pin<Box<Sleep>>,
    draining: Pin<Box<dyn Future<Output = ()>>>,
    stage: Stage,
}

impl Driven {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // How it ended shows on its requests.
            if self.connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if self.stage == Stage::Serving && self.draining.as_mut().poll(cx).is_ready() {
                self.stage = Stage::Draining;
            }
            if self.stage == Stage::Draining && self.may_close() {
                self.stage = Stage::Closing;
                self.connection.as_mut().graceful_shutdown();
                continue;
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match self.expired() {
                None => {}
                Some(Expired::Idle) => return Poll::Ready(()),
                Some(Expired::Head) => {
                    self.front.observer.tally.counters.users_too_slow.one();
                    self.user.refuse(Refusal::TooSlow);
                    return Poll::Ready(());
                }
                Some(Expired::Body) => {
                    self.user.cut(Outcome::ClientTooSlow);
                    self.user.refuse(Refusal::TooSlow);
                }
                Some(Expired::Answer) => {
                    self.user.cut(Outcome::ClientTooSlow);
                    self.user.reset_at_end();
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Whether the library may close the connection after the request that it serves, or now: one that has been read in
    /// part, or waits to be read, is served first.
    fn may_close(&self) -> bool {
        self.user.current().is_some() || self.user.is_between_requests()
    }

    /// Looks at the limits and sets the timer for the next look.
    fn expired(&mut self) -> Option<Expired> {
        let shared = &self.front.shared;
        let now = shared.clocks.now();
        let due = self.user.due(&shared.limits);
        let longest = shortest(&shared.limits);
        if let Some((_, expired)) = due.filter(|(at, _)| *at <= now) {
            self.timer.set(sleep(longest));
            return Some(expired);
        }
        let left = due.map_or(i64::MAX, |(at, _)| at.since(now));
        let left = Duration::from_nanos(u64::try_from(left).unwrap_or(0));
        // A timer's tick is a millisecond: rounded up, it is not early.
        let left = left + Duration::from_millis(1);
        self.timer.set(sleep(left.min(longest)));
        None
    }
}
