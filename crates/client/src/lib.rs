//! One request in, one record out: sockets with kernel stamps, HTTP, TLS, SSE, dialects.

mod answer;
pub mod backoff;
mod connection;
pub mod control;
mod deadlines;
pub mod dialect;
pub mod encode;
pub mod engine;
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
mod json;
pub mod kept;
pub mod limits;
mod lines;
pub mod live;
mod pool;
pub mod prepared;
mod receive;
pub mod response;
pub mod reuse;
pub mod sse;
pub mod tls;
pub mod tokens;

pub use answer::KeepTexts;
