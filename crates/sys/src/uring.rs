//! Receiving through io_uring: each arrival completes into a buffer of its own, with its own kernel
//! stamp, also while the thread is busy.
//!
//! A multishot `recvmsg` stays armed on a socket. When a segment is delivered, the kernel interrupts
//! the thread (default task work: neither `DEFER_TASKRUN` nor `COOP_TASKRUN`), receives, and posts a
//! completion. The thread finds it in shared memory, without a system call.
//!
//! Does not know protocols or connections. Invariants: completions come out in the order in which
//! the kernel posted them; each has a bound from below (`not_before`) that its taker supplied.

mod layout;
mod probe;

use crate::raw::ring::{Posted, RawRing};
use crate::stamp::Received;
use layout::Layout;
pub use probe::{ProbeError, probe};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

/// Bytes of one buffer: header, control messages, payload.
pub(crate) const BUFFER_BYTES: usize = 2048;
/// Room for control messages in it: more than a stamp takes.
const CONTROL_BYTES: usize = 112;
/// Tokens from here on belong to this module.
pub(crate) const FIRST_RESERVED_TOKEN: u64 = u64::MAX;
const CANCEL: u64 = FIRST_RESERVED_TOKEN;

/// What a completion says.
#[derive(Debug)]
pub enum What {
    /// Bytes have come; none is the end of the stream.
    Received {
        /// Length and stamp.
        received: Received,
        /// Where the bytes lie in the caller's memory.
        payload: Range<usize>,
        /// The buffer was filled: the bytes may be part of a longer arrival.
        full: bool,
    },
    /// A watched descriptor is readable; of a receive: the end of the stream.
    Ready,
    /// All buffers were in use: the receive has to be started again.
    OutOfBuffers,
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed(io::Error),
}

/// One completion.
#[derive(Debug)]
pub struct Completion {
    /// The token that the request was made with.
    pub token: u64,
    /// What it says.
    pub what: What,
    /// The request goes on; otherwise it has ended.
    pub more: bool,
    /// The mark of the last [`Ring::observe`] that did not see it.
    pub not_before: i64,
}

struct Pending {
    posted: Posted,
    not_before: i64,
}

/// An io_uring with buffers to receive into. Stays on the thread that made it.
pub struct Ring {
    raw: RawRing,
    pending: VecDeque<Pending>,
    layout: Layout,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring")
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

impl Ring {
    /// A ring with `buffers` buffers (a power of two, at most 32768).
    ///
    /// # Errors
    /// When the kernel or its sandbox does not allow io_uring, or lacks provided buffers.
    pub fn new(buffers: u16) -> io::Result<Self> {
        Ok(Self {
            raw: RawRing::new(buffers, BUFFER_BYTES, CONTROL_BYTES)?,
            pending: VecDeque::with_capacity(usize::from(buffers)),
            layout: Layout {
                control: CONTROL_BYTES,
                buffer: BUFFER_BYTES,
            },
        })
    }

    /// Starts to receive from a socket that blocks (one that does not would end the receive at
    /// once). Goes on until a completion says otherwise.
    ///
    /// # Errors
    /// When the kernel does not take the request.
    pub fn receive(&mut self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.raw.receive(fd, token)
    }

    /// Posts a completion each time a descriptor turns readable.
    ///
    /// # Errors
    /// When the kernel does not take the request.
    pub fn watch(&mut self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.raw.watch(fd, token)
    }

    /// Ends a request. The kernel's hold on its descriptor goes with it: without this, closing the
    /// descriptor does not close the connection.
    ///
    /// # Errors
    /// When the kernel does not take the cancellation.
    pub fn cancel(&mut self, token: u64) -> io::Result<()> {
        self.raw.cancel(token, CANCEL)
    }

    /// Fetches what the kernel has posted, without a system call. What was not there at the last
    /// look gets `not_before`.
    ///
    /// # Errors
    /// When completions that the kernel kept back cannot be fetched.
    pub fn observe(&mut self, not_before: i64) -> io::Result<()> {
        let pending = &mut self.pending;
        self.raw.take(|posted| {
            if posted.token != CANCEL {
                pending.push_back(Pending { posted, not_before });
            }
        })
    }

    /// Waits until the kernel has posted something or a signal came.
    ///
    /// # Errors
    /// When waiting is impossible.
    pub fn wait(&mut self) -> io::Result<()> {
        self.raw.wait()
    }

    /// Nothing fetched is left.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether a completion of this token has been fetched and not taken.
    pub fn holds(&self, token: u64) -> bool {
        self.pending.iter().any(|p| p.posted.token == token)
    }

    /// Takes the next fetched completion. Its bytes go to `memory`, which must have
    /// `BUFFER_BYTES`.
    pub fn take(&mut self, memory: &mut [u8]) -> Option<Completion> {
        let Pending { posted, not_before } = self.pending.pop_front()?;
        let Posted {
            token,
            result,
            buffer,
            more,
        } = posted;
        let len = usize::try_from(result).unwrap_or(0);
        let taken = buffer.map(|lent| self.raw.take_buffer(lent, len, memory));
        let what = match (result, taken) {
            (0.., Some(len)) => self.layout.parse(&memory[..len]),
            (0.., None) => What::Ready,
            (error, _) if -error == libc::ENOBUFS => What::OutOfBuffers,
            (error, _) if -error == libc::ECANCELED => What::Cancelled,
            (error, _) => What::Failed(io::Error::from_raw_os_error(error.wrapping_neg())),
        };
        Some(Completion {
            token,
            what,
            more,
            not_before,
        })
    }
}
