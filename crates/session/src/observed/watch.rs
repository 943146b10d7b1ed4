//! The loop of an observer: takes what a proxy saw until something ends it, then lets the proxy drain and takes the
//! rest.
//!
//! It knows no command. Invariant: what the proxy hands over is taken to the last, while it drains, too; a further
//! signal ends the waiting, and what is there is kept.

use super::side::HowEnded;
use infermeter_core::clock::monotonic_ns;
use infermeter_core::units::Span;
use infermeter_proxy::{Counts, Handle, Seen};
use infermeter_sys::signals;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// From one look at time and signals to the next.
const LOOK: Duration = Duration::from_millis(50);
/// From one tick to the next, nanoseconds.
const TICK_NS: i64 = 1_000_000_000;

/// What ends an observation by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Until {
    /// After so long.
    pub duration: Option<Span>,
    /// After so many requests that were taken in.
    pub requests: Option<u64>,
    /// How long open requests may go on then.
    pub drain: Span,
}

/// Whether an observation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onward {
    /// It does.
    GoOn,
    /// What was waited for is there.
    End,
}

/// Who takes what is seen.
pub trait Takes {
    /// Takes one exchange; how many were taken in by now, as `--requests` counts them. That it cannot be kept is counted
    /// and said at the end: users are served on.
    fn take(&mut self, seen: Seen) -> u64;

    /// About once a second.
    fn tick(&mut self, counts: &Counts) -> Onward;
}

/// How an observation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// By itself or by a signal.
    pub ended: HowEnded,
    /// What the proxy did, all in all.
    pub counts: Counts,
}

/// Takes what the proxy sees until something ends it.
pub fn watch(
    proxy: Handle,
    seen: &Receiver<Seen>,
    until: Until,
    takes: &mut dyn Takes,
) -> Observed {
    let ended = take_until(&proxy, seen, until, takes);
    Observed {
        ended,
        counts: drain(proxy, seen, until.drain, takes),
    }
}

fn take_until(
    proxy: &Handle,
    seen: &Receiver<Seen>,
    until: Until,
    takes: &mut dyn Takes,
) -> HowEnded {
    let begun = monotonic_ns();
    let end = until.duration.map(|span| begun.saturating_add(span.ns()));
    let mut next_tick = begun + TICK_NS;
    loop {
        match seen.recv_timeout(LOOK) {
            Ok(seen) => {
                let taken = takes.take(seen);
                if until.requests.is_some_and(|most| taken >= most) {
                    return HowEnded::AsAsked;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return HowEnded::Stopped,
        }
        let now = monotonic_ns();
        // One that came before this began, too: users are served from the moment that the proxy listens.
        if signals::count() > 0 {
            return HowEnded::Stopped;
        }
        if end.is_some_and(|end| now >= end) {
            return HowEnded::AsAsked;
        }
        if now >= next_tick {
            next_tick = now + TICK_NS;
            if takes.tick(&proxy.counts()) == Onward::End {
                return HowEnded::AsAsked;
            }
        }
    }
}

/// Lets open requests end while what is seen is taken.
fn drain(proxy: Handle, seen: &Receiver<Seen>, most: Span, takes: &mut dyn Takes) -> Counts {
    let patience = Duration::from_nanos(most.ns().max(0).unsigned_abs());
    let (counter, before) = (proxy.counter(), signals::count());
    // A thread of its own: the proxy hands over what it sees while it drains. Nobody waits for it after a further signal.
    std::thread::spawn(move || proxy.drain(patience));
    while signals::count() <= before {
        match seen.recv_timeout(LOOK) {
            Ok(seen) => {
                takes.take(seen);
            }
            Err(RecvTimeoutError::Timeout) => {}
            // All that was seen has been taken.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    counter()
}
