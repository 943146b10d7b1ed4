//! Lengths of prompts and answers, each from one distribution.
//!
//! It does not decide which request belongs to which class ([`crate::classes`] does), nor read
//! files.
//!
//! Invariant: a length is a non-decreasing function of one standard normal variable, its
//! distribution's quantile at that variable's probability. Two lengths are therefore correlated by
//! correlating their variables (a Gaussian copula), and their own distributions stay what they are.
//! A length lies within its bounds and is at least 1.

use infermeter_core::plan::{Bounds, Length, MAX_TOKENS, MIN_PROMPT_TOKENS};
use statrs::distribution::{ContinuousCDF, Gamma};
use statrs::function::erf::{erfc, erfc_inv};
use std::f64::consts::{PI, SQRT_2};
use std::sync::Arc;

/// Bounds of a prompt's length where none are asked for.
pub(crate) const PROMPT_BOUNDS: Bounds = Bounds {
    min: MIN_PROMPT_TOKENS,
    max: MAX_TOKENS,
};

/// Bounds of an answer's length where none are asked for.
pub(crate) const ANSWER_BOUNDS: Bounds = Bounds {
    min: 1,
    max: MAX_TOKENS,
};

/// How long a prompt or an answer is, in tokens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LengthDistribution {
    law: Law,
    min: f64,
    max: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum Law {
    Fixed,
    Uniform,
    /// Truncated: `low` and `high` are the probabilities below the range and below its end.
    Normal {
        mean: f64,
        sd: f64,
        low: f64,
        high: f64,
    },
    LogNormal {
        median: f64,
        sigma: f64,
    },
    /// `unit` has mean 1; `low` and `high` as above.
    Gamma {
        mean: f64,
        unit: Gamma,
        low: f64,
        high: f64,
    },
    /// Probability of each length from the least up to and including this one.
    Zipf(Arc<[f64]>),
    /// Bins in order of length.
    Bins(Arc<[Bin]>),
}

/// Lengths that are equally likely.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bin {
    /// The least.
    from: f64,
    /// How many there are.
    lengths: f64,
    /// Probability of shorter lengths, and of these and shorter ones.
    before: f64,
    up_to: f64,
}

impl LengthDistribution {
    /// The distribution that a plan names; `default` are the bounds where it has none.
    pub fn new(length: &Length, default: Bounds) -> Self {
        let bounds = match length {
            Length::Fixed(tokens) => Bounds {
                min: *tokens,
                max: *tokens,
            },
            Length::Uniform(bounds) | Length::Zipf { bounds, .. } => *bounds,
            Length::Normal { bounds, .. }
            | Length::LogNormal { bounds, .. }
            | Length::Gamma { bounds, .. } => bounds.unwrap_or(default),
        };
        let min = f64::from(bounds.min.max(1));
        let max = f64::from(bounds.max).max(min);
        let law = match length {
            Length::Fixed(_) => Law::Fixed,
            Length::Uniform(_) => Law::Uniform,
            Length::Normal { mean, sd, .. } => Law::Normal {
                mean: *mean,
                sd: *sd,
                low: normal_cdf((min - 0.5 - mean) / sd),
                high: normal_cdf((max + 0.5 - mean) / sd),
            },
            Length::LogNormal { median, sigma, .. } => Law::LogNormal {
                median: *median,
                sigma: *sigma,
            },
            Length::Gamma { mean, cv, .. } => gamma(*mean, *cv, min, max),
            Length::Zipf { exponent, bounds } => Law::Zipf(zipf_table(*exponent, *bounds)),
        };
        Self { law, min, max }
    }

    /// Lengths in bins: the k-th reaches from `edges[k]` up to below `edges[k + 1]`, and its share is
    /// `weights[k]`; inside a bin all lengths are equally likely. Edges rise, and there is one more
    /// of them than of weights.
    pub(crate) fn of_bins(edges: &[u32], weights: &[f64]) -> Self {
        let whole: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let bins = edges.windows(2).zip(weights).map(|(pair, weight)| {
            let before = sum / whole;
            sum += weight;
            Bin {
                from: f64::from(pair[0]),
                lengths: f64::from(pair[1] - pair[0]),
                before,
                up_to: sum / whole,
            }
        });
        let ends = (edges.first(), edges.last());
        Self {
            law: Law::Bins(bins.collect()),
            min: ends.0.map_or(1.0, |first| f64::from(*first)),
            max: ends.1.map_or(1.0, |last| f64::from(*last) - 1.0),
        }
    }

    /// The length is the same in every request.
    pub(crate) fn is_fixed(&self) -> bool {
        matches!(self.law, Law::Fixed)
    }

    /// The length at `z` standard deviations of the standard normal variable, tokens.
    pub fn tokens(&self, z: f64) -> u32 {
        // Both bounds fit: `as` never saturates.
        self.at(z).round() as u32
    }

    /// The length before it is rounded to whole tokens.
    fn at(&self, z: f64) -> f64 {
        let length = match &self.law {
            Law::Fixed => self.min,
            Law::Uniform => self.min + (normal_cdf(z) * (self.max - self.min + 1.0)).floor(),
            Law::Normal {
                mean,
                sd,
                low,
                high,
            } => mean + sd * normal_quantile(normal_cdf(z).mul_add(high - low, *low)),
            Law::LogNormal { median, sigma } => median * (sigma * z).exp(),
            Law::Gamma {
                mean,
                unit,
                low,
                high,
            } => match normal_cdf(z) {
                p if p <= *low => self.min,
                p if p >= *high => self.max,
                p => mean * unit.inverse_cdf(p),
            },
            Law::Zipf(table) => {
                let p = normal_cdf(z);
                self.min + table.partition_point(|up_to| *up_to < p) as f64
            }
            Law::Bins(bins) => {
                let p = normal_cdf(z);
                let last = bins.len() - 1;
                let bin = bins[bins.partition_point(|bin| bin.up_to <= p).min(last)];
                let share = (p - bin.before) / (bin.up_to - bin.before);
                // Of the last bin, when p is 1 or its weight 0.
                let share = if share.is_finite() { share } else { 1.0 };
                bin.from + (share * bin.lengths).floor().min(bin.lengths - 1.0)
            }
        };
        length.max(self.min).min(self.max)
    }

    /// Expected length, tokens; of continuous distributions the rounding to whole tokens is left
    /// out.
    pub fn mean(&self) -> f64 {
        match &self.law {
            Law::Fixed | Law::Uniform => f64::midpoint(self.min, self.max),
            Law::Normal {
                mean,
                sd,
                low,
                high,
            } => {
                let density = |x: f64| normal_density((x - mean) / sd);
                let (first, last) = (density(self.min - 0.5), density(self.max + 0.5));
                mean + sd * (first - last) / (high - low)
            }
            Law::LogNormal { .. } => self.mean_over_normal(),
            Law::Gamma {
                mean,
                unit,
                low,
                high,
            } => {
                // The part inside is the mean times that of the length-biased distribution, whose
                // shape is greater by 1.
                let biased = Gamma::new(unit.shape() + 1.0, unit.rate());
                let below = |x: f64| biased.as_ref().map_or(0.0, |b| b.cdf(x / mean));
                let inside = mean * (below(self.max) - below(self.min));
                self.min * low + inside + self.max * (1.0 - high)
            }
            Law::Zipf(table) => {
                // The sum of the probabilities of more than each length.
                let beyond: f64 = table.iter().map(|up_to| 1.0 - up_to).sum();
                self.min + beyond
            }
            Law::Bins(bins) => {
                let part = |b: &Bin| (b.up_to - b.before) * (b.from + (b.lengths - 1.0) / 2.0);
                bins.iter().map(part).sum()
            }
        }
    }

    /// Mean by the trapezoidal rule over the normal density, which leaves out less than 1e-14 of
    /// the mass beyond 8 standard deviations.
    fn mean_over_normal(&self) -> f64 {
        const STEPS: i32 = 4_000;
        const HALF_WIDTH: f64 = 8.0;
        let h = 2.0 * HALF_WIDTH / f64::from(STEPS);
        let weigh = |i: i32| {
            let z = f64::from(i).mul_add(h, -HALF_WIDTH);
            self.at(z) * normal_density(z)
        };
        (0..=STEPS).map(weigh).sum::<f64>() * h
    }
}

fn gamma(mean: f64, cv: f64, min: f64, max: f64) -> Law {
    let shape = 1.0 / (cv * cv);
    match Gamma::new(shape, shape) {
        Ok(unit) => Law::Gamma {
            mean,
            low: unit.cdf(min / mean),
            high: unit.cdf(max / mean),
            unit,
        },
        // A plan's coefficients of variation lie between 0.01 and 10: this does not happen.
        Err(_) => Law::Fixed,
    }
}

/// Cumulative probabilities of lengths n from least to greatest, proportional to n^-exponent.
fn zipf_table(exponent: f64, bounds: Bounds) -> Arc<[f64]> {
    let mut sum = 0.0;
    let mut table: Vec<f64> = (bounds.min..=bounds.max)
        .map(|n| {
            sum += f64::from(n).powf(-exponent);
            sum
        })
        .collect();
    table.iter_mut().for_each(|up_to| *up_to /= sum);
    table.into()
}

/// Density of the standard normal distribution.
fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Its distribution function.
fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z / SQRT_2)
}

/// Its inverse.
fn normal_quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}

#[cfg(test)]
mod tests;
