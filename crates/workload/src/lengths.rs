//! Lengths of prompts and answers: fixed ones and the four named classes.
//!
//! It does not decide which request belongs to which class, nor read traces.
//!
//! Invariant: a length lies within the limits of its distribution and is at least 1.

use infermeter_core::plan::WorkloadKind;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Standard deviation of the logarithm in all named classes.
const SIGMA: f64 = 0.8;

/// A lognormal length, clipped: a draw outside the limits becomes the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClippedLogNormal {
    /// Median before clipping, tokens.
    pub median: f64,
    /// Standard deviation of the natural logarithm.
    pub sigma: f64,
    /// Least length, tokens.
    pub min: u32,
    /// Greatest length, tokens.
    pub max: u32,
}

/// How long a prompt or an answer is, in tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LengthDistribution {
    /// Always the same.
    Fixed(u32),
    /// Lognormal within limits.
    LogNormal(ClippedLogNormal),
}

impl LengthDistribution {
    const fn class(median: f64, min: u32, max: u32) -> Self {
        Self::LogNormal(ClippedLogNormal {
            median,
            sigma: SIGMA,
            min,
            max,
        })
    }

    /// Prompt and answer lengths of a workload kind, in that order.
    pub fn of(kind: WorkloadKind) -> (Self, Self) {
        match kind {
            WorkloadKind::Chat => (Self::class(500.0, 50, 4_000), Self::class(200.0, 10, 2_000)),
            WorkloadKind::CodeGeneration => (
                Self::class(1_500.0, 200, 8_000),
                Self::class(500.0, 50, 4_000),
            ),
            WorkloadKind::LongContextQa => (
                Self::class(16_000.0, 2_000, 128_000),
                Self::class(300.0, 20, 2_000),
            ),
            WorkloadKind::Summarization => (
                Self::class(4_000.0, 500, 32_000),
                Self::class(150.0, 50, 500),
            ),
            WorkloadKind::Fixed { input, output } => (Self::Fixed(input), Self::Fixed(output)),
        }
    }

    /// Draws one length, tokens. A fixed length draws nothing from `rng`.
    pub fn sample<R: Rng>(&self, rng: &mut R) -> u32 {
        match self {
            Self::Fixed(tokens) => (*tokens).max(1),
            Self::LogNormal(d) => d.at(StandardNormal.sample(rng)).round() as u32,
        }
    }

    /// Expected length, tokens; the rounding to whole tokens is left out.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Fixed(tokens) => f64::from((*tokens).max(1)),
            Self::LogNormal(d) => d.mean(),
        }
    }
}

impl ClippedLogNormal {
    /// The length at `z` standard deviations of the underlying normal, clipped, tokens.
    fn at(&self, z: f64) -> f64 {
        let (min, max) = (f64::from(self.min.max(1)), f64::from(self.max.max(1)));
        (self.median * (self.sigma * z).exp()).max(min).min(max)
    }

    /// Mean of the clipped length by the trapezoidal rule over the normal density, which leaves
    /// out less than 1e-14 of the mass beyond 8 standard deviations.
    fn mean(&self) -> f64 {
        const STEPS: i32 = 4_000;
        const HALF_WIDTH: f64 = 8.0;
        let h = 2.0 * HALF_WIDTH / f64::from(STEPS);
        let sum: f64 = (0..=STEPS)
            .map(|i| {
                let z = f64::from(i).mul_add(h, -HALF_WIDTH);
                self.at(z) * (-0.5 * z * z).exp()
            })
            .sum();
        sum * h / (2.0 * std::f64::consts::PI).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn draws(kind: WorkloadKind, n: usize) -> (Vec<u32>, Vec<u32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (input, output) = LengthDistribution::of(kind);
        (0..n)
            .map(|_| (input.sample(&mut rng), output.sample(&mut rng)))
            .unzip()
    }

    fn median(mut values: Vec<u32>) -> f64 {
        values.sort_unstable();
        f64::from(values[values.len() / 2])
    }

    #[test]
    fn medians_and_limits_are_those_of_the_class() {
        for (kind, median_in, median_out, limits_in, limits_out) in [
            (WorkloadKind::Chat, 500.0, 200.0, 50..=4_000, 10..=2_000),
            (
                WorkloadKind::CodeGeneration,
                1_500.0,
                500.0,
                200..=8_000,
                50..=4_000,
            ),
            (
                WorkloadKind::LongContextQa,
                16_000.0,
                300.0,
                2_000..=128_000,
                20..=2_000,
            ),
            (
                WorkloadKind::Summarization,
                4_000.0,
                150.0,
                500..=32_000,
                50..=500,
            ),
        ] {
            let (input, output) = draws(kind, 20_000);
            assert!(input.iter().all(|n| limits_in.contains(n)), "{kind}");
            assert!(output.iter().all(|n| limits_out.contains(n)), "{kind}");
            // Standard error of a sample median: 1.2533 sigma / sqrt(n), relative: under 0.75 %.
            assert!((median(input) / median_in - 1.0).abs() < 0.03, "{kind}");
            assert!((median(output) / median_out - 1.0).abs() < 0.03, "{kind}");
        }
    }

    #[test]
    fn the_mean_without_clipping_is_the_lognormal_one() {
        let wide = ClippedLogNormal {
            median: 1_000.0,
            sigma: SIGMA,
            min: 1,
            max: u32::MAX,
        };
        let exact = 1_000.0 * (SIGMA * SIGMA / 2.0).exp();
        assert!((wide.mean() / exact - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_mean_of_draws_approaches_the_expected_one() {
        let (input, output) = LengthDistribution::of(WorkloadKind::Summarization);
        let (inputs, outputs) = draws(WorkloadKind::Summarization, 100_000);
        for (drawn, expected) in [(inputs, input.mean()), (outputs, output.mean())] {
            let mean = drawn.iter().map(|n| f64::from(*n)).sum::<f64>() / 100_000.0;
            assert!((mean / expected - 1.0).abs() < 0.015, "{mean} {expected}");
        }
    }
}
