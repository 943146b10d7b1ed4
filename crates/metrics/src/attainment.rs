//! Attainment: which requests meet the objectives (measurement.md: failures, time-outs and
//! truncations are misses).
//!
//! An objective limits a percentile of the whole run; for one request it reads: the metric's value
//! is within the limit, and for a metric with many values per request, that percentile of its own
//! values is. A metric that does not exist for a completed request (TPOT of one token) cannot miss.

use crate::facts::RequestFacts;
use crate::origin::Origin;
use crate::population::{Population, is_failure};
pub use crate::slo_series::{SloSeries, slo_series};
use infermeter_core::slo::Slo;

/// For each judged request in order of intended time, whether it meets every objective that `wanted`
/// wants. `slos` are all objectives of the plan that the requests were collected with.
pub fn attained(
    population: &Population<'_>,
    slos: &[Slo],
    origin: Origin,
    wanted: impl Fn(usize) -> bool,
) -> Vec<bool> {
    population
        .judged()
        .map(|r| !is_failure(r) && meets_all(r, slos, origin, &wanted))
        .collect()
}

fn meets_all(
    request: &RequestFacts,
    slos: &[Slo],
    origin: Origin,
    wanted: impl Fn(usize) -> bool,
) -> bool {
    let mut own = request.chunks.own_percentiles.iter();
    slos.iter().enumerate().all(|(index, slo)| {
        let value = match slo_series(slo.metric) {
            SloSeries::Request(metric) => metric.value_ms(request, origin),
            SloSeries::Token(_) => own.next().copied().flatten(),
        };
        let limit_ms = slo.limit.ns() as f64 / 1e6;
        !wanted(index) || value.is_none_or(|v| v <= limit_ms)
    })
}

#[cfg(test)]
mod tests {
    use super::attained;
    use crate::fixture::{Run, facts, ms};
    use crate::origin::Origin;
    use crate::population::Population;
    use infermeter_core::record::Reason;

    fn check(slos: &[&str], expect: &[bool]) {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 10);
        run.stream(100, ms(60), ms(10), 10);
        run.failed(200, Reason::HttpStatus);
        run.stream(300, ms(20), ms(10), 10).pause_before(5, ms(90));
        run.stream(400, ms(20), ms(10), 1);
        run.not_sent(500);
        let mut log = run.build();
        let slos: Vec<_> = slos
            .iter()
            .map(|s| s.parse().expect("an objective"))
            .collect();
        log.manifest.plan.slo.clone_from(&slos);
        let run = facts(&log);
        let found = attained(&Population::of(&run), &slos, Origin::Intended, |_| true);
        assert_eq!(found, expect, "{slos:?}");
    }

    #[test]
    fn requests_meet_all_objectives_or_miss() {
        check(&[], &[true, true, false, true, true]);
        check(&["ttft.p99<50ms"], &[true, false, false, true, true]);
        check(&["ttft.p99<20ms"], &[true, false, false, true, true]);
        check(&["itl.p99<50ms"], &[true, true, false, false, true]);
        // Eight of nine gaps are 10 ms: the median of the request with a pause is fine.
        check(&["itl.p50<50ms"], &[true, true, false, true, true]);
        check(
            &["ttft.p99<50ms", "tpot.p50<15ms"],
            &[true, false, false, false, true],
        );
    }
}
