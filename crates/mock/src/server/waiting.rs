//! Waiting for what is next: a ready socket, or an instant.
//!
//! A timer sleeps until shortly before the instant; from there on, where the thread has a core of
//! its own, the clock is polled, and sockets with it. What a timer wakes late (interrupt, scheduler)
//! is hidden that way, and nobody waits for the spin: a ready socket ends it.

use crate::config::Spin;
use infermeter_core::clock::monotonic_ns;
use infermeter_sys::affinity;
use infermeter_sys::poll::{Interest, Poll, Ready};
use infermeter_sys::timer::Timer;
use std::io;

/// The timer's token in the poll.
pub(super) const TIMER: u64 = u64::MAX - 1;

/// The clock is polled for this long before an instant. Timers wake up 5 to 50 us late, and above
/// 100 us where the core has slept through a step of 20 ms.
const SPIN_NS: i64 = 150_000;

/// With so many cores one busy thread is in nobody's way.
const SPARE_CORES: usize = 4;

/// The poll and its timer.
#[derive(Debug)]
pub(super) struct Waiter {
    pub poll: Poll,
    timer: Timer,
    spin_ns: i64,
}

impl Waiter {
    pub fn new(spin: Spin) -> io::Result<Self> {
        let (poll, timer) = (Poll::new()?, Timer::new()?);
        poll.add(&timer, TIMER, Interest::Read)?;
        let spins = match spin {
            Spin::On => true,
            Spin::Off => false,
            Spin::Auto => affinity::allowed_cores().len() >= SPARE_CORES,
        };
        Ok(Self {
            poll,
            timer,
            spin_ns: if spins { SPIN_NS } else { 0 },
        })
    }

    /// Waits until something is ready or `next_ns` (to the point) or `tick_ns` (roughly) has come.
    pub fn wait(
        &mut self,
        next_ns: Option<i64>,
        tick_ns: i64,
        ready: &mut Vec<Ready>,
    ) -> io::Result<()> {
        let spin_from_ns = next_ns.map_or(i64::MAX, |next_ns| next_ns - self.spin_ns);
        let wake_ns = spin_from_ns.min(tick_ns);
        if monotonic_ns() < wake_ns {
            self.timer.arm(wake_ns)?;
            self.poll.wait(true, ready)?;
        } else {
            self.poll.wait(false, ready)?;
        }
        ready.retain(|event| event.token != TIMER);
        while ready.is_empty() {
            let now_ns = monotonic_ns();
            if now_ns < spin_from_ns || next_ns.is_none_or(|next_ns| now_ns >= next_ns) {
                return Ok(());
            }
            std::hint::spin_loop();
            self.poll.wait(false, ready)?;
            ready.retain(|event| event.token != TIMER);
        }
        Ok(())
    }
}
