//! Checks of the load: warm-up, length, load model, arrivals, delivery, steadiness, caches.

use crate::check::{
    Answer, Check, Checked, Dimension, Missing, Need, OwnRun, Question, Scope, Test, fail_if,
};
use crate::facts::{Arrivals, Facts, LoadModel, Request, SetupItem, TokenSource};
use crate::import::SAME_HOST;
use crate::limits;
use crate::number::{counted, figure, percent};
use crate::shape::in_order;
use infermeter_analysis::checks;
use infermeter_core::finding::{Severity, Weight};
use std::collections::{BTreeMap, BTreeSet};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    checks::NO_WARMUP.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Nothing came before the measurement.",
            advice: "Send 30 s and 50 requests of the same distribution first, and do not measure them.",
            run: OwnRun::Judges,
            test: Test::One(no_warmup),
        },
    ),
    Check {
        code: checks::SHORT_WARMUP.code,
        scope: Scope::Publication,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The warm-up is shorter than a published result needs.",
            advice: "Warm up for 30 s and 50 requests at least.",
            run: OwnRun::Silent,
            test: Test::One(short_warmup),
        },
    },
    checks::SHORT_LEVEL.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "The measurement is too short for its load.",
            advice: "Measure each load for 60 s at least; longer near capacity.",
            run: OwnRun::Silent,
            test: Test::One(short_level),
        },
    ),
    checks::CLOSED_LOOP.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Latencies come from a closed loop.",
            advice: "Measure latency under an open loop; name the closed loop where it is the point.",
            run: OwnRun::Judges,
            test: Test::One(closed_loop),
        },
    ),
    Check {
        code: "all-at-once",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "All requests were sent at once.",
            advice: "Give a rate, or call the figures those of a batch.",
            run: OwnRun::Silent,
            test: Test::One(all_at_once),
        },
    },
    checks::CONSTANT_ARRIVALS.asking(
        Weight::Always(Severity::Note),
        Question {
            message: "Arrivals come in equal gaps.",
            advice: "Use Poisson arrivals or a trace; real load has bursts.",
            run: OwnRun::Silent,
            test: Test::One(constant_arrivals),
        },
    ),
    checks::LOAD_NOT_DELIVERED.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Fewer requests were sent per second than asked for.",
            advice: "Use a stronger client, more connections, or quote the rate that was sent.",
            run: OwnRun::Judges,
            test: Test::One(load_not_delivered),
        },
    ),
    checks::SEND_LAG.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Requests were sent late by the client itself.",
            advice: "Use a stronger client, and count latency from the intended instant.",
            run: OwnRun::Judges,
            test: Test::One(send_lag),
        },
    ),
    checks::SINGLE_LOAD_LEVEL.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "There is one load only.",
            advice: "Measure a sweep of loads, from light to past the knee.",
            run: OwnRun::Silent,
            test: Test::Side(single_load_level),
        },
    ),
    Check {
        code: "knee-not-reached",
        scope: Scope::Sweep,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "The sweep ends before the knee.",
            advice: "Add loads until throughput stops following them.",
            run: OwnRun::Silent,
            test: Test::Side(knee_not_reached),
        },
    },
    checks::SINGLE_CONFIGURATION.asking(
        Weight::Always(Severity::Note),
        Question {
            message: "There is one configuration of the server only.",
            advice: "Measure the settings that a reader would try: parallelism, batch limits, caches.",
            run: OwnRun::Silent,
            test: Test::Side(single_configuration),
        },
    ),
    checks::SINGLE_DATASET.asking(
        Weight::Always(Severity::Note),
        Question {
            message: "There is one workload only.",
            advice: "Measure at least two classes of requests, such as chat and long context.",
            run: OwnRun::Silent,
            test: Test::Side(single_dataset),
        },
    ),
    checks::FIXED_PROMPT_LENGTH.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Every prompt has one length.",
            advice: "Draw lengths from a distribution or a trace.",
            run: OwnRun::Silent,
            test: Test::One(fixed_prompt_length),
        },
    ),
    checks::HOST_SHARED_WITH_SERVER.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Client and server ran on one host.",
            advice: "Use another machine, or separate cores, and say so.",
            run: OwnRun::Judges,
            test: Test::One(host_shared_with_server),
        },
    ),
    checks::CONNECTIONS_OPENED_INSIDE.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Connections were opened inside measured requests.",
            advice: "Reuse connections, and open them before the measurement.",
            run: OwnRun::Judges,
            test: Test::One(connections_opened_inside),
        },
    ),
    checks::VERBOSE_SERVER_LOGGING.asking(
        Weight::Always(Severity::Note),
        Question {
            message: "The server logged verbosely.",
            advice: "Turn request logging and debug levels off while measuring.",
            run: OwnRun::Silent,
            test: Test::One(verbose_server_logging),
        },
    ),
    checks::INTERRUPTED.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "The run did not end as planned.",
            advice: "Repeat it, or quote it as a shorter run.",
            run: OwnRun::Judges,
            test: Test::One(interrupted),
        },
    ),
    checks::PREFIX_CACHE_HIT.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Prompts were served from a prefix cache.",
            advice: "Salt the prompts, or declare the hit rate as part of the workload.",
            run: OwnRun::Judges,
            test: Test::One(prefix_cache_hit),
        },
    ),
    checks::CACHE_HITS_UNDECLARED.asking(
        Weight::Always(Severity::Note),
        Question {
            message: "A prefix cache was on and its hit rate is not stated.",
            advice: "State the hit rate, or turn the cache off.",
            run: OwnRun::Silent,
            test: Test::One(cache_hits_undeclared),
        },
    ),
    Check {
        code: "repeated-answers",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "Most answers are repetitions.",
            advice: "Check that prompts differ, and that a model answers.",
            run: OwnRun::Silent,
            test: Test::One(repeated_answers),
        },
    },
    Check {
        code: "repeated-prompts",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Prompts were sent more than once.",
            advice: "Make every prompt differ, or declare the repetition as part of the workload.",
            run: OwnRun::Silent,
            test: Test::One(repeated_prompts),
        },
    },
    checks::RESPONSE_CACHING.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Repeated prompts were answered faster.",
            advice: "Turn response caching off, or salt the prompts.",
            run: OwnRun::Silent,
            test: Test::One(response_caching),
        },
    ),
];

pub(super) fn no_warmup(facts: &Facts) -> Checked {
    let none = warmed_up(facts)? == (0.0, 0.0);
    fail_if(none, || "0 s and 0 requests of warm-up.".to_owned())
}

pub(super) fn short_warmup(facts: &Facts) -> Checked {
    if warmed_up(facts)? == (0.0, 0.0) {
        return Ok(Answer::NotApplicable);
    }
    let few = |value: Option<f64>, least: f64| value.is_some_and(|v| v < least);
    let short = few(facts.load.warmup_s, limits::SHORTEST_WARMUP_S)
        || few(facts.load.warmup_requests, limits::FEWEST_WARMUP_REQUESTS);
    fail_if(short, || {
        let seconds = facts.load.warmup_s.map(|s| format!("{} s", figure(s)));
        let requests = facts.load.warmup_requests.map(|n| counted(n, "request"));
        let parts: Vec<String> = seconds.into_iter().chain(requests).collect();
        format!(
            "{} of warm-up; 30 s and 50 requests are the least.",
            parts.join(", ")
        )
    })
}

/// Seconds and requests of the warm-up, 0 where only the other is stated.
fn warmed_up(facts: &Facts) -> Result<(f64, f64), Missing> {
    let (s, n) = (facts.load.warmup_s, facts.load.warmup_requests);
    s.or(n).need("warm-up")?;
    Ok((s.unwrap_or(0.0), n.unwrap_or(0.0)))
}

pub(super) fn short_level(facts: &Facts) -> Checked {
    let seconds = facts.load.duration_s.need("duration")?;
    fail_if(seconds < limits::SHORTEST_LEVEL_S, || {
        format!("{} s of measurement at this load.", figure(seconds))
    })
}

pub(super) fn closed_loop(facts: &Facts) -> Checked {
    let model = facts.load.model.need("load model")?;
    if model == LoadModel::Closed && facts.latency.is_empty() {
        return Ok(Answer::NotApplicable);
    }
    fail_if(model == LoadModel::Closed, || {
        let slots = facts
            .load
            .concurrency
            .map(|c| format!("{} in flight: ", figure(c)));
        format!(
            "{}the slower the server, the less it was asked for.",
            slots.unwrap_or_default()
        )
    })
}

pub(super) fn all_at_once(facts: &Facts) -> Checked {
    let model = facts.load.model.need("load model")?;
    fail_if(model == LoadModel::Burst, || {
        "Infinite rate without a cap: latency is the place in one queue.".to_owned()
    })
}

pub(super) fn constant_arrivals(facts: &Facts) -> Checked {
    if facts.load.model.need("load model")? != LoadModel::Open {
        return Ok(Answer::NotApplicable);
    }
    let arrivals = facts.load.arrivals.need("arrival process")?;
    fail_if(arrivals == Arrivals::Constant, || {
        "Queues then form only beyond capacity.".to_owned()
    })
}

pub(super) fn load_not_delivered(facts: &Facts) -> Checked {
    if facts.load.model.need("load model")? != LoadModel::Open {
        return Ok(Answer::NotApplicable);
    }
    let asked = facts.load.rate.need("rate")?;
    let starts: Vec<f64> = facts.requests.iter().filter_map(|r| r.start_s).collect();
    if facts.has_all_requests() && starts.len() == facts.requests.len() && starts.len() > 1 {
        let n = starts.len() as f64;
        let first = starts.iter().copied().fold(f64::INFINITY, f64::min);
        let last = starts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let realised = (n - 1.0) / (last - first).max(f64::MIN_POSITIVE);
        return fail_if(realised < least_rate(asked, n), || {
            format!(
                "{}/s asked, {} sends at {}/s.",
                figure(asked),
                figure(n),
                figure(realised)
            )
        });
    }
    let done = facts.counts.completed.need("completed requests")?;
    let n = done + facts.counts.failed.unwrap_or(0.0);
    let seconds = facts.load.duration_s.filter(|s| *s > 0.0);
    let seconds = seconds.need("duration or send instants")?;
    let least = least_rate(asked, n);
    if n / seconds >= least {
        return Ok(Answer::Pass);
    }
    // The drain is inside the duration: at most the longest answer of it.
    let e2e = facts.latency.get(&crate::facts::Metric::E2e);
    let longest = e2e.and_then(|s| s.max).need("send instants")? / 1e3;
    let window = seconds - longest;
    if window <= 0.0 || n / window >= least {
        return Err(Missing("send instants".to_owned()));
    }
    Ok(Answer::Fail(format!(
        "{}/s asked, at most {}/s sent.",
        figure(asked),
        figure(n / window)
    )))
}

/// The lowest realised rate that chance and rounding explain.
fn least_rate(asked: f64, n: f64) -> f64 {
    asked * (1.0 - limits::RATE_SHARE - limits::RATE_ERRORS / n.max(1.0).sqrt())
}

pub(super) fn send_lag(facts: &Facts) -> Checked {
    if facts.load.model.need("load model")? != LoadModel::Open {
        return Ok(Answer::NotApplicable);
    }
    let lag = facts.load.send_lag_ms.need("send lag")?;
    if lag <= limits::SEND_LAG_MS {
        return Ok(Answer::Pass);
    }
    let ttft = facts.percentile(crate::facts::Metric::Ttft, 50.0);
    let ttft = ttft.need("median TTFT beside the send lag")?;
    let limit = limits::SEND_LAG_MS.max(limits::SEND_LAG_SHARE * ttft);
    fail_if(lag > limit, || {
        format!(
            "Requests left {} ms late; the limit is {} ms.",
            figure(lag),
            figure(limit)
        )
    })
}

/// Loads that differ: rate and concurrency.
pub(crate) fn level_of(facts: &Facts) -> Option<(u64, u64)> {
    let bits = |x: Option<f64>| x.map_or(0, f64::to_bits);
    let (rate, slots) = (facts.load.rate, facts.load.concurrency);
    let burst = facts.load.model == Some(LoadModel::Burst);
    (burst || rate.or(slots).is_some()).then(|| (bits(rate), bits(slots)))
}

pub(super) fn single_load_level(side: &[Facts]) -> Checked {
    let levels: Option<BTreeSet<(u64, u64)>> = side.iter().map(level_of).collect();
    let levels = levels.need("rate or concurrency")?;
    fail_if(levels.len() < 2, || match side.first() {
        Some(first) => format!("All at {}.", level_name(first)),
        None => "No result.".to_owned(),
    })
}

/// A load in words.
fn level_name(facts: &Facts) -> String {
    match (facts.load.rate, facts.load.concurrency) {
        (Some(rate), _) => format!("{}/s", figure(rate)),
        (None, Some(slots)) => format!("{} in flight", figure(slots)),
        (None, None) => "once".to_owned(),
    }
}

/// Items that tell one configuration of a server from another.
const CONFIGURATION: [SetupItem; 8] = [
    SetupItem::EngineFlags,
    SetupItem::TensorParallel,
    SetupItem::PipelineParallel,
    SetupItem::DataParallel,
    SetupItem::BatchLimits,
    SetupItem::PrefixCache,
    SetupItem::ChunkedPrefill,
    SetupItem::Speculation,
];

pub(super) fn single_configuration(side: &[Facts]) -> Checked {
    let of = |facts: &Facts| -> Vec<Option<String>> {
        CONFIGURATION
            .iter()
            .map(|item| facts.stated(*item).cloned())
            .collect()
    };
    let configurations: BTreeSet<Vec<Option<String>>> = side.iter().map(of).collect();
    let stated = configurations.iter().flatten().any(Option::is_some);
    stated.then_some(()).need("the server's configuration")?;
    fail_if(configurations.len() < 2, || {
        let values = configurations.iter().flatten();
        let pairs = CONFIGURATION.iter().zip(values);
        let stated: Vec<String> = pairs
            .filter_map(|(item, value)| Some(format!("{} {}", item.label(), value.as_ref()?)))
            .collect();
        format!("All with {}.", stated.join(", "))
    })
}

pub(super) fn single_dataset(side: &[Facts]) -> Checked {
    let names = side.iter().map(|f| f.stated(SetupItem::Dataset));
    let names: Option<BTreeSet<&String>> = names.collect();
    let names = names.need("dataset")?;
    fail_if(names.len() < 2, || {
        let name = names.iter().next().map_or("", |n| n.as_str());
        format!("All with {name}.")
    })
}

pub(super) fn fixed_prompt_length(facts: &Facts) -> Checked {
    let lengths = crate::shape::input_lengths(facts).need("prompt lengths")?;
    let constant = lengths.is_constant().need("spread of the prompt lengths")?;
    let by_client = facts.tokens.input_counted_by == Some(TokenSource::Tokenizer);
    if constant && by_client {
        // A tokenizer that is not the model's, or a template behind it: the server's may range.
        return Err(Missing("prompt lengths by the server's count".to_owned()));
    }
    fail_if(constant && lengths.n != Some(1.0), || {
        let length = lengths.mean.or(lengths.min).unwrap_or(0.0);
        format!("Every prompt has {}.", counted(length, "token"))
    })
}

pub(super) fn host_shared_with_server(facts: &Facts) -> Checked {
    let placement = facts
        .stated(SetupItem::ClientPlacement)
        .need("client placement")?;
    let shared = placement.to_ascii_lowercase().contains(SAME_HOST);
    fail_if(shared, || format!("Client placement: {placement}."))
}

pub(super) fn connections_opened_inside(facts: &Facts) -> Checked {
    let share = facts.new_connections.need("connections opened")?;
    fail_if(share > limits::NEW_CONNECTIONS, || {
        format!(
            "{} of the measured requests opened a connection.",
            percent(share)
        )
    })
}

pub(super) fn verbose_server_logging(facts: &Facts) -> Checked {
    if facts.simulated {
        return Ok(Answer::NotApplicable);
    }
    let logging = facts
        .stated(SetupItem::ServerLogging)
        .need("server logging")?;
    let level = logging.to_ascii_lowercase();
    let verbose = ["debug", "trace", "verbose", "requests"]
        .iter()
        .any(|v| level.contains(v));
    fail_if(verbose, || format!("Server logging: {logging}."))
}

pub(super) fn interrupted(facts: &Facts) -> Checked {
    let cut = facts.cut_short.need("whether the run ended as planned")?;
    fail_if(cut, || "It was cancelled, or is incomplete.".to_owned())
}

pub(super) fn prefix_cache_hit(facts: &Facts) -> Checked {
    let cached = facts.tokens.cached.need("cached prompt tokens")?;
    let all = facts
        .tokens
        .input
        .filter(|n| *n > 0.0)
        .need("prompt tokens")?;
    let declared = facts.stated(SetupItem::CacheHitRate).is_some();
    fail_if(!declared && cached / all > limits::CACHED_PROMPT, || {
        format!(
            "{} of the prompt tokens came from a cache.",
            percent(cached / all)
        )
    })
}

pub(super) fn cache_hits_undeclared(facts: &Facts) -> Checked {
    let declared = facts.stated(SetupItem::CacheHitRate).is_some();
    if declared || facts.tokens.cached.is_some() {
        return Ok(Answer::Pass);
    }
    let cache = facts
        .stated(SetupItem::PrefixCache)
        .need("prefix cache on or off")?;
    let off = matches!(
        cache.to_ascii_lowercase().as_str(),
        "off" | "false" | "disabled" | "none"
    );
    fail_if(!off, || format!("Prefix cache: {cache}; no hit rate."))
}

pub(super) fn repeated_answers(facts: &Facts) -> Checked {
    let keys: Vec<u64> = facts.completed().filter_map(|r| r.answer_key).collect();
    (keys.len() >= 10)
        .then_some(())
        .need("texts of ten answers")?;
    let share = repeats(&keys);
    fail_if(share > limits::REPEATED, || {
        format!("{} of the answers repeat an earlier one.", percent(share))
    })
}

pub(super) fn repeated_prompts(facts: &Facts) -> Checked {
    let keys: Vec<u64> = facts.requests.iter().filter_map(|r| r.prompt_key).collect();
    (keys.len() >= 10)
        .then_some(())
        .need("prompts of ten requests")?;
    let share = repeats(&keys);
    fail_if(share > limits::REPEATED_PROMPTS, || {
        format!("{} of the prompts repeat an earlier one.", percent(share))
    })
}

fn repeats(keys: &[u64]) -> f64 {
    let distinct: BTreeSet<&u64> = keys.iter().collect();
    1.0 - distinct.len() as f64 / keys.len().max(1) as f64
}

pub(super) fn response_caching(facts: &Facts) -> Checked {
    let mut first: BTreeMap<u64, &Request> = BTreeMap::new();
    let mut ratios = Vec::new();
    let mut known = 0;
    for request in in_order(facts) {
        let Some(key) = request.prompt_key else {
            continue;
        };
        known += 1;
        if let Some(earlier) = first.get(&key) {
            let same = earlier.output_tokens == request.output_tokens;
            let pair = request.end_to_end_ms().zip(earlier.end_to_end_ms());
            ratios.extend(pair.filter(|(_, e)| same && *e > 0.0).map(|(l, e)| l / e));
        } else {
            first.insert(key, request);
        }
    }
    (known >= 10)
        .then_some(())
        .need("prompts of ten requests")?;
    if ratios.len() < 5 {
        return Ok(Answer::NotApplicable);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    fail_if(median < limits::RESPONSE_CACHE, || {
        format!(
            "Repeated prompts took {} of the first time's E2E (median of {}).",
            percent(median),
            ratios.len()
        )
    })
}

pub(super) fn knee_not_reached(side: &[Facts]) -> Checked {
    let levels: Option<BTreeSet<(u64, u64)>> = side.iter().map(level_of).collect();
    if levels.need("rate or concurrency")?.len() < 2 {
        return Ok(Answer::NotApplicable);
    }
    let points = |of: fn(&Facts) -> Option<f64>| -> Option<Vec<(f64, f64)>> {
        let asked = |f: &Facts| f.load.rate.or(f.load.concurrency);
        side.iter().map(|f| Some((asked(f)?, of(f)?))).collect()
    };
    let points = points(|f| f.rates.output).or_else(|| points(|f| f.rates.requests));
    let mut points = points.need("throughput at each load")?;
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (first, last) = (points[0], points[points.len() - 1]);
    let positive = [first.0, first.1, last.0].iter().all(|x| *x > 0.0);
    positive.then_some(()).need("throughput at each load")?;
    let gained = (last.1 / first.1) / (last.0 / first.0);
    fail_if(gained > limits::STILL_RISING, || {
        format!(
            "From load {} to {} throughput rose x{}: it still follows the load.",
            figure(first.0),
            figure(last.0),
            figure(last.1 / first.1)
        )
    })
}
