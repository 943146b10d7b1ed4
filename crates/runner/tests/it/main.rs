//! The client and the runner against the simulator and against small servers of the tests' own.

mod broken_servers;
mod closed_loop;
mod departures;
mod engine_support;
mod floods;
mod hostile;
mod open_loop;
mod sessions;
mod signals;
mod slices;
mod stamps;
mod starts;
mod support;
mod time_outs;
mod tls;
mod tokens;
mod ways;
