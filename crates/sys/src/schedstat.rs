//! Time the calling thread was runnable but not running.

use rustix::fs::{Mode, OFlags, open};
use rustix::io::pread;
use std::os::fd::OwnedFd;

/// `/proc/thread-self/schedstat`, kept open: one `pread` a look (about 1 us).
#[derive(Debug)]
pub struct Schedstat {
    fd: OwnedFd,
}

impl Schedstat {
    /// Of the calling thread. `None` where the kernel does not keep it.
    pub fn of_this_thread() -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let stat = Self {
            fd: open("/proc/thread-self/schedstat", flags, Mode::empty()).ok()?,
        };
        stat.run_queue_wait_ns()?;
        Some(stat)
    }

    /// Run-queue wait since the thread began, nanoseconds.
    pub fn run_queue_wait_ns(&self) -> Option<i64> {
        let mut buffer = [0_u8; 96];
        let n = pread(&self.fd, &mut buffer[..], 0).ok()?;
        let text = std::str::from_utf8(&buffer[..n]).ok()?;
        text.split_ascii_whitespace().nth(1)?.parse().ok()
    }
}
