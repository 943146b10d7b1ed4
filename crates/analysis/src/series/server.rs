//! What the server said of itself, on the time axis of the run: its gauges, and what its counters rose by.
//!
//! A gauge is a value at the instant of its reading: a part of the time keeps least, mean and greatest of
//! its readings, and how many there are. Nothing is estimated. Invariant: a counter that went back has no rise.

use super::Timed;
use infermeter_core::server::{Quantity, QuantityKind, ServerEngine, ServerFigures, ServerReading};
use infermeter_core::text::Word;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Readings of one gauge in one part of the time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct GaugePart {
    /// Where the part begins, seconds.
    pub at_s: f64,
    /// Readings.
    pub n: u64,
    /// The least.
    pub least: f64,
    /// Their mean.
    pub mean: f64,
    /// The greatest.
    pub greatest: f64,
}

/// One gauge of the server.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GaugeSeries {
    /// Its name: `running`, `waiting`, `kv_usage`, `accepted_length` and the other gauges that a page may have; of
    /// a counter what it rose by, as `preemptions_per_s` and `prefix_hit_share`.
    pub name: Word,
    /// Parts with a reading.
    pub parts: Vec<GaugePart>,
}

/// What the server said.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ServerSeries {
    /// Whose series were read.
    pub engine: ServerEngine,
    /// Readings with figures.
    pub readings: u64,
    /// Readings without, and those left out because an answer was owed.
    pub missing: u64,
    /// Those that its page has.
    pub gauges: Vec<GaugeSeries>,
}

pub(super) fn series(timed: &Timed<'_>) -> Option<ServerSeries> {
    let server = timed.run.server.as_ref()?;
    let readings = &*server.joined();
    let read = readings.iter().filter(|r| r.error.is_none()).count() as u64;
    let skipped: u64 = readings.iter().map(|r| r.skipped).sum();
    let all = Quantity::ALL.iter();
    let gauges = all.filter(|quantity| quantity.kind() == QuantityKind::Gauge);
    let gauges = gauges.map(|quantity| {
        let of = |r: &'_ ServerReading| r.figures.get(*quantity);
        let values = readings.iter().filter_map(|r| Some((r, of(r)?)));
        gauge(timed, quantity.name(), values)
    });
    let rises = [
        gauge(timed, "preemptions_per_s", preemptions(readings)),
        gauge(timed, "prefix_hit_share", prefix_hits(readings)),
    ];
    let all = gauges.chain(rises);
    Some(ServerSeries {
        engine: server.engine()?,
        readings: read,
        missing: readings.len() as u64 - read + skipped,
        gauges: all.filter(|gauge| !gauge.parts.is_empty()).collect(),
    })
}

pub(super) fn gauge<'a>(
    timed: &Timed<'_>,
    name: &'static str,
    values: impl Iterator<Item = (&'a ServerReading, f64)>,
) -> GaugeSeries {
    let mut parts: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (reading, value) in values.filter(|(_, value)| value.is_finite()) {
        if let Some(part) = timed.axis.part(reading.at()) {
            parts.entry(part).or_default().push(value);
        }
    }
    let part = |(part, values): (usize, Vec<f64>)| GaugePart {
        at_s: timed.edge(part),
        n: values.len() as u64,
        least: values.iter().copied().fold(f64::INFINITY, f64::min),
        mean: values.iter().sum::<f64>() / values.len() as f64,
        greatest: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    GaugeSeries {
        name: name.into(),
        parts: parts.into_iter().map(part).collect(),
    }
}

/// Readings one after the other, and how much two counters rose by between them; what went back is no rise.
fn rises(
    readings: &[ServerReading],
    of: impl Fn(&ServerFigures) -> Option<f64>,
) -> impl Iterator<Item = (&ServerReading, &ServerReading, f64)> {
    let with = readings
        .iter()
        .filter_map(move |r| Some((r, of(&r.figures)?)));
    let with: Vec<(&ServerReading, f64)> = with.collect();
    let pairs: Vec<_> = with
        .windows(2)
        .map(|w| (w[0].0, w[1].0, w[1].1 - w[0].1))
        .collect();
    pairs.into_iter().filter(|(_, _, rise)| *rise >= 0.0)
}

fn preemptions(readings: &[ServerReading]) -> impl Iterator<Item = (&ServerReading, f64)> {
    rises(readings, |f| f.get(Quantity::Preemptions)).filter_map(|(before, after, rise)| {
        let seconds = after.at().since(before.at()) as f64 / 1e9;
        (seconds > 0.0).then(|| (after, rise / seconds))
    })
}

/// Hits over queries between two readings that have both; absent where nothing was looked up.
fn prefix_hits(readings: &[ServerReading]) -> impl Iterator<Item = (&ServerReading, f64)> {
    let queries = rises(readings, |f| {
        f.get(Quantity::PrefixHits)
            .and(f.get(Quantity::PrefixQueries))
    });
    let hits = rises(readings, |f| {
        f.get(Quantity::PrefixQueries)
            .and(f.get(Quantity::PrefixHits))
    });
    let hits: BTreeMap<i64, f64> = hits
        .map(|(_, after, rise)| (after.asked_ns.0, rise))
        .collect();
    queries.filter_map(move |(_, after, queries)| {
        let hits = hits.get(&after.asked_ns.0)?;
        (queries > 0.0 && *hits <= queries).then(|| (after, hits / queries))
    })
}
