//! The figures of a trace: lengths, arrivals, sharing, conversations, classes.
//!
//! Definitions are those of the statistics crate. Invariant: a figure that the file does not
//! support is absent, never 0.

use super::gather::Gathered;
use infermeter_core::run::FORMAT_VERSION;
use infermeter_stats::{
    Quantile, StatsError, Variability, coefficient_of_variation, index_of_dispersion,
    order_statistic, rank_correlation,
};
use infermeter_workload::{SharingCounts, TraceFacts};
use schemars::JsonSchema;
use serde::Serialize;

/// Windows of the index of dispersion, seconds.
const WINDOWS_S: [i64; 3] = [1, 10, 60];

/// Parts of the time span in the chart of arrivals.
const BINS: usize = 60;

/// Everything that is told about a file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Figures {
    /// Version of the format.
    pub format_version: u32,
    /// The file as named.
    pub file: String,
    /// What was read, where it is a file of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<TraceFacts>,
    /// What to know about it.
    pub notes: Vec<String>,
    /// Requests.
    pub rows: u64,
    /// Tokens of prompts.
    pub prompt_tokens: Option<Lengths>,
    /// Tokens of answers.
    pub answer_tokens: Option<Lengths>,
    /// Spearman's correlation of the two.
    pub rank_correlation: Option<f64>,
    /// When requests arrive.
    pub arrivals: Option<Arrivals>,
    /// What an unlimited prefix cache would hold.
    pub sharing: Option<Shares>,
    /// Conversations.
    pub sessions: Option<Sessions>,
    /// Classes.
    pub classes: Vec<Class>,
    /// Rows with images, where there are any.
    pub rows_with_images: Option<u64>,
    /// Rows whose lengths are unknown until their texts are counted.
    pub texts_not_counted: Option<u64>,
}

/// How long something is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Lengths {
    /// Observations.
    pub n: usize,
    /// Mean, in the unit of the values.
    pub mean: f64,
    /// Standard deviation over mean; absent for one observation.
    pub cv: Option<f64>,
    /// Smallest, in that unit.
    pub min: f64,
    /// Median, in that unit.
    pub p50: f64,
    /// 90th percentile, in that unit.
    pub p90: f64,
    /// 99th percentile, in that unit.
    pub p99: f64,
    /// Greatest, in that unit.
    pub max: f64,
    /// Sum, in the unit of the values.
    pub total: f64,
    /// Observations with floor(log2 x) = 0, 1, 2, ...
    pub by_power_of_two: Vec<u64>,
}

/// When requests arrive.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "FileArrivals")]
pub struct Arrivals {
    /// Seconds from the first to the last.
    pub span_s: f64,
    /// Requests per second over the span; absent for a span of 0.
    pub rate_per_s: Option<f64>,
    /// Instants that differ.
    pub distinct_instants: usize,
    /// Gaps, seconds.
    pub gaps_s: Option<Lengths>,
    /// Coefficient of variation of the gaps; 1 for a Poisson process.
    pub gap_cv: Option<f64>,
    /// Index of dispersion of counts.
    pub dispersion: Vec<Dispersion>,
    /// Arrivals in each sixtieth of the span.
    pub over_time: Vec<u64>,
}

/// Variance over mean of the counts in windows; 1 for a Poisson process.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Dispersion {
    /// Length of a window, seconds.
    pub window_s: i64,
    /// The index.
    pub index: f64,
    /// Windows that it rests on.
    pub windows: usize,
}

/// What an unlimited prefix cache would hold.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Shares {
    /// What was counted.
    pub counts: SharingCounts,
    /// Share of blocks seen before.
    pub block_hit_rate: f64,
    /// Share of prompt tokens in leading blocks that were all seen before.
    pub token_hit_rate: f64,
}

/// Conversations.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Sessions {
    /// How many.
    pub sessions: usize,
    /// Requests of each.
    pub requests: Lengths,
    /// Seconds between an answer and the next request, where the file has them.
    pub delays_s: Option<Lengths>,
    /// Requests that wait for another one's answer.
    pub waiting: u64,
    /// Of those, requests that wait for several.
    pub joining: u64,
}

/// Rows of one class.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Tokens of their prompts.
    pub prompt_tokens: Option<Lengths>,
    /// Tokens of their answers.
    pub answer_tokens: Option<Lengths>,
}

impl Figures {
    /// Computes everything.
    ///
    /// # Errors
    /// When a quantity is not finite.
    pub fn of(
        file: &str,
        facts: Option<TraceFacts>,
        gathered: &Gathered,
    ) -> Result<Self, StatsError> {
        let (inputs, outputs) = &gathered.pairs;
        let classes = gathered
            .classes
            .iter()
            .map(|(name, (rows, inputs, outputs))| {
                Ok(Class {
                    name: name.clone(),
                    rows: *rows,
                    prompt_tokens: Lengths::of(inputs)?,
                    answer_tokens: Lengths::of(outputs)?,
                })
            });
        let uncounted = gathered.texts() > 0 && gathered.inputs.is_empty();
        Ok(Self {
            format_version: FORMAT_VERSION,
            file: file.to_owned(),
            notes: facts.as_ref().map_or_else(Vec::new, TraceFacts::remarks),
            rows: gathered.rows,
            facts,
            prompt_tokens: Lengths::of(&gathered.inputs)?,
            answer_tokens: Lengths::of(&gathered.outputs)?,
            rank_correlation: match inputs.len() {
                0 | 1 => None,
                _ => rank_correlation(inputs, outputs)?,
            },
            arrivals: Arrivals::of(&gathered.times)?,
            sharing: Shares::of(gathered.sharing.counts()),
            sessions: Sessions::of(gathered)?,
            classes: classes.collect::<Result<_, StatsError>>()?,
            rows_with_images: (gathered.images.0 > 0).then_some(gathered.images.0),
            texts_not_counted: uncounted.then_some(gathered.texts() as u64),
        })
    }
}

impl Lengths {
    fn of(values: &[f64]) -> Result<Option<Self>, StatsError> {
        if values.is_empty() {
            return Ok(None);
        }
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let at = |q| order_statistic(&sorted, q).unwrap_or(f64::NAN);
        let total: f64 = sorted.iter().sum();
        Ok(Some(Self {
            n: sorted.len(),
            mean: total / sorted.len() as f64,
            cv: variability(values)?.map(|v| v.value),
            min: sorted[0],
            p50: at(Quantile::P50),
            p90: at(Quantile::P90),
            p99: at(Quantile::P99),
            max: sorted[sorted.len() - 1],
            total,
            by_power_of_two: by_power_of_two(&sorted),
        }))
    }
}

fn variability(values: &[f64]) -> Result<Option<Variability>, StatsError> {
    match values.len() {
        0 | 1 => Ok(None),
        _ => coefficient_of_variation(values),
    }
}

/// Counts by floor(log2), values below 1 with the first.
fn by_power_of_two(sorted: &[f64]) -> Vec<u64> {
    let mut counts = Vec::new();
    for value in sorted {
        let power = value.max(1.0).log2().floor() as usize;
        if counts.len() <= power {
            counts.resize(power + 1, 0);
        }
        counts[power] += 1;
    }
    counts
}

impl Arrivals {
    fn of(times: &[i64]) -> Result<Option<Self>, StatsError> {
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            return Ok(None);
        };
        let span_ns = last - first;
        let gaps: Vec<f64> = times
            .windows(2)
            .map(|two| (two[1] - two[0]) as f64 / 1e9)
            .collect();
        let distinct = 1 + times.windows(2).filter(|two| two[0] != two[1]).count();
        let mut dispersion = Vec::new();
        for window_s in WINDOWS_S {
            let window_ns = window_s * 1_000_000_000;
            // Fewer than ten windows say nothing about how counts vary.
            if span_ns / window_ns < 10 {
                continue;
            }
            let index = index_of_dispersion(times, window_ns, *first..*last + 1)?;
            dispersion.extend(index.map(|index| Dispersion {
                window_s,
                index: index.value,
                windows: index.n,
            }));
        }
        Ok(Some(Self {
            span_s: span_ns as f64 / 1e9,
            rate_per_s: (span_ns > 0).then(|| gaps.len() as f64 / (span_ns as f64 / 1e9)),
            distinct_instants: distinct,
            gap_cv: variability(&gaps)?.map(|v| v.value),
            gaps_s: Lengths::of(&gaps)?,
            dispersion,
            over_time: over_time(times, span_ns),
        }))
    }
}

fn over_time(times: &[i64], span_ns: i64) -> Vec<u64> {
    let mut counts = vec![0; BINS];
    let first = times.first().copied().unwrap_or(0);
    for at in times {
        let place = i128::from(at - first) * BINS as i128 / i128::from(span_ns + 1);
        counts[place as usize] += 1;
    }
    counts
}

impl Shares {
    fn of(counts: SharingCounts) -> Option<Self> {
        (counts.blocks > 0).then(|| Self {
            counts,
            block_hit_rate: counts.block_hits as f64 / counts.blocks as f64,
            token_hit_rate: counts.prefix_hit_tokens as f64 / counts.tokens as f64,
        })
    }
}

impl Sessions {
    fn of(gathered: &Gathered) -> Result<Option<Self>, StatsError> {
        let mut turns: Vec<f64> = gathered.sessions.values().map(|n| f64::from(*n)).collect();
        // The map has no order of its own, and sums depend on order.
        turns.sort_unstable_by(f64::total_cmp);
        let Some(requests) = Lengths::of(&turns)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            sessions: turns.len(),
            requests,
            delays_s: Lengths::of(&gathered.delays)?,
            waiting: gathered.waiting.0,
            joining: gathered.waiting.1,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_a_known_sample() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let lengths = Lengths::of(&values).unwrap().unwrap();
        assert_eq!((lengths.p50, lengths.p90, lengths.p99), (50.0, 90.0, 99.0));
        assert_eq!((lengths.mean, lengths.total), (50.5, 5050.0));
        assert_eq!(lengths.by_power_of_two, [1, 2, 4, 8, 16, 32, 37]);
        assert!(Lengths::of(&[]).unwrap().is_none());
        assert_eq!(Lengths::of(&[7.0]).unwrap().unwrap().cv, None);
    }

    #[test]
    fn arrivals_of_one_row_have_no_rate() {
        let arrivals = Arrivals::of(&[0]).unwrap().unwrap();
        assert_eq!((arrivals.rate_per_s, arrivals.gap_cv), (None, None));
        assert!(arrivals.gaps_s.is_none() && arrivals.dispersion.is_empty());
        assert!(Arrivals::of(&[]).unwrap().is_none());
    }

    #[test]
    fn arrivals_count_all_rows() {
        let times: Vec<i64> = (0..1_000).map(|i| i * 20_000_000).collect();
        let arrivals = Arrivals::of(&times).unwrap().unwrap();
        assert_eq!(arrivals.over_time.iter().sum::<u64>(), 1_000);
        assert_eq!(arrivals.distinct_instants, 1_000);
        assert!((arrivals.rate_per_s.unwrap() - 50.0).abs() < 1e-9);
        assert_eq!(arrivals.gap_cv, Some(0.0));
        let windows: Vec<i64> = arrivals.dispersion.iter().map(|d| d.window_s).collect();
        assert_eq!(windows, [1]);
    }
}
