//! Answers by the load under which they were made: bands of requests in flight, by powers of two.
//!
//! Invariant: the bands hold every checked answer once, in order of load.

use super::{Checked, flags, is_corrupted};
use crate::figure::Share;
use crate::requests::share_of;
use infermeter_core::clock::Offset;
use infermeter_core::slo::AnswerShare;
use infermeter_metrics::facts::RequestFacts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answers of one band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadLevel {
    /// Fewest requests in flight at the send, its own included.
    pub from: u32,
    /// Most of them.
    pub to: u32,
    /// Answers that were checked.
    pub checked: u64,
    /// Those that no sound server gives.
    pub corrupted: Share,
    /// Median of their TTFT, milliseconds; absent without streams.
    pub ttft_p50_ms: Option<f64>,
    /// Median of their E2E from the send, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2e_p50_ms: Option<f64>,
    /// Canaries whose answers could be judged.
    pub canaries: u64,
    /// Those that were answered rightly.
    pub right: Option<Share>,
    /// Rows of evaluations that were answered rightly, of those that could be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval_right: Option<Share>,
}

pub(super) fn levels(checked: &[Checked<'_>]) -> Vec<LoadLevel> {
    let band = |one: &Checked<'_>| one.load.max(1).ilog2();
    let most = checked.iter().map(band).max();
    let all = most.map_or(0..0, |most| 0..most + 1);
    let level = |number: u32| {
        let own: Vec<&Checked<'_>> = checked.iter().filter(|one| band(one) == number).collect();
        let corrupted = own.iter().map(|one| f64::from(u8::from(is_corrupted(one))));
        let of = |share| flags(share, own.iter().map(|one| one.request));
        let right = of(AnswerShare::Canaries);
        Some(LoadLevel {
            from: 1 << number,
            to: own.iter().map(|one| one.load).max()?,
            checked: own.len() as u64,
            corrupted: share_of(&corrupted.collect::<Vec<f64>>())?,
            ttft_p50_ms: median_ms(&own, |r| r.chunks.first),
            e2e_p50_ms: median_ms(&own, |r| r.chunks.last.or(r.finished).or(r.closed)),
            canaries: right.len() as u64,
            right: share_of(&right),
            eval_right: share_of(&of(AnswerShare::Evals)),
        })
    };
    all.filter_map(level).collect()
}

/// The median of the time from the send to an instant.
fn median_ms(
    own: &[&Checked<'_>],
    instant: impl Fn(&RequestFacts) -> Option<Offset>,
) -> Option<f64> {
    let took = |one: &&Checked<'_>| Some(instant(one.request)?.since(one.request.send_start?));
    let mut all: Vec<i64> = own.iter().filter_map(took).collect();
    all.sort_unstable();
    all.get(all.len().checked_sub(1)? / 2)
        .map(|ns| *ns as f64 / 1e6)
}
