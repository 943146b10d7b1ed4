//! Means of the parts over requests that have something in common.
//!
//! Bands of the load hold about equally many requests. Bands of the TTFT are between its percentiles, as far out
//! as ten requests lie beyond. Invariant: within a group the means of the parts add up to that of the TTFT.

use super::{SpansGroup, SpansPart};
use crate::CONFIDENCE;
use crate::figure::Mean;
use infermeter_core::number::count;
use infermeter_core::request::ClassIndex;
use infermeter_core::text::Word;
use infermeter_stats::summarise;
use std::collections::BTreeSet;

/// Bands of the load.
const LOADS: usize = 3;
/// Between these shares of the requests lie the bands of the TTFT.
const EDGES: [(f64, &str); 3] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99")];
/// Requests of the least band of the TTFT: a percentile has to have so many beyond it.
const LEAST_BEYOND: f64 = 10.0;

/// A request that is taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Taken {
    pub class: ClassIndex,
    /// Others in flight when it was sent.
    pub others: u64,
    pub ttft_ms: f64,
    /// Between the two sides: the client's TTFT from the send less the server's.
    pub outside_ms: f64,
    /// In the order of the parts' names.
    pub parts: Vec<f64>,
}

/// All groups of requests, which are in the order of time.
pub(super) fn groups(taken: &[Taken], names: &[Word], classes: &[String]) -> Vec<SpansGroup> {
    let make = Make { taken, names };
    let mut groups = Vec::new();
    groups.extend(make.group("all", String::new(), |_| true));
    let present: BTreeSet<ClassIndex> = taken.iter().map(|t| t.class).collect();
    if present.len() > 1 {
        groups.extend(present.into_iter().filter_map(|class| {
            let name = classes.get(usize::from(class)).cloned();
            let name = name.unwrap_or_else(|| class.to_string());
            make.group("class", name, |t| t.class == class)
        }));
    }
    let loads = load_bands(taken.iter().map(|t| t.others).collect());
    if loads.len() > 1 {
        groups.extend(loads.into_iter().filter_map(|(least, greatest)| {
            let label = match least == greatest {
                true => count(least),
                false => format!("{} to {}", count(least), count(greatest)),
            };
            make.group("in_flight", label, |t| {
                (least..=greatest).contains(&t.others)
            })
        }));
    }
    groups.extend(ttft_bands(&make));
    groups
}

struct Make<'a> {
    taken: &'a [Taken],
    names: &'a [Word],
}

impl Make<'_> {
    /// The requests that `keep` keeps; `None` where there are none.
    fn group(
        &self,
        by: &'static str,
        label: String,
        keep: impl Fn(&Taken) -> bool,
    ) -> Option<SpansGroup> {
        let own: Vec<&Taken> = self.taken.iter().filter(|t| keep(t)).collect();
        let ttfts: Vec<f64> = own.iter().map(|t| t.ttft_ms).collect();
        let ttft_ms = mean(&ttfts)?;
        let part = |(place, name): (usize, &Word)| {
            let values: Vec<f64> = own.iter().map(|t| t.parts[place]).collect();
            let ms = mean(&values)?;
            let share = match ttft_ms.value > 0.0 {
                true => ms.value / ttft_ms.value,
                false => 0.0,
            };
            Some(SpansPart {
                part: name.clone(),
                ms,
                share,
            })
        };
        Some(SpansGroup {
            by: by.into(),
            label,
            n: own.len() as u64,
            ttft_ms,
            parts: self.names.iter().enumerate().filter_map(part).collect(),
        })
    }
}

/// The mean of values in time order, with an interval where they are worth ten independent ones.
fn mean(values: &[f64]) -> Option<Mean> {
    let summary = summarise(values, CONFIDENCE).ok()?;
    let carried = summary.mean_needs().is_none();
    Some(Mean {
        value: summary.mean,
        low: summary.mean_interval.low.filter(|_| carried),
        high: summary.mean_interval.high.filter(|_| carried),
    })
}

/// Bands of about equally many values; equal ones are never parted.
fn load_bands(mut values: Vec<u64>) -> Vec<(u64, u64)> {
    values.sort_unstable();
    let mut bands: Vec<(u64, u64)> = Vec::new();
    let mut begin = 0;
    while begin < values.len() {
        let left = LOADS - bands.len();
        let size = (values.len() - begin).div_ceil(left.max(1));
        let greatest = values[begin + size - 1];
        bands.push((values[begin], greatest));
        begin = values.partition_point(|value| *value <= greatest);
    }
    bands
}

/// Bands between percentiles of the TTFT.
fn ttft_bands(make: &Make<'_>) -> Vec<SpansGroup> {
    let mut sorted: Vec<f64> = make.taken.iter().map(|t| t.ttft_ms).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let mut bands = Vec::new();
    let (mut below, mut from) = (f64::NEG_INFINITY, "");
    for (share, name) in EDGES {
        if n * (1.0 - share) < LEAST_BEYOND - 1e-9 {
            break;
        }
        // The order statistic x_(ceil(n p)), as everywhere.
        let rank = ((n * share - 1e-9).ceil() as usize).max(1);
        let edge = sorted[rank - 1];
        let label = match from {
            "" => format!("up to {name}"),
            from => format!("{from} to {name}"),
        };
        bands.extend(make.group("ttft", label, |t| t.ttft_ms > below && t.ttft_ms <= edge));
        (below, from) = (edge, name);
    }
    if !from.is_empty() {
        bands.extend(make.group("ttft", format!("above {from}"), |t| t.ttft_ms > below));
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_fall_into_thirds_and_equal_ones_stay_together() {
        let check = |values: &[u64], expect: &[(u64, u64)]| {
            assert_eq!(load_bands(values.to_vec()), expect);
        };
        check(&[], &[]);
        check(&[4, 4, 4], &[(4, 4)]);
        check(&[6, 5, 4, 3, 2, 1], &[(1, 2), (3, 4), (5, 6)]);
        check(&[1, 1, 1, 1, 1, 2], &[(1, 1), (2, 2)]);
    }

    fn taken(n: usize) -> Vec<Taken> {
        let one = |i: usize| Taken {
            class: 0,
            others: 0,
            ttft_ms: (i + 1) as f64,
            outside_ms: 0.0,
            parts: vec![1.0, i as f64],
        };
        (0..n).map(one).collect()
    }

    fn bands(n: usize) -> Vec<(String, u64)> {
        let names = ["queue".into(), "server".into()];
        let found = groups(&taken(n), &names, &[]);
        assert_eq!(found[0].by, "all");
        let bands = found.into_iter().skip(1);
        bands.map(|group| (group.label, group.n)).collect()
    }

    #[test]
    fn a_tail_needs_ten_requests() {
        let expect = |bands: &[(&str, u64)]| -> Vec<(String, u64)> {
            bands
                .iter()
                .map(|(label, n)| ((*label).to_owned(), *n))
                .collect()
        };
        assert_eq!(bands(19), expect(&[]));
        assert_eq!(bands(20), expect(&[("up to p50", 10), ("above p50", 10)]));
        let hundred = [("up to p50", 50), ("p50 to p90", 40), ("above p90", 10)];
        assert_eq!(bands(100), expect(&hundred));
        let many = [
            ("up to p50", 500),
            ("p50 to p90", 400),
            ("p90 to p99", 90),
            ("above p99", 10),
        ];
        assert_eq!(bands(1_000), expect(&many));
    }

    #[test]
    fn means_of_parts_add_up() {
        let names = ["queue".into(), "server".into()];
        for group in groups(&taken(1_000), &names, &[]) {
            let sum: f64 = group.parts.iter().map(|part| part.ms.value).sum();
            assert!((sum - group.ttft_ms.value).abs() < 1e-9);
            let shares: f64 = group.parts.iter().map(|part| part.share).sum();
            assert!((shares - 1.0).abs() < 1e-12);
        }
    }
}
