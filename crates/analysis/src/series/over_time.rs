//! Latencies, gaps, load and the instrument's own errors by equal parts of the run's time.
//!
//! Method: a part keeps count, least and greatest, all exact. Percentiles of requests' values are estimates: exact
//! order statistics with their interval, and only where the part's own sample carries them, dependence
//! included. Those of chunks describe what came in the part, to 1/64; nothing is estimated from them.

use super::{Estimated, Timed};
use crate::limits::{SERIES_CLASSES, SERIES_EACH, SERIES_PARTS, SERIES_PER_PART};
use crate::run::Run;
use infermeter_core::record::Outcome;
use infermeter_core::request::{ClassIndex, RequestId};
use infermeter_core::run::Window;
use infermeter_core::schedule::Phase;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::population::is_failure;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::series::axis::TimeAxis;
use infermeter_metrics::series::in_parts::{Timed as TimedValue, in_parts};
use infermeter_metrics::series::load::Stays;
use infermeter_metrics::series::pass::Ends;
use infermeter_metrics::series::spread::Spread;
use infermeter_metrics::series::spreads::Spreads;
use infermeter_stats::Quantile;
use schemars::JsonSchema;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Fewest parts of a run, however few its requests are.
const FEWEST_PARTS: usize = 12;

/// Values that the p99 of a part takes before it is more than the greatest one but one.
const P99_VALUES: u64 = 1_000;

/// Values of one part of the time, milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TimePart {
    /// Where it begins, seconds.
    pub at_s: f64,
    /// Values.
    pub n: u64,
    /// Requests that were due in it and failed, where values are of requests; those of the drain do not count.
    pub failed: u64,
    /// The least; absent where all failed.
    pub least: Option<f64>,
    /// The median, where the part carries it.
    pub p50: Option<Estimated>,
    /// The 99th percentile, where the part carries it.
    pub p99: Option<Estimated>,
    /// The greatest.
    pub greatest: Option<f64>,
}

/// Requests in flight in one part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct LoadPart {
    /// Where it begins, seconds.
    pub at_s: f64,
    /// Time average, requests.
    pub mean: f64,
    /// Fewest.
    pub least: u64,
    /// Most.
    pub most: u64,
}

/// Values of the requests of one class.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ClassParts {
    /// The class.
    pub class: ClassIndex,
    /// As those of all requests.
    pub parts: Vec<TimePart>,
}

/// TTFT of one request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct TtftPoint {
    /// The request.
    pub id: RequestId,
    /// Its class.
    pub class: ClassIndex,
    /// Its origin, seconds.
    pub at_s: f64,
    /// Milliseconds, to the stamp of its first chunk.
    pub ms: f64,
    /// The least that it can have been: the stamp's lower bound.
    pub least_ms: f64,
}

/// The instrument itself, by parts of the time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ClientParts {
    /// How late requests were sent.
    pub send_lag: Vec<TimePart>,
    /// How wide chunks' instants are: stamp less lower bound.
    pub stamp_width: Vec<TimePart>,
    /// How much later the program had read what the kernel stamped.
    pub read_lag: Vec<TimePart>,
}

/// The parts of a run: so many that each has some requests, from its first due instant to its last.
pub(super) fn axis(run: &Run, window: Option<Window>) -> TimeAxis {
    let requests = &run.collected.requests;
    let ends = |r: &RequestFacts| {
        let all = [Some(r.intended), r.send_start, r.chunks.last, r.closed];
        all.into_iter().flatten().max()
    };
    let first = requests.iter().map(|r| r.intended).min();
    let last = requests.iter().filter_map(ends).max();
    let first = first.into_iter().chain(window.map(|w| w.start)).min();
    let last = last.into_iter().chain(window.map(|w| w.end)).max();
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    let anchor = window.map_or(first, |window| window.start);
    let most = (requests.len() / SERIES_PER_PART).clamp(FEWEST_PARTS, SERIES_PARTS);
    TimeAxis::of(first..=last, anchor, most)
}

/// The ids of all requests, where these are few enough to be shown one by one.
pub(super) fn few(run: &Run) -> Option<Vec<RequestId>> {
    let requests = &run.collected.requests;
    let mut ids: Vec<RequestId> = requests.iter().map(|r| r.id).collect();
    ids.sort_unstable();
    (requests.len() <= SERIES_EACH).then_some(ids)
}

/// TTFT of a completed request.
fn ttft_of(timed: &Timed<'_>, request: &RequestFacts) -> Option<TimedValue> {
    let streaming = timed.run.collected.streaming;
    let counts = request.outcome == Outcome::Completed && streaming;
    Some(TimedValue {
        at: request.instant(timed.origin)?,
        value: RequestMetric::Ttft
            .value_ms(request, timed.origin)
            .filter(|_| counts)?,
    })
}

pub(super) fn ttft(timed: &Timed<'_>) -> Vec<TimePart> {
    let requests = &timed.run.collected.requests;
    if !timed.run.collected.streaming {
        return Vec::new();
    }
    let values = in_parts(requests, &timed.axis, |r| ttft_of(timed, r));
    let failures = in_parts(requests, &timed.axis, |r| {
        // Those that keep the load on in the drain are ended with it: that is no failure of theirs.
        let failed = is_failure(r) && r.phase != Phase::Drain;
        failed.then_some(TimedValue {
            at: r.intended,
            value: 0.0,
        })
    });
    estimated(timed, &values, &failures)
}

/// The classes with the most requests, where there are several: those that are shown apart.
pub(super) fn apart(timed: &Timed<'_>) -> Vec<ClassIndex> {
    let collected = &timed.run.collected;
    let mut sizes: BTreeMap<ClassIndex, usize> = BTreeMap::new();
    for request in &collected.requests {
        *sizes.entry(request.class).or_default() += 1;
    }
    if sizes.len() < 2 || !collected.streaming {
        return Vec::new();
    }
    let mut largest: Vec<(ClassIndex, usize)> = sizes.into_iter().collect();
    largest.sort_by_key(|(class, n)| (Reverse(*n), *class));
    largest.truncate(SERIES_CLASSES);
    largest.into_iter().map(|(class, _)| class).collect()
}

/// The same of each class that is shown apart.
pub(super) fn ttft_by_class(timed: &Timed<'_>, apart: &[ClassIndex]) -> Vec<ClassParts> {
    let collected = &timed.run.collected;
    let of_class = |class: &ClassIndex| {
        let class = *class;
        let ttft = |r: &RequestFacts| ttft_of(timed, r).filter(|_| r.class == class);
        let values = in_parts(&collected.requests, &timed.axis, ttft);
        ClassParts {
            class,
            parts: estimated(timed, &values, &[]),
        }
    };
    apart.iter().map(of_class).collect()
}

/// Gaps of each class that is shown apart and has some.
pub(super) fn gaps_by_class(
    timed: &Timed<'_>,
    apart: &[ClassIndex],
    gaps: &[Spreads],
) -> Vec<ClassParts> {
    let classes = apart.iter().zip(gaps).map(|(class, gaps)| ClassParts {
        class: *class,
        parts: described(timed, gaps),
    });
    classes.filter(|class| !class.parts.is_empty()).collect()
}

/// How late requests of every phase and outcome were sent.
pub(super) fn send_lag(timed: &Timed<'_>) -> Vec<TimePart> {
    let lag = |r: &RequestFacts| {
        Some(TimedValue {
            at: r.intended,
            value: RequestMetric::SendLag.value_ms(r, timed.origin)?,
        })
    };
    let values = in_parts(&timed.run.collected.requests, &timed.axis, lag);
    estimated(timed, &values, &[])
}

/// Each request's TTFT, with what its stamp leaves open.
pub(super) fn each(timed: &Timed<'_>, ends: &BTreeMap<RequestId, Ends>) -> Vec<TtftPoint> {
    let point = |r: &RequestFacts| {
        let ttft = ttft_of(timed, r)?;
        let first = ends.get(&r.id)?.first;
        let open_ms = first.high.since(first.low) as f64 / 1e6;
        Some(TtftPoint {
            id: r.id,
            class: r.class,
            at_s: timed.seconds(ttft.at),
            ms: ttft.value,
            least_ms: ttft.value - open_ms,
        })
    };
    timed
        .run
        .collected
        .requests
        .iter()
        .filter_map(point)
        .collect()
}

/// Parts of values of requests; `failures` holds one value for each failed one.
fn estimated(timed: &Timed<'_>, parts: &[Vec<f64>], failures: &[Vec<f64>]) -> Vec<TimePart> {
    let part = |(index, values): (usize, &Vec<f64>)| {
        let failed = failures.get(index).map_or(0, Vec::len) as u64;
        (failed > 0 || !values.is_empty()).then(|| TimePart {
            at_s: timed.edge(index),
            n: values.len() as u64,
            failed,
            least: values.iter().copied().reduce(f64::min),
            p50: Estimated::of_values(values, Quantile::P50),
            p99: Estimated::of_values(values, Quantile::P99),
            greatest: values.iter().copied().reduce(f64::max),
        })
    };
    parts.iter().enumerate().filter_map(part).collect()
}

/// Parts of what was counted by size: described, not estimated.
pub(super) fn described(timed: &Timed<'_>, spreads: &Spreads) -> Vec<TimePart> {
    let part = |(index, spread): (usize, &Spread)| {
        let ms = |ns: Option<i64>| ns.map(|ns| ns as f64 / 1e6);
        let at = |quantile| {
            let value = ms(spread.at(quantile))?;
            Some(Estimated {
                value,
                low: None,
                high: None,
            })
        };
        (spread.n() > 0).then(|| TimePart {
            at_s: timed.edge(index),
            n: spread.n(),
            failed: 0,
            least: ms(spread.least()),
            p50: at(Quantile::P50),
            p99: at(Quantile::P99).filter(|_| spread.n() >= P99_VALUES),
            greatest: ms(spread.greatest()),
        })
    };
    spreads
        .parts()
        .iter()
        .enumerate()
        .filter_map(part)
        .collect()
}

pub(super) fn in_flight(timed: &Timed<'_>, stays: &Stays) -> Vec<LoadPart> {
    let parts = stays.over(&timed.axis);
    let parts = parts.iter().enumerate().map(|(index, part)| LoadPart {
        at_s: timed.edge(index),
        mean: part.mean,
        least: part.least,
        most: part.most,
    });
    match timed.run.collected.requests.is_empty() {
        true => Vec::new(),
        false => parts.collect(),
    }
}
