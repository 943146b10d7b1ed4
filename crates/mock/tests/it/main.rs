//! The simulator over real sockets.

mod bad_input;
mod client;
mod faults;
mod generation;
mod timing;
