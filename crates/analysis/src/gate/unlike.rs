//! What runs of two sides differ in before any speed: failures, lengths, how answers ended.
//!
//! Does not compare plans. Invariant: a difference is named only where chance does not explain it.

use crate::figure::Share;
use crate::summary::Summary;
use infermeter_core::finish::FinishReason;
use infermeter_core::text::Word;
use infermeter_stats::clopper_pearson;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Mean lengths that differ by more than this differ in what the server had to do.
const LENGTHS_DIFFER: f64 = 0.02;
/// Confidence of each side's interval; two that do not touch at this level differ at about 0.001.
const LEVEL: f64 = 0.98;

/// One thing in which the sides differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unlike {
    /// What it is: `failed requests`, `output tokens per answer`, `answers that ended with stop`.
    pub what: Word,
    /// Of the baseline: a share, or tokens.
    pub baseline: f64,
    /// Of the candidate: a share, or tokens.
    pub candidate: f64,
    /// They are shares.
    pub share: bool,
}

/// What the runs of two sides differ in.
pub fn unlike(baseline: &[&Summary], candidate: &[&Summary]) -> Vec<Unlike> {
    let mut found = Vec::new();
    found.extend(shares(
        "failed requests".into(),
        baseline,
        candidate,
        |summary| summary.requests.failed,
    ));
    found.extend(lengths(
        "prompt tokens per answer",
        baseline,
        candidate,
        |summary| summary.tokens.prompt_tokens,
    ));
    found.extend(lengths(
        "output tokens per answer",
        baseline,
        candidate,
        |summary| summary.tokens.output_tokens,
    ));
    let sides = baseline.iter().chain(candidate);
    let reasons: BTreeSet<Option<FinishReason>> = sides
        .flat_map(|summary| summary.requests.finish_reasons.iter().map(|f| f.reason))
        .collect();
    for reason in reasons {
        let name = reason.map_or("no reason", |reason| reason.as_str());
        let what = format!("answers that ended with {name}");
        found.extend(shares(what.into(), baseline, candidate, |summary| {
            let all = &summary.requests.finish_reasons;
            let share = all.iter().find(|f| f.reason == reason).map(|f| f.share);
            share.or_else(|| all.first().map(|f| none_of(f.share)))
        }));
    }
    found
}

/// Of as many requests, none.
fn none_of(share: Share) -> Share {
    Share {
        value: 0.0,
        count: 0,
        ..share
    }
}

fn shares(
    what: Word,
    baseline: &[&Summary],
    candidate: &[&Summary],
    of: impl Fn(&Summary) -> Option<Share>,
) -> Option<Unlike> {
    let pooled = |side: &[&Summary]| {
        let shares: Vec<Share> = side.iter().filter_map(|summary| of(summary)).collect();
        let all: f64 = shares.iter().map(|share| share.effective_n).sum();
        let ones: f64 = shares
            .iter()
            .map(|share| share.value * share.effective_n)
            .sum();
        Some((ones / all, clopper_pearson(ones.min(all), all, LEVEL).ok()?))
    };
    let (before, after) = (pooled(baseline)?, pooled(candidate)?);
    let apart = before.1.high < after.1.low || after.1.high < before.1.low;
    apart.then_some(Unlike {
        what,
        baseline: before.0,
        candidate: after.0,
        share: true,
    })
}

fn lengths(
    what: &'static str,
    baseline: &[&Summary],
    candidate: &[&Summary],
    of: impl Fn(&Summary) -> u64,
) -> Option<Unlike> {
    let mean = |side: &[&Summary]| {
        let answers: u64 = side.iter().map(|summary| summary.tokens.completed).sum();
        let tokens: u64 = side.iter().map(|summary| of(summary)).sum();
        (answers > 0).then(|| tokens as f64 / answers as f64)
    };
    let (before, after) = (mean(baseline)?, mean(candidate)?);
    let apart = (before - after).abs() > LENGTHS_DIFFER * before.max(after);
    apart.then_some(Unlike {
        what: what.into(),
        baseline: before,
        candidate: after,
        share: false,
    })
}
