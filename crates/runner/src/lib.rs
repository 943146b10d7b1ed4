//! Executes a schedule: worker threads, pacing, phases, recorder, self-watch.
//!
//! The runner waits until a request is due, hands it to `client`, and pushes the record to the
//! recorder. It drops and delays nothing silently, computes no metric, and knows no file format.
//!
//! Invariants: in open loop the intended instants come from the schedule, never from a clock;
//! every request of the schedule that was reached yields exactly one record; workers share no
//! lock and do not allocate per token.

mod bodies;
mod closed_loop;
mod dependents;
mod open_loop;
pub mod progress;
mod recorder;
pub mod run;
mod self_watch;
mod settings;
mod shared;
mod taken_watch;
mod worker;

pub use dependents::SessionRules;
pub use recorder::RecordSink;
pub use run::{Begin, Inputs, RunError, RunOutcome, run};
pub use settings::RunSettings;
