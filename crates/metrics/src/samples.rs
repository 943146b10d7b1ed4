//! Series of request metrics, in the form that `stats` takes.

use crate::origin::Origin;
use crate::population::{Failures, Population, is_failure};
use crate::request_metric::RequestMetric;

/// One value per request, milliseconds, in order of intended time.
///
/// Requests for which the metric does not exist give no value. With [`Failures::AsInfinity`] each
/// failure gives +infinity at its place in the schedule.
pub fn request_samples(
    population: &Population<'_>,
    metric: RequestMetric,
    origin: Origin,
    failures: Failures,
) -> Vec<f64> {
    if !population.streaming() && !metric.exists_without_stream() {
        return Vec::new();
    }
    if metric.is_of_the_send() {
        let sent = population.sent();
        return sent.filter_map(|r| metric.value_ms(r, origin)).collect();
    }
    match failures {
        Failures::Excluded => {
            let completed = population.completed();
            completed
                .filter_map(|r| metric.value_ms(r, origin))
                .collect()
        }
        Failures::AsInfinity => {
            let judged = population.judged();
            judged
                .filter_map(|r| {
                    if is_failure(r) {
                        Some(f64::INFINITY)
                    } else {
                        metric.value_ms(r, origin)
                    }
                })
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::request_samples;
    use crate::fixture::{Run, facts, ms};
    use crate::origin::Origin;
    use crate::population::{Failures, Population};
    use crate::request_metric::RequestMetric;
    use infermeter_core::record::Reason;
    use infermeter_core::run::RunLog;

    fn ttft(log: &RunLog, failures: Failures) -> Vec<f64> {
        request_samples(
            &Population::of(&facts(log)),
            RequestMetric::Ttft,
            Origin::Send,
            failures,
        )
    }

    #[test]
    fn failures_are_infinite_at_their_place() {
        let mut run = Run::open(1.0, 10);
        run.warmup_stream(-500, ms(99), ms(10), 4);
        run.stream(0, ms(20), ms(10), 4);
        run.failed(1_000, Reason::HttpStatus);
        run.drained(1_500);
        run.stream(2_000, ms(30), ms(10), 4);
        run.not_sent(3_000);
        let log = run.build();
        assert_eq!(ttft(&log, Failures::Excluded), vec![20.0, 30.0]);
        let inf = f64::INFINITY;
        assert_eq!(ttft(&log, Failures::AsInfinity), vec![20.0, inf, inf, 30.0]);
    }

    #[test]
    fn an_answer_without_stream_has_no_ttft() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 4);
        let mut log = run.build();
        log.manifest.plan.no_stream = true;
        assert!(ttft(&log, Failures::Excluded).is_empty());
        let e2e = request_samples(
            &Population::of(&facts(&log)),
            RequestMetric::E2e,
            Origin::Send,
            Failures::Excluded,
        );
        assert_eq!(e2e, vec![50.0]);
    }
}
