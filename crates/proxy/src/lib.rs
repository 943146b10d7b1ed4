//! A reverse proxy that measures. Users are served from a primary, byte for byte; a share of their requests goes to a
//! shadow as well, which never touches an answer; what both sides did comes out as [`Seen`], with kernel stamps.
//!
//! It knows HTTP/1.1 and TLS, no dialect, no file, no statistics. One thread serves users and the primary, a second one
//! the shadow. Invariant: nothing that the shadow or the observer does, or fails to do, delays or changes what a user
//! gets; and every queue and buffer has a limit that is counted when reached.

mod accept;
mod answer;
mod breaker;
mod clocks;
mod connection;
mod counts;
mod front;
pub mod fuzzing;
mod gate;
mod headers;
mod held;
mod model;
mod observer;
mod outgoing;
mod primary;
mod proxy;
mod screen;
mod seen;
mod serve;
mod settings;
mod shadow;
mod side;
mod socket;
mod target;
mod tls;
mod upstream;
mod user;

pub use accept::Drained;
pub use counts::{BreakerState, Counts, DwellSummary};
pub use held::Held;
pub use proxy::{Handle, Proxy, ProxyError};
pub use seen::{Body, Header, Outcome, Piece, Seen, Side, Stamp, Withheld};
pub use settings::{
    BreakerSettings, HalfClosed, Limits, Reach, SetHeader, Settings, ShadowSettings, Upstream,
    UpstreamTls, UserKeys,
};
pub use tls::server_tls;
