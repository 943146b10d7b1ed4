//! Rendering only: what is said of a result as a [`Document`], and documents in each [`Format`].
//!
//! A function per kind of result makes its document; a file per format shows any of them. No
//! arithmetic beyond formatting, no IO, no judgement. Invariant: text that stems from a server or a
//! user passes through [`inert`] in every format.
//!
//! [`inert`]: infermeter_core::text::inert

mod audit;
mod capacity;
mod certificate;
mod chart;
mod client;
mod document;
mod format;
mod full;
mod json;
mod latency;
mod markdown;
pub mod number;
mod objectives;
mod of_run;
mod repeated;
mod run;
mod screen;
mod server;
mod sessions;
mod terminal;
mod throughput;

pub use audit::of_audit;
pub use capacity::of_capacity;
pub use certificate::of_certificate;
pub use document::{
    Align, Block, Cell, Column, Document, Entries, Entry, Found, Grade, Item, Judgement, Mark, Row,
    Section, Spark, Table, Tone,
};
pub use format::Format;
pub use json::json;
pub use objectives::not_met;
pub use of_run::{View, of_run};
pub use repeated::{look_line, of_repeated, run_line};
pub use screen::Screen;
