//! The highest rate that meets all objectives, with few requests.
//!
//! Which rate is next, for how long, and when it is enough, is in [`rule`]. Here runs become what the rule sees.
//! A run that the client itself has spoilt, or that was cut short, ends the search: it says nothing of the
//! server. Invariant: the same points give the same step.

pub mod rule;
mod spec;

pub use spec::SearchSpec;

use crate::{Coordinates, Intensity, Length, OfRuns, Protocol, RunPoint, RunSeen, SpecError, Step};
use infermeter_analysis::all_failed;
use infermeter_analysis::highest_rate::{FoundRate, Probe, not_monotone};
use infermeter_core::finding::Verdict;
use infermeter_core::plan::{Plan, Warmup};
use infermeter_core::units::Span;
use rule::{Dwell, Ending, Next, SearchRule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A search over one plan.
#[derive(Debug, Clone)]
pub struct Search {
    rule: SearchRule,
    objectives: Vec<String>,
}

/// What a search says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchAnswer {
    /// How it ended; absent where it has not.
    pub ending: Option<Ending>,
    /// The highest rate of each objective on its own.
    pub each: Vec<ObjectiveRate>,
    /// A lower rate missed clearly and a higher one did not: rates, requests per second.
    pub not_monotone: Option<(f64, f64)>,
    /// Requests that were sent, those of warm-ups and drains counted.
    pub requests: u64,
    /// Runs.
    pub runs: usize,
    /// A run that says nothing of the server ended it: its number.
    pub spoilt: Option<usize>,
}

/// The highest rate of one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectiveRate {
    /// As written.
    pub objective: String,
    /// Absent where no rate that was tried misses it.
    pub rate: Option<FoundRate>,
}

impl Search {
    /// A search for the objectives of a plan.
    ///
    /// # Errors
    /// Where there is nothing to search for, or nowhere.
    pub fn of(spec: &SearchSpec, variants: &[Plan]) -> Result<Self, SpecError> {
        let wrong = |why: &str| Err(SpecError(why.to_owned()));
        let [plan] = variants else {
            return wrong("a search has one plan");
        };
        if plan.slo.is_empty() {
            return wrong("a search needs an objective: give --slo, as in --slo 'ttft.p99<500ms'");
        }
        let rule = spec.rule();
        if rule.from >= rule.to {
            return wrong("--from has to be below --to");
        }
        Ok(Self {
            rule,
            objectives: plan.slo.iter().map(ToString::to_string).collect(),
        })
    }

    /// What it is held to.
    pub fn rule(&self) -> &SearchRule {
        &self.rule
    }

    /// The margin of the objective that is nearest to missing in a run, or misses by most.
    pub fn worst(&self, point: &RunPoint) -> Option<f64> {
        probe(point).worst()
    }

    /// The highest rate as far as these runs tell.
    pub fn belief(&self, points: &[RunPoint]) -> Option<FoundRate> {
        self.rule.belief(&probes(points))
    }
}

fn probes(points: &[RunPoint]) -> Vec<Probe> {
    points.iter().map(probe).collect()
}

/// What a run says.
fn probe(point: &RunPoint) -> Probe {
    Probe::of(&point.seen.summary, rate_of(&point.at))
}

fn rate_of(at: &Coordinates) -> f64 {
    match at.load {
        Some(Intensity::Rate(rate)) => rate,
        _ => 0.0,
    }
}

/// The client itself spoilt it, or it was cut short.
fn is_spoilt(point: &RunPoint) -> bool {
    !point.seen.is_whole()
        || point.seen.verdict == Verdict::Invalid && !all_failed(&point.seen.summary)
}

fn coordinates(rate: Option<f64>, dwell: Dwell) -> Coordinates {
    let span = |seconds: f64| Span((seconds * 1e9) as i64);
    Coordinates {
        load: rate.map(Intensity::Rate),
        length: Some(Length::Time(span(dwell.window_s))),
        warmup: Some(Warmup {
            time: span(dwell.warmup_s),
            requests: 0,
        }),
        ..Coordinates::default()
    }
}

impl Protocol for Search {
    type At = Coordinates;
    type Seen = RunSeen;
    type Answer = SearchAnswer;

    fn next(&self, points: &[RunPoint]) -> Step<Coordinates, SearchAnswer> {
        if points.iter().any(is_spoilt) {
            return Step::Stop(self.so_far(points));
        }
        match self.rule.next(&probes(points)) {
            Next::Run(order) => Step::Measure(coordinates(Some(order.rate), order.dwell)),
            Next::End(_) => Step::Stop(self.so_far(points)),
        }
    }
}

impl OfRuns for Search {
    fn ahead(&self, points: &[RunPoint]) -> Vec<Coordinates> {
        let good = points.iter().take_while(|point| !is_spoilt(point));
        let probes = probes(&good.cloned().collect::<Vec<_>>());
        let ahead = self.rule.ahead(&probes).into_iter();
        ahead
            .map(|(rate, dwell)| coordinates(rate, dwell))
            .collect()
    }

    fn so_far(&self, points: &[RunPoint]) -> SearchAnswer {
        let spoilt = points.iter().find(|point| is_spoilt(point));
        let good: Vec<RunPoint> = points
            .iter()
            .take_while(|p| !is_spoilt(p))
            .cloned()
            .collect();
        let probes = probes(&good);
        let ending = match self.rule.next(&probes) {
            Next::End(ending) => Some(ending),
            Next::Run(_) => None,
        };
        let names = self.objectives.iter().cloned();
        let each = names.zip(self.rule.each(&probes));
        SearchAnswer {
            ending,
            each: each
                .map(|(objective, rate)| ObjectiveRate { objective, rate })
                .collect(),
            not_monotone: not_monotone(&probes).map(|rates| (rates.start, rates.end)),
            requests: points
                .iter()
                .map(|p| p.seen.summary.requests.all.total)
                .sum(),
            runs: points.len(),
            spoilt: spoilt.map(|point| point.number),
        }
    }
}
