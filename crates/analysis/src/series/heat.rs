//! TTFT by prompt length and by the requests in flight at the send: in which corner a server slows down.
//!
//! Bands hold equally many requests where values allow, so that each field has some. Invariant: a field has a
//! value only where its requests carry a median, dependence included.

use super::{Estimated, Timed};
use crate::limits::SERIES_BANDS;
use infermeter_metrics::population::Population;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::series::load::Stays;
use infermeter_stats::Quantile;
use schemars::JsonSchema;
use serde::Serialize;

/// Values from one to another, both of which occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ValueBand")]
pub struct Band {
    /// The least.
    pub least: u64,
    /// The greatest.
    pub greatest: u64,
}

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct HeatField {
    /// Its band of prompt lengths.
    pub prompt: usize,
    /// Its band of loads.
    pub load: usize,
    /// Requests.
    pub n: u64,
    /// Median TTFT, milliseconds; absent where they do not carry one.
    pub p50: Option<Estimated>,
}

/// TTFT of completed measured requests by two of their circumstances.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HeatMap {
    /// Prompt tokens, by usage where given.
    pub prompt_tokens: Vec<Band>,
    /// Other requests in flight at the send.
    pub in_flight: Vec<Band>,
    /// The fields that hold a request.
    pub fields: Vec<HeatField>,
}

/// A request in its circumstances.
struct Placed {
    prompt: u64,
    others: u64,
    ttft_ms: f64,
}

pub(super) fn heat_map(timed: &Timed<'_>, stays: &Stays) -> Option<HeatMap> {
    let population = Population::of(&timed.run.collected);
    if !population.streaming() {
        return None;
    }
    let placed = population.completed().filter_map(|r| {
        Some(Placed {
            prompt: u64::from(r.input_tokens()?),
            others: stays.at(r.send_start?).saturating_sub(1),
            ttft_ms: RequestMetric::Ttft.value_ms(r, timed.origin)?,
        })
    });
    let placed: Vec<Placed> = placed.collect();
    let prompts = bands(placed.iter().map(|p| p.prompt).collect());
    let loads = bands(placed.iter().map(|p| p.others).collect());
    if prompts.len().max(loads.len()) < 2 {
        return None;
    }
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); prompts.len() * loads.len()];
    for p in &placed {
        let place = band_of(&prompts, p.prompt) * loads.len() + band_of(&loads, p.others);
        values[place].push(p.ttft_ms);
    }
    let fields = values.iter().enumerate().filter(|(_, v)| !v.is_empty());
    let fields = fields.map(|(place, values)| HeatField {
        prompt: place / loads.len(),
        load: place % loads.len(),
        n: values.len() as u64,
        p50: Estimated::of_values(values, Quantile::P50),
    });
    Some(HeatMap {
        fields: fields.collect(),
        prompt_tokens: prompts,
        in_flight: loads,
    })
}

/// At most [`SERIES_BANDS`] bands; equal values are never parted.
fn bands(mut values: Vec<u64>) -> Vec<Band> {
    values.sort_unstable();
    let mut bands: Vec<Band> = Vec::new();
    let mut begin = 0;
    while begin < values.len() {
        let left = SERIES_BANDS - bands.len();
        let size = (values.len() - begin).div_ceil(left.max(1));
        let greatest = values[begin + size - 1];
        let end = values.partition_point(|value| *value <= greatest);
        bands.push(Band {
            least: values[begin],
            greatest,
        });
        begin = end;
    }
    bands
}

/// The first band that reaches up to a value.
fn band_of(bands: &[Band], value: u64) -> usize {
    let band = bands.partition_point(|band| band.greatest < value);
    band.min(bands.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_hold_equally_many_and_part_no_ties() {
        let check = |values: &[u64], expect: &[(u64, u64)]| {
            let found = bands(values.to_vec());
            let found: Vec<(u64, u64)> = found.iter().map(|b| (b.least, b.greatest)).collect();
            assert_eq!(found, expect);
            for value in values {
                let band = bands(values.to_vec())[band_of(&bands(values.to_vec()), *value)];
                assert!((band.least..=band.greatest).contains(value));
            }
        };
        check(&[], &[]);
        check(&[7, 7, 7], &[(7, 7)]);
        check(&[3, 1, 2], &[(1, 1), (2, 2), (3, 3)]);
        let sixteen: Vec<u64> = (1..=16).collect();
        assert_eq!(bands(sixteen).len(), SERIES_BANDS);
        // One value that most have takes a band of its own.
        let mut many = vec![100; 1_000];
        many.extend(1..=8);
        assert_eq!(
            bands(many).first(),
            Some(&Band {
                least: 1,
                greatest: 100
            })
        );
    }
}
