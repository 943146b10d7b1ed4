//! Judgement: a run's records become a [`Summary`] (every figure with its count, interval and grade)
//! and a list of findings that add up to a verdict.
//!
//! Does no IO, reads no clock, renders nothing; the definitions of the metrics are `metrics`, the
//! mathematics is `stats`.
//!
//! Invariants: each check is a pure function of the run and its summary; every limit stands in
//! `limits`; a figure that the sample cannot support has no value.

pub mod answers;
pub mod bench;
mod breakdown;
mod calibration;
pub mod capacity;
pub mod checks;
mod class_summary;
mod client;
pub mod cold_start;
mod compare;
mod context;
mod cost;
mod curve;
mod delivery;
mod distribution;
pub mod doctor;
mod energy;
mod fairness;
mod figure;
mod fluidity;
mod gate;
mod headline;
pub mod highest_rate;
mod latency;
mod level;
pub mod limits;
mod load;
mod looks;
mod modes;
mod objective;
mod parallel;
mod percentile;
mod positions;
mod precision;
mod prefill;
mod prefix_cache;
pub mod raised;
mod ranks;
mod rate_estimate;
mod reach;
mod repeated;
mod requests;
mod response_cache;
mod run;
pub mod series;
mod server;
mod server_times;
mod sessions;
mod shadow;
mod silence;
mod slow_down;
mod spans;
mod speculation;
mod stability;
mod steady;
mod steps;
mod summary;
mod sweep;
mod threads;
mod throughput;
mod token_figures;
mod trend;
mod usage;
mod verified;

pub use breakdown::{Band, Breakdown, ChunkMeans};
pub use calibration::{CalibratedLoad, CalibrationSummary, Range};
pub use checks::{declared, judge};
pub use class_summary::ClassSummary;
pub use client::{ClientSummary, Departure};
pub use compare::{
    Answer, AnswerApart, AnswersBeside, Axis, Better, COMPARE_ALPHA, Checked, Claim, CompareSpec,
    ComparedChange, ComparedLoad, Comparison, Decision, Difference, Fact, LoadRounds, MOST_PRIMARY,
    Outlook, Pair, PairedChange, PilotFigure, Round, RunSetup, Scale, Seen, SideBySide,
    SideDifferences, SideRun, Treatment, Turns, Worsening, decide, least_rounds, more_rounds,
    pilot,
};
pub use context::{Context, Known};
pub use cost::CostSummary;
pub use curve::{
    FrontierPoint, Knee, ObjectiveHighest, Scalability, Wanted, answers, each_objective, frontier,
    knee, out_of_order, scalability,
};
pub use delivery::BurstyDelivery;
pub use distribution::{Distribution, Ecdf, Percentiles, Weight};
pub use energy::{
    EnergyCost, EnergyMethod, EnergySummary, GpuEnergy, GpuGauge, HostLoad, IdleWhileWaiting,
    Measured, Sensor,
};
pub use fairness::{Fairness, FairnessIndex};
pub use figure::{Cell, CellGrade, CellMethod, Mean, Share};
pub use fluidity::{DeadlinesMs, FluidityForm, FluiditySummary};
pub use gate::{
    Gate, GateAnswer, GateDoubt, GateFigures, GateForm, GateLine, GatePair, GatePairs, GateRun,
    Gated, NoFigure, Unlike, unlike,
};
pub use latency::{ByOrigin, LatencySummary};
pub use level::{Level, LevelObjective, LevelRun, MiddleAndTail, is_overloaded, run_status};
pub use load::{Arrivals, LoadSummary, Realised};
pub use looks::LevelLooks;
pub use objective::{Bound, Goodput, SloDoubt, SloFigure, SloLine, SloStatus};
pub use percentile::Percentile;
pub use positions::PositionGaps;
pub use precision::{Precision, PrecisionLook, PrecisionMethod, PrecisionRun, PrecisionState};
pub use prefill::PrefillSummary;
pub use prefix_cache::{HitRate, HitSource, PrefixCacheSummary};
pub use ranks::{RankClock, RankSummary, RanksSummary};
pub use rate_estimate::{Highest, LoadAnswer, NoLaw, RateEstimate};
pub use repeated::{Components, Over, Repeated, RepeatedFigure};
pub use requests::{FinishShare, RequestSummary};
pub use response_cache::{PairedRatio, ResponseCacheSummary};
pub use run::Run;
pub use server::{
    AcceptedAt, Agreement, Beside, BesideRow, EngineLoad, GaugeFigure, LittlesLaw, PagesRead,
    ServerSummary,
};
pub use server_times::ServerTimesSummary;
pub use sessions::{SessionSummary, TurnSummary};
pub use shadow::{
    BrokenOff, Sameness, ShadowAsked, ShadowChange, ShadowComparison, ShadowDoubts, ShadowFigure,
    ShadowPair, SideAnswer, least_blocks,
};
pub use silence::{FreezeSummary, HangSummary, SilenceSummary};
pub use slow_down::SlowDown;
pub use spans::{ResidualSummary, SpansGroup, SpansPart, SpansSummary};
pub use speculation::{ClassAcceptedLength, SpeculationSource, SpeculationSummary};
pub use stability::{KeepsUp, QueueSign, ResidenceSummary, StabilitySummary};
pub use steady::{StartUp, Steadiness, SteadySeries, SteadySummary};
pub use steps::{
    ReplicaFigures, ReplicaPoint, SettledAfter, StepEnd, StepObjective, StepPart, StepReplicas,
    StepResponse, StepsSummary,
};
pub use summary::{Summary, WarmupSummary, summarize, summarize_log};
pub use sweep::{Best, Breaking, CurveAnswer, Recovery, Sustained, SweepAnswer};
pub use threads::ThreadTotals;
pub use throughput::{ItemRate, Rate, ThroughputSummary};
pub use trend::{Trend, TrendChange, TrendFigure, TrendLevel, TrendPoint, TrendRun, trend};
pub use usage::UsageSummary;
pub use verified::{
    Basis, Disagreement, NotRecomputed, Recomputed, Verified, VerifiedFile, VerifiedPart, Versions,
};

/// Nominal coverage of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// The gravest answer of the objectives, missed before undecided (exit codes 1 and 5); absent without
/// objectives.
pub fn objectives(summary: &Summary) -> Option<SloStatus> {
    summary.slo.iter().map(|line| line.status).max()
}

/// Whether there were measured requests and not one of them completed: exit code 4.
pub fn all_failed(summary: &Summary) -> bool {
    let measured = &summary.requests.measured;
    measured.completed == 0 && measured.total > measured.not_sent
}
