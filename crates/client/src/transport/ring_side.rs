//! The ring of a transport, and when its queue was last looked at: a bound of what has come rests on that.
//!
//! What is done with a completion is [`super::ring`]'s. Invariant: what a look finds is never older than the look
//! before it, less [`WAKE_MARGIN_NS`].

use super::{TIMER, WAKE_MARGIN_NS};
use infermeter_core::clock::monotonic_ns;
use infermeter_sys::poll::Poll;
use infermeter_sys::timer::Timer;
use infermeter_sys::uring::Ring;
use std::io;
use std::os::fd::AsFd;

/// Token of epoll in the ring; links have generations from 1.
pub(super) const EPOLL: u64 = TIMER - 1;
/// Buffers per link, as long as that is within the limits below.
const BUFFERS_PER_LINK: usize = 16;
/// Least buffers of a thread (2 KiB each).
const LEAST_BUFFERS: usize = 512;
/// Most of them.
const MOST_BUFFERS: usize = 4096;

/// The ring of a transport.
pub(super) struct RingSide {
    pub(super) ring: Ring,
    /// When its queue was last looked at, monotonic.
    looked: i64,
    /// epoll may have news.
    pub(super) epoll_has_news: bool,
    pub(super) round: Round,
}

/// Where a round of events stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Round {
    /// So many completions have been handled.
    Completions(usize),
    /// What epoll had to say is being handled.
    Ready,
    Over,
}

impl RingSide {
    pub(super) fn new(poll: &Poll, timer: &Timer, max_links: usize) -> io::Result<Self> {
        let wanted = max_links.saturating_mul(BUFFERS_PER_LINK);
        let buffers = wanted
            .clamp(LEAST_BUFFERS, MOST_BUFFERS)
            .next_power_of_two();
        let mut ring = Ring::new(buffers as u16)?;
        ring.watch(timer.as_fd(), TIMER)?;
        ring.watch(poll.as_fd(), EPOLL)?;
        Ok(Self {
            ring,
            looked: monotonic_ns(),
            epoll_has_news: true,
            round: Round::Over,
        })
    }

    /// Fetches completions at `now`; those new came no earlier than `floor`, nor than the last
    /// look less the margin. All monotonic.
    pub(super) fn look(&mut self, now: i64, floor: i64) -> io::Result<()> {
        self.ring.observe(floor.max(self.looked - WAKE_MARGIN_NS))?;
        self.looked = now;
        Ok(())
    }

    pub(super) fn has_news(&self) -> bool {
        self.epoll_has_news || !self.ring.is_empty()
    }
}
