//! Values of requests by the part of the time that each falls into.
//!
//! Does not say which requests count. Invariant: each part's values stay in id order.

use crate::facts::RequestFacts;
use crate::series::axis::TimeAxis;
use infermeter_core::clock::Offset;

/// A value with its instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timed {
    /// When.
    pub at: Offset,
    /// The value.
    pub value: f64,
}

/// The values of each part; those outside the axis are left out.
pub fn in_parts(
    requests: &[RequestFacts],
    axis: &TimeAxis,
    value: impl Fn(&RequestFacts) -> Option<Timed>,
) -> Vec<Vec<f64>> {
    let mut parts = vec![Vec::new(); axis.parts];
    for timed in requests.iter().filter_map(value) {
        if let Some(values) = axis.part(timed.at).and_then(|part| parts.get_mut(part)) {
            values.push(timed.value);
        }
    }
    parts
}
