//! The origins of a latency, under the name that the metrics know them by.
//!
//! Invariant: they are those of the vocabulary.

pub use infermeter_core::origin::Origin;
