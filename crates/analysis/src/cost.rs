//! What the tokens and the requests of a run cost, at the declared price of its accelerators.
//!
//! A price per hour is shared by what came out in an hour. Invariant: without a price, without the number of
//! accelerators, and of what did not come at all, a cost is absent, and never 0.

use crate::figure::Mean;
use crate::objective::Goodput;
use crate::throughput::{Rate, ThroughputSummary};
use infermeter_core::plan::Plan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Seconds of an hour: prices are by the hour.
pub(crate) const HOUR_S: f64 = 3_600.0;

/// Tokens are paid by the million.
const MILLION: f64 = 1e6;

/// What a run cost, in the money of the price that was declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostSummary {
    /// An hour of the server: the price of an accelerator, times their number.
    pub hour: f64,
    /// A million output tokens, if these alone are paid.
    pub million_output: Option<Mean>,
    /// A million tokens, input and output.
    pub million_total: Option<Mean>,
    /// A completed request.
    pub request: Option<Mean>,
    /// A request that meets every objective.
    pub good_request: Option<Mean>,
}

/// What an hour of a server costs.
pub(crate) fn hour(gpu_hour: Option<f64>, gpus: Option<u32>) -> Option<f64> {
    Some(gpu_hour? * f64::from(gpus?))
}

impl CostSummary {
    /// That of a window; `None` where no price was declared.
    pub(crate) fn of(
        plan: &Plan,
        throughput: Option<&ThroughputSummary>,
        goodput: Option<&Goodput>,
    ) -> Option<Self> {
        let hour = hour(plan.gpu_hour, plan.gpus)?;
        let of = |rate: Option<Rate>, many| rate.and_then(|rate| cost(hour * many, rate));
        let throughput = throughput?;
        Some(Self {
            hour,
            million_output: of(throughput.output_tokens, MILLION),
            million_total: of(throughput.total_tokens, MILLION),
            request: of(Some(throughput.requests), 1.0),
            good_request: of(goodput.and_then(|goodput| goodput.requests), 1.0),
        })
    }
}

/// What is paid for one, where so many come per second. The more there are, the less each costs.
fn cost(hour: f64, rate: Rate) -> Option<Mean> {
    let each = |per_s: f64| (per_s > 0.0).then(|| hour / (per_s * HOUR_S));
    Some(Mean {
        value: each(rate.per_s)?,
        low: rate.high.and_then(each),
        high: rate.low.and_then(each),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summarize_log;
    use infermeter_metrics::fixture::Run;

    fn summary(gpu_hour: Option<f64>, gpus: Option<u32>) -> Option<CostSummary> {
        let mut log = Run::steady(40, 20.0, 12).build();
        let plan = &mut log.manifest.plan;
        (plan.gpu_hour, plan.gpus) = (gpu_hour, gpus);
        plan.slo = vec!["ttft.p50<10s".parse().expect("an objective")];
        summarize_log(&log).1.cost
    }

    #[test]
    fn a_price_is_shared_by_what_came() {
        let found = summary(Some(2.5), Some(8)).expect("a cost");
        assert_eq!(found.hour, 20.0);
        let (_, summary) = summarize_log(&Run::steady(40, 20.0, 12).build());
        let throughput = summary.throughput.expect("a window");
        let tokens = throughput.output_tokens.expect("counted").per_s;
        let output = found.million_output.expect("tokens");
        assert!((output.value - 20.0 / 3_600.0 / tokens * 1e6).abs() < 1e-9);
        assert!(output.low < Some(output.value), "{output:?}");
        assert!(output.high > Some(output.value), "{output:?}");
        let total = found.million_total.expect("tokens").value;
        assert!(total < output.value, "input tokens share it");
        let each = [found.good_request, found.request].map(|each| each.expect("requests").value);
        assert!(
            (each[0] / each[1] - 1.0).abs() < 0.2,
            "all are good: {each:?}"
        );
    }

    #[test]
    fn what_nobody_said_is_absent() {
        assert_eq!(summary(None, Some(8)), None);
        assert_eq!(summary(Some(2.5), None), None);
        let nothing = Rate {
            per_s: 0.0,
            low: None,
            high: None,
            count: 0.0,
            batches: 10,
        };
        assert_eq!(cost(20.0, nothing), None, "of none, and not 0");
    }
}
