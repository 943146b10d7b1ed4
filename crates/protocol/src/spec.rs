//! What a protocol is made from, as the ledger of its experiment keeps it.
//!
//! A further protocol is a variant here, with whatever it needs beside the plans.

use crate::{AnyOfRuns, Compare, Repeat, Search, SearchSpec, Sweep, SweepSpec};
use infermeter_core::plan::Plan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What decides over the runs of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum ProtocolSpec {
    /// Sides in turn, over rounds.
    Compare(Compare),
    /// Runs of one plan.
    Repeat {
        /// Measured requests that a run is expected to have.
        requests: usize,
    },
    /// Levels of load.
    Sweep(SweepSpec),
    /// The highest rate.
    Search(SearchSpec),
}

/// Why a protocol cannot be made from its spec and the plans.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(pub String);

impl ProtocolSpec {
    /// The command that measures it.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Compare(_) => "compare",
            Self::Repeat { .. } => "run",
            Self::Sweep(_) => "sweep",
            Self::Search(_) => "search",
        }
    }

    /// The protocol, over these plans.
    ///
    /// # Errors
    /// Where it cannot be made from them.
    pub fn protocol(&self, variants: &[Plan]) -> Result<Box<dyn AnyOfRuns>, SpecError> {
        let first = variants
            .first()
            .ok_or_else(|| SpecError("there is no plan".to_owned()))?;
        match self {
            Self::Compare(compare) => Ok(Box::new(compare.clone())),
            Self::Repeat { requests } => match Repeat::of(first, *requests) {
                Ok(repeat) => Ok(Box::new(repeat)),
                Err(error) => Err(SpecError(error.to_string())),
            },
            Self::Sweep(spec) => Ok(Box::new(Sweep::of(spec, variants)?)),
            Self::Search(spec) => Ok(Box::new(Search::of(spec, variants)?)),
        }
    }
}
