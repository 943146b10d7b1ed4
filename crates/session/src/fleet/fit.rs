//! The law of an engine's steps from the steps that were seen.
//!
//! length = base + sequences x a + tokens in the cache x b + prompt tokens x c, none of them negative.
//! Invariant: a few steps that were held up on the way change nothing: what lies far from a first fit is left
//! out of the second.

use super::steps::StepSeen;
use infermeter_stats::LeastSquares;

/// Steps that a law needs.
const LEAST_STEPS: usize = 100;

/// A step further from the first fit than so many times the typical distance is left out.
const FAR: f64 = 5.0;

/// Least distance that is far, as a share of the step: what rounding to nanoseconds leaves is no outlier.
const NEAR: f64 = 0.01;

/// The spread of a step below which there is none: what stays is not noise but what the law does not say.
const NO_JITTER: f64 = 0.005;

/// The most spread that a simulated engine has.
const MOST_JITTER: f64 = 0.5;

/// The law of an engine's steps, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Law {
    pub base: f64,
    pub per_sequence: f64,
    pub per_kv_token: f64,
    pub per_prompt_token: f64,
    /// Spread of a step around it, as a share.
    pub jitter: f64,
}

impl Law {
    /// The law of steps; `None` where there are too few, or they follow none.
    pub fn of(steps: &[StepSeen]) -> Option<Self> {
        if steps.len() < LEAST_STEPS {
            return None;
        }
        let first = Self::least_squares(steps)?;
        let far = FAR * first.typical(steps);
        let near = |step: &&StepSeen| first.distance(step) <= far.max(NEAR);
        let kept: Vec<StepSeen> = steps.iter().filter(near).copied().collect();
        let law = Self::least_squares(&kept)?;
        let spread = law.spread(&kept);
        Some(Self {
            jitter: if spread < NO_JITTER {
                0.0
            } else {
                spread.min(MOST_JITTER)
            },
            ..law
        })
    }

    fn least_squares(steps: &[StepSeen]) -> Option<Self> {
        let mut sums = LeastSquares::default();
        for step in steps {
            let terms = [1.0, step.sequences, step.kv_tokens, step.prompt_tokens];
            sums.add(terms, step.length_ns, step.weight());
        }
        let [base, per_sequence, per_kv_token, per_prompt_token] = sums.non_negative()?;
        Some(Self {
            base,
            per_sequence,
            per_kv_token,
            per_prompt_token,
            jitter: 0.0,
        })
    }

    fn length(&self, step: &StepSeen) -> f64 {
        self.base
            + self.per_sequence * step.sequences
            + self.per_kv_token * step.kv_tokens
            + self.per_prompt_token * step.prompt_tokens
    }

    /// How far a step is off, as a share of what the law says.
    fn distance(&self, step: &StepSeen) -> f64 {
        (step.length_ns / self.length(step).max(1.0) - 1.0).abs()
    }

    /// The median distance.
    fn typical(&self, steps: &[StepSeen]) -> f64 {
        let mut distances: Vec<f64> = steps.iter().map(|step| self.distance(step)).collect();
        let middle = distances.len() / 2;
        *distances.select_nth_unstable_by(middle, f64::total_cmp).1
    }

    /// The root of the mean square distance.
    fn spread(&self, steps: &[StepSeen]) -> f64 {
        let square = |step: &StepSeen| self.distance(step).powi(2) * step.weight();
        let sum: f64 = steps.iter().map(square).sum();
        let weights: f64 = steps.iter().map(StepSeen::weight).sum();
        (sum / weights).sqrt()
    }
}
