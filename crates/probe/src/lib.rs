//! The other side and the ground under this one: engine identity, feature probes, host facts.
//!
//! Everything here happens before the clock starts or after the load; only the server's metrics page
//! is read meanwhile, and who asks or tells something is answered, by threads that share nothing with
//! those that measure. What is unknown stays unknown.

pub mod alone;
pub mod engine;
pub mod features;
pub mod fuzzing;
pub mod host;
pub mod listen;
pub mod metrics_page;
pub mod nvml;
pub mod prometheus;
pub mod replicas;
pub mod response_cache;
mod series;
pub mod spans;
pub mod target;
pub mod waits;
pub mod watch;

pub use series::PageFigures;
