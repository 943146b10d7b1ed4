//! Ctrl-C and SIGTERM as counters. The handlers do nothing else; whoever runs a loop looks.

use crate::raw;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
static TERMINATIONS: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_interrupt(_signal: i32) {
    INTERRUPTS.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn on_terminate(_signal: i32) {
    TERMINATIONS.fetch_add(1, Ordering::Relaxed);
}

/// Counts SIGINT and SIGTERM from now on instead of dying of them.
pub fn count_from_now() -> io::Result<()> {
    raw::calls::install_handler(libc::SIGINT, on_interrupt)?;
    raw::calls::install_handler(libc::SIGTERM, on_terminate)
}

/// How often SIGINT or SIGTERM came.
pub fn count() -> u32 {
    INTERRUPTS.load(Ordering::Relaxed) + TERMINATIONS.load(Ordering::Relaxed)
}

/// How often SIGTERM came.
pub fn terminations() -> u32 {
    TERMINATIONS.load(Ordering::Relaxed)
}
