//! What the server says of its own time for each request, beside the client's.
//!
//! What a latency has more on the client's side is connecting, network, gateway and front end: of the same request, on
//! two clocks of which only differences are taken, so that it does not matter how they stand to each other. Invariant:
//! a request without a time of the server's takes no part in what that time says.

use crate::distribution::Distribution;
use crate::limits::SERVER_TIMES_ERROR_MS;
use crate::percentile::Percentile;
use infermeter_core::record::ServerTimes;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::Population;
use infermeter_metrics::request_metric::RequestMetric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The server's times of the completed measured requests, and what the client's have more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerTimesSummary {
    /// Completed requests of which the server says anything.
    pub requests: u64,
    /// Completed requests in all.
    pub of: u64,
    /// In the server's queue; absent where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Distribution>,
    /// From the queue's end to the first token, by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefill: Option<Distribution>,
    /// From the first token to the last, by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decode: Option<Distribution>,
    /// What the header `openai-processing-ms` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing: Option<Distribution>,
    /// TTFT from the send less queue and prefill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_beyond: Option<Distribution>,
    /// E2E from the send less queue, prefill and decode; without a stream less the header's time, where that is all
    /// there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2e_beyond: Option<Distribution>,
    /// Requests whose latency is below the server's own by more than `error_ms`.
    pub below: u64,
    /// By so much the two may be apart by their own errors, milliseconds.
    pub error_ms: f64,
}

/// Values by kind, in order of time.
#[derive(Default)]
struct Values {
    queue: Vec<f64>,
    prefill: Vec<f64>,
    decode: Vec<f64>,
    processing: Vec<f64>,
    ttft_beyond: Vec<f64>,
    e2e_beyond: Vec<f64>,
    below: u64,
}

impl ServerTimesSummary {
    /// Of a population; `None` where the server says nothing of any request.
    pub(crate) fn of(population: &Population<'_>, wanted: &[Percentile]) -> Option<Self> {
        let mut values = Values::default();
        let (mut requests, mut of) = (0, 0);
        for request in population.completed() {
            of += 1;
            if let Some(times) = &request.server_times {
                requests += 1;
                values.add(request, times, population.streaming());
            }
        }
        let told = |values: &[f64]| Distribution::of_requests(values, wanted);
        (requests > 0).then(|| Self {
            requests,
            of,
            queue: told(&values.queue),
            prefill: told(&values.prefill),
            decode: told(&values.decode),
            processing: told(&values.processing),
            ttft_beyond: told(&values.ttft_beyond),
            e2e_beyond: told(&values.e2e_beyond),
            below: values.below,
            error_ms: SERVER_TIMES_ERROR_MS,
        })
    }
}

fn ms(ns: Option<i64>) -> Option<f64> {
    ns.map(|ns| ns as f64 / 1e6)
}

impl Values {
    fn add(&mut self, request: &RequestFacts, times: &ServerTimes, streams: bool) {
        let (queue, prefill) = (ms(times.queue_ns), ms(times.prefill_ns));
        let (decode, processing) = (ms(times.decode_ns), ms(times.processing_ns));
        self.queue.extend(queue);
        self.prefill.extend(prefill);
        self.decode.extend(decode);
        self.processing.extend(processing);
        // A server that does not say how long a request waited leaves that on the client's side.
        let to_first = prefill.map(|prefill| prefill + queue.unwrap_or(0.0));
        let whole = to_first.zip(decode).map(|(first, rest)| first + rest);
        let whole = whole.or(processing.filter(|_| !streams));
        let of = |metric: RequestMetric| metric.value_ms(request, Origin::Send);
        let beyond_first = of(RequestMetric::Ttft).zip(to_first).map(|(c, s)| c - s);
        let beyond_all = of(RequestMetric::E2e).zip(whole).map(|(c, s)| c - s);
        self.ttft_beyond.extend(beyond_first);
        self.e2e_beyond.extend(beyond_all);
        let both = [beyond_first, beyond_all];
        let is_below = |beyond: f64| beyond < -SERVER_TIMES_ERROR_MS;
        self.below += u64::from(both.into_iter().flatten().any(is_below));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_metrics::fixture::{Run, facts, ms};

    fn found(change: impl Fn(usize, &mut ServerTimes)) -> Option<ServerTimesSummary> {
        let mut run = Run::open(1.0, 60);
        for i in 0..60 {
            // First token after 20 ms, the last 30 ms later.
            run.stream(i * 1_000, ms(20), ms(10), 4);
        }
        let mut log = run.build();
        for (number, record) in log.records.iter_mut().enumerate() {
            change(number, &mut record.server_times);
        }
        let collected = facts(&log);
        ServerTimesSummary::of(&Population::of(&collected), &Percentile::DEFAULT)
    }

    fn p50(distribution: Option<&Distribution>) -> Option<f64> {
        distribution?.order_statistic(Percentile::DEFAULT[0])
    }

    #[test]
    fn differences_by_hand() {
        let told = found(|number, times| {
            if number >= 10 {
                times.queue_ns = Some(1_000_000);
                times.prefill_ns = Some(16_000_000);
                times.decode_ns = Some(29_000_000);
            }
        });
        let told = told.expect("the server says something");
        assert_eq!((told.requests, told.of, told.below), (50, 60, 0));
        let close = |value: Option<f64>, expect: f64| {
            assert!(
                value.is_some_and(|v| (v - expect).abs() < 1e-9),
                "{value:?}"
            );
        };
        close(p50(told.queue.as_ref()), 1.0);
        close(p50(told.prefill.as_ref()), 16.0);
        close(p50(told.ttft_beyond.as_ref()), 3.0);
        close(p50(told.e2e_beyond.as_ref()), 4.0);
        assert_eq!(told.processing, None);
        assert_eq!(told.decode.map(|d| d.n), Some(50));
    }

    #[test]
    fn what_is_not_said_takes_no_part() {
        assert_eq!(found(|_, _| {}), None);
        let head = found(|_, times| times.processing_ns = Some(5_000_000));
        let head = head.expect("the header");
        assert!(head.processing.is_some());
        // In a stream the header is written before the first token.
        assert_eq!((head.ttft_beyond, head.e2e_beyond), (None, None));
        let prefill = found(|_, times| times.prefill_ns = Some(5_000_000)).expect("prefill");
        assert!(prefill.ttft_beyond.is_some() && prefill.e2e_beyond.is_none());
    }

    #[test]
    fn a_latency_below_the_servers_own_is_counted() {
        let told = found(|number, times| {
            times.prefill_ns = Some(if number < 6 { 23_000_000 } else { 20_500_000 });
        });
        assert_eq!(told.map(|told| told.below), Some(6));
    }
}
