//! Stalls of one request: gaps long enough to be felt (measurement.md).
//!
//! Does not decide which requests count.

use infermeter_core::clock::Offset;
use infermeter_core::plan::Plan;
use infermeter_core::record::Chunk;
use infermeter_core::slo::SloMetric;

/// A gap below this is no stall, nanoseconds.
const LEAST_STALL_NS: i64 = 100_000_000;
/// A gap up to this many times the request's median gap is no stall.
const MEDIAN_FACTOR: i64 = 5;
/// Requests with fewer gaps have no median to speak of.
const LEAST_GAPS: usize = 8;

/// Stalls of one request with gaps enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestStalls {
    /// Number of stalls.
    pub count: u64,
    /// Their gaps added up, nanoseconds.
    pub total_ns: i64,
    /// The longest, nanoseconds; 0 without a stall.
    pub longest_ns: i64,
    /// When the longest ended; meaningless without a stall.
    pub longest_to: Offset,
    /// The request's median gap, nanoseconds; 0 where no gap was long enough to ask for it.
    pub median_ns: i64,
}

impl RequestStalls {
    /// Of a request's chunks; `None` with fewer than 8 gaps.
    pub(crate) fn of(chunks: &[Chunk], itl_limit_ns: Option<i64>) -> Option<Self> {
        if chunks.len() <= LEAST_GAPS {
            return None;
        }
        let gap = |pair: &[Chunk]| pair[1].at.since(pair[0].at);
        let mut result = Self::default();
        // Most answers have no gap that could be a stall: their median is not needed.
        let floor = itl_limit_ns.unwrap_or(0).max(LEAST_STALL_NS);
        if chunks.windows(2).all(|pair| gap(pair) <= floor) {
            return Some(result);
        }
        let mut gaps: Vec<i64> = chunks.windows(2).map(gap).collect();
        let middle = gaps.len().div_ceil(2) - 1;
        let median = *gaps.select_nth_unstable(middle).1;
        let limit = floor.max(MEDIAN_FACTOR * median);
        result.median_ns = median;
        for pair in chunks.windows(2).filter(|pair| gap(pair) > limit) {
            let gap = gap(pair);
            result.count += 1;
            result.total_ns += gap;
            if gap > result.longest_ns {
                (result.longest_ns, result.longest_to) = (gap, pair[1].at);
            }
        }
        Some(result)
    }
}

/// The greatest ITL limit among the plan's objectives, nanoseconds.
pub(crate) fn itl_limit_ns(plan: &Plan) -> Option<i64> {
    let limits = plan.slo.iter().flat_map(|s| s.limits_of(SloMetric::Itl));
    limits.map(|limit| limit.ns()).max()
}
