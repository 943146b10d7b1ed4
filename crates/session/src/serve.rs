//! A server that is started by a command, watched until it is ready, asked, and stopped again.
//!
//! Everything is on one clock, whose origin is the instant before the command was started. It judges nothing and
//! computes no figure. Invariants: what was started here is gone when it is dropped, its children too; what answered
//! before the start is never taken for it; nothing of its log is waited for.

pub(crate) mod door;
pub(crate) mod log;
pub mod phases;
pub mod process;
pub(crate) mod ready;

use crate::failure::Failure;
use anyhow::Result;
use infermeter_core::units::Span;
use infermeter_sys::signals;

/// How often a server that is awaited is looked at.
pub(crate) const LOOK: std::time::Duration = std::time::Duration::from_millis(5);

/// A server that was stopped has this long to be gone, at least.
pub(crate) const GONE: Span = Span::seconds(2);

/// An error where a signal has come.
pub(crate) fn unless_signalled() -> Result<()> {
    match signals::count() {
        0 => Ok(()),
        _ => Err(Failure::interrupted("stopped by a signal").into()),
    }
}
