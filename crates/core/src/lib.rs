//! Vocabulary shared by every crate of infermeter: the plan, the request record, instants,
//! findings. Values and their invariants only; no sockets, no statistics, no rendering.
//!
//! Invariant: [`clock`] is the only module of the workspace that reads a clock.

pub mod answer;
pub mod base64;
pub mod certificate;
pub mod clock;
pub mod deadlines;
pub mod declared;
pub mod environment;
pub mod exposition;
pub mod finding;
pub mod finish;
pub mod fuzzing;
pub mod gap;
pub mod gate;
pub mod key;
pub mod number;
pub mod oddity;
pub mod origin;
pub mod plan;
pub mod rate;
pub mod record;
pub mod request;
pub mod run;
pub mod schedule;
mod schema;
pub mod seed;
pub mod server;
pub mod slo;
pub mod source;
pub mod spans;
pub mod text;
pub mod units;
