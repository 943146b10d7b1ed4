//! Stalls of a population; what a stall of one request is, `request_stalls` says.

use crate::milliseconds::to_ms;
use crate::population::Population;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stalls of a population: gaps > max(ITL SLO if given, 5 x the request's median gap, 100 ms), of
/// completed requests with at least 8 gaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
