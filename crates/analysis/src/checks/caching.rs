//! What a repeated prompt gained in the trial of `--probe-response-cache`.
//!
//! A response cache hands a whole answer out again, so the time behind the first token shrinks too; a
//! prefix cache shortens the way to the first token and nothing else.

use super::Check;
use crate::limits::RESPONSE_CACHE;
use crate::response_cache::{PairedRatio, ResponseCacheSummary};
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};

/// The same prompt is answered faster, and not for a shorter prefill alone.
pub const RESPONSE_CACHING: Check = Check {
    code: "response-caching",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: response_caching,
};

fn response_caching(_: &Run, summary: &Summary) -> Option<Finding> {
    let trial = summary.response_cache.as_ref()?;
    let e2e = trial.e2e.filter(caches_responses(trial))?;
    let told_apart = match trial.after_first {
        Some(after) => format!(" Behind the first token: {}.", ratio(&after)),
        None => " Without a stream a prefix cache cannot be told from a response cache.".to_owned(),
    };
    Some(RESPONSE_CACHING.found(
        "The same prompt is answered faster the next time: the server, or something in front of it, caches \
         responses.",
        format!(
            "Time of a repeated prompt over that of a fresh one: {}.{told_apart}",
            ratio(&e2e)
        ),
        "Turn response caching off. Prompts that differ (--prefix bust, the default) are not served \
         from it; texts of a dataset and --prefix none may be.",
    ))
}

/// The same prompt has its first token sooner.
pub(super) const PREFIX_CACHE_ON: Check = Check {
    code: "prefix-cache-on",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: prefix_caching,
};

fn prefix_caching(_: &Run, summary: &Summary) -> Option<Finding> {
    let trial = summary.response_cache.as_ref()?;
    let ttft = trial.ttft.filter(|ttft| ttft.is_below(RESPONSE_CACHE))?;
    if trial.e2e.is_some_and(|e2e| caches_responses(trial)(&e2e)) {
        return None;
    }
    Some(PREFIX_CACHE_ON.found(
        "A repeated prompt has its first token sooner, and the rest takes as long: the server has a \
         prefix cache.",
        format!(
            "TTFT of a repeated prompt over that of a fresh one: {}.",
            ratio(&ttft)
        ),
        "Say so (--engine-info prefix-cache=on). Prompts with a salt of their own do not meet it.",
    ))
}

/// The trial was asked for and has no answer.
pub(super) const RESPONSE_CACHE_UNKNOWN: Check = Check {
    code: "response-cache-unknown",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: without_answer,
};

fn without_answer(_: &Run, summary: &Summary) -> Option<Finding> {
    let trial = summary.response_cache.as_ref()?;
    let answered = trial.e2e.is_some_and(|e2e| e2e.high.is_some());
    (!answered).then(|| {
        let n = trial.e2e.map_or(0, |e2e| e2e.n);
        let unequal = match trial.unequal {
            0 => String::new(),
            n => format!(" {n} pairs had answers of different lengths."),
        };
        let problem = trial.problem.as_deref().unwrap_or("too few pairs");
        RESPONSE_CACHE_UNKNOWN.found(
            "Whether the server caches responses is not known: the trial has too few pairs.",
            format!("{n} pairs; {problem}.{unequal}"),
            "Run again when the server is healthy and takes prompts of 256 tokens.",
        )
    })
}

/// Whether an answer as a whole is faster by so much that it was not generated again.
fn caches_responses(trial: &ResponseCacheSummary) -> impl Fn(&PairedRatio) -> bool {
    let after = trial.after_first;
    move |e2e| {
        e2e.is_below(RESPONSE_CACHE) && after.is_none_or(|after| after.is_below(RESPONSE_CACHE))
    }
}

/// `0.21 [0.18, 0.25] (12 pairs, p = 0.0005)`.
fn ratio(ratio: &PairedRatio) -> String {
    let bound = |bound: Option<f64>| bound.map_or_else(|| "?".to_owned(), |b| format!("{b:.3}"));
    format!(
        "{:.3} [{}, {}] ({} pairs, p = {:.4})",
        ratio.value,
        bound(ratio.low),
        bound(ratio.high),
        ratio.n,
        ratio.p_value
    )
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::check;
    use infermeter_core::environment::{AnswerTimes, CachePair, CacheTrial};
    use infermeter_metrics::fixture::Run;

    /// Pairs whose TTFT and time behind it, milliseconds, are about those given.
    fn trial(repeated: (f64, f64), fresh: (f64, f64), pairs: usize) -> CacheTrial {
        let answer = |(ttft, after): (f64, f64), i: usize| {
            let ttft = ttft * (1.0 + 0.01 * (i * 7 % 5) as f64);
            AnswerTimes {
                ttft_ms: Some(ttft),
                e2e_ms: ttft + after,
                output_tokens: Some(32),
            }
        };
        let pair = |i| CachePair {
            repeated: answer(repeated, i),
            fresh: answer(fresh, i + 2),
        };
        CacheTrial {
            pairs: (0..pairs).map(pair).collect(),
            problem: None,
        }
    }

    fn with(trial: CacheTrial) -> impl FnOnce(&mut Run) {
        move |run| run.manifest().environment.target.response_cache = Some(trial)
    }

    #[test]
    fn what_a_repeated_prompt_gains() {
        let fresh = (50.0, 320.0);
        let none = with(trial((50.2, 321.0), fresh, 12));
        check(none, &[]);
        let responses = with(trial((3.0, 0.0), fresh, 12));
        check(responses, &["warning response-caching"]);
        let prefixes = with(trial((20.0, 320.0), fresh, 12));
        check(prefixes, &["note prefix-cache-on"]);
        // A long prefill: the whole answer is faster, and still it is a prefix cache.
        let long = with(trial((20.0, 100.0), (200.0, 100.0), 12));
        check(long, &["note prefix-cache-on"]);
        let little = with(trial((47.0, 300.0), fresh, 12));
        check(little, &[]);
    }

    #[test]
    fn trials_without_an_answer() {
        let few = trial((3.0, 0.0), (50.0, 320.0), 4);
        check(with(few), &["note response-cache-unknown"]);
        let mut unequal = trial((3.0, 0.0), (50.0, 320.0), 12);
        for pair in &mut unequal.pairs {
            pair.fresh.output_tokens = Some(9);
        }
        check(with(unequal), &["note response-cache-unknown"]);
        let refused = CacheTrial {
            problem: Some("status 503: busy".to_owned()),
            ..CacheTrial::default()
        };
        check(with(refused), &["note response-cache-unknown"]);
        check(|_| {}, &[]);
    }

    #[test]
    fn answers_that_are_no_streams() {
        let mut whole = trial((3.0, 0.0), (50.0, 320.0), 12);
        for pair in &mut whole.pairs {
            (pair.repeated.ttft_ms, pair.fresh.ttft_ms) = (None, None);
        }
        check(with(whole), &["warning response-caching"]);
    }
}
