//! When to send: arrival instants as pure functions of parameters and the schedule seed.
//!
//! It reads no clock, draws no lengths and knows no request. Whoever executes a schedule changes
//! nothing in it.
//!
//! Invariant: one continuous arrival process runs through warm-up, measured window and drain; the
//! phases only cut it. Gaps are neither truncated nor rescaled to meet a count or a length.

mod arrivals;
mod closed;
mod cut;
mod error;
mod open;
mod renewal;
mod replay;
mod sources;
mod thin;
mod varying;
mod waits;
mod warmup;
mod weibull;

pub use arrivals::Arrivals;
pub use closed::{ClosedParams, closed_schedule};
pub use cut::MAX_DRAIN_ARRIVALS;
pub use error::ScheduleError;
pub use open::{OpenParams, Rate, open_schedule};
pub use renewal::ArrivalProcess;
pub use replay::{ReplayParams, TimeScale, replay_schedule};
pub use sources::{
    MergedSchedule, Source, SourceWindow, SourcesParams, expected_arrivals, merged_schedule,
};
pub use thin::thin;
pub use varying::VaryingArrivals;
pub use waits::Waits;
pub use warmup::WarmupRule;
