//! What an engine's devices have been busy with: the time of its steps, and how much of it went to prompts.
//!
//! Invariant: time counts once it has passed, so the value at an instant does not depend on how often it is asked for.

use super::law::Work;
use super::{EngineParams, StepLaw};

/// Time since the start, nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Activity {
    /// A step was in progress.
    pub busy_ns: f64,
    /// Of it the share that the law gives to computing prompts; the rest is reading weights and caches.
    pub prompts_ns: f64,
}

/// A step: when it runs, and the share of it that goes to prompts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    begin_ns: i64,
    end_ns: i64,
    prompts: f64,
}

impl Step {
    fn until(self, now_ns: i64) -> Activity {
        let now_ns = now_ns.clamp(self.begin_ns, self.end_ns.max(self.begin_ns));
        let busy_ns = (now_ns - self.begin_ns) as f64;
        Activity {
            busy_ns,
            prompts_ns: busy_ns * self.prompts,
        }
    }
}

/// Adds it up. Steps of the fixed law are not counted: it simulates no device.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Meter {
    done: Activity,
    step: Option<Step>,
}

impl Meter {
    /// A step of this work begins.
    pub(super) fn begin(&mut self, begin_ns: i64, end_ns: i64, prompts: f64) {
        self.step = Some(Step {
            begin_ns,
            end_ns,
            prompts,
        });
    }

    /// The step has ended.
    pub(super) fn end(&mut self) {
        if let Some(step) = self.step.take() {
            let all = step.until(step.end_ns);
            self.done.busy_ns += all.busy_ns;
            self.done.prompts_ns += all.prompts_ns;
        }
    }

    /// Up to `now_ns`.
    pub(super) fn at(&self, now_ns: i64) -> Activity {
        let open = self.step.map(|step| step.until(now_ns)).unwrap_or_default();
        Activity {
            busy_ns: self.done.busy_ns + open.busy_ns,
            prompts_ns: self.done.prompts_ns + open.prompts_ns,
        }
    }

    /// The share of the step in progress that goes to prompts; `None` between steps.
    pub(super) fn now(&self, now_ns: i64) -> Option<f64> {
        let step = self.step?;
        (step.begin_ns..step.end_ns)
            .contains(&now_ns)
            .then_some(step.prompts)
    }
}

impl Work {
    /// Share of a step's length by the law that computes prompts, 0 to 1.
    pub(super) fn prompts_share(&self, params: &EngineParams) -> f64 {
        let StepLaw::Batched {
            per_prefill_token_ns,
            per_attention_ns,
            ..
        } = params.law
        else {
            return 0.0;
        };
        let prompts = self.prefill_tokens as f64 * per_prefill_token_ns as f64
            + self.pairs as f64 * per_attention_ns;
        let length = self.length_ns(params) as f64;
        match length > 0.0 {
            true => (prompts / length).clamp(0.0, 1.0),
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_once_it_has_passed() {
        let mut meter = Meter::default();
        meter.begin(1_000, 3_000, 0.25);
        let of = |busy_ns: f64| Activity {
            busy_ns,
            prompts_ns: busy_ns / 4.0,
        };
        for (now, busy) in [(500, 0.0), (1_000, 0.0), (2_000, 1_000.0), (9_000, 2_000.0)] {
            assert_eq!(meter.at(now), of(busy), "{now}");
        }
        assert_eq!((meter.now(999), meter.now(1_000)), (None, Some(0.25)));
        assert_eq!(meter.now(3_000), None);
        meter.end();
        assert_eq!(meter.at(0), of(2_000.0));
        meter.begin(5_000, 6_000, 1.0);
        assert_eq!(meter.at(5_500).busy_ns, 2_500.0);
        assert_eq!(meter.at(5_500).prompts_ns, 1_000.0);
    }
}
