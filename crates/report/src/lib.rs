//! Rendering only: what is said of a result as a [`Document`], and documents in each [`Format`].
//!
//! A function per kind of result makes its document; a file per format shows any of them. No
//! arithmetic beyond formatting, no IO, no judgement. Invariant: text that stems from a server or a
//! user passes through [`inert`] in every format.
//!
//! [`inert`]: infermeter_core::text::inert

mod answers;
mod audit;
mod bench;
mod beside;
mod both_sides;
mod by_class;
mod capacity;
mod captured;
mod certificate;
mod characters;
pub mod chart;
mod client;
mod cold_start;
mod compare;
mod doctor;
mod document;
mod energy;
mod format;
mod full;
mod gate;
mod headline;
mod html;
mod json;
mod latency;
mod list;
mod markdown;
mod metering;
mod missing;
mod monitored;
mod network;
pub mod number;
mod objectives;
mod of_run;
mod over_runs;
mod picture;
mod quotable;
mod ranks;
mod repeated;
mod reproduce;
mod run;
mod screen;
mod search;
mod server;
mod server_times;
mod sessions;
mod shadow;
mod spans;
mod steps;
pub mod svg;
mod sweep;
mod terminal;
mod throughput;
mod trend;
mod verified;
mod view;

pub use audit::of_audit;
pub use bench::{BenchConfiguration, BenchView, bench_line, of_bench};
pub use beside::{NamedSweep, of_sweeps};
pub use capacity::of_capacity;
pub use captured::{CaptureView, of_capture};
pub use certificate::{of_certificate, of_rungs};
pub use characters::Charset;
pub use cold_start::{ColdStartView, cold_repeat_line, cold_start_line, of_cold_start};
pub use compare::{answer_line, of_comparison, pilot_lines};
pub use doctor::of_checkup;
pub use document::{
    Align, Block, Cell, Column, Document, Entries, Entry, Found, Grade, Item, Judgement, Mark,
    Notes, Row, Section, Spark, Table, Tone,
};
pub use format::Format;
pub use gate::{gate_lines, of_gate, with_gate};
pub use headline::Headline;
pub use json::RunOutput;
pub use list::{Damaged, ListView, ListedExperiment, ListedRun, of_list};
pub use metering::of_metering;
pub use monitored::{ChangeView, MonitoredView, change_line, monitored_line};
pub use objectives::not_met;
pub use of_run::of_run;
pub use over_runs::RunJudged;
pub use picture::{Pictured, pictures};
pub use repeated::{look_line, of_repeated, run_figures, run_line};
pub use screen::Screen;
pub use search::{SearchView, SpoiltRun, highest_rate, of_search};
pub use shadow::{of_shadow, shadow_line};
pub use sweep::{Axis, SweepView, of_sweep, sentence};
pub use trend::{HistoryRun, HistoryView, TrendView, of_history, of_history_run, of_trends};
pub use verified::of_verified;
pub use view::View;
