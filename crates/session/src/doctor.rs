//! What a checkup asks: facts of this host, of what the client has of it, and of a target, gathered here and
//! judged by `analysis::doctor`.
//!
//! It measures nothing and leaves nothing behind. What a run reads for its record is read by the same functions.
//! Invariant: what cannot be read is an error that says why.

mod gpu;
mod host;
mod proc;
mod sample;
mod target;

pub use host::host;
pub use target::target;
