//! Stalls: gaps long enough to be felt (measurement.md).

use crate::population::Population;
use crate::request_metric::to_ms;
use infermeter_core::clock::Offset;
use infermeter_core::plan::Plan;
use infermeter_core::record::Chunk;
use infermeter_core::slo::SloMetric;
use serde::{Deserialize, Serialize};

/// A gap below this is no stall, nanoseconds.
const LEAST_STALL_NS: i64 = 100_000_000;
/// A gap up to this many times the request's median gap is no stall.
const MEDIAN_FACTOR: i64 = 5;
/// Requests with fewer gaps have no median to speak of.
const LEAST_GAPS: usize = 8;

/// Stalls of a population: gaps > max(ITL SLO if given, 5 x the request's median gap, 100 ms), of
/// completed requests with at least 8 gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Stalls {
    /// Number of stalls.
    pub count: u64,
    /// Their gaps added up, milliseconds.
    pub total_ms: f64,
    /// The longest; absent without a stall.
    pub longest_ms: Option<f64>,
    /// Requests with at least one.
    pub requests_stalled: u64,
    /// Requests with at least 8 gaps: those that could have one.
    pub requests_examined: u64,
}

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

/// Counts the stalls of a population.
pub fn stalls(population: &Population<'_>) -> Stalls {
    let mut result = Stalls::default();
    if !population.streaming() {
        return result;
    }
    let mut longest = 0;
    let mut total_ns = 0;
    for stalls in population.completed().filter_map(|r| r.chunks.stalls) {
        result.requests_examined += 1;
        result.requests_stalled += u64::from(stalls.count > 0);
        result.count += stalls.count;
        total_ns += stalls.total_ns;
        longest = longest.max(stalls.longest_ns);
    }
    result.total_ms = to_ms(total_ns);
    result.longest_ms = (result.count > 0).then(|| to_ms(longest));
    result
}

#[cfg(test)]
mod tests {
    use super::stalls;
    use crate::fixture::{Run, facts, ms};
    use crate::population::Population;

    fn count(gap_ms: i64, tokens: u32, pause_ms: i64, limit_ms: Option<i64>) -> (u64, f64) {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(gap_ms), tokens)
            .pause_before(2, ms(pause_ms));
        let mut log = run.build();
        let limit = limit_ms.map(|limit| format!("itl.p99<{limit}ms").parse());
        log.manifest.plan.slo = limit
            .map(|l| l.expect("an objective"))
            .into_iter()
            .collect();
        let found = stalls(&Population::of(&facts(&log)));
        (found.count, found.longest_ms.unwrap_or(-1.0))
    }

    #[test]
    fn each_part_of_the_limit_binds() {
        // 100 ms floor: a gap of 10 + 80 is none, of 10 + 95 is one.
        assert_eq!(count(10, 9, 80, None), (0, -1.0));
        assert_eq!(count(10, 9, 95, None), (1, 105.0));
        // Five times the median of 40 ms is 200 ms, exclusive.
        assert_eq!(count(40, 9, 160, None), (0, -1.0));
        assert_eq!(count(40, 9, 161, None), (1, 201.0));
        // The objective's limit.
        assert_eq!(count(10, 9, 200, Some(500)), (0, -1.0));
        // Seven gaps are too few.
        assert_eq!(count(10, 8, 500, None), (0, -1.0));
    }
}
