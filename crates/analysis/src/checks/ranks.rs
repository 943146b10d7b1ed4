//! Whether several processes that shared a load are one instrument: of one build, with clocks and starts that agree.
//!
//! What each of them did badly is judged by the checks of the client, which name the worst. Invariant: nothing here is
//! asked of a run that one process measured.

use super::Check;
use crate::limits::{RANKS_BESIDE_MS, RANKS_BESIDE_SHARE};
use crate::ranks::{RankSummary, RanksSummary};
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::number::counted;
use infermeter_core::text;
use std::collections::BTreeMap;

/// What the clocks of ranks have to do with.
const RESTS_ON_CLOCKS: &str = "Requests in flight over all ranks, arrivals, and figures over time rest on it; latencies \
                               and throughput do not.";

/// Ranks of another version, program or processor, or with other cores.
pub(super) const RANKS_DIFFER: Check = Check {
    code: "ranks-differ",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Warning),
    limit: None,
    test: differ,
};

fn differ(run: &Run, summary: &Summary) -> Option<Finding> {
    let ranks = summary.client.ranks.as_ref()?;
    let programs: BTreeMap<u32, &str> = run
        .manifest
        .clients
        .iter()
        .filter_map(|client| {
            let program = client.rank.as_ref()?.program.as_deref()?;
            Some((client.slice.index(), program))
        })
        .collect();
    let program = |rank: &RankSummary| {
        programs
            .get(&rank.rank)
            .map(|hash| text::short_hash(hash).to_owned())
    };
    let cores = |rank: &RankSummary| rank.threads.as_ref().map(|t| t.cores.to_string());
    let weighty = [
        groups(ranks, "version", |rank| rank.version.clone()),
        groups(ranks, "program", program),
        groups(ranks, "processor", |rank| rank.arch.clone()),
    ];
    let light = groups(ranks, "cores", cores);
    let severity = match weighty.iter().any(Option::is_some) {
        true => Severity::Warning,
        false => Severity::Note,
    };
    let all: Vec<String> = weighty.into_iter().chain([light]).flatten().collect();
    (!all.is_empty()).then(|| {
        RANKS_DIFFER.weighing(
            severity,
            match severity {
                Severity::Note => "Ranks have different numbers of cores.",
                _ => "Ranks are not of one build, or not on one kind of machine.",
            },
            format!("{}.", all.join("; ")),
            "Start all ranks from one program on machines of one kind; with other cores, look at each rank's send lag.",
        )
    })
}

/// `version 0.1.0 (ranks 0 and 1), 0.2.0 (rank 2)`; absent where all have the same, as far as it is known.
fn groups(
    ranks: &RanksSummary,
    what: &str,
    of: impl Fn(&RankSummary) -> Option<String>,
) -> Option<String> {
    let mut groups: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for rank in &ranks.each {
        if let Some(value) = of(rank) {
            groups.entry(value).or_default().push(rank.rank);
        }
    }
    let all: Vec<String> = groups
        .iter()
        .map(|(value, ranks)| format!("{value} ({})", text::ranks(ranks)))
        .collect();
    (all.len() > 1).then(|| format!("{what} {}", all.join(", ")))
}

/// How the clock of some rank stands to that of rank 0 is not known.
pub(super) const CLOCK_OFFSET_UNKNOWN: Check = Check {
    code: "clock-offset-unknown",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: offset_unknown,
};

fn offset_unknown(_: &Run, summary: &Summary) -> Option<Finding> {
    let ranks = summary.client.ranks.as_ref()?;
    let each = ranks.each.iter();
    let unknown: Vec<u32> = each
        .filter(|rank| rank.rank != 0 && rank.clock.is_none())
        .map(|rank| rank.rank)
        .collect();
    (!unknown.is_empty()).then(|| {
        CLOCK_OFFSET_UNKNOWN.found(
            "How far the clocks of ranks lie apart is not known: neither is how far their loads do.",
            format!(
                "Of {} of {} nothing is known. {RESTS_ON_CLOCKS}",
                text::ranks(&unknown),
                counted(ranks.each.len() as u64, "rank")
            ),
            "Keep the clocks of the hosts by NTP or PTP, or let the ranks reach one another.",
        )
    })
}

/// The clocks of two ranks are known too badly.
pub(super) const CLOCK_OFFSET_LARGE: Check = Check {
    code: "clock-offset-large",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: Some(RANKS_BESIDE_MS),
    test: offset_large,
};

fn offset_large(_: &Run, summary: &Summary) -> Option<Finding> {
    let ranks = summary.client.ranks.as_ref()?;
    let (bound, limit) = (ranks.bound_ms?, limit_ms(summary));
    if bound <= limit {
        return None;
    }
    let widest = ranks.each.iter().filter_map(|rank| {
        let clock = rank.clock.as_ref()?;
        Some((rank, clock))
    });
    let widest = widest.max_by(|a, b| a.1.bound_ms.total_cmp(&b.1.bound_ms));
    let widest = widest.map_or_else(String::new, |(rank, clock)| {
        format!(
            " The widest bound is that of {}: {:.1} ms, by {}.",
            rank.named(),
            clock.bound_ms,
            clock.by.words()
        )
    });
    Some(CLOCK_OFFSET_LARGE.found(
        "The clocks of ranks are not known well enough: their loads may lie apart by more than matters.",
        format!(
            "The clocks of two ranks are known to {bound:.1} ms; more than {limit:.1} ms is too much.{widest} \
             {RESTS_ON_CLOCKS}"
        ),
        "Keep the clocks of the hosts by NTP or PTP, or let the ranks reach one another.",
    ))
}

/// Ranks did not begin together.
pub(super) const RANKS_STARTED_APART: Check = Check {
    code: "ranks-started-apart",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: Some(RANKS_BESIDE_MS),
    test: started_apart,
};

fn started_apart(_: &Run, summary: &Summary) -> Option<Finding> {
    let ranks = summary.client.ranks.as_ref()?;
    let (apart, bound) = (ranks.started_apart_ms?, ranks.bound_ms?);
    let limit = limit_ms(summary);
    if apart <= limit.max(bound) {
        return None;
    }
    let lags = ranks.each.iter().filter_map(|rank| {
        let lag = rank.start_lag_ms?;
        Some((rank, lag))
    });
    let last = lags.max_by(|a, b| a.1.total_cmp(&b.1));
    let last = last.map_or_else(String::new, |(rank, lag)| {
        format!(
            " The last was {}, {lag:.1} ms after the start agreed on.",
            rank.named()
        )
    });
    Some(RANKS_STARTED_APART.found(
        "Ranks did not begin together: the load of all of them is not what the plan says, where they overlap least.",
        format!(
            "From the first start to the last {apart:.1} ms, known to {bound:.1} ms; more than {limit:.1} ms is too \
             much.{last} {RESTS_ON_CLOCKS}"
        ),
        "Use a rendezvous, so that all begin at one instant; where they do, see what held the last one up.",
    ))
}

/// By so much instants of two ranks may lie beside each other, milliseconds.
fn limit_ms(summary: &Summary) -> f64 {
    let of_window = summary
        .window_s
        .map(|seconds| seconds * 1e3 * RANKS_BESIDE_SHARE);
    of_window.map_or(RANKS_BESIDE_MS, |ms| ms.min(RANKS_BESIDE_MS))
}

#[cfg(test)]
mod tests;
