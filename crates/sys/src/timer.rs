//! Absolute timers on `CLOCK_MONOTONIC` with nanosecond resolution, pollable.

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A timerfd. Readable once its instant has passed, until armed again or disarmed.
#[derive(Debug)]
pub struct Timer {
    fd: OwnedFd,
    armed_at: Option<i64>,
}

impl Timer {
    /// A disarmed timer.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self {
            fd: timerfd_create(TimerfdClockId::Monotonic, flags)?,
            armed_at: None,
        })
    }

    /// Fires at `monotonic_ns` (at once when that has passed). Re-arming an armed timer for the
    /// same instant costs nothing.
    pub fn arm(&mut self, monotonic_ns: i64) -> io::Result<()> {
        if self.armed_at == Some(monotonic_ns) {
            return Ok(());
        }
        let at = monotonic_ns.max(1);
        let value = Timespec {
            tv_sec: at / 1_000_000_000,
            tv_nsec: at % 1_000_000_000,
        };
        self.set(value)?;
        self.armed_at = Some(monotonic_ns);
        Ok(())
    }

    /// Stops it and clears a pending expiry.
    pub fn disarm(&mut self) -> io::Result<()> {
        self.armed_at = None;
        self.set(Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        })
    }

    /// It has fired, and whoever waited for that knows: the next [`Timer::arm`] sets it anew. For
    /// waits that are told of the expiry once instead of looking whether it is readable.
    pub fn note_fired(&mut self) {
        self.armed_at = None;
    }

    fn set(&self, it_value: Timespec) -> io::Result<()> {
        let spec = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value,
        };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &spec)?;
        Ok(())
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
