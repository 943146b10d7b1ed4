//! Whether answers are shorter, or end otherwise, at high load than at low load.
//!
//! Questions are left out: their answers end by themselves. Requests are compared within their class, since classes have
//! lengths of their own, and by what was asked: a length is divided by the tokens that the request had room for. Invariant:
//! a shift stands with its test, and with the answers of both parts.

use super::Checked;
use super::parts::Parts;
use infermeter_core::finish::FinishReason;
use infermeter_core::request::ClassIndex;
use infermeter_stats::{fisher_greater, stratified_rank_sum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Lengths of answers at high load beside those at low load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LengthShift {
    /// More requests in flight than these count as high load.
    pub above: u32,
    /// By the characters of the visible text.
    pub chars: LengthPair,
    /// By output tokens; absent where the server does not count them.
    pub by_tokens: Option<LengthPair>,
}

/// Two groups of lengths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LengthPair {
    /// Answers at low load.
    pub low: u64,
    /// Median of their lengths, characters or tokens.
    pub low_median: f64,
    /// Answers at high load.
    pub high: u64,
    /// Median of their lengths, characters or tokens.
    pub high_median: f64,
    /// Hodges and Lehmann's estimate of how much longer those at high load are, characters or tokens;
    /// negative where they are shorter.
    pub shift: f64,
    /// The rank-sum test within classes (van Elteren 1960), one-sided: the p-value of as much shorter ones at
    /// high load.
    pub p_shorter: f64,
}

/// A way of ending at high load beside low load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FinishShift {
    /// More requests in flight than these count as high load.
    pub above: u32,
    /// The way that differs most; absent where the server names none for these.
    pub reason: Option<FinishReason>,
    /// Answers at low load.
    pub low: u64,
    /// Those that ended so.
    pub low_so: u64,
    /// Answers at high load.
    pub high: u64,
    /// Those that ended so.
    pub high_so: u64,
    /// p-value of Fisher's exact test, two-sided, for all ways and classes together (Bonferroni).
    pub p_value: f64,
}

impl LengthShift {
    pub(super) fn of(checked: &[Checked<'_>]) -> Option<Self> {
        let parts = Parts::of(checked.iter().filter(|one| is_plain(one)))?;
        let tokens = |one: &Checked<'_>| one.request.output_tokens.map(f64::from);
        Some(Self {
            above: parts.above,
            chars: LengthPair::of(&parts, |one| Some(f64::from(one.answer.chars)))?,
            by_tokens: LengthPair::of(&parts, tokens),
        })
    }

    /// The least of the tests, for both together.
    pub(crate) fn p_shorter(&self) -> f64 {
        let tokens = self.by_tokens.as_ref().map_or(1.0, |pair| pair.p_shorter);
        (2.0 * self.chars.p_shorter.min(tokens)).min(1.0)
    }
}

fn is_plain(one: &Checked<'_>) -> bool {
    one.answer.question.is_none() && !one.request.chunks.tool_call
}

impl LengthPair {
    fn of(parts: &Parts<'_, '_>, length: impl Fn(&Checked<'_>) -> Option<f64>) -> Option<Self> {
        let lengths = |part: &[&Checked<'_>]| -> Option<Vec<f64>> {
            let mut all = part
                .iter()
                .map(|one| length(one))
                .collect::<Option<Vec<f64>>>()?;
            all.sort_unstable_by(f64::total_cmp);
            Some(all)
        };
        let (low, high) = (lengths(&parts.low)?, lengths(&parts.high)?);
        let tested = stratified_rank_sum(&strata(parts, &length)).ok()?;
        Some(Self {
            low: low.len() as u64,
            low_median: middle(&low)?,
            high: high.len() as u64,
            high_median: middle(&high)?,
            shift: infermeter_stats::shift_of(&low, &high)?,
            p_shorter: tested.p_less,
        })
    }
}

/// Lengths for each token that was asked for, by class.
fn strata(
    parts: &Parts<'_, '_>,
    length: &impl Fn(&Checked<'_>) -> Option<f64>,
) -> Vec<(Vec<f64>, Vec<f64>)> {
    let of = |part: &[&Checked<'_>], class: ClassIndex| -> Vec<f64> {
        let own = part.iter().filter(|one| one.request.class == class);
        let relative = own.filter_map(|one| {
            Some(length(one)? / f64::from(one.request.requested_output_tokens.max(1)))
        });
        relative.collect()
    };
    let both = |class| (of(&parts.low, class), of(&parts.high, class));
    classes(parts).into_iter().map(both).collect()
}

fn classes(parts: &Parts<'_, '_>) -> BTreeSet<ClassIndex> {
    let all = parts.low.iter().chain(&parts.high);
    all.map(|one| one.request.class).collect()
}

fn middle(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

impl FinishShift {
    /// The way of ending whose share differs most; `None` where all end in one way, or nothing is comparable.
    pub(super) fn of(checked: &[Checked<'_>]) -> Option<Self> {
        let parts = Parts::of(checked.iter().filter(|one| is_plain(one)))?;
        let ways: BTreeSet<Option<FinishReason>> = parts
            .low
            .iter()
            .chain(&parts.high)
            .map(|one| one.request.finish)
            .collect();
        if ways.len() < 2 {
            return None;
        }
        let classes = classes(&parts);
        let tests = ways.len() * classes.len();
        let of = |reason: Option<FinishReason>| {
            let p_values = classes.iter().map(|class| p_value(&parts, reason, *class));
            let least = p_values.fold(1.0, f64::min);
            let (low_so, high_so) = parts.count(|one| one.request.finish == reason);
            Self {
                above: parts.above,
                reason,
                low: parts.low.len() as u64,
                low_so,
                high: parts.high.len() as u64,
                high_so,
                p_value: (least * tests as f64).min(1.0),
            }
        };
        ways.into_iter()
            .map(of)
            .min_by(|a, b| a.p_value.total_cmp(&b.p_value))
    }
}

/// Two-sided, as twice the smaller side.
fn p_value(parts: &Parts<'_, '_>, reason: Option<FinishReason>, class: ClassIndex) -> f64 {
    let (low, high) = parts.count(|one| one.request.class == class);
    let so = |one: &Checked<'_>| one.request.class == class && one.request.finish == reason;
    let (low_so, high_so) = parts.count(so);
    let more = fisher_greater(high_so, high, low_so, low);
    let less = fisher_greater(low_so, low, high_so, high);
    (2.0 * more.min(less)).min(1.0)
}
