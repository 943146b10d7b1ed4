//! The figures of one workload class, where a run has several.

use crate::latency::{LatencySummary, latencies};
use crate::percentile::Percentile;
use crate::requests::{FinishShare, finish_reasons};
use crate::run::Run;
use crate::token_figures::{TokenFigures, population};
use infermeter_core::request::ClassIndex;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::outcomes::{OutcomeCounts, outcome_counts};
use infermeter_metrics::token_counts::{TokenCounts, token_counts};
use infermeter_metrics::token_series::Group;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One workload class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassSummary {
    /// Its name.
    pub class: String,
    /// Outcomes of its measured requests.
    pub measured: OutcomeCounts,
    /// How its completed answers ended, by the server's word.
    pub finish_reasons: Vec<FinishShare>,
    /// Its latencies.
    pub latency: LatencySummary,
    /// Its token counts.
    pub tokens: TokenCounts,
}

/// Those of a run of several classes.
pub(crate) fn class_summaries(
    run: &Run,
    wanted: &[Percentile],
    figures: &TokenFigures,
) -> Vec<ClassSummary> {
    let names = &run.manifest.classes;
    if names.len() < 2 {
        return Vec::new();
    }
    let origin = Origin::headline(run.manifest.load_model);
    let summary = |(index, name): (usize, &String)| {
        let group = Group::Class(ClassIndex::try_from(index).ok()?);
        let of_class = population(&run.collected, group);
        Some(ClassSummary {
            class: name.clone(),
            measured: outcome_counts(of_class.records()),
            finish_reasons: finish_reasons(&of_class),
            latency: latencies(&run.collected, group, origin, wanted, figures),
            tokens: token_counts(&of_class),
        })
    };
    names.iter().enumerate().filter_map(summary).collect()
}
