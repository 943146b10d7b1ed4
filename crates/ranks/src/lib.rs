//! Processes that share a load: which part each has ([`told`]), where they meet ([`store`]), what they agree on there and
//! what they leave ([`meeting`]), and how their clocks stand to each other.
//!
//! It measures no load, merges no records, and starts no process. Nobody serves the meeting: a shared folder or an object
//! store that creates a name once is enough. Invariant: what is read at the meeting place was written by somebody else, so
//! it is limited in size, checked, and inert.

mod digest;
mod files;
mod fresh;
pub mod fuzzing;
pub mod meeting;
mod offset;
pub mod store;
#[cfg(test)]
mod testing;
pub mod told;

pub use digest::sha256;
