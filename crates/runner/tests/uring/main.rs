//! The tests of `it` once more, with engines that receive through io_uring. Engines choose by the
//! name of this crate.

#[path = "../it/broken_servers.rs"]
mod broken_servers;
#[path = "../it/closed_loop.rs"]
mod closed_loop;
#[path = "../it/departures.rs"]
mod departures;
#[path = "../it/engine_support.rs"]
mod engine_support;
#[path = "../it/floods.rs"]
mod floods;
#[path = "../it/hostile.rs"]
mod hostile;
#[path = "../it/open_loop.rs"]
mod open_loop;
#[path = "../it/sessions.rs"]
mod sessions;
#[path = "../it/signals.rs"]
mod signals;
#[path = "../it/stamps.rs"]
mod stamps;
#[path = "../it/starts.rs"]
mod starts;
#[path = "../it/support.rs"]
mod support;
#[path = "../it/time_outs.rs"]
mod time_outs;
#[path = "../it/tls.rs"]
mod tls;
#[path = "../it/tokens.rs"]
mod tokens;
#[path = "../it/ways.rs"]
mod ways;
