//! What a sweep says: a curve for each plan, finished or not.
//!
//! Only the values; the protocol fills them, the report shows them.

use crate::curve::{FrontierPoint, Knee, ObjectiveHighest, Scalability};
use crate::figure::Mean;
use crate::level::Level;
use crate::rate_estimate::{Highest, RateEstimate};
use crate::repeated::Repeated;
use infermeter_core::units::Span;
use schemars::JsonSchema;
use serde::Serialize;

/// What a sweep says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SweepAnswer {
    /// Of each plan, in their order.
    pub curves: Vec<CurveAnswer>,
}

/// What the levels of one plan say.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CurveAnswer {
    /// Which of the plans.
    pub variant: usize,
    /// By ascending load.
    pub levels: Vec<Level>,
    /// The highest load that meets all objectives; without any, that the server holds.
    pub highest: Highest,
    /// The highest rate itself, and how it is known.
    pub estimate: RateEstimate,
    /// The same for each objective.
    pub objectives: Vec<ObjectiveHighest>,
    /// The lowest load that the server cannot take: requests per second, or slots.
    pub overloaded_at: Option<f64>,
    /// Levels that miss below levels that meet.
    pub out_of_order: Vec<f64>,
    /// Levels that were given and not measured, since the server could not take a lower one.
    pub past_saturation: Vec<f64>,
    /// The most requests per second that met every objective.
    pub most_goodput: Option<Best>,
    /// Throughput against TTFT p99.
    pub throughput_and_tail: Vec<FrontierPoint>,
    /// Tokens per second and accelerator against tokens per second and user.
    pub gpu_and_user: Vec<FrontierPoint>,
    /// Where the curve bends. Descriptive.
    pub knee: Option<Knee>,
    /// The Universal Scalability Law. Descriptive.
    pub scalability: Option<Scalability>,
    /// The breaking point; absent where it was not asked for.
    pub breaking: Option<Breaking>,
    /// The sustained test; absent where it was not asked for.
    pub sustained: Option<Sustained>,
}

/// A figure, and the load where it is best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Best {
    /// The load: requests per second, or slots.
    pub load: f64,
    /// The figure.
    pub value: Mean,
}

/// The breaking point.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Breaking {
    /// The lowest level at which a tenth of the requests failed; absent where none did.
    pub at: Option<f64>,
    /// Their share there.
    pub failed: Option<f64>,
    /// What came after; absent where that was not measured.
    pub recovery: Option<Recovery>,
}

/// After the load was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Recovery {
    /// The load then: requests per second, or slots.
    pub load: f64,
    /// Runs that were measured one after the other, without a warm-up.
    pub runs: usize,
    /// The last of them was served as before.
    pub recovered: bool,
}

/// The sustained test.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Sustained {
    /// Requests per second.
    pub rate: f64,
    /// How long each run was.
    pub length: Span,
    /// All runs, as a level.
    pub level: Level,
    /// Each figure over the runs.
    pub repeated: Repeated,
    /// Runs in which something drifted or the server slowed down, from 1.
    pub drifting: Vec<usize>,
}
