//! Servers to search on: presets of the engine simulator under two classes of load, and their true answers.
//!
//! A class has prompts that begin with one of several shared texts, so that a prefix cache has something to
//! find. The truths stand in [`TRUTHS`]. Invariant: the load goes on until
//! every measured request has ended.

use super::table::Table;
use anyhow::{Context, Result};
use infermeter_analysis::highest_rate::{FAR, Trial};
use infermeter_core::seed::splitmix64;
use infermeter_mock::Preset;
use infermeter_mock::engine::{EngineParams, EngineRequest, Fleet};
use infermeter_mock::virtual_time::{Answered, Lognormal, OpenLoop, Source, run};
use infermeter_protocol::search::rule::Dwell;
use infermeter_stats::{Quantile, Stability, order_statistic, saturation};
use std::ops::Range;
use std::sync::Arc;

/// Tokens of a block of the prefix cache.
const BLOCK: u32 = 16;

/// An objective: a percentile of TTFT, and one of TPOT, within limits.
#[derive(Debug, Clone, Copy)]
struct Limits {
    percentile: f64,
    ttft_ms: f64,
    tpot_ms: f64,
}

/// A class of requests.
#[derive(Debug, Clone, Copy)]
struct Class {
    name: &'static str,
    /// Tokens that a prompt shares, and how many texts are shared.
    shared: (u32, u64),
    /// What follows of the prompt, and the answer.
    lengths: (Lognormal, Lognormal),
    limits: Limits,
}

const CLASSES: [Class; 2] = [
    Class {
        name: "chat",
        shared: (512, 8),
        lengths: (
            Lognormal {
                mean: 220.0,
                sigma: 0.8,
            },
            Lognormal {
                mean: 160.0,
                sigma: 0.6,
            },
        ),
        limits: Limits {
            percentile: 0.99,
            ttft_ms: 500.0,
            tpot_ms: 80.0,
        },
    },
    Class {
        name: "long context",
        shared: (4_096, 16),
        lengths: (
            Lognormal {
                mean: 4_096.0,
                sigma: 0.4,
            },
            Lognormal {
                mean: 160.0,
                sigma: 0.6,
            },
        ),
        limits: Limits {
            percentile: 0.95,
            ttft_ms: 3_000.0,
            tpot_ms: 150.0,
        },
    },
];

const PRESETS: [&str; 2] = ["llama-70b-8xh100", "llama-8b-h100"];

/// Longest answer, tokens.
const MOST_OUTPUT: u32 = 512;

/// The highest rates that meet both limits: for each preset the classes, each without and with the prefix cache.
/// `cargo xtask coverage search-truth` finds them.
const TRUTHS: [f64; 8] = [12.449, 22.642, 1.837, 3.499, 32.269, 58.949, 2.617, 4.522];

/// A server with its true answer.
pub struct Server {
    /// What it is.
    pub name: String,
    /// The highest rate that meets the limits, per second.
    pub truth: f64,
    params: EngineParams,
    class: Class,
    shared: Vec<Arc<[u64]>>,
}

/// What a run shows.
pub struct Measured {
    /// Of both limits.
    pub trials: Vec<Trial>,
    /// Share of the requests beyond each of them.
    pub beyond: Vec<f64>,
    /// Requests that were sent, warm-up and drain counted.
    pub sent: u64,
}

/// The servers whose names are wanted.
///
/// # Errors
/// When there is no such preset.
pub fn wanted(table: &Table) -> Result<Vec<Server>> {
    let mut all = servers()?;
    all.retain(|server| table.wants(&server.name));
    Ok(all)
}

fn servers() -> Result<Vec<Server>> {
    let mut all = Vec::new();
    for preset in PRESETS {
        for class in CLASSES {
            for cache in [false, true] {
                let mut params = Preset::parse(preset)?.engine;
                params.kv.as_mut().context("a cache")?.prefix_cache = cache;
                let on = if cache { "on" } else { "off" };
                all.push(Server {
                    name: format!("{preset}, {}, prefix cache {on}", class.name),
                    truth: TRUTHS[all.len()],
                    params,
                    class,
                    shared: shared(class),
                });
            }
        }
    }
    Ok(all)
}

/// The blocks of each shared text.
fn shared(class: Class) -> Vec<Arc<[u64]>> {
    let (tokens, texts) = class.shared;
    let block = |text: u64, number: u32| splitmix64(text << 32 | u64::from(number));
    let of = |text| {
        (0..tokens / BLOCK)
            .map(|number| block(text, number))
            .collect()
    };
    (0..texts).map(of).collect()
}

impl Server {
    /// Measures one run.
    pub fn measure(&self, rate: f64, dwell: Dwell, seed: u64) -> Measured {
        let ns = |seconds: f64| (seconds * 1e9) as i64;
        let start = ns(dwell.warmup_s);
        let window = start..start + ns(dwell.window_s);
        let mut source = SharedPrompts::new(self, rate, seed, window.clone());
        let mut seen: Vec<Seen> = Vec::new();
        let mut fleet = Fleet::new(self.params.clone(), 1);
        let totals = run(&mut fleet, &mut source, |answered| {
            if window.contains(&answered.arrived_ns) {
                seen.push(Seen::of(answered));
            }
        });
        Measured {
            beyond: self.beyond(&seen),
            trials: self.trials(&seen, rate, window),
            sent: totals.requests,
        }
    }

    /// The share of the requests that may lie beyond a limit.
    pub fn allowed(&self) -> f64 {
        1.0 - self.class.limits.percentile
    }

    fn beyond(&self, seen: &[Seen]) -> Vec<f64> {
        let limits = self.class.limits;
        let share = |late: fn(&Seen, Limits) -> bool| {
            let count = seen.iter().filter(|one| late(one, limits)).count();
            count as f64 / seen.len().max(1) as f64
        };
        vec![
            share(|one, limits| one.ttft_ms > limits.ttft_ms),
            share(|one, limits| one.tpot_ms.is_some_and(|tpot| tpot > limits.tpot_ms)),
        ]
    }

    fn trials(&self, seen: &[Seen], rate: f64, window: Range<i64>) -> Vec<Trial> {
        let seconds = (window.end - window.start) as f64 / 1e9;
        let stays: Vec<Range<i64>> = seen.iter().map(|one| one.stay.clone()).collect();
        let stay_s = stays
            .iter()
            .map(|stay| (stay.end - stay.start) as f64 / 1e9);
        let mean_s = stay_s.sum::<f64>() / seen.len().max(1) as f64;
        let found = saturation(&stays, window, None);
        let grows = found.is_ok_and(|found| found.stability == Stability::Unstable);
        let limits = self.class.limits;
        let of = |values: Vec<f64>, limit: f64| {
            let trial = Trial {
                rate,
                margin: margin(values, limits.percentile, limit),
                requests: seen.len() as f64,
                shortness: (mean_s / seconds).min(1.0),
            };
            if grows { trial.growing() } else { trial }
        };
        vec![
            of(seen.iter().map(|one| one.ttft_ms).collect(), limits.ttft_ms),
            of(
                seen.iter().filter_map(|one| one.tpot_ms).collect(),
                limits.tpot_ms,
            ),
        ]
    }
}

/// As the analysis of a run has it, of a latency.
fn margin(mut values: Vec<f64>, percentile: f64, limit: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let value = Quantile::new(percentile)
        .ok()
        .and_then(|q| order_statistic(&values, q));
    value.map_or(-FAR, |value| (value / limit).ln().clamp(-FAR, FAR))
}

/// What is kept of a measured request.
struct Seen {
    ttft_ms: f64,
    tpot_ms: Option<f64>,
    stay: Range<i64>,
}

impl Seen {
    fn of(answered: &Answered) -> Self {
        let tokens: u32 = answered.bursts.iter().map(|burst| burst.tokens).sum();
        let ttft_ns = answered.ttft_ns();
        let first_ns = ttft_ns.map(|ttft| ttft + answered.arrived_ns);
        let tpot = first_ns
            .filter(|_| tokens > 1)
            .map(|first| (answered.ended_ns() - first) as f64 / 1e6 / f64::from(tokens - 1));
        Self {
            ttft_ms: ttft_ns.map_or(f64::INFINITY, |ns| ns as f64 / 1e6),
            tpot_ms: tpot,
            stay: answered.arrived_ns..answered.ended_ns(),
        }
    }
}

/// An open loop of a class that goes on until every request of the window has ended.
struct SharedPrompts<'a> {
    load: OpenLoop,
    shared: &'a [Arc<[u64]>],
    shared_tokens: u32,
    seed: u64,
    next: Option<(i64, EngineRequest)>,
    window: Range<i64>,
    open: u64,
}

impl<'a> SharedPrompts<'a> {
    fn new(server: &'a Server, rate: f64, seed: u64, window: Range<i64>) -> Self {
        let (prompt, output) = server.class.lengths;
        Self {
            load: OpenLoop::new(rate, prompt, output, seed),
            shared: &server.shared,
            shared_tokens: server.class.shared.0,
            seed,
            next: None,
            window,
            open: 0,
        }
    }
}

impl Source for SharedPrompts<'_> {
    fn next_ns(&mut self) -> Option<i64> {
        if self.next.is_none() {
            self.next = self.load.next();
        }
        let at = self.next.as_ref().map(|(at, _)| *at)?;
        (at < self.window.end || self.open > 0).then_some(at)
    }

    fn take(&mut self) -> Option<EngineRequest> {
        let (at, request) = self.next.take()?;
        self.open += u64::from(self.window.contains(&at));
        let text = splitmix64(self.seed ^ splitmix64(request.id.0)) as usize % self.shared.len();
        Some(EngineRequest {
            prompt_tokens: request.prompt_tokens + self.shared_tokens,
            output_tokens: request.output_tokens.min(MOST_OUTPUT),
            blocks: Arc::clone(&self.shared[text]),
            ..request
        })
    }

    fn ended(&mut self, answered: &Answered) {
        self.open -= u64::from(self.window.contains(&answered.arrived_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_protocol::search::rule::Dwell;

    /// The share of requests of long runs that meet each limit, against the percentile: where it crosses.
    #[test]
    fn a_run_is_within_its_limits_well_below_the_truth_and_beyond_them_above() {
        let servers = servers().expect("presets");
        let dwell = Dwell {
            warmup_s: 20.0,
            window_s: 60.0,
        };
        let worst = |server: &Server, share: f64| {
            let measured = server.measure(share * server.truth, dwell, 1);
            assert!(measured.sent as f64 > share * server.truth * 60.0);
            measured
                .trials
                .iter()
                .map(|t| t.margin)
                .fold(f64::MIN, f64::max)
        };
        for server in servers.iter().step_by(3) {
            assert!(worst(server, 0.6) < 0.0, "{}", server.name);
            assert!(worst(server, 1.5) > 0.0, "{}", server.name);
        }
    }
}
