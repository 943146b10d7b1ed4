//! The figures that are compared: their names, their units, and which way is better.
//!
//! Invariant: what a run does not have or does not support is absent, whatever the other side has.

use crate::distribution::Distribution;
use crate::figure::Cell;
use crate::percentile::Percentile;
use crate::summary::Summary;
use crate::throughput::Rate;
use infermeter_core::plan::Plan;
use infermeter_core::text::closest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Latency {
    Ttft,
    Ttfo,
    Tpot,
    Itl,
    Ntpot,
    E2e,
}

const LATENCIES: [(&str, Latency); 6] = [
    ("ttft", Latency::Ttft),
    ("ttfo", Latency::Ttfo),
    ("tpot", Latency::Tpot),
    ("itl", Latency::Itl),
    ("ntpot", Latency::Ntpot),
    ("e2e", Latency::E2e),
];

/// What of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Of {
    Mean,
    P50,
    P90,
    P99,
    TailRatio,
}

const OF: [(&str, Of); 5] = [
    ("mean", Of::Mean),
    ("p50", Of::P50),
    ("p90", Of::P90),
    ("p99", Of::P99),
    ("tail_ratio", Of::TailRatio),
];

/// A figure of a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Whole {
    OutputTokens,
    OutputTokensPerGpu,
    TotalTokens,
    Requests,
    RequestsPerGpu,
    Goodput,
    Attainment,
    Failed,
    MillionOutput,
    MillionTotal,
    GoodRequest,
    MeanPower,
    JoulesPerOutputToken,
    ReplicaSeconds,
}

const WHOLE: [(&str, Whole); 14] = [
    ("output_tokens_per_s", Whole::OutputTokens),
    ("output_tokens_per_s_per_gpu", Whole::OutputTokensPerGpu),
    ("total_tokens_per_s", Whole::TotalTokens),
    ("requests_per_s", Whole::Requests),
    ("requests_per_s_per_gpu", Whole::RequestsPerGpu),
    ("goodput", Whole::Goodput),
    ("attainment", Whole::Attainment),
    ("failed", Whole::Failed),
    ("cost_per_million_output_tokens", Whole::MillionOutput),
    ("cost_per_million_total_tokens", Whole::MillionTotal),
    ("cost_per_good_request", Whole::GoodRequest),
    ("mean_power", Whole::MeanPower),
    ("joules_per_output_token", Whole::JoulesPerOutputToken),
    ("replica_seconds", Whole::ReplicaSeconds),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Latency(Latency, Of),
    Whole(Whole),
}

/// A figure that is compared: `ttft.p99`, `output_tokens_per_s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline)]
pub struct Axis(Kind);

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less.
    Lower,
    /// More.
    Higher,
}

/// How two values are set against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// By their ratio.
    Ratio,
    /// By their difference: shares, which may be 0.
    Difference,
}

impl Axis {
    /// All of them, in the order of printing.
    pub fn all() -> Vec<Self> {
        let latency = |of_what: Latency| OF.map(|(_, of)| Self(Kind::Latency(of_what, of)));
        let latencies = LATENCIES.iter().flat_map(|(_, l)| latency(*l));
        let whole = WHOLE.iter().map(|(_, whole)| Self(Kind::Whole(*whole)));
        whole.chain(latencies).collect()
    }

    /// The primary family where none is declared. In a closed loop throughput answers the load; in an
    /// open one it is the load.
    pub fn default_primary(open_loop: bool, streaming: bool) -> Vec<Self> {
        let latency = |latency, of| Self(Kind::Latency(latency, of));
        let mut family = match streaming {
            true => vec![
                latency(Latency::Ttft, Of::P50),
                latency(Latency::Ttft, Of::P90),
                latency(Latency::Tpot, Of::Mean),
            ],
            false => vec![latency(Latency::E2e, Of::P90)],
        };
        family.push(latency(Latency::E2e, Of::Mean));
        if !open_loop {
            family.push(Self(Kind::Whole(Whole::OutputTokens)));
        }
        family
    }

    /// Its value in one run.
    pub fn value(self, summary: &Summary) -> Option<f64> {
        match self.0 {
            Kind::Latency(latency, of) => of.value(latency.distribution(summary)?),
            Kind::Whole(whole) => whole.value(summary),
        }
    }

    /// Observations that it needs in one run that does not carry it; absent of what needs none.
    pub(crate) fn needed(self, summary: &Summary) -> Option<usize> {
        match self.0 {
            Kind::Latency(latency, of) => of.cell(latency.distribution(summary)?)?.needed,
            Kind::Whole(_) => None,
        }
    }

    /// A run does not tell it for want of what was declared of its side, or of somebody who tells it: a price, a
    /// number of accelerators, its energy, its replicas.
    pub(crate) fn is_undeclared(self, summary: &Summary) -> bool {
        match self.0 {
            Kind::Whole(whole) if whole.is_cost() => summary.cost.is_none(),
            Kind::Whole(Whole::OutputTokensPerGpu | Whole::RequestsPerGpu) => {
                let throughput = summary.throughput.as_ref();
                throughput.is_some_and(|throughput| throughput.requests_per_gpu.is_none())
            }
            Kind::Whole(whole) if whole.is_read() => whole.value(summary).is_none(),
            Kind::Whole(_) | Kind::Latency(..) => false,
        }
    }

    /// Its unit; empty for a number without one.
    pub fn unit(self) -> &'static str {
        match self.0 {
            Kind::Latency(_, Of::TailRatio) => "",
            Kind::Latency(..) => "ms",
            Kind::Whole(Whole::Attainment | Whole::Failed) => "",
            Kind::Whole(whole) if whole.is_cost() => "$",
            Kind::Whole(Whole::MeanPower) => "W",
            Kind::Whole(Whole::JoulesPerOutputToken) => "J",
            Kind::Whole(Whole::ReplicaSeconds) => "s",
            Kind::Whole(_) => "1/s",
        }
    }

    /// The flag without which it cannot be, where a plan does not have it.
    pub fn lacks(self, plan: &Plan) -> Option<&'static str> {
        match self.0 {
            Kind::Whole(whole) => whole.lacks(plan),
            Kind::Latency(..) => None,
        }
    }

    /// Which way is better.
    pub fn better(self) -> Better {
        match self.0 {
            Kind::Latency(..) | Kind::Whole(Whole::Failed) => Better::Lower,
            Kind::Whole(whole) if whole.is_cost() || whole.is_read() => Better::Lower,
            Kind::Whole(_) => Better::Higher,
        }
    }

    /// How two values are set against each other.
    pub fn scale(self) -> Scale {
        match self.0 {
            Kind::Whole(Whole::Attainment | Whole::Failed) => Scale::Difference,
            Kind::Latency(..) | Kind::Whole(_) => Scale::Ratio,
        }
    }

    /// It is about speed, so that better is faster.
    pub fn is_speed(self) -> bool {
        match self.0 {
            Kind::Latency(_, of) => of != Of::TailRatio,
            Kind::Whole(whole) => {
                self.scale() == Scale::Ratio && !whole.is_cost() && !whole.is_read()
            }
        }
    }
}

impl Latency {
    fn distribution(self, summary: &Summary) -> Option<&Distribution> {
        let latency = &summary.latency;
        let origin = summary.headline_origin;
        match self {
            Self::Ttft => latency.ttft.from(origin),
            // Without reasoning it is TTFT, which would be compared twice.
            Self::Ttfo if !latency.reasoning => None,
            Self::Ttfo => latency.ttfo.from(origin),
            Self::Tpot => latency.tpot.as_ref(),
            Self::Itl => latency.itl.as_ref(),
            Self::Ntpot => latency.ntpot.from(origin),
            Self::E2e => latency.e2e.from(origin),
        }
    }
}

impl Of {
    fn value(self, found: &Distribution) -> Option<f64> {
        match self {
            Self::Mean => found.mean.map(|mean| mean.value),
            Self::P50 | Self::P90 | Self::P99 => self.cell(found)?.value,
            Self::TailRatio => found.tail_ratio,
        }
    }

    fn cell(self, found: &Distribution) -> Option<&Cell> {
        let percent = match self {
            Self::P50 => 50.0,
            Self::P90 => 90.0,
            Self::P99 => 99.0,
            Self::Mean | Self::TailRatio => return None,
        };
        found.cell(Percentile::new(percent)?)
    }
}

impl Whole {
    /// What a plan does not say, without which the figure cannot be.
    fn lacks(self, plan: &Plan) -> Option<&'static str> {
        let [gpus, price, objective] = [
            ("--gpus", plan.gpus.is_none()),
            ("--gpu-hour", plan.gpu_hour.is_none()),
            ("--slo", plan.slo.is_empty()),
        ];
        let needed: &[(&'static str, bool)] = match self {
            Self::OutputTokensPerGpu | Self::RequestsPerGpu => &[gpus],
            Self::MillionOutput | Self::MillionTotal => &[gpus, price],
            Self::GoodRequest => &[gpus, price, objective],
            Self::Goodput | Self::Attainment => &[objective],
            _ => &[],
        };
        let lacking = needed.iter().find(|(_, lacks)| *lacks);
        lacking.map(|(flag, _)| *flag)
    }

    fn is_cost(self) -> bool {
        matches!(
            self,
            Self::MillionOutput | Self::MillionTotal | Self::GoodRequest
        )
    }

    /// Somebody beside the client tells it: GPUs, or who knows the replicas.
    fn is_read(self) -> bool {
        matches!(
            self,
            Self::MeanPower | Self::JoulesPerOutputToken | Self::ReplicaSeconds
        )
    }

    fn value(self, summary: &Summary) -> Option<f64> {
        let rate = |rate: Option<Rate>| rate.map(|rate| rate.per_s);
        let throughput = summary.throughput.as_ref();
        let cost = summary.cost.as_ref();
        match self {
            Self::OutputTokens => rate(throughput?.output_tokens),
            Self::OutputTokensPerGpu => rate(throughput?.output_tokens_per_gpu),
            Self::TotalTokens => rate(throughput?.total_tokens),
            Self::Requests => Some(throughput?.requests.per_s),
            Self::RequestsPerGpu => rate(throughput?.requests_per_gpu),
            Self::Goodput => rate(summary.goodput.as_ref()?.requests),
            Self::Attainment => Some(summary.goodput.as_ref()?.attainment.value),
            Self::Failed => Some(summary.requests.failed?.value),
            Self::MillionOutput => Some(cost?.million_output?.value),
            Self::MillionTotal => Some(cost?.million_total?.value),
            Self::MeanPower => summary.energy.as_ref()?.mean_power_w,
            Self::JoulesPerOutputToken => Some(summary.energy.as_ref()?.per_output_token?.value),
            Self::ReplicaSeconds => {
                let replicas = summary.steps.as_ref()?.replicas.as_ref()?;
                Some(replicas.replica_seconds?.value)
            }
            // Where none was good, none has a price: it is beyond every other, and not a round without an answer.
            Self::GoodRequest => match cost?.good_request {
                Some(each) => Some(each.value),
                None => {
                    let good = summary.goodput.as_ref()?.requests?;
                    (good.per_s <= 0.0).then_some(f64::INFINITY)
                }
            },
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Latency(latency, of) => {
                let of = OF
                    .iter()
                    .find(|(_, o)| *o == of)
                    .map_or("", |(name, _)| name);
                let latencies = LATENCIES.iter().find(|(_, l)| *l == latency);
                write!(f, "{}.{of}", latencies.map_or("", |(name, _)| name))
            }
            Kind::Whole(whole) => {
                let whole = WHOLE.iter().find(|(_, w)| *w == whole);
                f.write_str(whole.map_or("", |(name, _)| name))
            }
        }
    }
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::all();
        if let Some(axis) = all.iter().find(|axis| axis.to_string() == text) {
            return Ok(*axis);
        }
        let names: Vec<String> = all.iter().map(Self::to_string).collect();
        Err(match closest(text, names.iter().map(String::as_str)) {
            Some(meant) => format!("`{text}` is not a figure; did you mean `{meant}`?"),
            None => format!(
                "`{text}` is not a figure: ttft, ttfo, tpot, itl, ntpot or e2e with .mean, .p50, .p90, \
                 .p99 or .tail_ratio, or one of {}",
                WHOLE.map(|(name, _)| name).join(", ")
            ),
        })
    }
}

impl TryFrom<String> for Axis {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Axis> for String {
    fn from(axis: Axis) -> Self {
        axis.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for axis in Axis::all() {
            assert_eq!(axis.to_string().parse(), Ok(axis));
        }
        assert_eq!(Axis::all().len(), 44);
    }

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        let said = |text: &str| text.parse::<Axis>().expect_err(text);
        assert!(
            said("ttft.p98").contains("did you mean `ttft.p9"),
            "{}",
            said("ttft.p98")
        );
        assert!(said("speed").contains("one of output_tokens_per_s"));
    }

    #[test]
    fn figures_have_a_direction_and_a_scale() {
        let of = |name: &str| {
            let axis: Axis = name.parse().expect(name);
            (axis.better(), axis.scale(), axis.is_speed())
        };
        assert_eq!(of("ttft.p99"), (Better::Lower, Scale::Ratio, true));
        assert_eq!(of("goodput"), (Better::Higher, Scale::Ratio, true));
        assert_eq!(of("failed"), (Better::Lower, Scale::Difference, false));
        assert_eq!(of("e2e.tail_ratio"), (Better::Lower, Scale::Ratio, false));
        let cost = of("cost_per_million_output_tokens");
        assert_eq!(cost, (Better::Lower, Scale::Ratio, false));
        for read in ["mean_power", "joules_per_output_token", "replica_seconds"] {
            assert_eq!(of(read), (Better::Lower, Scale::Ratio, false), "{read}");
        }
    }
}
