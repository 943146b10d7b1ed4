//! Whose stamps the instants are: the kernel's or the program's.

use crate::population::Population;
use infermeter_core::record::StampSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose stamps the measured requests' instants are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StampCounts {
    /// Responses stamped by the kernel throughout.
    pub kernel: u64,
    /// Responses with at least one of the program's stamps.
    pub program: u64,
}

/// Counts responses by the source of their stamps.
pub fn stamp_counts(population: &Population<'_>) -> StampCounts {
    let mut counts = StampCounts::default();
    for request in population.records() {
        match request.stamp_source {
            Some(StampSource::Kernel) => counts.kernel += 1,
            Some(StampSource::Program) => counts.program += 1,
            Some(StampSource::Imported) | None => {}
        }
    }
    counts
}
