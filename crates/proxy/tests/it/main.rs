//! The proxy between real sockets: raw users on one side, small servers of the tests' own on the other.

mod ending;
mod limits;
mod passing;
mod refusing;
mod server;
mod shadowing;
mod sides;
mod tls;
