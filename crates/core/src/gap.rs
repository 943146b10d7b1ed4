//! Times in which a thread of the client did not go through its loop, though nothing made it wait.
//!
//! Does not judge: what a gap means for a run is the analysis' matter. Invariant: `count`, `total_ns`
//! and `longest_ns` cover every gap, `listed` the first `MAX_LISTED` of them.

use crate::clock::Offset;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A turn of the loop that is late by less is no gap: a wake-up, a burst of answers, a neighbour's
/// time slice. Also the shortest one that a reader of tails must know of.
pub const GAP_NS: i64 = 100_000_000;

/// Gaps of one thread that are kept with instant and cause: more than that is one finding anyway.
pub(crate) const MAX_LISTED: usize = 64;

/// What most of a gap went into.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The machine slept: the boot clock went on and the monotonic clock did not.
    Suspended,
    /// The thread itself was at work.
    Busy,
    /// The cgroup's CPU quota was used up.
    Throttled,
    /// The hypervisor gave the core to others.
    Stolen,
    /// The thread was ready to run and had no core.
    Queued,
    /// None of these: stopped by a signal or a debugger, or waiting for memory or a disk.
    Stopped,
}

impl GapCause {
    /// What happened, in words that follow "the client".
    pub fn words(self) -> &'static str {
        match self {
            Self::Suspended => "slept with its machine",
            Self::Busy => "was busy with what it had received",
            Self::Throttled => "was throttled by the CPU quota of its cgroup",
            Self::Stolen => "had its core taken by the hypervisor",
            Self::Queued => "waited for a core",
            Self::Stopped => "was stopped, or waited for memory or a disk",
        }
    }
}

/// One gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// When the loop should have gone on.
    pub at: Offset,
    /// How much later it did, nanoseconds; time that the machine slept included.
    pub ns: i64,
    /// What most of it went into.
    pub cause: GapCause,
}

/// The gaps of one thread.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// Their sum, nanoseconds.
    pub total_ns: i64,
    /// The longest, nanoseconds.
    pub longest_ns: i64,
    /// The first ones.
    pub listed: Vec<Gap>,
}

impl Gaps {
    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds one.
    pub fn push(&mut self, gap: Gap) {
        self.count += 1;
        self.total_ns = self.total_ns.saturating_add(gap.ns);
        self.longest_ns = self.longest_ns.max(gap.ns);
        if self.listed.len() < MAX_LISTED {
            self.listed.push(gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_cover_what_the_list_leaves_out() {
        let mut gaps = Gaps::default();
        assert!(gaps.is_empty());
        for n in 1..=MAX_LISTED as i64 + 1 {
            gaps.push(Gap {
                at: Offset(n),
                ns: n * GAP_NS,
                cause: GapCause::Stopped,
            });
        }
        let n = MAX_LISTED as i64 + 1;
        assert_eq!(gaps.count, n as u64);
        assert_eq!(gaps.total_ns, n * (n + 1) / 2 * GAP_NS);
        assert_eq!(gaps.longest_ns, n * GAP_NS);
        assert_eq!(gaps.listed.len(), MAX_LISTED);
    }
}
