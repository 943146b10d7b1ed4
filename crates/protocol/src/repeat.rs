//! Several runs of one plan (`--repeat`, `--until`), and what they say together.
//!
//! Invariant: what was planned before the first run (the number of runs, the looks at them) depends on
//! nothing that was measured.

use crate::{Coordinates, OfRuns, Point, Protocol, RunPoint, RunSeen, Step};
use infermeter_analysis::{Precision, PrecisionLook, PrecisionState, Repeated, Summary};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::plan::{Plan, Until};

/// The most runs of `--until` without `--repeat`.
pub const MOST_RUNS: u32 = 12;

/// Why runs cannot be repeated as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--until needs at least two runs: raise --repeat")]
pub struct RepeatError;

/// Runs of one plan, until there are enough of them.
#[derive(Debug, Clone)]
pub struct Repeat {
    most: usize,
    until: Option<(Until, Precision)>,
    replayed: bool,
}

/// What runs say together.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// Each figure over the runs.
    pub repeated: Repeated,
    /// The looks at a precision that was asked for.
    pub looks: Vec<PrecisionLook>,
    /// Whether they can be trusted together.
    pub verdict: Verdict,
    /// What repeated runs show beyond the findings of each.
    pub findings: Vec<Finding>,
}

impl Repeat {
    /// What a plan asks for; `requests` is how many measured requests a run is expected to have.
    ///
    /// # Errors
    /// Where a precision is asked for and there is no second run.
    pub fn of(plan: &Plan, requests: usize) -> Result<Self, RepeatError> {
        let most = plan.repeat.unwrap_or(MOST_RUNS) as usize;
        let until = match plan.until {
            None => None,
            Some(until) => {
                let precision = Precision::new(until, most, requests).map_err(|_| RepeatError)?;
                Some((until, precision))
            }
        };
        Ok(Self {
            most,
            until,
            replayed: plan.is_replay(),
        })
    }

    /// The most runs.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The precision that is asked for, and the numbers of runs after which replicates are looked at.
    pub fn until(&self) -> Option<(&Until, &[usize])> {
        let (until, precision) = self.until.as_ref()?;
        Some((until, precision.looks()))
    }

    /// The looks at the runs so far: one after each that ended as planned.
    pub fn looks(&self, points: &[RunPoint]) -> Vec<PrecisionLook> {
        let Some((_, precision)) = &self.until else {
            return Vec::new();
        };
        let mut precision = precision.clone();
        let finished = points.iter().filter(|point| point.seen.is_whole());
        let runs = finished.filter_map(|point| point.seen.precision.clone());
        runs.map(|run| precision.look(run)).collect()
    }

    fn together(&self, points: &[RunPoint]) -> Together {
        let seen = points.iter().map(|point| &point.seen);
        let runs: Vec<(Summary, Verdict)> = seen
            .map(|seen| (seen.summary.clone(), seen.verdict))
            .collect();
        let repeated = Repeated::of(&runs);
        let findings = repeated.findings(self.replayed);
        Together {
            repeated,
            looks: self.looks(points),
            verdict: Verdict::of(&findings),
            findings,
        }
    }

    fn is_reached(&self, points: &[RunPoint]) -> bool {
        let looks = self.looks(points);
        looks
            .last()
            .is_some_and(|look| look.state == PrecisionState::Reached)
    }
}

impl Protocol for Repeat {
    type At = Coordinates;
    type Seen = RunSeen;
    type Answer = Together;

    /// A run that was cut short ends them all: who stopped it wants no further one, and a disk that is full
    /// stays full.
    fn next(&self, points: &[Point<Coordinates, RunSeen>]) -> Step<Coordinates, Together> {
        match points.last() {
            None => Step::Measure(Coordinates::default()),
            Some(last)
                if last.seen.is_whole() && points.len() < self.most && !self.is_reached(points) =>
            {
                Step::Extend(0)
            }
            Some(_) => Step::Stop(self.together(points)),
        }
    }
}

impl OfRuns for Repeat {
    /// With a precision, the runs that may be needed.
    fn ahead(&self, points: &[RunPoint]) -> Vec<Coordinates> {
        let whole = points.iter().take_while(|point| point.seen.is_whole());
        let more = match self.is_reached(points) {
            true => 0,
            false => self.most.saturating_sub(whole.count()),
        };
        vec![Coordinates::default(); more]
    }

    fn so_far(&self, points: &[RunPoint]) -> Together {
        self.together(points)
    }
}
