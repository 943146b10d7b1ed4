//! OpenAI-compatible inference engine simulator with ground truth.
//!
//! One thread serves chat and completions (streaming or not) over HTTP/1.1 from a simulated engine
//! with continuous batching: running streams share the engine's steps, so their tokens leave in
//! bursts, as a real engine's do. With a truth log it says, on the clock its clients measure with,
//! when each request arrived and when each token was written: what an instrument is calibrated
//! against.
//!
//! Not here: a tokenizer, a model, HTTP/2, signals, printing.
//!
//! Invariants: the engine ([`engine`]) is pure and takes time as a parameter; every generation
//! request ends in exactly one way, counted in [`Stats`] and written to the truth log; nothing a
//! client sends stops the simulator, and everything it can make grow has a limit.

mod answer;
mod api;
mod board;
mod cheat;
mod config;
mod content;
mod dialect;
pub mod engine;
mod fault;
mod handle;
mod histogram;
mod http;
mod length;
mod link;
mod metrics;
mod preset;
mod refusal;
mod render;
mod server;
pub mod settings;
mod spans;
mod start_up;
mod stats;
mod text;
mod tls;
pub mod truth;
pub mod virtual_time;

pub use cheat::{CheatRule, CheatRuleError};
pub use config::{
    Config, ConfigError, IgnoreEos, RoleChunk, RoleChunkError, Spin, SpinError, TlsFiles,
};
pub use content::{
    ChoiceError, ContentError, ContentParams, ReasoningField, ServerTimesForm, UsageStyle,
};
pub use fault::{
    Fault, FaultError, FaultRule, FaultRuleError, FaultShare, FaultWindow, LineEnds, Malformation,
};
pub use handle::{MockHandle, spawn_in_thread};
pub use histogram::Summary;
pub use http::{MAX_BODY, MAX_HEAD};
pub use link::LinkParams;
pub use preset::{Preset, PresetError, PresetFacts};
pub use server::{Place, ServeError, serve};
pub use start_up::StartUp;
pub use stats::Stats;
pub use tls::TlsError;
