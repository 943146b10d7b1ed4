//! Rendering only: a summary, its verdict and findings as text for a terminal and as JSON; an audit
//! on a terminal and as Markdown.
//!
//! No arithmetic beyond formatting, no IO, no judgement. Invariant: text that stems from a server
//! or a user passes through [`inert`] before it reaches a terminal.
//!
//! [`inert`]: infermeter_core::text::inert

mod audit;
mod client;
mod findings;
mod full;
mod json;
mod latency;
mod number;
mod objectives;
mod repeated;
mod run;
mod server;
mod sessions;
mod style;
mod terminal;
mod throughput;

pub use audit::{audit_markdown, audit_terminal};
pub use json::json;
pub use objectives::not_met;
pub use repeated::{look_line, repeated, run_line};
pub use style::{Style, View};
pub use terminal::terminal;
