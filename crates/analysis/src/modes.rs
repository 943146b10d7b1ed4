//! Two modes in a latency, and what tells them apart.
//!
//! What two modes are is `stats`. Invariant: a key explains them where knowing a request's band takes
//! away most of the error of guessing its mode (Goodman and Kruskal 1954, Journal of the American
//! Statistical Association 49: lambda).

use crate::breakdown::{KEYS, Key};
use crate::limits::MODES_EXPLAINED;
use crate::parallel;
use crate::run::Run;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::Population;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_stats::{TwoModes, two_modes};
use std::collections::BTreeMap;

/// A latency with two modes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Modes {
    pub(crate) metric: &'static str,
    pub(crate) found: TwoModes,
    /// The key that tells them apart best, where one does.
    pub(crate) explained: Option<Explained>,
}

/// A key that tells two modes apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Explained {
    pub(crate) key: &'static str,
    /// Bands with the share of their requests in the upper mode, ascending.
    pub(crate) bands: Vec<(String, f64)>,
}

/// The latencies looked at.
const METRICS: [(&str, RequestMetric); 2] =
    [("TTFT", RequestMetric::Ttft), ("E2E", RequestMetric::E2e)];

/// What may tell modes apart beside the keys of the breakdown.
const FURTHER: [Key; 2] = [
    Key::new(
        "prefix_cache",
        |r| Some(u32::from(r.cached_tokens? >= r.prompt_tokens?.div_ceil(2))),
        |band, _| ["prompts not cached", "prompts cached"][band.min(1) as usize].to_owned(),
    ),
    Key::new(
        "connection",
        |r| r.new_connection.map(u32::from),
        |band, _| ["kept", "opened for the request"][band.min(1) as usize].to_owned(),
    ),
];

/// The latencies of the completed measured requests that have two modes.
pub(crate) fn modes(run: &Run, origin: Origin) -> Vec<Modes> {
    let population = Population::of(&run.collected);
    let found = parallel::map(&METRICS, population.len(), |(name, metric)| {
        let metric = *metric;
        let exists = population.streaming() || metric.exists_without_stream();
        let value = |r: &'_ RequestFacts| metric.value_ms(r, origin);
        let valued: Vec<(f64, &RequestFacts)> = population
            .completed()
            .filter(|_| exists)
            .filter_map(|r| Some((value(r)?, r)))
            .collect();
        let values: Vec<f64> = valued.iter().map(|(value, _)| *value).collect();
        let found = two_modes(&values).ok()??;
        Some(Modes {
            metric: name,
            explained: explanation(run, &valued, found.cut),
            found,
        })
    });
    found.into_iter().flatten().collect()
}

/// The key that tells best on which side of the cut a request lies.
fn explanation(run: &Run, valued: &[(f64, &RequestFacts)], cut: f64) -> Option<Explained> {
    let upper = valued.iter().filter(|(value, _)| *value > cut).count();
    let errors = upper.min(valued.len() - upper) as f64;
    let by_key = KEYS.iter().chain(&FURTHER).filter_map(|key| {
        // Requests by band: all of them, and those above the cut.
        let mut bands: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (value, request) in valued {
            let (all, above) = bands.entry((key.band)(request)?).or_default();
            *all += 1;
            *above += usize::from(*value > cut);
        }
        let left: usize = bands
            .values()
            .map(|(all, above)| (*above).min(all - above))
            .sum();
        let lambda = 1.0 - left as f64 / errors;
        (lambda >= MODES_EXPLAINED).then_some((lambda, key, bands))
    });
    // The first of equal ones.
    let best = by_key.reduce(|best, next| if next.0 > best.0 { next } else { best });
    let (_, key, bands) = best?;
    let share = |(band, (all, above)): (&u32, &(usize, usize))| {
        ((key.label)(*band, run), *above as f64 / *all as f64)
    };
    Some(Explained {
        key: key.name,
        bands: bands.iter().map(share).collect(),
    })
}
