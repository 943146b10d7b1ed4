//! Whether the server's usage can be believed, and which figures rest on it.
//!
//! What single answers say is `metrics`' (see [`infermeter_metrics::usage_evidence`]). Invariant: absent
//! where nothing speaks against usage.

use crate::limits::{DUPLICATED, USAGE_IMPLAUSIBLE};
use infermeter_core::plan::Plan;
use infermeter_core::text::Word;
use infermeter_metrics::population::Population;
use infermeter_metrics::usage_evidence::{TextCount, UsageEvidence, usage_evidence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Figures that divide by the server's usage, by their names in the summary.
pub(crate) const RESTS_ON_USAGE: [&str; 5] = [
    "tpot",
    "tpot_after_first_chunk",
    "ntpot",
    "output_tokens",
    "total_tokens",
];

/// What speaks against the server's usage, or against its chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UsageSummary {
    /// Usage is contradicted by the text.
    pub implausible: bool,
    /// Chunks come twice.
    pub duplicated: bool,
    /// The evidence.
    pub evidence: UsageEvidence,
    /// Figures that rest on usage; empty where it can be believed.
    pub in_doubt: Vec<Word>,
}

impl UsageSummary {
    /// Of the measured requests.
    pub(crate) fn of(plan: &Plan, population: &Population<'_>) -> Option<Self> {
        let built_in = ["o200k", "cl100k"].contains(&plan.tokenizer.as_str());
        let count = match built_in {
            true => TextCount::Other,
            false => TextCount::Own,
        };
        let evidence = usage_evidence(population, count);
        let against = (evidence.claims_more + evidence.claims_less) as f64;
        let implausible = against > USAGE_IMPLAUSIBLE * evidence.with_usage as f64;
        let duplicated = evidence.duplicated as f64 > DUPLICATED * evidence.streams as f64;
        (implausible || duplicated).then_some(Self {
            implausible,
            duplicated,
            evidence,
            in_doubt: match implausible {
                true => RESTS_ON_USAGE.map(Word::from).to_vec(),
                false => Vec::new(),
            },
        })
    }
}
