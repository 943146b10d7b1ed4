//! One request in, one record out: sockets with kernel stamps, HTTP, TLS, SSE, dialects.

mod answer;
mod backoff;
pub mod control;
pub mod dialect;
pub mod encode;
pub mod engine;
mod exchange;
mod features;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
mod json;
pub mod kept;
pub mod limits;
mod lines;
mod lists;
pub mod live;
pub mod prepared;
pub mod response;
pub mod reuse;
pub mod sse;
pub mod tls;
pub mod tokens;
mod transport;

pub use answer::KeepTexts;
