//! Ctrl-C, SIGTERM and SIGHUP as counters. The handlers do nothing else; whoever runs a loop looks.

use crate::raw;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_signal(_signal: i32) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Counts SIGINT, SIGTERM and SIGHUP from now on instead of dying of them. A terminal that goes away
/// asks for an end as SIGTERM does; who runs under `nohup` has said that it does not matter.
pub fn count_from_now() -> io::Result<()> {
    raw::calls::install_handler(libc::SIGINT, on_signal)?;
    raw::calls::install_handler(libc::SIGTERM, on_signal)?;
    if raw::calls::is_ignored(libc::SIGHUP)? {
        return Ok(());
    }
    raw::calls::install_handler(libc::SIGHUP, on_signal)
}

/// How often SIGINT, SIGTERM or SIGHUP came.
pub fn count() -> u32 {
    SIGNALS.load(Ordering::Relaxed)
}
