//! The load of a fleet: requests like those of the levels, at another rate.
//!
//! Invariant: lengths and gaps between arrivals are drawn from those that were measured, prompt and answer
//! together, so that no distribution is assumed.

use super::seen::{SeenRequest, SeenRun};
use infermeter_core::clock::Offset;
use infermeter_core::run::{RunManifest, Window};
use infermeter_core::schedule::Phase;
use infermeter_core::seed::splitmix64;

/// Tokens of the measured requests of a fleet, about.
const TOKENS: f64 = 500_000.0;

/// Requests that are measured: enough for a p99, and no more than it needs.
const LEAST: f64 = 2_000.0;
const MOST: f64 = 5_000.0;

/// Times that a request stays before a fleet that began empty is measured.
const WARM: f64 = 3.0;

/// What requests of the levels are like.
#[derive(Debug)]
pub(super) struct FleetLoad {
    /// Prompt and answer, tokens.
    lengths: Vec<Lengths>,
    /// Gaps between arrivals, in units of their mean.
    gaps: Vec<f64>,
    /// Seconds that a request stays, at the level where it stays longest.
    pub residence_s: f64,
    manifest: Option<RunManifest>,
}

#[derive(Debug, Clone, Copy)]
struct Lengths {
    prompt: u32,
    output: u32,
}

/// Requests of a fleet, with the run that they are.
pub(super) struct FleetRequests {
    pub requests: Vec<SeenRequest>,
    pub manifest: RunManifest,
}

impl FleetLoad {
    pub fn of(runs: &[&SeenRun]) -> Self {
        let all = || runs.iter().flat_map(|run| &run.requests);
        let lengths = all()
            .filter(|request| request.completed)
            .map(|request| Lengths {
                prompt: request.prompt_tokens,
                output: request.output_tokens,
            });
        let mut gaps = Vec::new();
        for run in runs {
            let apart = |pair: &[SeenRequest]| (pair[1].arrived_ns - pair[0].arrived_ns) as f64;
            let apart: Vec<f64> = run.requests.windows(2).map(apart).collect();
            let mean = apart.iter().sum::<f64>() / (apart.len() as f64).max(1.0);
            gaps.extend(
                apart
                    .iter()
                    .map(|gap| gap / mean)
                    .filter(|gap| gap.is_finite()),
            );
        }
        Self {
            lengths: lengths.collect(),
            gaps,
            residence_s: runs.iter().map(|run| run.residence_s()).fold(0.0, f64::max),
            manifest: runs.first().map(|run| run.manifest.clone()),
        }
    }

    /// Requests that are not measured, before and behind those that are.
    pub fn around(&self, rate: f64) -> f64 {
        rate * self.residence_s * (WARM + 1.0)
    }

    /// Requests at `rate`, from a fleet that has filled up on; `None` where the levels have none.
    pub fn at(&self, rate: f64) -> Option<FleetRequests> {
        let warm = (rate * self.residence_s * WARM).ceil() as usize;
        let outputs: f64 = self.lengths.iter().map(|l| f64::from(l.output)).sum();
        let mean = outputs / self.lengths.len() as f64;
        let measured = (TOKENS / mean).clamp(LEAST, MOST) as usize;
        let drain = (rate * self.residence_s).ceil() as usize;
        let phase = |index: usize| match index {
            i if i < warm => Phase::Warmup,
            i if i < warm + measured => Phase::Measure,
            _ => Phase::Drain,
        };
        let mut at_s = 0.0;
        let mut requests = Vec::with_capacity(warm + measured + drain);
        for index in 0..warm + measured + drain {
            at_s += drawn(&self.gaps, 2 * index)? / rate;
            let lengths = drawn(&self.lengths, 2 * index + 1)?;
            let at_ns = (at_s * 1e9) as i64;
            requests.push(SeenRequest {
                id: index as u64,
                class: 0,
                phase: phase(index),
                intended_ns: at_ns,
                arrived_ns: at_ns,
                prompt_tokens: lengths.prompt,
                output_tokens: lengths.output,
                completed: false,
                tokens_ns: Vec::new(),
            });
        }
        let instant = |index: usize| Offset(requests.get(index).map_or(0, |r| r.arrived_ns));
        let window = Window {
            start: instant(warm),
            end: instant(warm + measured),
        };
        let manifest = RunManifest {
            window: Some(window),
            rate_asked: Some(rate),
            ..self.manifest.clone()?
        };
        Some(FleetRequests { requests, manifest })
    }
}

/// One of `values`, by draw number `index`.
fn drawn<T: Copy>(values: &[T], index: usize) -> Option<T> {
    let draw = splitmix64(splitmix64(index as u64) ^ 0x666c_6565_7400);
    values
        .get((draw % (values.len() as u64).max(1)) as usize)
        .copied()
}
