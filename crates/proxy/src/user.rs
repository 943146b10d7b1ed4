//! A user's connection, as the library, the answer on it and its watch share it.
//!
//! It gives the library sound bytes alone, knows when what was passed on has left, and says when the user's time is over.
//! Invariant: it never holds more than one read and one head, and every wait for the user has a limit.

use crate::clocks::{Clocks, ns};
use crate::primary::PrimaryLog;
use crate::screen::{Arrival, Refusal, Screen};
use crate::seen::{Outcome, Stamp};
use crate::settings::Limits;
use crate::socket::Socket;
use hyper::rt::{Read, ReadBufCursor, Write};
use infermeter_core::clock::Offset;
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};

/// Bytes of one read from a user.
const READ_BYTES: usize = 16 << 10;

/// What waits for the user's connection to take it.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) log: Rc<PrimaryLog>,
    pub(crate) what: Marked,
}

/// A part of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Marked {
    Head,
    /// With its place among the kept, and when it came.
    Piece(Option<usize>, Stamp),
    End,
}

/// Whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// There was no request.
    Idle,
    /// A head did not end.
    Head,
    /// A body did not go on, or did not end.
    Body,
    /// Nothing of the answer was taken.
    Answer,
}

/// A user's connection.
pub(crate) struct User {
    bytes: RefCell<Wire>,
    marks: RefCell<Vec<Mark>>,
    refusal: Cell<Option<Refusal>>,
    /// The request that is answered.
    current: RefCell<Weak<PrimaryLog>>,
    /// A part of an answer has been given to the library, and its end has not left.
    pub(crate) is_answering: Cell<bool>,
    /// A refusal was answered.
    pub(crate) is_told: Cell<bool>,
    idle_since: Cell<Offset>,
    /// Who waits until everything has left.
    flushed: Cell<Option<Waker>>,
    /// Who waits to read on once the open request is over.
    reader: Cell<Option<Waker>>,
    clocks: Rc<Clocks>,
}

#[derive(Debug)]
struct Wire {
    socket: Socket,
    screen: Screen,
    /// Sound bytes, and how many of them the library has.
    sound: Vec<u8>,
    given: usize,
    has_ended: bool,
    /// Since when more of the user's bytes are waited for.
    waiting_since: Option<Offset>,
    /// Since when the user takes nothing.
    stuck_since: Option<Offset>,
    unflushed: bool,
}

impl User {
    pub(crate) fn new(socket: Socket, screen: Screen, clocks: &Rc<Clocks>) -> Self {
        let bytes = Wire {
            socket,
            screen,
            sound: Vec::new(),
            given: 0,
            has_ended: false,
            waiting_since: None,
            stuck_since: None,
            unflushed: false,
        };
        Self {
            bytes: RefCell::new(bytes),
            marks: RefCell::default(),
            refusal: Cell::new(None),
            current: RefCell::default(),
            is_answering: Cell::new(false),
            is_told: Cell::new(false),
            idle_since: Cell::new(clocks.now()),
            flushed: Cell::new(None),
            reader: Cell::new(None),
            clocks: Rc::clone(clocks),
        }
    }

    /// The instants of the request that the library has just parsed.
    pub(crate) fn next_arrival(&self) -> Option<Rc<Arrival>> {
        self.bytes.borrow_mut().screen.next_arrival()
    }

    /// A request is served from now on.
    pub(crate) fn serves(&self, log: &Rc<PrimaryLog>) {
        *self.current.borrow_mut() = Rc::downgrade(log);
    }

    /// The request that is served.
    pub(crate) fn current(&self) -> Option<Rc<PrimaryLog>> {
        self.current.borrow().upgrade()
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get()
    }

    /// Nothing more is read.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refusal.set(Some(refusal));
    }

    /// A part of an answer was given to the library.
    pub(crate) fn mark(&self, log: &Rc<PrimaryLog>, what: Marked) {
        self.is_answering.set(true);
        let log = Rc::clone(log);
        self.marks.borrow_mut().push(Mark { log, what });
    }

    /// Ready when everything that was passed on has left.
    pub(crate) fn poll_taken(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.marks.borrow().is_empty() {
            return Poll::Ready(());
        }
        self.flushed.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// No request is open or on its way.
    pub(crate) fn is_between_requests(&self) -> bool {
        let bytes = self.bytes.borrow();
        bytes.screen.is_between_requests()
            && bytes.given == bytes.sound.len()
            && self.current().is_none()
            && !bytes.socket.has_input()
    }

    /// The request that is open has come whole.
    fn has_whole_request(&self) -> bool {
        let current = self.current();
        current.is_some_and(|log| log.arrival.last.get().is_some())
    }

    /// When the next limit is reached, and which that is.
    pub(crate) fn due(&self, limits: &Limits) -> Option<(Offset, Expired)> {
        let bytes = self.bytes.borrow();
        let silence = ns(limits.user_silence);
        let stuck = bytes
            .stuck_since
            .map(|since| (since.plus(silence), Expired::Answer));
        let coming = bytes.screen.body_since();
        let body = coming.and_then(|since| {
            let whole = since.at.plus(ns(limits.upload_time));
            let due = match bytes.waiting_since {
                Some(since) => Some(whole.min(since.plus(silence))),
                // A primary that does not take it has a limit of its own, and is no fault of the user.
                None => self.current().is_none().then_some(whole),
            };
            due.map(|at| (at, Expired::Body))
        });
        let idle_since = self.idle_since.get();
        let free = self.current().is_none().then(|| {
            match bytes.screen.head_since() {
                // What came early waits for the request before it.
                Some(since) => (
                    since.at.max(idle_since).plus(ns(limits.head_time)),
                    Expired::Head,
                ),
                None => (idle_since.plus(ns(limits.idle_time)), Expired::Idle),
            }
        });
        let free = free.filter(|_| coming.is_none());
        [stuck, body, free]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// A user that is cut off must not take what it has for the whole.
    pub(crate) fn reset_at_end(&self) {
        self.bytes.borrow().socket.reset_at_end();
    }

    /// Has the open request end like this, if it does not end by itself.
    pub(crate) fn cut(&self, outcome: Outcome) {
        if let Some(log) = self.current() {
            log.if_cut.set(outcome);
        }
    }

    /// Writes beside the library, which has gone.
    pub(crate) fn poll_say(&self, cx: &mut Context<'_>, text: &mut &[u8]) -> Poll<io::Result<()>> {
        let mut bytes = self.bytes.borrow_mut();
        while !text.is_empty() {
            let written = ready!(bytes.socket.poll_write(cx, &[IoSlice::new(text)]))?;
            *text = text.get(written..).unwrap_or(&[]);
        }
        ready!(bytes.socket.poll_flush(cx))?;
        bytes.socket.poll_shutdown(cx)
    }

    /// Reads and drops what still comes; ready at the end, with the number of bytes.
    pub(crate) fn poll_drop_input(&self, cx: &mut Context<'_>, most: usize) -> Poll<()> {
        let mut dropped = 0;
        loop {
            let mut bytes = self.bytes.borrow_mut();
            match ready!(bytes.socket.poll_read(cx, READ_BYTES, |_, _| ())) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(len) => dropped += len,
            }
            if dropped > most {
                return Poll::Ready(());
            }
        }
    }

    /// Nothing more leaves.
    pub(crate) fn let_go(&self) {
        self.marks.take();
    }

    /// Something of the user's message is outstanding.
    pub(crate) fn is_mid_request(&self) -> bool {
        let bytes = self.bytes.borrow();
        self.refusal.get().is_some() || bytes.screen.body_since().is_some()
    }

    fn on_flushed(&self) {
        let now = self.clocks.now();
        for mark in self.marks.borrow_mut().drain(..) {
            match mark.what {
                Marked::Head => {}
                Marked::Piece(kept, stamp) => mark.log.on_written(kept, stamp, now),
                Marked::End => {
                    mark.log.handed_over.set(true);
                    self.is_answering.set(false);
                    self.idle_since.set(now);
                }
            }
        }
        for waiting in [&self.flushed, &self.reader] {
            if let Some(waker) = waiting.take() {
                waker.wake();
            }
        }
    }
}

/// The library's end of a [`User`].
pub(crate) struct UserIo(pub(crate) Rc<User>);

impl Read for UserIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let user = &self.0;
        let mut bytes = user.bytes.borrow_mut();
        let Wire {
            socket,
            screen,
            sound,
            given,
            has_ended,
            waiting_since,
            ..
        } = &mut *bytes;
        loop {
            let rest = sound.get(*given..).unwrap_or(&[]);
            if !rest.is_empty() {
                let len = rest.len().min(cursor.remaining());
                cursor.put_slice(rest.get(..len).unwrap_or(rest));
                *given += len;
                return Poll::Ready(Ok(()));
            }
            if user.refusal.get().is_some() {
                // The request that is open deserves its answer: what came behind it is refused later.
                if user.has_whole_request() {
                    user.reader.set(Some(cx.waker().clone()));
                    return Poll::Pending;
                }
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if *has_ended {
                return Poll::Ready(Ok(()));
            }
            sound.clear();
            *given = 0;
            let mut taken = Ok(());
            let read = socket.poll_read(cx, READ_BYTES, |bytes, stamp| {
                taken = screen.take(bytes, stamp, sound);
            });
            if read.is_pending() {
                waiting_since.get_or_insert_with(|| user.clocks.now());
            } else {
                *waiting_since = None;
            }
            *has_ended = ready!(read)? == 0;
            if let Err(refusal) = taken {
                user.refuse(refusal);
            }
        }
    }
}

impl Write for UserIo {
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
        let mut bytes = self.0.bytes.borrow_mut();
        let written = bytes.socket.poll_write(cx, slices);
        bytes.stuck_since = match written {
            Poll::Pending => Some(bytes.stuck_since.unwrap_or_else(|| self.0.clocks.now())),
            Poll::Ready(_) => None,
        };
        bytes.unflushed |= written.is_ready();
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = self.0.bytes.borrow_mut();
        let flushed = bytes.socket.poll_flush(cx);
        if flushed.is_pending() {
            let now = self.0.clocks.now();
            bytes.stuck_since.get_or_insert(now);
        }
        ready!(flushed)?;
        bytes.stuck_since = None;
        if std::mem::take(&mut bytes.unflushed) {
            drop(bytes);
            self.0.on_flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A refusal is said beside the library, which takes what it means for an end.
        if self.0.refusal.get().is_none() || self.0.is_told.get() {
            ready!(self.0.bytes.borrow_mut().socket.poll_shutdown(cx))?;
        }
        // An answer that ends with its connection has no bytes of its own for its end.
        self.0.on_flushed();
        Poll::Ready(Ok(()))
    }
}
