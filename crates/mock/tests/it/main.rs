//! The simulator over real sockets.

mod bad_input;
mod cheats;
mod client;
mod contents;
mod exposition;
mod faults;
mod generation;
mod link;
mod metrics;
mod parameters;
mod soak;
mod sockets;
mod timing;
mod tls;
