//! From runs to an engine model that explains them.
//!
//! The law comes from the steps; delay and limit from runs that are simulated with it (a method of simulated
//! moments on p50 and p99 of TTFT). Invariant: a limit is assumed only where the runs cannot be explained
//! without it.

use super::fit::Law;
use super::model::EngineModel;
use super::replay::{Moments, replay};
use super::seen::{SeenRun, rates};
use super::steps::{StepSeen, steps};
use infermeter_analysis::capacity::{BACKTEST_WITHIN, EngineFit, LimitedBy};

/// The model of an engine that showed itself in these runs; `None` where their steps follow no law.
pub(super) fn model(runs: &[&SeenRun]) -> Option<EngineModel> {
    let mut seen = Vec::new();
    for run in runs {
        seen.extend(steps(run));
    }
    let law = Law::of(&seen)?;
    let most = |of: fn(&StepSeen) -> f64| seen.iter().map(of).fold(0.0, f64::max);
    let most_sequences = most(|step| step.sequences) as u32;
    let fit = EngineFit {
        base_ms: law.base / 1e6,
        per_sequence_us: law.per_sequence / 1e3,
        per_kv_token_ns: law.per_kv_token,
        per_prompt_token_us: law.per_prompt_token / 1e3,
        jitter: law.jitter,
        delay_ms: 0.0,
        limit: LimitedBy::Nothing,
        steps: seen.len(),
        most_sequences,
        rates: rates(runs),
    };
    let kv_tokens = most(|step| step.kv_tokens) as u64;
    let limits = [
        LimitedBy::Slots(most_sequences),
        LimitedBy::KvTokens(kv_tokens),
    ];
    Some(explaining(EngineModel { law, fit }, runs, limits))
}

/// With a delay, and with one of these limits where the runs cannot be explained without.
fn explaining(model: EngineModel, runs: &[&SeenRun], limits: [LimitedBy; 2]) -> EngineModel {
    let free = Tried::of(model, runs);
    if free.worst <= BACKTEST_WITHIN {
        return free.model;
    }
    let limited = limits.map(|limit| {
        let mut model = free.model.clone();
        model.fit.limit = limit;
        Tried::of(model, runs)
    });
    let better = |best: Tried, next: Tried| if next.worst < best.worst { next } else { best };
    limited.into_iter().fold(free, better).model
}

/// A model beside the runs that it has to explain.
struct Tried {
    model: EngineModel,
    /// The largest error of a moment.
    worst: f64,
}

impl Tried {
    /// Simulates the runs, and takes what is missing at the median of TTFT in the typical run for the delay.
    fn of(mut model: EngineModel, runs: &[&SeenRun]) -> Self {
        model.fit.delay_ms = 0.0;
        let pairs: Vec<(Moments, Moments)> = runs
            .iter()
            .filter_map(|run| {
                let measured = Moments::of(&run.summary)?;
                Some((measured, Moments::of(&replay(&model, run))?))
            })
            .collect();
        let mut missing: Vec<f64> = pairs.iter().map(|(m, s)| m.p50 - s.p50).collect();
        missing.sort_by(f64::total_cmp);
        let delay = missing
            .get(missing.len() / 2)
            .copied()
            .unwrap_or(0.0)
            .max(0.0);
        model.fit.delay_ms = delay;
        let off = |measured: f64, simulated: f64| ((simulated + delay) / measured - 1.0).abs();
        let worst = pairs
            .iter()
            .map(|(m, s)| off(m.p50, s.p50).max(off(m.p99, s.p99)))
            .fold(0.0, f64::max);
        Self { model, worst }
    }
}
