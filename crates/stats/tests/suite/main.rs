//! Tests of the public interface: references, properties, defined cases and coverage.

mod coverage;
mod defined_cases;
mod golden;
mod processes;
mod properties;
mod reference;
mod resampling;
mod stopping;
