//! The engine's steps as gaps between tokens show them, each with the work that was done in it.
//!
//! Running streams share the engine's steps: a gap of one of them is one step, and the tokens that came
//! meanwhile are the sequences that the step served. First tokens among them end the prefill of their prompts.
//! Invariant: a step counts once, however many streams show it.

use super::seen::SeenRun;

/// Most gaps of a run that are looked at, evenly over its streams.
const MAX_GAPS: usize = 200_000;

/// A step of an engine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct StepSeen {
    pub length_ns: f64,
    pub sequences: f64,
    /// Tokens in the cache of the sequences served, when it begins.
    pub kv_tokens: f64,
    pub prompt_tokens: f64,
}

impl StepSeen {
    /// The part of a step that one of the gaps which show it stands for.
    pub fn weight(&self) -> f64 {
        1.0 / self.sequences.max(1.0)
    }
}

/// A token that left, with what its sequence had in the cache before, or with its prompt where it is the first.
struct Left {
    at_ns: i64,
    kv_tokens: f64,
    prompt_tokens: f64,
}

/// Sums over tokens in order of their instants.
struct Sums {
    at_ns: Vec<i64>,
    kv_tokens: Vec<f64>,
    prompt_tokens: Vec<f64>,
}

impl Sums {
    fn of(run: &SeenRun) -> Self {
        let mut left = Vec::new();
        for request in &run.requests {
            for (i, at_ns) in request.tokens_ns.iter().enumerate() {
                let prompt = f64::from(request.prompt_tokens);
                left.push(Left {
                    at_ns: *at_ns,
                    kv_tokens: if i > 0 { prompt + i as f64 - 1.0 } else { 0.0 },
                    prompt_tokens: if i > 0 { 0.0 } else { prompt },
                });
            }
        }
        left.sort_by_key(|token| token.at_ns);
        let summed = |of: fn(&Left) -> f64| {
            let mut sum = 0.0;
            let sums = left.iter().map(|token| {
                sum += of(token);
                sum
            });
            [0.0].into_iter().chain(sums).collect()
        };
        Self {
            kv_tokens: summed(|token| token.kv_tokens),
            prompt_tokens: summed(|token| token.prompt_tokens),
            at_ns: left.into_iter().map(|token| token.at_ns).collect(),
        }
    }

    /// What was done from just behind `from_ns` to `to_ns`.
    fn between(&self, from_ns: i64, to_ns: i64) -> StepSeen {
        let until = |ns: i64| self.at_ns.partition_point(|at| *at <= ns);
        let (from, to) = (until(from_ns), until(to_ns));
        StepSeen {
            length_ns: 0.0,
            sequences: (to - from) as f64,
            kv_tokens: self.kv_tokens[to] - self.kv_tokens[from],
            prompt_tokens: self.prompt_tokens[to] - self.prompt_tokens[from],
        }
    }
}

/// The steps of a run; none where tokens come in bursts.
pub(super) fn steps(run: &SeenRun) -> Vec<StepSeen> {
    let gaps = || {
        let streams = run.requests.iter().map(|request| &request.tokens_ns);
        streams.flat_map(|tokens| tokens.windows(2).map(|pair| (pair[0], pair[1])))
    };
    let mut lengths: Vec<i64> = gaps().map(|(from, to)| to - from).collect();
    if lengths.is_empty() {
        return Vec::new();
    }
    let stride = lengths.len().div_ceil(MAX_GAPS);
    let tenth = lengths.len() / 10;
    let (_, short, _) = lengths.select_nth_unstable(tenth);
    // The tokens of a step reach the client within a fraction of it: half a short step later all are there.
    let late_ns = *short / 2;
    if late_ns <= 0 {
        return Vec::new();
    }
    let sums = Sums::of(run);
    let seen = gaps().step_by(stride).map(|(from, to)| StepSeen {
        length_ns: (to - from) as f64,
        ..sums.between(from + late_ns, to + late_ns)
    });
    seen.filter(|step| step.length_ns > late_ns as f64 && step.sequences >= 1.0)
        .collect()
}
