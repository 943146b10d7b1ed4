//! `fluidity`: when the tokens of an answer are due.
//!
//! Invariant: what is printed reads back as the same value, and neither time is 0.

use super::Plan;
use crate::slo::SloMetric;
use crate::units::Span;
use std::fmt;
use std::str::FromStr;

/// The deadlines of an answer's tokens: `500ms/50ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For the first token, from the origin of the latencies.
    pub first: Span,
    /// For each further one, from the one before.
    pub next: Span,
}

/// Why a text is no pair of deadlines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no pair of deadlines: write TTFT/GAP, both above 0 and with their units, as in \
     500ms/50ms"
)]
pub struct DeadlinesError(String);

impl Deadlines {
    /// Those that the plan asks for, else those of its objectives: the greatest limit on TTFT, and
    /// the greatest on ITL (where there is none, on TPOT). Absent without either.
    pub fn of_plan(plan: &Plan) -> Option<Self> {
        plan.fluidity.or_else(|| {
            let limit = |metric| {
                let of_metric = plan.slo.iter().filter(|slo| slo.metric == metric);
                let limits = of_metric.map(|slo| slo.limit);
                limits.filter(|limit| limit.ns() > 0).max()
            };
            Some(Self {
                first: limit(SloMetric::Ttft)?,
                next: limit(SloMetric::Itl).or_else(|| limit(SloMetric::Tpot))?,
            })
        })
    }
}

impl FromStr for Deadlines {
    type Err = DeadlinesError;

    fn from_str(text: &str) -> Result<Self, DeadlinesError> {
        let wrong = || DeadlinesError(crate::text::inert(text, 80));
        let (first, next) = text.split_once('/').ok_or_else(wrong)?;
        let time = |text: &str| {
            let time: Result<Span, _> = text.trim().parse();
            time.ok().filter(|t| t.ns() > 0).ok_or_else(wrong)
        };
        Ok(Self {
            first: time(first)?,
            next: time(next)?,
        })
    }
}

impl fmt::Display for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_read_and_print() {
        for text in ["500ms/50ms", "2s/25ms"] {
            assert_eq!(text.parse::<Deadlines>().expect(text).to_string(), text);
        }
        for text in ["500ms", "500ms/", "/50ms", "0/50ms", "500ms/0ms", "500/50"] {
            let error = text.parse::<Deadlines>().expect_err(text);
            assert!(error.to_string().contains("TTFT/GAP"), "{error}");
        }
    }

    #[test]
    fn what_is_asked_for_comes_before_objectives() {
        let mut plan = Plan::defaults();
        let mut with = |slos: &[&str]| {
            let slos = slos.iter().map(|slo| slo.parse().expect("an objective"));
            plan.slo = slos.collect();
            Deadlines::of_plan(&plan).map(|d| d.to_string())
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&["ttft.p99<500ms"]), None);
        assert_eq!(with(&["itl.p99<50ms"]), None);
        let tpot = with(&["ttft.p50<200ms", "ttft.p99<500ms", "tpot.p99<30ms"]);
        assert_eq!(tpot.as_deref(), Some("500ms/30ms"));
        let itl = with(&["ttft.p99<500ms", "tpot.p99<30ms", "itl.p99<80ms"]);
        assert_eq!(itl.as_deref(), Some("500ms/80ms"));
        plan.fluidity = "1s/40ms".parse().ok();
        assert_eq!(Deadlines::of_plan(&plan), plan.fluidity);
    }
}
