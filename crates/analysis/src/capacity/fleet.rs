//! What a simulated fleet says, and whether its engine model may be used.
//!
//! It fits and simulates nothing. Invariant: a model that does not predict a level it has not seen within
//! [`BACKTEST_WITHIN`] is not used, whatever it says.

use crate::objective::SloStatus;
use schemars::JsonSchema;
use serde::Serialize;

/// How far a prediction may be off: of a time as a share of it, of a share as a difference.
pub const BACKTEST_WITHIN: f64 = 0.10;

/// What limits the sequences that run at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitedBy {
    /// Nothing that the levels reached.
    Nothing,
    /// So many slots.
    Slots(u32),
    /// Room for so many tokens in the KV cache.
    KvTokens(u64),
}

/// An engine whose steps last base + sequences x per_sequence + tokens in the cache x per_kv_token + prompt
/// tokens x per_prompt_token.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EngineFit {
    /// An empty step, milliseconds.
    pub base_ms: f64,
    /// Added by a sequence, microseconds.
    pub per_sequence_us: f64,
    /// Added by a token in the KV cache, nanoseconds.
    pub per_kv_token_ns: f64,
    /// Added by a prompt token computed, microseconds.
    pub per_prompt_token_us: f64,
    /// Spread of a step's length around that, as a share.
    pub jitter: f64,
    /// Added to every first token, milliseconds: what lies between client and engine.
    pub delay_ms: f64,
    /// What limits the sequences that run at once.
    pub limit: LimitedBy,
    /// Steps that it was fitted to.
    pub steps: usize,
    /// The most sequences that they had at once.
    pub most_sequences: u32,
    /// Rates of the levels that it was fitted to.
    pub rates: Vec<f64>,
}

/// A figure of a level that the fit had not seen.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Predicted {
    /// `ttft.p99`.
    pub name: String,
    /// `ms`, or empty for a share.
    pub unit: &'static str,
    /// As measured, in the sample.
    pub measured: f64,
    /// Lower bound of its interval.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// As predicted.
    pub predicted: f64,
}

impl Predicted {
    /// How far the prediction is off: as a share of a time, as a difference of shares.
    pub fn error(&self) -> f64 {
        let off = self.predicted - self.measured;
        match self.unit {
            "" => off,
            _ => off / self.measured,
        }
    }

    /// The interval holds the prediction.
    pub fn is_covered(&self) -> bool {
        let above = self.low.is_none_or(|low| self.predicted >= low);
        above && self.high.is_none_or(|high| self.predicted <= high)
    }
}

/// A level that was held out of the fit, and what the fit says of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Backtest {
    /// Its rate, requests per second.
    pub rate: f64,
    /// Its figures.
    pub figures: Vec<Predicted>,
}

impl Backtest {
    /// The largest error; `None` without figures.
    pub fn worst(&self) -> Option<&Predicted> {
        let size = |figure: &Predicted| figure.error().abs();
        self.figures
            .iter()
            .max_by(|a, b| size(a).total_cmp(&size(b)))
    }

    /// Every figure is predicted within [`BACKTEST_WITHIN`].
    pub fn holds(&self) -> bool {
        self.worst()
            .is_some_and(|worst| worst.error().abs() <= BACKTEST_WITHIN)
    }
}

/// Whether a simulated fleet may be asked.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "used", rename_all = "snake_case")]
pub enum FitUse {
    /// The model predicts what it had not seen.
    Yes {
        /// The model, fitted to the levels.
        fit: EngineFit,
        /// How well it predicts.
        backtest: Backtest,
    },
    /// It does not, or there is none.
    No {
        /// Why.
        why: String,
        /// The model, where there is one.
        fit: Option<EngineFit>,
        /// How badly it predicts.
        backtest: Option<Backtest>,
    },
}

/// How a balancer chooses an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balancing {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests.
    LeastLoaded,
}

/// A fleet that was simulated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct FleetTrial {
    /// Its instances.
    pub instances: u64,
    /// The gravest answer of an objective.
    pub status: SloStatus,
    /// Share of the requests that meet all objectives.
    pub attainment: Option<f64>,
    /// Most sequences that ran at once in one instance, at most.
    pub most_sequences: u32,
}

/// The instances that a simulated fleet needs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FleetSize {
    /// How requests are spread.
    pub balancing: Balancing,
    /// The fewest instances that meet the objectives; absent where none of those tried does.
    pub instances: Option<u64>,
    /// Those that were tried, in that order.
    pub trials: Vec<FleetTrial>,
}
