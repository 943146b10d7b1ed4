//! A load to try an engine with: Poisson arrivals, lognormal lengths.
//!
//! Meant for the simulator's own checks; what infermeter sends is made by its workload and schedule.
//! Invariant: request number i is a function of the parameters and i.

use crate::engine::{EngineRequest, Finish, SequenceId};
use infermeter_core::seed::splitmix64;

/// Lengths with a mean and a spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lognormal {
    /// Mean, tokens.
    pub mean: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

impl Lognormal {
    /// The length that belongs to a standard normal draw, tokens, at least 1 and at most `most`.
    fn length(&self, normal: f64, most: u32) -> u32 {
        let mu = self.mean.ln() - self.sigma * self.sigma / 2.0;
        let length = (mu + self.sigma * normal).exp().round();
        length.clamp(1.0, f64::from(most)) as u32
    }
}

/// An open loop: an endless iterator of (arrival in nanoseconds, request).
#[derive(Debug, Clone)]
pub struct OpenLoop {
    /// Requests per second.
    pub rate: f64,
    /// Lengths of prompts.
    pub prompt: Lognormal,
    /// Lengths of answers.
    pub output: Lognormal,
    /// Longest prompt, and longest answer, tokens.
    pub most: u32,
    /// Seeds everything.
    pub seed: u64,
    index: u64,
    at_s: f64,
}

impl OpenLoop {
    /// A load from instant 0 on.
    pub fn new(rate: f64, prompt: Lognormal, output: Lognormal, seed: u64) -> Self {
        Self {
            rate,
            prompt,
            output,
            most: 32_768,
            seed,
            index: 0,
            at_s: 0.0,
        }
    }

    /// Draw number `which` of the present request, in (0, 1].
    fn draw(&self, which: u64) -> f64 {
        let bits = splitmix64(splitmix64(self.seed).wrapping_add(self.index * 8 + which));
        ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

impl Iterator for OpenLoop {
    type Item = (i64, EngineRequest);

    fn next(&mut self) -> Option<Self::Item> {
        self.at_s -= self.draw(0).ln() / self.rate;
        // Box and Muller 1958: two independent normals of two uniforms.
        let radius = (-2.0 * self.draw(1).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.draw(2);
        let request = EngineRequest {
            id: SequenceId(self.index),
            prompt_tokens: self.prompt.length(radius * angle.cos(), self.most),
            output_tokens: self.output.length(radius * angle.sin(), self.most),
            finish: Finish::Length,
            blocks: [].into(),
            adapter: None,
        };
        self.index += 1;
        Some(((self.at_s * 1e9) as i64, request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_mean_lengths_are_those_asked_for() {
        let prompt = Lognormal {
            mean: 220.0,
            sigma: 0.8,
        };
        let output = Lognormal {
            mean: 160.0,
            sigma: 0.8,
        };
        let n = 40_000;
        let requests: Vec<_> = OpenLoop::new(20.0, prompt, output, 3).take(n).collect();
        let mean = |of: fn(&EngineRequest) -> u32| {
            requests.iter().map(|(_, r)| f64::from(of(r))).sum::<f64>() / n as f64
        };
        let rate = n as f64 / (requests[n - 1].0 as f64 / 1e9);
        // Standard errors: 0.5 % each.
        assert!((rate / 20.0 - 1.0).abs() < 0.02, "{rate}");
        for (mean, expected) in [
            (mean(|r| r.prompt_tokens), 220.0),
            (mean(|r| r.output_tokens), 160.0),
        ] {
            assert!(
                (mean / expected - 1.0).abs() < 0.02,
                "{mean} for {expected}"
            );
        }
        assert!(requests.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }
}
