//! Runs of consecutive block ids.
//!
//! Invariant: the runs of some ids, spread out, are these ids.

/// `[first, count]` of consecutive ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first id.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// Ids as runs of consecutive ones.
pub(crate) fn runs_of(ids: &[u64]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some(run) if run.first.checked_add(run.count) == Some(*id) => run.count += 1,
            _ => runs.push(Run {
                first: *id,
                count: 1,
            }),
        }
    }
    runs
}
